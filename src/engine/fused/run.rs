//! Runs schedules.

use super::cache::second_level;
use super::load::{Kernel, Loaded};
use super::program::Program;
use super::schedule::{Call, Machine, Schedule};
use crate::kernels::Isa;
use crate::kernels::arena::Arena;
use crate::kernels::depthwise::{Depthwise, depthwise};
use crate::kernels::elements::{Factors, Target, Windows, mean, pool, scale};
use crate::kernels::layout::{clear, copy_channels, row_from_maps, row_to_maps};
use crate::kernels::product::{Product, product};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tract_linalg::multithread::Executor;

/// Runs one program.
pub(super) struct Runner {
    schedule: Arc<Schedule>,
    arena: Arena,
    executor: Executor,
}

impl Runner {
    pub fn new(program: Program, executor: &Executor) -> Runner {
        let threads = if let Executor::MultiThread(pool) = executor { pool.current_num_threads() } else { 1 };
        Runner::on(program, Machine { isa: Isa::best(), threads, cache: second_level() / size_of::<f32>() }, executor)
    }

    /// For as many threads as the executor has.
    pub fn on(program: Program, machine: Machine, executor: &Executor) -> Runner {
        let schedule = Schedule::new(program, machine);
        Runner { arena: Arena::new(schedule.floats), schedule: Arc::new(schedule), executor: executor.clone() }
    }

    /// Inputs and outputs `[channels, height, width]`, in the program's order.
    ///
    /// # Panics
    /// Where one has another size than the program says.
    pub fn run(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) {
        self.read(inputs);
        let (schedule, arena) = (&*self.schedule, &self.arena);
        match &self.executor {
            Executor::MultiThread(pool) => {
                let meeting = Meeting { threads: pool.current_num_threads(), ..Meeting::default() };
                pool.broadcast(|context| {
                    let _broken = Leaving(&meeting);
                    for (at, stage) in schedule.stages.iter().enumerate() {
                        stage
                            .get(context.index())
                            .into_iter()
                            .flatten()
                            .for_each(|call| execute(schedule, arena, call));
                        if !meeting.wait(at) {
                            return;
                        }
                    }
                });
            }
            _ => schedule.stages.iter().flatten().flatten().for_each(|call| execute(schedule, arena, call)),
        }
        self.write(outputs);
    }

    /// The steps' names, in running order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.schedule.steps.iter().map(|step| step.name.as_str())
    }

    /// Whether the other is a clone of this one.
    pub fn same(&self, other: &Runner) -> bool {
        Arc::ptr_eq(&self.schedule, &other.schedule)
    }

    fn read(&mut self, inputs: &[&[f32]]) {
        for (maps, input) in self.schedule.inputs.iter().zip(inputs) {
            for y in 0..maps.shape.height {
                let row = [y, maps.shape.width];
                row_from_maps(&self.arena, input, maps.shape.channels, row, maps.row(y), maps.step);
            }
        }
    }

    fn write(&self, outputs: &mut [&mut [f32]]) {
        for (maps, output) in self.schedule.outputs.iter().zip(outputs) {
            for y in 0..maps.shape.height {
                let row = [y, maps.shape.width];
                row_to_maps(&self.arena, maps.row(y), maps.step, output, maps.shape.channels, row);
            }
        }
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
        let steps = self.schedule.steps.iter();
        let mut times: Vec<StepTime> = steps.map(|step| timed(&step.name, step.work, step.multiply_adds)).collect();
        times.push(timed("channels first to last and back, margins", "Layout", 0));
        let between = times.len() - 1;
        let mut last = Instant::now();
        let mut lap = |at: usize| {
            let now = Instant::now();
            times[at].took += now - std::mem::replace(&mut last, now);
        };
        self.read(inputs);
        lap(between);
        for call in self.schedule.stages.iter().flatten().flatten() {
            execute(&self.schedule, &self.arena, call);
            lap(if let Call::Rows { step, .. } = call { *step } else { between });
        }
        self.write(outputs);
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
        Runner {
            schedule: self.schedule.clone(),
            arena: Arena::new(self.schedule.floats),
            executor: self.executor.clone(),
        }
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Runner({} stages, {} floats)", self.schedule.stages.len(), self.schedule.floats)
    }
}

/// Looks at others before a thread lets them have its core.
const PATIENCE: usize = 300;

/// Where threads wait for each other between stages.
#[derive(Default)]
struct Meeting {
    threads: usize,
    arrived: AtomicUsize,
    broken: AtomicBool,
}

impl Meeting {
    /// Waits until all are through with a stage; false if one never will be.
    fn wait(&self, stage: usize) -> bool {
        let all = (stage + 1) * self.threads;
        self.arrived.fetch_add(1, Ordering::AcqRel);
        let mut looks = 0;
        while self.arrived.load(Ordering::Acquire) < all {
            if self.broken.load(Ordering::Relaxed) {
                return false;
            }
            looks += 1;
            if looks < PATIENCE { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        true
    }
}

/// Tells the others when a thread panics.
struct Leaving<'a>(&'a Meeting);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
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
        Kernel::Pick { runs, bias, finished } => {
            for (run, place) in runs.iter().zip(from.as_chunks::<2>().0) {
                copy_channels(arena, *place, [to[0] + run.to, to_step], pixels, run.channels);
            }
            if *finished {
                scale(isa, arena, to[0], to_step, pixels, Factors::One, bias, &target);
            }
        }
    }
}
