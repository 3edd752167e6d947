//! A small grid of values → one byte of heat for every pixel of a rectangle.
//!
//! Catmull-Rom splines along both axes (R. Keys, "Cubic convolution interpolation for digital image processing", 1981,
//! a = −1/2): smooth, and exact in the centre of each cell, so that the colours there can be read against the scale.
//! Where the spline would pass the largest or smallest value of the grid it is clamped to it.

use super::{Isa, multiversion};

/// A grid that is stretched over a rectangle: cell (i, j) of an h × w grid covers exactly its 1/h × 1/w share.
#[derive(Debug, Default)]
pub struct Upsample {
    height: usize,
    /// Pixels per row of the result.
    width: usize,
    /// `[height, width]`: the grid stretched along x only.
    stretched: Vec<f32>,
    lowest: f32,
    highest: f32,
}

/// Where the value at a pixel comes from: four neighbouring cells (clamped at the edges) and their weights.
fn taps(position: f32, cells: usize) -> ([usize; 4], [f32; 4]) {
    let last = cells as isize - 1;
    let cell = position.floor();
    let t = position - cell;
    let cells = [-1, 0, 1, 2].map(|step| (cell as isize + step).clamp(0, last) as usize);
    let weights = [
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ];
    (cells, weights)
}

impl Upsample {
    /// Takes a grid of `cells` (height, width), row by row, and stretches it over `span`, which is (first, length) along
    /// x in units of pixels and may have fractions. Rows will have `width` pixels. `mirror` swaps left and right.
    pub fn load(&mut self, grid: &[f32], cells: (usize, usize), span: (f32, f32), width: usize, mirror: bool) {
        assert_eq!(grid.len(), cells.0 * cells.1, "the grid has {cells:?} cells");
        (self.height, self.width) = (cells.0, width);
        self.lowest = grid.iter().copied().fold(f32::INFINITY, f32::min);
        self.highest = grid.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        self.stretched.clear();
        self.stretched.resize(cells.0 * width, 0.0);
        if grid.is_empty() {
            return;
        }
        for x in 0..width {
            let share = (x as f32 + 0.5 - span.0) / span.1;
            let share = if mirror { 1.0 - share } else { share };
            let (from, weights) = taps(share * cells.1 as f32 - 0.5, cells.1);
            for (out, row) in self.stretched.chunks_exact_mut(width).zip(grid.chunks_exact(cells.1)) {
                out[x] = (0..4).map(|tap| weights[tap] * row[from[tap]]).sum();
            }
        }
    }

    /// Writes one row of the rectangle, `share` (0..1) of its height from the top: value × `gain` + `offset`, rounded,
    /// between 0 and 255. An empty grid gives `offset`.
    pub fn row(&self, isa: Isa, share: f32, gain: f32, offset: f32, heat: &mut [u8]) {
        let quantise = |value: f32| (value * gain + offset).clamp(0.0, 255.0);
        if self.stretched.is_empty() {
            heat.fill((offset.clamp(0.0, 255.0) + 0.5) as u8);
            return;
        }
        let (from, weights) = taps(share * self.height as f32 - 0.5, self.height);
        let rows = from.map(|row| &self.stretched[row * self.width..][..self.width]);
        let weights = weights.map(|weight| weight * gain);
        let bounds = [quantise(self.lowest), quantise(self.highest)];
        combine(isa, rows, weights, offset, [bounds[0].min(bounds[1]), bounds[0].max(bounds[1])], heat);
    }
}

multiversion! { fn combine = combine_body(rows: [&[f32]; 4], weights: [f32; 4], offset: f32, bounds: [f32; 2], heat: &mut [u8]) }

#[inline(always)]
fn combine_body(rows: [&[f32]; 4], weights: [f32; 4], offset: f32, bounds: [f32; 2], heat: &mut [u8]) {
    let values = rows[0].iter().zip(rows[1]).zip(rows[2]).zip(rows[3]);
    for (heat, (((a, b), c), d)) in heat.iter_mut().zip(values) {
        let value = a * weights[0] + b * weights[1] + c * weights[2] + d * weights[3] + offset;
        // `max` and `min`, not `clamp`: a NaN of a broken map becomes the lower bound, and this form is vectorised.
        let value = value.max(bounds[0]).min(bounds[1]) + 0.5;
        *heat = value as i32 as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(isa: Isa, grid: &[f32], cells: (usize, usize), size: (usize, usize), mirror: bool) -> Vec<u8> {
        let mut upsample = Upsample::default();
        upsample.load(grid, cells, (0.0, size.1 as f32), size.1, mirror);
        let mut heat = vec![0; size.0 * size.1];
        for (y, row) in heat.chunks_exact_mut(size.1.max(1)).enumerate() {
            upsample.row(isa, (y as f32 + 0.5) / size.0 as f32, 255.0, 0.0, row);
        }
        heat
    }

    proptest! {
        #[test]
        fn every_path_gives_the_same_bits(cells in (0usize..9, 0usize..9), size in (0usize..50, 0usize..50), grid in prop::collection::vec(-0.2f32..1.2, 64), mirror in any::<bool>()) {
            let grid = &grid[..cells.0 * cells.1];
            prop_assert_eq!(run(Isa::SCALAR, grid, cells, size, mirror), run(Isa::best(), grid, cells, size, mirror));
        }

        #[test]
        fn nothing_passes_the_grids_own_range(grid in prop::collection::vec(0.1f32..0.9, 49)) {
            let (low, high) = grid.iter().fold((1f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
            let (low, high) = ((low * 255.0 + 0.5) as u8, (high * 255.0 + 0.5) as u8);
            prop_assert!(run(Isa::best(), &grid, (7, 7), (64, 64), false).iter().all(|&v| (low..=high).contains(&v)));
        }
    }

    #[test]
    fn the_centre_of_a_cell_has_the_cells_value() {
        let grid: Vec<f32> = (0..49).map(|i| (i * 29 % 49) as f32 / 49.0).collect();
        let heat = run(Isa::best(), &grid, (7, 7), (63, 63), false);
        for (i, value) in grid.iter().enumerate() {
            let got = heat[(i / 7 * 9 + 4) * 63 + i % 7 * 9 + 4];
            assert!((f32::from(got) - value * 255.0).abs() <= 0.51, "cell {i}: {got} for {value}");
        }
    }

    #[test]
    fn mirrored_is_the_same_from_the_other_side() {
        let grid: Vec<f32> = (0..12).map(|i| i as f32 / 12.0).collect();
        let (plain, mirrored) =
            (run(Isa::best(), &grid, (3, 4), (10, 33), false), run(Isa::best(), &grid, (3, 4), (10, 33), true));
        for (a, b) in plain.chunks_exact(33).zip(mirrored.chunks_exact(33)) {
            assert!(a.iter().zip(b.iter().rev()).all(|(a, b)| a.abs_diff(*b) <= 1), "{a:?} {b:?}");
        }
    }
}
