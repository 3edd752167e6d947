//! What a program costs, and whether it is worth sharing among threads.

use super::merge::reads;
use super::program::{Activation, Program, Step};
use crate::kernels::Isa;

/// What threads cost, in the unit of [`cost`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Prices {
    /// That they wait for each other once.
    pub meeting: u64,
    /// That helpers are woken for a region.
    pub call: u64,
}

impl Prices {
    /// Measured with networks of 0.1 to 8 ms on two threads of one core: below 0.5 ms most of them lose otherwise. Both
    /// take longer where the steps do, so that slower machines need no others.
    pub const USUAL: Prices = Prices { meeting: 12_000, call: 60_000 };

    /// All is shared that can be.
    #[cfg(test)]
    pub const NOTHING: Prices = Prices { meeting: 0, call: 0 };
}

/// About how many cycles a step takes: one for a vector of multiply-adds, and some for what is read, finished and stored.
fn cost(program: &Program, step: &Step, isa: Isa) -> u64 {
    let floats = |value: usize| (program.values[value].cells() * program.values[value].channels) as u64;
    let finish = |activation: Activation| match activation {
        Activation::Sigmoid | Activation::Silu => 24,
        _ => 1,
    };
    let moved = reads(step).into_iter().map(floats).sum::<u64>() + 2 * program.weights(step) as u64;
    let made = floats(step.output) * (finish(step.activation) + finish(step.last));
    (program.multiply_adds(step) + moved + made) / isa.lanes() as u64
}

/// Whether threads pay for a program of these groups of steps. Either all of it is shared or nothing: what one thread
/// made alone would have to come from its cache into that of the others.
pub(super) fn pays(program: &Program, groups: &[Vec<usize>], isa: Isa, threads: usize, prices: Prices) -> bool {
    let all: u64 = program.steps.iter().map(|step| cost(program, step, isa)).sum();
    let saved = all - all / threads as u64;
    threads > 1 && saved > prices.call + (groups.len() as u64 + 1) * prices.meeting
}
