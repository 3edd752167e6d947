//! The network's kernels on random shapes, strides, gaps and tails, with every instruction set, against plain loops in
//! f64. Memory is exactly as long as a kernel may reach, and all that it must not read is NaN.

use super::Isa;
use super::arena::Arena;
use super::depthwise::{self, Depthwise, depthwise};
use super::dice::Dice;
use super::elements::{Factors, Pooling, Target, Windows, mean, pool, scale};
use super::finish::{Activation, Finish};
use super::layout::{clear, copy_channels, row_from_maps, row_from_pixels, row_to_maps, row_to_pixels};
use super::product::{self, Product, product};
use proptest::prelude::*;
use stage::{Expected, Memory, Scene, contents};

mod stage;

const ACTIVATIONS: [Activation; 8] = [
    Activation::None,
    Activation::Clip { low: 0.0, high: f32::INFINITY },
    Activation::Clip { low: -0.5, high: 0.5 },
    Activation::LeakyRelu { slope: 0.1 },
    Activation::HardSigmoid { slope: 0.2, offset: 0.4 },
    Activation::HardSwish { slope: 0.2, offset: 0.4 },
    Activation::Sigmoid,
    Activation::Silu,
];

fn finish(dice: &mut Dice, residual: bool) -> Finish {
    let activation = dice.of(&ACTIVATIONS);
    Finish { activation, last: if residual { dice.of(&ACTIVATIONS) } else { Activation::None } }
}

fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Clip { low, high } => x.max(low.into()).min(high.into()),
        Activation::LeakyRelu { slope } => {
            if x < 0.0 {
                f64::from(slope) * x
            } else {
                x
            }
        }
        Activation::HardSigmoid { slope, offset } => (f64::from(slope) * x + f64::from(offset)).clamp(0.0, 1.0),
        Activation::HardSwish { slope, offset } => x * (f64::from(slope) * x + f64::from(offset)).clamp(0.0, 1.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

fn finished(finish: Finish, sum: f64, residual: Option<f32>) -> f64 {
    activated(finish.last, activated(finish.activation, sum) + residual.map_or(0.0, f64::from))
}

fn products(dice: &mut Dice, isa: Isa) -> Result<(), TestCaseError> {
    let (rows, pixels, outputs) = (dice.from(1, 3), dice.from(1, 40), dice.from(1, 70));
    let (taps, run, step) = (dice.from(1, 4), dice.from(1, 20), dice.from(0, 24));
    let single = dice.below(3) == 0;
    let [rows, pixels, taps] = if single { [1; 3] } else { [rows, pixels, taps] };
    let width = outputs.next_multiple_of(isa.lanes());
    let inputs = vec![(pixels - 1) * step + run; rows * taps];
    let Scene { arena, places, to } = Scene::new(dice, &inputs, [rows, pixels, width]);
    if single {
        // Of a gradient's first factors most are zero: often few are left, and sometimes many.
        let left = dice.from(0, 12);
        let zeros = places[0] + left.min(run)..places[0] + run;
        // SAFETY: `at` checks the bounds, and nobody else has the arena.
        zeros.for_each(|at| unsafe { *arena.at(at, 1) = 0.0 });
    }
    let (weights, bias) = (dice.numbers(outputs * taps * run), dice.numbers(outputs));
    let bias = (dice.below(2) == 0).then_some(bias);
    let packed = product::Packed::new(isa, &weights, bias.as_deref(), outputs);
    let first = dice.below(packed.panels());
    let panels = first..dice.from(first, packed.panels());
    let finish = finish(dice, to.residuals.is_some());
    let mut expected = Expected::new(&arena);
    for (row, pixel) in (0..rows).flat_map(|row| (0..pixels).map(move |pixel| (row, pixel))) {
        let channels = panels.start * 2 * isa.lanes()..(panels.end * 2 * isa.lanes()).min(width);
        for output in channels {
            if output >= outputs {
                expected.padding.push(to.place(row, pixel, output));
                continue;
            }
            let factor = |tap: usize, at: usize| expected.before[places[row * taps + tap] + pixel * step + at];
            let weight = |tap: usize, at: usize| weights[(output * taps + tap) * run + at];
            let sum: f64 = (0..taps)
                .flat_map(|tap| (0..run).map(move |at| (tap, at)))
                .map(|(tap, at)| f64::from(factor(tap, at)) * f64::from(weight(tap, at)))
                .sum();
            let sum = sum + bias.as_ref().map_or(0.0, |bias| f64::from(bias[output]));
            let residual = to.residual(&expected.before, row, pixel, output);
            expected.numbers.push((to.place(row, pixel, output), finished(finish, sum, residual)));
        }
    }
    let call = Product {
        weights: &packed,
        panels,
        taps: &places,
        run,
        step,
        outputs: &to.outputs,
        output_step: to.output_step,
        residuals: to.residuals(),
        pixels,
        finish,
    };
    product(isa, &arena, &call);
    expected.check(isa, &arena)
}

fn depthwise_windows(dice: &mut Dice, isa: Isa) -> Result<(), TestCaseError> {
    let (rows, pixels, channels) = (dice.from(1, 3), dice.from(1, 30), dice.from(1, 50));
    let side = |dice: &mut Dice| [1, 2, 3, 3, 5, 5, 7, 7][dice.below(8)];
    let high = side(dice);
    let wide = if dice.below(3) == 0 { side(dice) } else { high };
    let (stride, dilation) = (dice.from(1, 3), dice.from(1, 2));
    let width = channels.next_multiple_of(isa.lanes());
    let step = width + dice.below(2) * dice.below(9);
    let columns = (pixels - 1) * stride + (wide - 1) * dilation + 1;
    let inputs = vec![(columns - 1) * step + width; rows * high];
    let Scene { arena, places, to } = Scene::new(dice, &inputs, [rows, pixels, width]);
    let (weights, bias) = (dice.numbers(high * wide * channels), dice.numbers(channels));
    let packed = depthwise::Packed::new(isa, &weights, Some(&bias), [high, wide], channels);
    let first = dice.below(packed.vectors());
    let vectors = first..dice.from(first, packed.vectors());
    let finish = finish(dice, to.residuals.is_some());
    let mut expected = Expected::new(&arena);
    for (row, pixel) in (0..rows).flat_map(|row| (0..pixels).map(move |pixel| (row, pixel))) {
        for channel in vectors.start * isa.lanes()..vectors.end * isa.lanes() {
            if channel >= channels {
                expected.padding.push(to.place(row, pixel, channel));
                continue;
            }
            let mut sum = f64::from(bias[channel]);
            for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
                let from = places[row * high + y] + (pixel * stride + x * dilation) * step + channel;
                sum += f64::from(expected.before[from]) * f64::from(weights[(y * wide + x) * channels + channel]);
            }
            let residual = to.residual(&expected.before, row, pixel, channel);
            expected.numbers.push((to.place(row, pixel, channel), finished(finish, sum, residual)));
        }
    }
    let call = Depthwise {
        weights: &packed,
        vectors,
        rows: &places,
        step,
        dilation,
        stride,
        outputs: &to.outputs,
        output_step: to.output_step,
        residuals: to.residuals(),
        pixels,
        finish,
    };
    depthwise(isa, &arena, &call);
    expected.check(isa, &arena)
}

/// Scales, gates, pools and means of one row of pixels.
fn single_pixels(dice: &mut Dice, isa: Isa) -> Result<(), TestCaseError> {
    let kind = dice.below(3);
    let width = dice.from(1, 3) * isa.lanes();
    let step = width + dice.below(5);
    let columns = dice.from(1, 24);
    let (kernel, stride, dilation) = (dice.from(1, 5), dice.from(1, 3), dice.from(1, 2));
    let before = dice.below(kernel.min(columns));
    // Each window has its first or a later tap in the picture.
    let windows = (columns + before).saturating_sub((kernel - 1) * dilation + 1) / stride + 1;
    let [rows, pixels] = match kind {
        0 => [1, columns],
        1 => [dice.from(1, 3), if dilation > 1 { windows.min(1 + (columns - 1) / stride) } else { windows }],
        _ => [dice.from(1, 3), 1],
    };
    if kind == 1 && (dilation > 1 && before > 0) {
        return Ok(());
    }
    let same = dice.below(2) == 0;
    let gate_step = if same { 0 } else { width + 1 };
    let mut inputs = vec![(columns - 1) * step + width; rows];
    inputs.push((columns - 1) * gate_step + width);
    let Scene { arena, mut places, to } = Scene::new(dice, &inputs, [1, pixels, width]);
    let gate = places.pop().expect("the gate's place is the last");
    let (bias, factors, finish) = (dice.numbers(width), dice.numbers(width), finish(dice, to.residuals.is_some()));
    let factors = match dice.below(3) {
        0 => Factors::One,
        1 => Factors::Channels(&factors),
        _ => Factors::Values(gate, gate_step),
    };
    let pooling = [Pooling::Max, Pooling::Average(None), Pooling::Average(Some(7))][dice.below(3)];
    let target = Target {
        at: to.outputs[0],
        step: to.output_step,
        residual: to.residuals.as_ref().map(|(at, step)| (at[0], *step)),
        finish,
    };
    let mut expected = Expected::new(&arena);
    for (pixel, lane) in (0..pixels).flat_map(|pixel| (0..width).map(move |lane| (pixel, lane))) {
        let cell = |row: usize, column: usize| f64::from(expected.before[places[row] + column * step + lane]);
        let sum = match kind {
            0 => match factors {
                Factors::One => cell(0, pixel),
                Factors::Channels(factors) => cell(0, pixel) * f64::from(factors[lane]),
                Factors::Values(at, step) => cell(0, pixel) * f64::from(expected.before[at + pixel * step + lane]),
            },
            1 => {
                let inside = (0..kernel)
                    .filter_map(|tap| (pixel * stride + tap * dilation).checked_sub(before))
                    .filter(|column| *column < columns);
                let cells: Vec<f64> = inside
                    .flat_map(|column| (0..rows).map(move |row| (row, column)))
                    .map(|(y, x)| cell(y, x))
                    .collect();
                match pooling {
                    Pooling::Max => cells.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    Pooling::Average(count) => cells.iter().sum::<f64>() / count.unwrap_or(cells.len()) as f64,
                }
            }
            _ => {
                let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
                all.map(|(row, column)| cell(row, column)).sum::<f64>() / (rows * columns) as f64
            }
        };
        let residual = to.residual(&expected.before, 0, pixel, lane);
        expected.numbers.push((to.place(0, pixel, lane), finished(finish, sum + f64::from(bias[lane]), residual)));
    }
    match kind {
        0 => scale(isa, &arena, places[0], step, pixels, factors, &bias, &target),
        1 => {
            let windows = Windows { rows: &places, step, columns, kernel, stride, dilation, before, pooling };
            pool(isa, &arena, &windows, pixels, &bias, &target);
        }
        _ => mean(isa, &arena, &places, step, columns, &bias, &target),
    }
    expected.check(isa, &arena)
}

proptest! {
    #[test]
    fn products_are_sums(seed in any::<u64>()) {
        for isa in Isa::all() {
            products(&mut Dice(seed), *isa)?;
        }
    }

    #[test]
    fn depthwise_convolutions_are_sums_over_windows(seed in any::<u64>()) {
        for isa in Isa::all() {
            depthwise_windows(&mut Dice(seed), *isa)?;
        }
    }

    #[test]
    fn scales_pools_and_means_by_pixel(seed in any::<u64>()) {
        for isa in Isa::all() {
            single_pixels(&mut Dice(seed), *isa)?;
        }
    }

    /// Channels first to last and back is as it was, and moves nothing else.
    #[test]
    fn layouts_there_and_back(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let (channels, height, width) = (dice.from(1, 40), dice.from(1, 4), dice.from(1, 40));
        let step = channels + dice.below(4);
        let mut memory = Memory::default();
        let [one, other] = [0; 2].map(|_| memory.room(&mut dice, (width - 1) * step + channels));
        let (arena, shift) = memory.arena();
        let [one, other] = [one, other].map(|at| at + shift);
        let numbers = dice.numbers(channels * height * width);
        let mut back = vec![f32::NAN; numbers.len()];
        let channels_last = dice.below(2) == 0;
        for row in 0..height {
            let mut expected = Expected::new(&arena);
            for (pixel, channel) in (0..width).flat_map(|pixel| (0..channels).map(move |channel| (pixel, channel))) {
                let first = (channel * height + row) * width + pixel;
                let last = (row * width + pixel) * channels + channel;
                let number = f64::from(numbers[if channels_last { last } else { first }]);
                expected.numbers.push((one + pixel * step + channel, number));
                expected.numbers.push((other + pixel * step + channel, number));
            }
            let read = if channels_last { row_from_pixels } else { row_from_maps };
            read(&arena, &numbers, channels, [row, width], one, step);
            copy_channels(&arena, [one, step], [other, step], width, channels);
            expected.check(Isa::SCALAR, &arena)?;
            let write = if channels_last { row_to_pixels } else { row_to_maps };
            write(&arena, other, step, &mut back, channels, [row, width]);
        }
        prop_assert_eq!(back, numbers);
        let mut expected = Expected::new(&arena);
        let floats = dice.from(1, channels);
        expected.numbers.extend((one..one + floats).map(|at| (at, 0.0)));
        clear(&arena, one, floats);
        expected.check(Isa::SCALAR, &arena)?;
    }
}

/// What is not a number passes every activation and every pooling: the scores tell, and no map is made of it.
#[test]
fn what_is_not_a_number_stays_so() {
    for (isa, activation) in Isa::all().iter().flat_map(|isa| ACTIVATIONS.map(|activation| (*isa, activation))) {
        let width = isa.lanes();
        let finish = Finish { activation, last: activation };
        for pooling in [Pooling::Max, Pooling::Average(None)] {
            for broken in 0..3 {
                let arena = Arena::new(4 * 16);
                // SAFETY: `at` checks the bounds, and nobody else has the arena.
                (0..48).for_each(|at| unsafe { *arena.at(at, 1) = 0.25 });
                // SAFETY: as above.
                unsafe { *arena.at(broken * 16, 1) = f32::NAN };
                let windows =
                    Windows { rows: &[0], step: 16, columns: 3, kernel: 3, stride: 1, dilation: 1, before: 0, pooling };
                let target = Target { at: 48, step: width, residual: None, finish };
                pool(isa, &arena, &windows, 1, &vec![0.0; width], &target);
                let after = contents(&arena);
                assert!(after[48].is_nan(), "{isa}, {finish:?}, {pooling:?}: {} with cell {broken} broken", after[48]);
                assert!(after[49..48 + width].iter().all(|number| number.is_finite()), "{isa}, {finish:?}: {after:?}");
            }
        }
    }
}

#[test]
fn a_sum_that_is_not_a_number_is_not_clipped_to_one() {
    for (isa, [low, high]) in Isa::all().iter().flat_map(|isa| [[0.0, f32::INFINITY], [0.0, 6.0]].map(|to| (*isa, to)))
    {
        let arena = Arena::new(4 * 16);
        // SAFETY: `at` checks the bounds, and nobody else has the arena.
        unsafe { [1.0, f32::NAN].iter().zip([0, 16]).for_each(|(number, at)| *arena.at(at, 1) = *number) };
        let pack = |weight: f32| product::Packed::new(isa, &vec![weight; isa.lanes()], None, isa.lanes());
        let (weights, infinite) = (pack(1.0), pack(f32::INFINITY));
        let clip = Activation::Clip { low, high };
        let call = Product {
            weights: &weights,
            panels: 0..1,
            taps: &[0],
            run: 1,
            step: 16,
            outputs: &[32],
            output_step: 16,
            residuals: None,
            pixels: 2,
            finish: Finish { activation: clip, last: Activation::None },
        };
        product(isa, &arena, &call);
        let after = contents(&arena);
        assert!(after[32] == 1.0 && after[48].is_nan(), "{isa}: {} and {}", after[32], after[48]);
        // Zero times infinity.
        // SAFETY: as above.
        unsafe { *arena.at(0, 1) = 0.0 };
        product(isa, &arena, &Product { weights: &infinite, pixels: 1, ..call });
        assert!(contents(&arena)[32].is_nan(), "{isa}: {}", contents(&arena)[32]);
    }
}

#[test]
#[should_panic(expected = "a plan beyond its memory")]
fn nothing_is_written_beyond_the_memory() {
    let arena = Arena::new(64);
    let weights = product::Packed::new(Isa::SCALAR, &[1.0; 8], None, 8);
    let plain = Finish { activation: Activation::None, last: Activation::None };
    let (outputs, taps) = ([60], [0]);
    let call = Product {
        weights: &weights,
        panels: 0..1,
        taps: &taps,
        run: 1,
        step: 1,
        outputs: &outputs,
        output_step: 8,
        residuals: None,
        pixels: 1,
        finish: plain,
    };
    product(Isa::SCALAR, &arena, &call);
}
