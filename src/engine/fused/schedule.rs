//! A program as calls of kernels with all places worked out: nothing is left to decide while it runs.

use super::chain::{Band, bands, groups, held, streamed};
use super::load::{Kernel, Loaded};
use super::memory::{Buffer, Maps, place};
use super::merge::reads;
use super::price::{self, Prices};
use super::program::{Program, Step, Value, Window, Work};
use crate::kernels::Isa;
use std::ops::Range;

/// What the machine has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub isa: Isa,
    pub threads: usize,
    /// Floats in the second-level cache.
    pub cache: usize,
    pub prices: Prices,
}

pub(super) struct Schedule {
    pub isa: Isa,
    pub steps: Vec<Loaded>,
    /// Each a list for each thread; what a stage reads, earlier ones made.
    pub stages: Vec<Vec<Vec<Call>>>,
    /// Floats that the feature maps take.
    pub floats: usize,
    pub inputs: Vec<Maps>,
    pub outputs: Vec<Maps>,
}

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

impl Schedule {
    pub fn new(mut program: Program, machine: Machine) -> Schedule {
        let Machine { isa, threads, cache, prices } = machine;
        let multiply_adds: Vec<u64> = program.steps.iter().map(|step| program.multiply_adds(step)).collect();
        let Program { values, steps, .. } = &mut program;
        // Weights are in memory once: as given, or as loaded.
        let load = |(step, multiply_adds): (&mut Step, u64)| Loaded::new(values, step, multiply_adds, isa);
        let steps: Vec<Loaded> = steps.iter_mut().zip(multiply_adds).map(load).collect();
        let program = &program;
        let groups = groups(program, cache);
        let mut layout = Layout::new(program, isa, groups.len());
        let threads = if price::pays(program, &groups, isa, threads, prices) { threads } else { 1 };
        let shares: Vec<Vec<Share>> =
            groups.iter().map(|group| layout.shares(group, &steps[group[0]], threads, cache)).collect();
        for (stage, (group, shares)) in groups.iter().zip(&shares).enumerate() {
            layout.hold(stage + 1, group, shares);
        }
        let zeros = layout.zeros();
        let floats = place(&mut layout.buffers, zeros);
        let mut stages: Vec<Vec<Vec<Call>>> = vec![vec![layout.margins(&program.inputs, 0)]];
        for (group, shares) in groups.iter().zip(&shares) {
            let mut stage: Vec<Vec<Call>> = Vec::new();
            for (thread, share) in shares.iter().enumerate() {
                let mut calls = layout.calls(group, &steps, share, thread);
                let last = [program.steps[group[group.len() - 1]].output];
                let own: Vec<Value> = group[..group.len() - 1].iter().map(|at| program.steps[*at].output).collect();
                let mut all = layout.margins(&own, thread);
                if thread == 0 {
                    all.extend(layout.margins(&last, 0));
                }
                all.append(&mut calls);
                stage.push(all);
            }
            match (stages.last_mut(), stage.len()) {
                // Nobody has to wait for what the same thread did.
                (Some(before), 1) if before.len() == 1 => before[0].append(&mut stage[0]),
                _ => stages.push(stage),
            }
        }
        let maps = |values: &[Value]| values.iter().map(|value| layout.maps(*value, 0)).collect();
        let (inputs, outputs) = (maps(&program.inputs), maps(&program.outputs));
        Schedule { isa, steps, stages, floats, inputs, outputs }
    }

    /// Whether there is work for more than one thread.
    pub fn shared(&self) -> bool {
        self.stages.iter().any(|stage| stage.len() > 1)
    }
}

/// What one thread does of a group.
struct Share {
    bands: Vec<Band>,
    parts: Range<usize>,
}

struct Layout<'p> {
    program: &'p Program,
    /// The maps of each value as a whole.
    whole: Vec<Maps>,
    buffers: Vec<Buffer>,
    /// The buffers of each value: one, or one for each thread.
    of: Vec<Vec<usize>>,
    /// The last stage that reads a value.
    needed: Vec<usize>,
}

impl<'p> Layout<'p> {
    fn new(program: &'p Program, isa: Isa, stages: usize) -> Layout<'p> {
        let mut margins = vec![0; program.values.len()];
        let mut exact = vec![false; program.values.len()];
        program.inputs.iter().for_each(|input| exact[*input] = true);
        for step in &program.steps {
            if let Work::Dense { input, window, .. } | Work::Depthwise { input, window, .. } = &step.work {
                let (from, to) = (program.values[*input].width, program.values[step.output].width);
                let reach = (to - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] + 1;
                let after = reach.saturating_sub(window.before[1] + from);
                margins[*input] = margins[*input].max(window.before[1]).max(after);
            }
            // Only products read no more channels than there are.
            let dense = if let Work::Dense { input, .. } = step.work { Some(input) } else { None };
            reads(step).into_iter().filter(|value| Some(*value) != dense).for_each(|value| exact[value] = false);
            step.residual.into_iter().for_each(|value| exact[value] = false);
        }
        let maps = |value: usize| {
            let shape = program.values[value];
            let step = if exact[value] { shape.channels } else { shape.channels.next_multiple_of(isa.lanes()) };
            Maps { shape, step, margin: margins[value], rows: shape.height, at: 0 }
        };
        let mut layout = Layout {
            program,
            whole: (0..margins.len()).map(maps).collect(),
            buffers: Vec::new(),
            of: vec![Vec::new(); margins.len()],
            needed: vec![0; margins.len()],
        };
        program.outputs.iter().for_each(|value| layout.needed[*value] = stages + 1);
        for value in &program.inputs {
            layout.keep(*value, layout.whole[*value], 0);
        }
        layout
    }

    fn keep(&mut self, value: Value, maps: Maps, stage: usize) {
        self.of[value].push(self.buffers.len());
        self.buffers.push(Buffer { maps, from: stage, to: self.needed[value].max(stage) });
    }

    /// Buffers for what a group makes.
    fn hold(&mut self, stage: usize, group: &[usize], shares: &[Share]) {
        for (at, step) in group.iter().map(|at| &self.program.steps[*at]).enumerate() {
            for value in reads(step) {
                for buffer in &self.of[value] {
                    self.buffers[*buffer].to = self.buffers[*buffer].to.max(stage);
                }
            }
            if at + 1 == group.len() {
                self.keep(step.output, self.whole[step.output], stage);
            }
        }
        for share in shares {
            for (at, rows) in group.iter().zip(held(self.program, group, &share.bands)) {
                let value = self.program.steps[*at].output;
                self.keep(value, Maps { rows, ..self.whole[value] }, stage);
            }
        }
    }

    fn maps(&self, value: Value, thread: usize) -> Maps {
        let buffers = &self.of[value];
        self.buffers[buffers[if buffers.len() > 1 { thread } else { 0 }]].maps
    }

    /// Floats of the row that stands for those outside the picture.
    fn zeros(&self) -> usize {
        self.whole.iter().map(|maps| maps.margin * maps.step + maps.pitch()).max().unwrap_or(0)
    }

    /// How a group is divided among threads, and into bands.
    fn shares(&self, group: &[usize], first: &Loaded, threads: usize, cache: usize) -> Vec<Share> {
        let program = self.program;
        let height = program.values[program.steps[group[group.len() - 1]].output].height;
        if let [only] = group {
            let step = &program.steps[*only];
            return self.shares_of_one(step, first, height, threads, cache);
        }
        let threads = threads.min(height);
        let share = |thread: usize| {
            let rows = height * thread / threads..height * (thread + 1) / threads;
            let mut band = rows.len();
            loop {
                let bands = bands(program, group, rows.clone(), band);
                let floats: usize = group
                    .iter()
                    .zip(held(program, group, &bands))
                    .map(|(at, rows)| rows * self.whole[program.steps[*at].output].pitch())
                    .sum();
                if 2 * floats <= cache || band <= 1 {
                    return Share { bands, parts: 0..usize::MAX };
                }
                band = band * 3 / 4;
            }
        };
        (0..threads).map(share).collect()
    }

    fn shares_of_one(&self, step: &Step, loaded: &Loaded, height: usize, threads: usize, cache: usize) -> Vec<Share> {
        let input = streamed(step).map(|(input, window)| (self.whole[input], window));
        let weights = self.program.weights(step);
        // All weights pass by for each band, and all of a band for each panel of weights: neither should leave the cache.
        let band = match input {
            Some((maps, window)) if 2 * weights < cache => (cache / 4 / maps.pitch().max(1) / window.stride[0]).max(1),
            _ => height,
        };
        let bands = |rows: Range<usize>| -> Vec<Band> {
            rows.clone()
                .step_by(band)
                .map(|from| std::iter::once(from..(from + band).min(rows.end)).collect())
                .collect()
        };
        let parts = loaded.parts();
        let many_weights = input.is_some_and(|(maps, _)| weights > maps.floats());
        if parts >= threads && (height < 2 * threads || many_weights) {
            let part = |thread: usize| parts * thread / threads..parts * (thread + 1) / threads;
            return (0..threads).map(|thread| Share { bands: bands(0..height), parts: part(thread) }).collect();
        }
        let threads = if matches!(step.work, Work::Mean { .. }) { 1 } else { threads.min(height) };
        let rows = |thread: usize| height * thread / threads..height * (thread + 1) / threads;
        (0..threads).map(|thread| Share { bands: bands(rows(thread)), parts: 0..usize::MAX }).collect()
    }

    /// Zeros for the margins of maps.
    fn margins(&self, values: &[Value], thread: usize) -> Vec<Call> {
        let maps = values.iter().map(|value| self.maps(*value, thread)).filter(|maps| maps.margin > 0);
        maps.map(|maps| Call::Margins {
            at: maps.at,
            pitch: maps.pitch(),
            floats: maps.margin * maps.step,
            rows: maps.rows + 1,
        })
        .collect()
    }

    fn calls(&self, group: &[usize], steps: &[Loaded], share: &Share, thread: usize) -> Vec<Call> {
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
