//! Which steps run together by bands of rows, so that what one hands to the next stays in the cache.

use super::merge::reads;
use super::program::{Program, Step, Value, Window, Work};
use std::ops::Range;

/// What a step reads row by row, and through which windows. `None` for one that needs the whole maps.
pub(super) fn streamed(step: &Step) -> Option<(Value, Window)> {
    match &step.work {
        Work::Dense { input, window, .. }
        | Work::Depthwise { input, window, .. }
        | Work::MaxPool { input, window }
        | Work::AveragePool { input, window, .. } => Some((*input, *window)),
        Work::Scale { input, .. } | Work::Gate { input, .. } => Some((*input, Window::POINT)),
        // What is chosen was made last; what it depends on is there since long before.
        Work::Where { input, yes, no, .. } => Some((yes.value().or(no.value()).unwrap_or(*input), Window::POINT)),
        Work::Mean { .. } | Work::Repeat { .. } | Work::Spread { .. } | Work::Pick { .. } => None,
    }
}

/// The steps of a program in groups, in an order in which these can run. Each step of a group but the first reads what
/// the one before makes, which nobody else needs. `cache` is the size of the second-level cache in floats.
pub(super) fn groups(program: &Program, cache: usize) -> Vec<Vec<usize>> {
    let mut readers = vec![0; program.values.len()];
    for value in program.outputs.iter().copied().chain(program.steps.iter().flat_map(reads)) {
        readers[value] += 1;
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    // The group whose last step makes a value.
    let mut ending: Vec<Option<usize>> = vec![None; program.values.len()];
    for (at, step) in program.steps.iter().enumerate() {
        let joined = streamed(step).and_then(|(input, _)| {
            let (shape, group) = (program.values[input], ending[input]?);
            let before = &program.steps[*groups[group].last()?];
            // Maps that stay in the cache anyway gain nothing; weights that do not stay would be read for each band.
            let pays = 4 * shape.cells() * shape.channels > cache
                && 4 * (program.weights(before) + program.weights(step)) < cache;
            (readers[input] == 1 && streamed(before).is_some() && shape.height > 1 && pays).then_some(group)
        });
        // It runs where its last step stands, when all that the group reads is there.
        let mut group = joined.map(|group| std::mem::take(&mut groups[group])).unwrap_or_default();
        group.push(at);
        ending[step.output] = Some(groups.len());
        groups.push(group);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The rows that each step of a group computes in one band.
pub(super) type Band = Vec<Range<usize>>;

/// How a group computes `rows` of its last step's result, `band` rows at a time: each step before computes what the next
/// one needs and did not have yet.
pub(super) fn bands(program: &Program, group: &[usize], rows: Range<usize>, band: usize) -> Vec<Band> {
    let steps: Vec<&Step> = group.iter().map(|at| &program.steps[*at]).collect();
    // The rows that are there, of each step's result.
    let mut done = vec![rows.start; steps.len()];
    for at in (0..steps.len() - 1).rev() {
        done[at] = first_read(steps[at + 1], done[at + 1]);
    }
    let mut bands = Vec::new();
    while done[steps.len() - 1] < rows.end {
        let mut ends = done.clone();
        ends[steps.len() - 1] = (done[steps.len() - 1] + band).min(rows.end);
        for at in (0..steps.len() - 1).rev() {
            let height = program.values[steps[at].output].height;
            ends[at] = behind_read(steps[at + 1], ends[at + 1]).min(height).max(done[at]);
        }
        bands.push(done.iter().zip(&ends).map(|(from, to)| *from..*to).collect());
        done = ends;
    }
    bands
}

/// The first row that the windows of row `y` and of those below cover.
fn first_read(step: &Step, y: usize) -> usize {
    let Some((_, window)) = streamed(step) else { return 0 };
    (y * window.stride[0]).saturating_sub(window.before[0])
}

/// The row behind the last one that the windows of the rows before `end` cover.
fn behind_read(step: &Step, end: usize) -> usize {
    let (Some((_, window)), Some(last)) = (streamed(step), end.checked_sub(1)) else { return 0 };
    (last * window.stride[0] + (window.kernel[0] - 1) * window.dilation[0] + 1).saturating_sub(window.before[0])
}

/// The rows of each step's result that are needed at the same time; nothing of the last one's.
pub(super) fn held(program: &Program, group: &[usize], bands: &[Band]) -> Vec<usize> {
    let held = |at: usize| {
        let next = &program.steps[group[at + 1]];
        let of = |band: &Band| band[at].end - first_read(next, band[at + 1].start).min(band[at].start);
        bands.iter().map(of).max().unwrap_or(0).max(1)
    };
    (0..group.len() - 1).map(held).collect()
}
