//! The stage of the kernels' tests: memory with numbers at random places, and what a kernel may have changed there.

use crate::kernels::Isa;
use crate::kernels::arena::Arena;
use crate::kernels::dice::Dice;
use proptest::prelude::*;

/// Places in memory, handed out one after another with gaps between them.
#[derive(Default)]
pub struct Memory(Vec<f32>);

impl Memory {
    /// A place with these numbers, behind a gap that nobody may read or write.
    pub fn put(&mut self, dice: &mut Dice, numbers: &[f32]) -> usize {
        self.0.extend(std::iter::repeat_n(f32::NAN, dice.below(20)));
        self.0.extend(numbers);
        self.0.len() - numbers.len()
    }

    pub fn room(&mut self, dice: &mut Dice, floats: usize) -> usize {
        self.put(dice, &vec![f32::NAN; floats])
    }

    /// As an arena, and by how much the places moved: an arena has whole cache lines, and the end of memory is the end
    /// of the last one.
    pub fn arena(mut self) -> (Arena, usize) {
        let gap = self.0.len().next_multiple_of(16) - self.0.len();
        self.0.splice(0..0, std::iter::repeat_n(f32::NAN, gap));
        let arena = Arena::new(self.0.len());
        assert_eq!(arena.len(), self.0.len());
        // SAFETY: `at` checks the bounds, and nobody else has the arena.
        unsafe { arena.at(0, self.0.len()).copy_from_nonoverlapping(self.0.as_ptr(), self.0.len()) };
        (arena, gap)
    }
}

pub fn contents(arena: &Arena) -> Vec<f32> {
    // SAFETY: `at` checks the bounds, and no kernel runs.
    unsafe { std::slice::from_raw_parts(arena.at(0, arena.len()), arena.len()) }.to_vec()
}

/// What a kernel must have done: numbers at places, anything at others, and nothing else.
pub struct Expected {
    pub before: Vec<f32>,
    pub numbers: Vec<(usize, f64)>,
    pub padding: Vec<usize>,
}

impl Expected {
    pub fn new(arena: &Arena) -> Expected {
        Expected { before: contents(arena), numbers: Vec::new(), padding: Vec::new() }
    }

    pub fn check(mut self, isa: Isa, arena: &Arena) -> Result<(), TestCaseError> {
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
pub struct Rows {
    pub outputs: Vec<usize>,
    pub output_step: usize,
    pub residuals: Option<(Vec<usize>, usize)>,
}

impl Rows {
    /// For `rows` of `pixels` that are `width` floats wide.
    pub fn new(dice: &mut Dice, memory: &mut Memory, [rows, pixels, width]: [usize; 3]) -> Rows {
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

    pub fn shift(&mut self, by: usize) {
        self.outputs.iter_mut().for_each(|at| *at += by);
        self.residuals.iter_mut().flat_map(|(at, _)| at).for_each(|at| *at += by);
    }

    pub fn residuals(&self) -> Option<(&[usize], usize)> {
        self.residuals.as_ref().map(|(at, step)| (at.as_slice(), *step))
    }

    pub fn residual(&self, before: &[f32], row: usize, pixel: usize, channel: usize) -> Option<f32> {
        self.residuals.as_ref().map(|(at, step)| before[at[row] + pixel * step + channel])
    }

    pub fn place(&self, row: usize, pixel: usize, channel: usize) -> usize {
        self.outputs[row] + pixel * self.output_step + channel
    }
}

/// What a kernel reads and writes, placed at random.
pub struct Scene {
    pub arena: Arena,
    /// Where the inputs lie.
    pub places: Vec<usize>,
    pub to: Rows,
}

impl Scene {
    /// Inputs of so many floats, and `[rows, pixels, width]` to write.
    pub fn new(dice: &mut Dice, inputs: &[usize], to: [usize; 3]) -> Scene {
        let mut memory = Memory::default();
        let mut put = |floats: &usize| {
            let numbers = dice.numbers(*floats);
            memory.put(dice, &numbers)
        };
        let mut places: Vec<usize> = inputs.iter().map(&mut put).collect();
        let mut to = Rows::new(dice, &mut memory, to);
        let (arena, shift) = memory.arena();
        places.iter_mut().for_each(|at| *at += shift);
        to.shift(shift);
        Scene { arena, places, to }
    }
}
