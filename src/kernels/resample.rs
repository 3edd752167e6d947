//! A part of an RGB picture at another size: convolution with a triangle as wide as the reduction (antialiased), or
//! linear interpolation when enlarging. Weights are planned once per pair of sizes.
//!
//! This is the "bilinear" of Pillow and of TensorFlow's `resize(antialias=True)`, without rounding between the passes.

use super::{Isa, multiversion};

/// The weights that turn a crop of one size into a picture of another.
#[derive(Debug, Default)]
pub struct Resample {
    across: Axis,
    down: Axis,
    /// One row of the crop after the vertical pass, interleaved, and a pixel of padding.
    row: Vec<f32>,
}

#[derive(Debug, Default)]
struct Axis {
    from: usize,
    to: usize,
    /// First source position of each output position.
    starts: Vec<u32>,
    /// Number of weights per output position.
    taps: usize,
    /// `to × taps`; each group sums to 1.
    weights: Vec<f32>,
}

impl Axis {
    fn plan(&mut self, from: usize, to: usize) {
        if (self.from, self.to) == (from, to) {
            return;
        }
        (self.from, self.to) = (from, to);
        let step = from as f64 / to as f64;
        let radius = step.max(1.0);
        // An open interval of this length holds no more whole positions.
        self.taps = ((2.0 * radius).ceil() as usize).min(from);
        self.starts.clear();
        self.weights.clear();
        for i in 0..to {
            let centre = (i as f64 + 0.5) * step - 0.5;
            let first = ((centre - radius).floor() + 1.0).clamp(0.0, (from - self.taps) as f64) as usize;
            let weight = |t: usize| (1.0 - ((first + t) as f64 - centre).abs() / radius).max(0.0);
            let sum: f64 = (0..self.taps).map(weight).sum();
            self.starts.push(first as u32);
            self.weights.extend((0..self.taps).map(|t| (weight(t) / sum) as f32));
        }
    }
}

impl Resample {
    /// Prepares for crops of `from` (width, height) brought to `to`. All sides are at least 1. Does nothing when the
    /// sizes are those of the last time.
    pub fn plan(&mut self, from: (usize, usize), to: (usize, usize)) {
        assert!(from.0 > 0 && from.1 > 0 && to.0 > 0 && to.1 > 0, "a side of {from:?} or {to:?} is 0");
        self.across.plan(from.0, to.0);
        self.down.plan(from.1, to.1);
        self.row.resize(from.0 * 3 + 1, 0.0);
    }

    /// Computes row `y` of the output into three planes (red, green, blue; `to.0` values in 0..=255 each). `rgb` starts
    /// at the crop's first pixel; its rows are `stride` bytes apart.
    pub fn row(&mut self, isa: Isa, rgb: &[u8], stride: usize, y: usize, planes: [&mut [f32]; 3]) {
        let start = self.down.starts[y] as usize;
        let weights = &self.down.weights[y * self.down.taps..][..self.down.taps];
        let bytes = self.across.from * 3;
        vertical(isa, &rgb[start * stride..], stride, weights, &mut self.row[..bytes]);
        horizontal(isa, &self.row, &self.across, planes);
    }
}

multiversion! { fn vertical = vertical_body(rgb: &[u8], stride: usize, weights: &[f32], row: &mut [f32]) }

#[inline(always)]
fn vertical_body(rgb: &[u8], stride: usize, weights: &[f32], row: &mut [f32]) {
    row.fill(0.0);
    for (tap, &weight) in weights.iter().enumerate() {
        if weight == 0.0 {
            continue;
        }
        for (sum, &byte) in row.iter_mut().zip(&rgb[tap * stride..]) {
            *sum += weight * f32::from(byte);
        }
    }
}

multiversion! { fn horizontal = horizontal_body(row: &[f32], axis: &Axis, planes: [&mut [f32]; 3]) }

#[inline(always)]
fn horizontal_body(row: &[f32], axis: &Axis, planes: [&mut [f32]; 3]) {
    let [red, green, blue] = planes;
    let out = red.iter_mut().zip(green).zip(blue);
    let plan = axis.starts.iter().zip(axis.weights.chunks_exact(axis.taps));
    for (((red, green), blue), (&start, weights)) in out.zip(plan) {
        let start = start as usize * 3;
        let pixels = &row[start..start + weights.len() * 3 + 1];
        // Four lanes for three colours: the fourth reads the next pixel's red and is dropped.
        let mut sum = [0f32; 4];
        for (tap, &weight) in weights.iter().enumerate() {
            let pixel = &pixels[tap * 3..tap * 3 + 4];
            for (sum, value) in sum.iter_mut().zip(pixel) {
                *sum += weight * value;
            }
        }
        (*red, *green, *blue) = (sum[0], sum[1], sum[2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(isa: Isa, rgb: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
        let mut resample = Resample::default();
        resample.plan(from, to);
        let mut planes = vec![0.0; to.0 * to.1 * 3];
        let (red, rest) = planes.split_at_mut(to.0 * to.1);
        let (green, blue) = rest.split_at_mut(to.0 * to.1);
        for y in 0..to.1 {
            let part = y * to.0..(y + 1) * to.0;
            resample.row(isa, rgb, from.0 * 3, y, [&mut red[part.clone()], &mut green[part.clone()], &mut blue[part]]);
        }
        planes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_path_gives_the_same_bits(from in (1usize..40, 1usize..40), to in (1usize..40, 1usize..40), seed in any::<u32>()) {
            let rgb: Vec<u8> = (0..from.0 * from.1 * 3).map(|i| (seed.wrapping_mul(i as u32 * 2 + 1) >> 13) as u8).collect();
            prop_assert_eq!(run(Isa::SCALAR, &rgb, from, to), run(Isa::best(), &rgb, from, to));
        }

        #[test]
        fn an_even_surface_stays_even(from in (1usize..40, 1usize..40), to in (1usize..40, 1usize..40), level in any::<u8>()) {
            let rgb = vec![level; from.0 * from.1 * 3];
            // The weights of a pixel sum to 1 within the rounding of some tens of f32 products.
            prop_assert!(run(Isa::best(), &rgb, from, to).iter().all(|x| (x - f32::from(level)).abs() < 1e-3));
        }
    }

    #[test]
    fn the_same_size_gives_the_same_picture() {
        let rgb: Vec<u8> = (0..5 * 4 * 3).map(|i| (i * 37) as u8).collect();
        let planes = run(Isa::best(), &rgb, (5, 4), (5, 4));
        for (i, pixel) in rgb.chunks_exact(3).enumerate() {
            assert_eq!([planes[i], planes[20 + i], planes[40 + i]], [pixel[0], pixel[1], pixel[2]].map(f32::from));
        }
    }
}
