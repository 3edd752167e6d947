//! The network's kernels on random shapes, strides, gaps and tails, with every instruction set, against plain loops in
//! f64. Memory is exactly as long as a kernel may reach, and all that it must not read is NaN.

use super::Isa;
use super::arena::Arena;
use super::depthwise::{self, Depthwise, depthwise};
use super::elements::{Factors, Pooling, Target, Windows, mean, pool, scale};
use super::finish::{Activation, Finish};
use super::layout::{clear, copy_channels, row_from_maps, row_to_maps};
use super::product::{self, Product, product};
use proptest::prelude::*;

/// A linear congruential generator (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn from(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last + 1 - first)
    }

    /// From −1 to 1.
    fn number(&mut self) -> f32 {
        self.below(2001) as f32 / 1000.0 - 1.0
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }

    fn activation(&mut self) -> Activation {
        let (slope, offset) = (0.2, 0.4);
        match self.below(8) {
            0 => Activation::Clip { low: 0.0, high: f32::INFINITY },
            1 => Activation::Clip { low: -0.5, high: 0.5 },
            2 => Activation::LeakyRelu { slope: 0.1 },
            3 => Activation::HardSigmoid { slope, offset },
            4 => Activation::HardSwish { slope, offset },
            5 => Activation::Sigmoid,
            6 => Activation::Silu,
            _ => Activation::None,
        }
    }

    fn finish(&mut self, residual: bool) -> Finish {
        let activation = self.activation();
        Finish { activation, last: if residual { self.activation() } else { Activation::None } }
    }
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

/// Places in memory, handed out one after another with gaps between them.
#[derive(Default)]
struct Memory(Vec<f32>);

impl Memory {
    /// A place with these numbers, behind a gap that nobody may read or write.
    fn put(&mut self, dice: &mut Dice, numbers: &[f32]) -> usize {
        self.0.extend(std::iter::repeat_n(f32::NAN, dice.below(20)));
        self.0.extend(numbers);
        self.0.len() - numbers.len()
    }

    fn room(&mut self, dice: &mut Dice, floats: usize) -> usize {
        self.put(dice, &vec![f32::NAN; floats])
    }

    /// As an arena. It has whole cache lines: the end of memory is the end of the last one.
    fn arena(&mut self) -> Arena {
        let gap = self.0.len().next_multiple_of(16) - self.0.len();
        self.0.splice(0..0, std::iter::repeat_n(f32::NAN, gap));
        let arena = Arena::new(self.0.len());
        assert_eq!(arena.len(), self.0.len());
        // SAFETY: `at` checks the bounds, and nobody else has the arena.
        unsafe { arena.at(0, self.0.len()).copy_from_nonoverlapping(self.0.as_ptr(), self.0.len()) };
        arena
    }

    /// By how much places moved when the memory became an arena.
    fn shift(arena: &Arena, before: usize) -> usize {
        arena.len() - before
    }
}

fn contents(arena: &Arena) -> Vec<f32> {
    // SAFETY: `at` checks the bounds, and no kernel runs.
    unsafe { std::slice::from_raw_parts(arena.at(0, arena.len()), arena.len()) }.to_vec()
}

/// What a kernel must have done: numbers at places, anything at others, and nothing else.
struct Expected {
    before: Vec<f32>,
    numbers: Vec<(usize, f64)>,
    padding: Vec<usize>,
}

impl Expected {
    fn new(arena: &Arena) -> Expected {
        Expected { before: contents(arena), numbers: Vec::new(), padding: Vec::new() }
    }

    fn check(mut self, isa: Isa, arena: &Arena) -> Result<(), TestCaseError> {
        let after = contents(arena);
        let largest = self.numbers.iter().map(|(_, number)| number.abs()).fold(1.0, f64::max);
        for (at, expected) in &self.numbers {
            let off = (f64::from(after[*at]) - expected).abs();
            prop_assert!(off <= 2e-5 * largest, "{isa}: {} at {at}, not {expected}", after[*at]);
            self.before[*at] = after[*at];
        }
        self.padding.iter().for_each(|at| self.before[*at] = after[*at]);
        let other = std::iter::zip(&self.before, &after).position(|(a, b)| a.to_bits() != b.to_bits());
        prop_assert_eq!(other, None, "{} wrote what it must not", isa);
        Ok(())
    }
}

/// Rows of output pixels with the place of each, and of their residuals.
struct Rows {
    outputs: Vec<usize>,
    output_step: usize,
    residuals: Option<(Vec<usize>, usize)>,
}

impl Rows {
    /// For `rows` of `pixels` that are `width` floats wide.
    fn new(dice: &mut Dice, memory: &mut Memory, [rows, pixels, width]: [usize; 3]) -> Rows {
        let output_step = width + dice.below(2) * dice.below(9);
        let floats = (pixels - 1) * output_step + width;
        let outputs = (0..rows).map(|_| memory.room(dice, floats)).collect();
        let residuals = (dice.below(2) == 0).then(|| {
            let step = width + dice.below(3);
            let place = |_| {
                let numbers = dice.numbers((pixels - 1) * step + width);
                memory.put(dice, &numbers)
            };
            ((0..rows).map(place).collect(), step)
        });
        Rows { outputs, output_step, residuals }
    }

    fn shift(&mut self, by: usize) {
        self.outputs.iter_mut().for_each(|at| *at += by);
        self.residuals.iter_mut().flat_map(|(at, _)| at).for_each(|at| *at += by);
    }

    fn residuals(&self) -> Option<(&[usize], usize)> {
        self.residuals.as_ref().map(|(at, step)| (at.as_slice(), *step))
    }

    fn residual(&self, before: &[f32], row: usize, pixel: usize, channel: usize) -> Option<f32> {
        self.residuals.as_ref().map(|(at, step)| before[at[row] + pixel * step + channel])
    }

    fn place(&self, row: usize, pixel: usize, channel: usize) -> usize {
        self.outputs[row] + pixel * self.output_step + channel
    }
}

fn products(dice: &mut Dice, isa: Isa) -> Result<(), TestCaseError> {
    let (rows, pixels, outputs) = (dice.from(1, 3), dice.from(1, 40), dice.from(1, 70));
    let (taps, run, step) = (dice.from(1, 4), dice.from(1, 20), dice.from(0, 24));
    let mut memory = Memory::default();
    let width = outputs.next_multiple_of(isa.lanes());
    let mut places: Vec<usize> = (0..rows * taps)
        .map(|_| {
            let numbers = dice.numbers((pixels - 1) * step + run);
            memory.put(dice, &numbers)
        })
        .collect();
    let mut to = Rows::new(dice, &mut memory, [rows, pixels, width]);
    let before = memory.0.len();
    let arena = memory.arena();
    let shift = Memory::shift(&arena, before);
    places.iter_mut().for_each(|at| *at += shift);
    to.shift(shift);
    let (weights, bias) = (dice.numbers(outputs * taps * run), dice.numbers(outputs));
    let bias = (dice.below(2) == 0).then_some(bias);
    let packed = product::Packed::new(isa, &weights, bias.as_deref(), outputs);
    let first = dice.below(packed.panels());
    let panels = first..dice.from(first, packed.panels());
    let finish = dice.finish(to.residuals.is_some());
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
    let mut memory = Memory::default();
    let width = channels.next_multiple_of(isa.lanes());
    let step = width + dice.below(2) * dice.below(9);
    let columns = (pixels - 1) * stride + (wide - 1) * dilation + 1;
    let mut places: Vec<usize> = (0..rows * high)
        .map(|_| {
            let numbers = dice.numbers((columns - 1) * step + width);
            memory.put(dice, &numbers)
        })
        .collect();
    let mut to = Rows::new(dice, &mut memory, [rows, pixels, width]);
    let before = memory.0.len();
    let arena = memory.arena();
    let shift = Memory::shift(&arena, before);
    places.iter_mut().for_each(|at| *at += shift);
    to.shift(shift);
    let (weights, bias) = (dice.numbers(high * wide * channels), dice.numbers(channels));
    let packed = depthwise::Packed::new(isa, &weights, Some(&bias), [high, wide], channels);
    let first = dice.below(packed.vectors());
    let vectors = first..dice.from(first, packed.vectors());
    let finish = dice.finish(to.residuals.is_some());
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
    let mut memory = Memory::default();
    let mut places: Vec<usize> = (0..rows)
        .map(|_| {
            let numbers = dice.numbers((columns - 1) * step + width);
            memory.put(dice, &numbers)
        })
        .collect();
    let same = dice.below(2) == 0;
    let gate_step = if same { 0 } else { width + 1 };
    let gates = dice.numbers((columns - 1) * gate_step + width);
    let mut gate = memory.put(dice, &gates);
    let mut to = Rows::new(dice, &mut memory, [1, pixels, width]);
    let length = memory.0.len();
    let arena = memory.arena();
    let shift = Memory::shift(&arena, length);
    places.iter_mut().for_each(|at| *at += shift);
    gate += shift;
    to.shift(shift);
    let (bias, factors, finish) = (dice.numbers(width), dice.numbers(width), dice.finish(to.residuals.is_some()));
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
        let length = memory.0.len();
        let arena = memory.arena();
        let [one, other] = [one, other].map(|at| at + Memory::shift(&arena, length));
        let numbers = dice.numbers(channels * height * width);
        let mut back = vec![f32::NAN; numbers.len()];
        for row in 0..height {
            let mut expected = Expected::new(&arena);
            for (pixel, channel) in (0..width).flat_map(|pixel| (0..channels).map(move |channel| (pixel, channel))) {
                let number = f64::from(numbers[(channel * height + row) * width + pixel]);
                expected.numbers.push((one + pixel * step + channel, number));
                expected.numbers.push((other + pixel * step + channel, number));
            }
            row_from_maps(&arena, &numbers, channels, [row, width], one, step);
            copy_channels(&arena, [one, step], [other, step], width, channels);
            expected.check(Isa::SCALAR, &arena)?;
            row_to_maps(&arena, other, step, &mut back, channels, [row, width]);
        }
        prop_assert_eq!(back, numbers);
        let mut expected = Expected::new(&arena);
        let floats = dice.from(1, channels);
        expected.numbers.extend((one..one + floats).map(|at| (at, 0.0)));
        clear(&arena, one, floats);
        expected.check(Isa::SCALAR, &arena)?;
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
