//! Calls of kernels, with all places worked out.

use super::layout::Layout;
use super::load::{Kernel, Loaded};
use super::memory::Maps;
use super::program::{Value, Window, Work};
use super::share::Share;
use std::ops::Range;

/// Some rows of a step's result, or some of their channels.
#[derive(Debug)]
pub(super) enum Call {
    /// Zeros beside the rows of maps that are to be written.
    Margins { at: usize, pitch: usize, floats: usize, rows: usize },
    Rows {
        step: usize,
        /// Of [`Loaded::parts`].
        parts: Range<usize>,
        /// Where what the kernel reads begins: for each row as many as it has taps, rows of its window or values.
        from: Vec<usize>,
        /// From one pixel to the next.
        from_step: usize,
        /// For each row, where its first pixel goes.
        to: Vec<usize>,
        to_step: usize,
        /// For each row, what is added to its first pixel.
        residuals: Vec<usize>,
        residual_step: usize,
        /// In each row.
        pixels: usize,
    },
}

impl Layout<'_> {
    /// Zeros for the margins of maps.
    pub(super) fn margins(&self, values: &[Value], thread: usize) -> Vec<Call> {
        let maps = values.iter().map(|value| self.maps(*value, thread)).filter(|maps| maps.margin > 0);
        maps.map(|maps| Call::Margins {
            at: maps.at,
            pitch: maps.pitch(),
            floats: maps.margin * maps.step,
            rows: maps.rows + 1,
        })
        .collect()
    }

    pub(super) fn calls(&self, group: &[usize], steps: &[Loaded], share: &Share, thread: usize) -> Vec<Call> {
        let mut calls = Vec::new();
        for band in &share.bands {
            for (at, rows) in group.iter().zip(band).filter(|(_, rows)| !rows.is_empty()) {
                let parts = share.parts.start..share.parts.end.min(steps[*at].parts());
                self.add(*at, &steps[*at], rows.clone(), parts, thread, &mut calls);
            }
        }
        calls
    }

    /// Adds the calls for some rows of a step's result.
    fn add(
        &self,
        at: usize,
        loaded: &Loaded,
        rows: Range<usize>,
        parts: Range<usize>,
        thread: usize,
        calls: &mut Vec<Call>,
    ) {
        let step = &self.program.steps[at];
        let to = self.maps(step.output, thread);
        let residual = step.residual.map(|value| self.maps(value, thread));
        let call = |rows: Range<usize>, from: Vec<usize>, from_step: usize| Rows {
            from,
            from_step,
            to: rows.clone().map(|y| to.row(y)).collect(),
            residuals: residual.iter().flat_map(|maps| rows.clone().map(|y| maps.row(y))).collect(),
            pixels: to.shape.width,
        };
        let mut push = |rows: Rows| {
            let Rows { from, from_step, to: places, residuals, pixels } = rows;
            calls.push(Call::Rows {
                step: at,
                parts: parts.clone(),
                from,
                from_step,
                to: places,
                to_step: to.step,
                residuals,
                residual_step: residual.map_or(0, |maps| maps.step),
                pixels,
            });
        };
        match &step.work {
            Work::Dense { input, window, .. } => {
                let maps = self.maps(*input, thread);
                let (taps, apart) = taps(&maps, window);
                let starts = |y: usize| (0..window.kernel[0]).map(move |tap| (y, tap));
                let from = rows
                    .clone()
                    .flat_map(starts)
                    .map(|(y, tap)| window_row(&maps, window, y, tap))
                    .flat_map(|row| (0..taps).map(move |tap| row + tap * apart))
                    .collect();
                let mut all = call(rows, from, maps.step);
                if window.kernel == [1, 1] && window.stride == [1, 1] && window.before == [0, 0] {
                    all.unite(to.step, residual.map_or(0, |maps| maps.step));
                }
                push(all);
            }
            Work::Depthwise { input, window, .. } => {
                let maps = self.maps(*input, thread);
                let starts = |y: usize| (0..window.kernel[0]).map(move |tap| (y, tap));
                let from = rows.clone().flat_map(starts).map(|(y, tap)| window_row(&maps, window, y, tap)).collect();
                push(call(rows, from, maps.step));
            }
            Work::MaxPool { input, window } | Work::AveragePool { input, window, .. } => {
                let maps = self.maps(*input, thread);
                for y in rows {
                    let inside = (0..window.kernel[0]).filter_map(|tap| covered(window, y, tap, maps.shape.height));
                    push(call(y..y + 1, inside.map(|y| maps.row(y)).collect(), maps.step));
                }
            }
            Work::Mean { input } => {
                let maps = self.maps(*input, thread);
                push(call(rows, (0..maps.shape.height).map(|y| maps.row(y)).collect(), maps.step));
            }
            Work::Scale { input, .. } => {
                let maps = self.maps(*input, thread);
                rows.for_each(|y| push(call(y..y + 1, vec![maps.row(y)], maps.step)));
            }
            Work::Gate { input, gate } => {
                let (maps, gate) = (self.maps(*input, thread), self.maps(*gate, thread));
                let gate_row = |y: usize| gate.row(if gate.shape.cells() == 1 { 0 } else { y });
                let gate_step = if gate.shape.cells() == 1 { 0 } else { gate.step };
                rows.for_each(|y| push(call(y..y + 1, vec![maps.row(y), gate_row(y), gate_step], maps.step)));
            }
            Work::Where { input, yes, no, .. } => {
                let maps = self.maps(*input, thread);
                let [yes, no] = [yes, no].map(|term| term.value().map(|value| self.maps(value, thread)));
                let place = |maps: Option<Maps>, y: usize| maps.map_or([0, 0], |maps| [maps.row(y), maps.step]);
                rows.for_each(|y| {
                    let from = [vec![maps.row(y)], place(yes, y).to_vec(), place(no, y).to_vec()].concat();
                    push(call(y..y + 1, from, maps.step));
                });
            }
            Work::Repeat { input } => {
                let maps = self.maps(*input, thread);
                let row = |y: usize| maps.row(if maps.shape.height == 1 { 0 } else { y });
                let step = if maps.shape.width == 1 { 0 } else { maps.step };
                rows.for_each(|y| push(call(y..y + 1, vec![row(y)], step)));
            }
            Work::Spread { input, stride } => {
                let maps = self.maps(*input, thread);
                for y in rows {
                    let from = if y.is_multiple_of(stride[0]) { vec![maps.row(y / stride[0])] } else { Vec::new() };
                    push(call(y..y + 1, from, maps.step));
                }
            }
            Work::Pick { .. } => {
                let Kernel::Pick { runs, .. } = &loaded.kernel else { unreachable!("it was loaded as what it is") };
                for y in rows {
                    let place = |maps: Maps, from: usize| [maps.row(y) + from, maps.step];
                    let from = runs.iter().flat_map(|run| place(self.maps(run.value, thread), run.from)).collect();
                    push(call(y..y + 1, from, 0));
                }
            }
        }
    }
}

/// The places of a call.
struct Rows {
    from: Vec<usize>,
    from_step: usize,
    to: Vec<usize>,
    residuals: Vec<usize>,
    pixels: usize,
}

impl Rows {
    /// Makes one long row of those that follow each other without gaps.
    fn unite(&mut self, to_step: usize, residual_step: usize) {
        let gapless =
            |places: &[usize], step: usize| places.windows(2).all(|pair| pair[0] + self.pixels * step == pair[1]);
        if gapless(&self.from, self.from_step) && gapless(&self.to, to_step) && gapless(&self.residuals, residual_step)
        {
            self.pixels *= self.to.len();
            self.from.truncate(1);
            self.to.truncate(1);
            self.residuals.truncate(1);
        }
    }
}

/// How many runs of factors a row of a window is, and how far they are apart. Where no column is skipped and no channel
/// is empty, a row is one run.
fn taps(maps: &Maps, window: &Window) -> (usize, usize) {
    let [_, columns] = window.kernel;
    if columns == 1 || (maps.step == maps.shape.channels && window.dilation[1] == 1) {
        (1, 0)
    } else {
        (columns, window.dilation[1] * maps.step)
    }
}

/// The row of the picture that a window's row covers, where it lies in the picture.
fn covered(window: &Window, y: usize, tap: usize, height: usize) -> Option<usize> {
    (y * window.stride[0] + tap * window.dilation[0]).checked_sub(window.before[0]).filter(|row| *row < height)
}

/// The leftmost pixel that the first window of row `y` covers in row `tap` of the window. Zeros lie at the start of the
/// memory.
fn window_row(maps: &Maps, window: &Window, y: usize, tap: usize) -> usize {
    let row = covered(window, y, tap, maps.shape.height);
    row.map_or(maps.margin * maps.step, |row| maps.row(row)) - window.before[1] * maps.step
}
