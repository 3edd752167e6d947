//! A program as calls of kernels with all places worked out: nothing is left to decide while it runs.

use super::call::Call;
use super::chain::groups;
use super::layout::Layout;
use super::load::Loaded;
use super::memory::{Maps, place};
use super::price::{self, Prices};
use super::program::{Program, Step, Value};
use super::share::Share;
use crate::kernels::Isa;

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
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

/// Maps that are handed over.
pub(super) struct Port {
    pub maps: Maps,
    /// As `[height, width, channels]`.
    pub channels_last: bool,
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
        let port =
            |value: &Value| Port { maps: layout.maps(*value, 0), channels_last: program.channels_last.contains(value) };
        let (inputs, outputs) = (program.inputs.iter().map(port).collect(), program.outputs.iter().map(port).collect());
        Schedule { isa, steps, stages, floats, inputs, outputs }
    }

    /// Whether there is work for more than one thread.
    pub fn shared(&self) -> bool {
        self.stages.iter().any(|stage| stage.len() > 1)
    }
}
