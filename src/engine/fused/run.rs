//! Runs schedules.

use super::cache::second_level;
use super::call::Call;
use super::crew::{Crew, Meeting, Work};
use super::load::{Kernel, Loaded};
use super::price::Prices;
use super::program::Program;
use super::schedule::{Machine, Port, Schedule};
use crate::kernels::Isa;
use crate::kernels::arena::Arena;
use crate::kernels::depthwise::{Depthwise, depthwise};
use crate::kernels::elements::{Choice, Chosen, Factors, Target, Windows, choose, mean, pool, scale};
use crate::kernels::layout::{clear, copy_channels, row_from_maps, row_from_pixels, row_to_maps, row_to_pixels};
use crate::kernels::product::{Product, product};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs one program.
pub(super) struct Runner {
    run: Arc<Run>,
    /// None for what one thread does alone.
    crew: Option<Arc<Crew>>,
}

/// What all threads see of a program that runs.
struct Run {
    schedule: Arc<Schedule>,
    arena: Arena,
    meeting: Meeting,
}

impl Runner {
    pub fn new(program: Program, isa: Isa, crew: &Arc<Crew>) -> Runner {
        let cache = second_level() / size_of::<f32>();
        Runner::on(program, Machine { isa, threads: crew.threads(), cache, prices: Prices::USUAL }, crew)
    }

    /// The machine has as many threads as the crew.
    pub fn on(program: Program, machine: Machine, crew: &Arc<Crew>) -> Runner {
        let schedule = Schedule::new(program, machine);
        let crew = schedule.shared().then(|| crew.clone());
        Runner::of(Arc::new(schedule), crew)
    }

    fn of(schedule: Arc<Schedule>, crew: Option<Arc<Crew>>) -> Runner {
        let meeting = Meeting::new(crew.as_ref().map_or(1, |crew| crew.threads()));
        Runner { run: Arc::new(Run { arena: Arena::new(schedule.floats), schedule, meeting }), crew }
    }

    /// Inputs and outputs in the program's order, `[channels, height, width]` but for those that are channels last.
    ///
    /// # Panics
    /// Where one has another size than the program says, and where a thread failed.
    pub fn run(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) {
        match &self.crew {
            Some(crew) => {
                self.run.meeting.begin();
                // They wake up while the inputs are read, and wait for that at the first meeting.
                crew.call(&self.run);
                let _leaving = self.run.meeting.leaving();
                self.run.read(inputs);
                assert!(self.run.stages(0), "a thread of the network failed");
            }
            None => {
                self.run.read(inputs);
                self.run.all().for_each(|call| self.run.execute(call));
            }
        }
        self.run.write(outputs);
    }

    /// The steps' names, in running order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.run.schedule.steps.iter().map(|step| step.name.as_str())
    }

    /// Whether the other is a clone of this one.
    pub fn same(&self, other: &Runner) -> bool {
        Arc::ptr_eq(&self.run.schedule, &other.run.schedule)
    }

    /// Runs on one thread, and tells what each step took, the bands of one taken together; and what is done between the
    /// steps.
    pub fn profile(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Vec<StepTime> {
        let timed = |name: &str, work: &'static str, multiply_adds: u64| StepTime {
            name: name.to_owned(),
            work,
            multiply_adds,
            took: Duration::ZERO,
        };
        let run = &*self.run;
        let steps = run.schedule.steps.iter();
        let mut times: Vec<StepTime> = steps.map(|step| timed(&step.name, step.work, step.multiply_adds)).collect();
        times.push(timed("channels first to last and back, margins", "Layout", 0));
        let between = times.len() - 1;
        let mut last = Instant::now();
        let mut lap = |at: usize| {
            let now = Instant::now();
            times[at].took += now - std::mem::replace(&mut last, now);
        };
        run.read(inputs);
        lap(between);
        for call in run.all() {
            run.execute(call);
            lap(if let Call::Rows { step, .. } = call { *step } else { between });
        }
        run.write(outputs);
        lap(between);
        times
    }
}

/// What one step took.
pub(in crate::engine) struct StepTime {
    pub name: String,
    pub work: &'static str,
    pub multiply_adds: u64,
    pub took: Duration,
}

impl Clone for Runner {
    fn clone(&self) -> Runner {
        Runner::of(self.run.schedule.clone(), self.crew.clone())
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Schedule { stages, floats, .. } = &*self.run.schedule;
        write!(f, "Runner({} stages, {floats} floats)", stages.len())
    }
}

impl Work for Run {
    fn share(&self, member: usize) {
        let _leaving = self.meeting.leaving();
        self.stages(member);
    }
}

impl Run {
    fn read(&self, inputs: &[&[f32]]) {
        for (Port { maps, channels_last }, input) in self.schedule.inputs.iter().zip(inputs) {
            let read = if *channels_last { row_from_pixels } else { row_from_maps };
            for y in 0..maps.shape.height {
                let row = [y, maps.shape.width];
                read(&self.arena, input, maps.shape.channels, row, maps.row(y), maps.step);
            }
        }
    }

    fn write(&self, outputs: &mut [&mut [f32]]) {
        for (Port { maps, channels_last }, output) in self.schedule.outputs.iter().zip(outputs) {
            let write = if *channels_last { row_to_pixels } else { row_to_maps };
            for y in 0..maps.shape.height {
                let row = [y, maps.shape.width];
                write(&self.arena, maps.row(y), maps.step, output, maps.shape.channels, row);
            }
        }
    }

    /// All calls, in an order in which one thread can do them.
    fn all(&self) -> impl Iterator<Item = &Call> {
        self.schedule.stages.iter().flatten().flatten()
    }

    fn execute(&self, call: &Call) {
        execute(&self.schedule, &self.arena, call);
    }

    /// One thread's share of all stages; false where another thread failed.
    fn stages(&self, member: usize) -> bool {
        self.schedule.stages.iter().enumerate().all(|(at, stage)| {
            stage.get(member).into_iter().flatten().for_each(|call| self.execute(call));
            self.meeting.wait(at)
        })
    }
}

fn execute(schedule: &Schedule, arena: &Arena, call: &Call) {
    let isa = schedule.isa;
    let (step, parts, from, from_step, to, to_step, residuals, residual_step, pixels) = match call {
        Call::Margins { at, pitch, floats, rows } => {
            return (0..*rows).for_each(|row| clear(arena, at + row * pitch, *floats));
        }
        Call::Rows { step, parts, from, from_step, to, to_step, residuals, residual_step, pixels } => {
            (*step, parts, from, *from_step, to, *to_step, residuals, *residual_step, *pixels)
        }
    };
    let Loaded { kernel, finish, .. } = &schedule.steps[step];
    let rows = (!residuals.is_empty()).then_some((residuals.as_slice(), residual_step));
    // Of kernels that do one row at a time.
    let residual = residuals.first().map(|at| (*at, residual_step));
    let target = Target { at: to[0], step: to_step, residual, finish: *finish };
    match kernel {
        Kernel::Product { weights, stride } => {
            let run = weights.depth() * to.len() / from.len();
            product(
                isa,
                arena,
                &Product {
                    weights,
                    panels: parts.clone(),
                    taps: from,
                    run,
                    step: from_step * stride,
                    outputs: to,
                    output_step: to_step,
                    residuals: rows,
                    pixels,
                    finish: *finish,
                },
            );
        }
        Kernel::Depthwise { weights, stride, dilation } => depthwise(
            isa,
            arena,
            &Depthwise {
                weights,
                vectors: parts.clone(),
                rows: from,
                step: from_step,
                dilation: *dilation,
                stride: *stride,
                outputs: to,
                output_step: to_step,
                residuals: rows,
                pixels,
                finish: *finish,
            },
        ),
        Kernel::Pool { window, pooling, columns, bias } => {
            let windows = Windows {
                rows: from,
                step: from_step,
                columns: *columns,
                kernel: window.kernel[1],
                stride: window.stride[1],
                dilation: window.dilation[1],
                before: window.before[1],
                pooling: *pooling,
            };
            pool(isa, arena, &windows, pixels, bias, &target);
        }
        Kernel::Mean { columns, bias } => mean(isa, arena, from, from_step, *columns, bias, &target),
        Kernel::Scale { factors, bias } => {
            let factors = factors.as_deref().map_or(Factors::One, Factors::Channels);
            scale(isa, arena, from[0], from_step, pixels, factors, bias, &target);
        }
        Kernel::Gate { bias } => {
            scale(isa, arena, from[0], from_step, pixels, Factors::Values(from[1], from[2]), bias, &target);
        }
        Kernel::Where { within, yes, no, bias } => {
            let chosen = |number: &Option<f32>, at: usize| match number {
                Some(number) => Chosen::Number(*number),
                None => Chosen::Values(from[at], from[at + 1]),
            };
            let (yes, no) = (chosen(yes, 1), chosen(no, 3));
            let choice = Choice { from: from[0], step: from_step, within: *within, yes, no };
            choose(isa, arena, &choice, pixels, bias, &target);
        }
        Kernel::Pick { runs, bias, finished } => {
            for (run, place) in runs.iter().zip(from.as_chunks::<2>().0) {
                copy_channels(arena, *place, [to[0] + run.to, to_step], pixels, run.channels);
            }
            if *finished {
                scale(isa, arena, to[0], to_step, pixels, Factors::One, bias, &target);
            }
        }
        Kernel::Spread { pixels: spread, apart, channels, bias, finished } => {
            clear(arena, to[0], (pixels - 1) * to_step + channels);
            if let [from] = from[..] {
                copy_channels(arena, [from, from_step], [to[0], apart * to_step], *spread, *channels);
            }
            if *finished {
                scale(isa, arena, to[0], to_step, pixels, Factors::One, bias, &target);
            }
        }
    }
}
