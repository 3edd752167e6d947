//! Random programs on every instruction set, with any number of threads and any size of cache, against the plain
//! interpreter.

use super::counting::allocations;
use super::crew::Crew;
use super::naive;
use super::price::Prices;
use super::program::{Activation, Bounds, Program, Shape, Step, Term, Value, Window, Work};
use super::run::Runner;
use super::schedule::Machine;
use crate::kernels::Isa;
use crate::kernels::dice::Dice;
use proptest::prelude::*;
use std::sync::Arc;

impl Dice {
    /// Weights of sums that are about as large as their terms, so that their rounding stays small beside results.
    fn weights(&mut self, terms: usize, sums: usize) -> Vec<f32> {
        let scale = 1.0 / (terms as f32).sqrt();
        self.numbers(terms * sums).into_iter().map(|number| number * scale).collect()
    }

    fn activation(&mut self) -> Activation {
        let none = Activation::None;
        let relu = Activation::Clip { low: 0.0, high: f32::INFINITY };
        let (slope, offset) = (0.2, 0.4);
        self.of(&[
            none,
            none,
            none,
            relu,
            Activation::Clip { low: -0.5, high: 0.5 },
            Activation::LeakyRelu { slope: 0.1 },
            Activation::HardSigmoid { slope, offset },
            Activation::HardSwish { slope, offset },
            Activation::Sigmoid,
            Activation::Silu,
        ])
    }

    /// A window whose every place covers some of the picture, and the extent of what it makes.
    fn window(&mut self, shape: Shape, pool: bool) -> Option<(Window, [usize; 2])> {
        let mut axis = |extent: usize| {
            let (kernel, stride, dilation) =
                (self.of(&[1, 1, 2, 3, 3, 5, 7]), self.of(&[1, 1, 2, 3]), self.of(&[1, 1, 2]));
            let span = (kernel - 1) * dilation + 1;
            let most = if pool { (kernel - 1).min(extent - 1) * usize::from(dilation == 1) } else { span };
            let (before, after) = (self.below(most + 1), self.below(most + 1));
            let places = (extent + before + after).checked_sub(span)? / stride + 1;
            Some((kernel, stride, dilation, before, places))
        };
        let (vertical, horizontal) = (axis(shape.height)?, axis(shape.width)?);
        let window = Window {
            kernel: [vertical.0, horizontal.0],
            stride: [vertical.1, horizontal.1],
            dilation: [vertical.2, horizontal.2],
            before: [vertical.3, horizontal.3],
        };
        Some((window, [vertical.4, horizontal.4]))
    }
}

fn program(dice: &mut Dice) -> Program {
    let mut program = Program::default();
    for _ in 0..1 + dice.below(2) {
        program.inputs.push(program.values.len());
        let channels = dice.of(&[1, 3, 4, 8, 16, 17, 33]);
        program.values.push(Shape { height: 1 + dice.below(20), width: 1 + dice.below(40), channels });
    }
    while program.steps.len() < 8 {
        // Mostly what was made last, so that there are chains.
        let all = program.values.len();
        let input = if dice.below(4) == 0 { dice.below(all) } else { all - 1 };
        let shape = program.values[input];
        let Some((work, to)) = work(dice, &program, input) else { continue };
        let Shape { channels, .. } = to;
        let like: Vec<Value> = (0..all).filter(|value| program.values[*value] == to).collect();
        let residual = (!like.is_empty() && dice.below(2) == 0).then(|| dice.of(&like));
        let bias = (dice.below(2) == 0).then(|| dice.numbers(channels));
        let (activation, last) =
            (dice.activation(), if residual.is_some() { dice.activation() } else { Activation::None });
        let output = program.values.len();
        program.values.push(to);
        assert!(shape.cells() > 0 && to.cells() > 0);
        program.steps.push(Step { name: String::new(), work, bias, activation, residual, last, output });
    }
    let all = program.values.len();
    program.outputs.push(all - 1);
    if dice.below(2) == 0 {
        program.outputs.push(all - 2);
    }
    let handed: Vec<Value> = program.inputs.iter().chain(&program.outputs).copied().collect();
    program.channels_last = handed.into_iter().filter(|_| dice.below(2) == 0).collect();
    program
}

fn work(dice: &mut Dice, program: &Program, input: Value) -> Option<(Work, Shape)> {
    let shape = program.values[input];
    let sized = |extent: [usize; 2], channels: usize| Shape { height: extent[0], width: extent[1], channels };
    Some(match dice.below(12) {
        0 | 1 => {
            let channels = dice.of(&[1, 5, 16, 24, 40]);
            let weights = dice.weights(shape.channels, channels);
            (Work::Dense { input, window: Window::POINT, weights }, Shape { channels, ..shape })
        }
        2 => {
            let (window, extent) = dice.window(shape, false)?;
            let channels = dice.of(&[1, 7, 16, 35]);
            let weights = dice.weights(window.kernel[0] * window.kernel[1] * shape.channels, channels);
            (Work::Dense { input, window, weights }, sized(extent, channels))
        }
        3 | 4 => {
            let (window, extent) = dice.window(shape, false)?;
            let weights = dice.weights(window.kernel[0] * window.kernel[1], shape.channels);
            (Work::Depthwise { input, window, weights }, sized(extent, shape.channels))
        }
        5 => {
            let (window, extent) = dice.window(shape, true)?;
            let inside = |axis: usize, from: usize| {
                let last = (extent[axis] - 1) * window.stride[axis];
                last < window.before[axis] + from
            };
            if !inside(0, shape.height) || !inside(1, shape.width) {
                return None;
            }
            let work = match dice.below(3) {
                0 => Work::MaxPool { input, window },
                kind => Work::AveragePool { input, window, count_outside: kind == 1 },
            };
            (work, sized(extent, shape.channels))
        }
        9 => {
            // By maps that are given: those that are computed may be rounded to either side of a bound.
            let given: Vec<Value> =
                program.inputs.iter().copied().filter(|value| program.values[*value] == shape).collect();
            if given.is_empty() {
                return None;
            }
            let bound = |dice: &mut Dice| (dice.below(3) > 0).then(|| dice.number());
            let within = Bounds { above: bound(dice), below: bound(dice) };
            let term = |dice: &mut Dice| {
                if dice.below(3) == 0 { Term::Number(dice.number()) } else { Term::Maps(input) }
            };
            let (yes, no) = (term(dice), term(dice));
            (Work::Where { input: dice.of(&given), within, yes, no }, shape)
        }
        10 => {
            let count = |dice: &mut Dice, side: usize| if side == 1 { dice.from(1, 9) } else { side };
            let (height, width) = (count(dice, shape.height), count(dice, shape.width));
            (Work::Repeat { input }, Shape { height, width, ..shape })
        }
        11 => {
            let stride = [dice.from(1, 3), dice.from(1, 3)];
            let [height, width] =
                [(shape.height, stride[0]), (shape.width, stride[1])].map(|(side, stride)| (side - 1) * stride + 1);
            if height * width > 3000 {
                return None;
            }
            (Work::Spread { input, stride }, Shape { height, width, ..shape })
        }
        6 => (Work::Mean { input }, Shape { height: 1, width: 1, ..shape }),
        7 => {
            let gates: Vec<Value> = (0..program.values.len())
                .filter(|value| {
                    let gate = program.values[*value];
                    gate == shape || (gate.cells() == 1 && gate.channels == shape.channels)
                })
                .collect();
            let gate = dice.of(&gates);
            let factors = (dice.below(2) == 0).then(|| dice.numbers(shape.channels));
            let work = if dice.below(2) == 0 { Work::Gate { input, gate } } else { Work::Scale { input, factors } };
            (work, shape)
        }
        _ => {
            let like = |value: &Value| {
                let other = program.values[*value];
                (other.height, other.width) == (shape.height, shape.width)
            };
            let like: Vec<Value> = (0..program.values.len()).filter(like).collect();
            let mut channels = Vec::new();
            for _ in 0..1 + dice.below(3) {
                let value = dice.of(&like);
                let first = dice.below(program.values[value].channels);
                channels.extend((first..program.values[value].channels).map(|channel| (value, channel as u32)));
            }
            let shape = Shape { channels: channels.len(), ..shape };
            (Work::Pick { channels }, shape)
        }
    })
}

proptest! {
    #[test]
    fn schedules_compute_what_programs_mean(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let program = program(&mut dice);
        let numbers: Vec<Vec<f32>> = program.inputs.iter().map(|value| {
            let shape = program.values[*value];
            dice.numbers(shape.cells() * shape.channels)
        }).collect();
        let inputs: Vec<&[f32]> = numbers.iter().map(Vec::as_slice).collect();
        let room = || -> Vec<Vec<f32>> {
            let sizes = program.outputs.iter().map(|value| program.values[*value]);
            sizes.map(|shape| vec![f32::NAN; shape.cells() * shape.channels]).collect()
        };
        let mut expected = room();
        let mut views: Vec<&mut [f32]> = expected.iter_mut().map(Vec::as_mut_slice).collect();
        naive::Runner::new(&program).run(&inputs, &mut views);
        let threads = 1 + dice.below(3);
        let crew = Arc::new(Crew::new(threads));
        // No program is too small to be shared, or some are.
        let prices = dice.of(&[Prices::NOTHING, Prices { meeting: 100, call: 100 }]);
        for isa in Isa::all() {
            let cache = dice.of(&[100, 3_000, 30_000, 1_000_000]);
            let mut runner = Runner::on(program.clone(), Machine { isa: *isa, threads, cache, prices }, &crew);
            // The second run finds the memory as the first left it.
            for run in 0..2 {
                let mut found = room();
                let mut views: Vec<&mut [f32]> = found.iter_mut().map(Vec::as_mut_slice).collect();
                let allocated = allocations(|| runner.run(&inputs, &mut views));
                prop_assert_eq!(allocated, 0, "{}, {} threads", isa, threads);
                for (found, expected) in std::iter::zip(&found, &expected) {
                    let scale = expected.iter().fold(1.0, |most: f32, number| most.max(number.abs()));
                    let off = std::iter::zip(found, expected).map(|(a, b)| (a - b).abs());
                    let off = off.fold(0.0, |most: f32, off| if off <= most { most } else { off });
                    prop_assert!(off <= 1e-4 * scale, "{isa}, {threads} threads, cache {cache}, run {run}: {off} of {scale}: {program:?}");
                }
            }
        }
    }
}
