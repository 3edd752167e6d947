//! How the work of a group is divided among threads.

use super::chain::{Band, bands, held, streamed};
use super::layout::Layout;
use super::load::Loaded;
use super::program::{Step, Work};
use std::ops::Range;

/// What one thread does of a group.
pub(super) struct Share {
    pub bands: Vec<Band>,
    pub parts: Range<usize>,
}

impl Layout<'_> {
    /// How a group is divided among threads, and into bands.
    pub(super) fn shares(&self, group: &[usize], first: &Loaded, threads: usize, cache: usize) -> Vec<Share> {
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
}
