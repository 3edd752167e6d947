//! Sums over feature maps. Eight partial sums in a fixed order, so that every path gives the same bits.

use super::multiversion;

const LANES: usize = 8;

multiversion! {
    /// Adds the sum of the values to `sum`.
    pub fn add_sum = sum_body(values: &[f32], sum: &mut f32)
}

multiversion! {
    /// Adds the sum of (x − mean)² over the values x to `sum`.
    pub fn add_squares = squares_body(values: &[f32], mean: f32, sum: &mut f32)
}

multiversion! {
    /// to += weight · values, element by element; the shorter of the two counts.
    pub fn add_scaled = scaled_body(values: &[f32], weight: f32, to: &mut [f32])
}

#[inline(always)]
fn sum_body(values: &[f32], sum: &mut f32) {
    *sum += in_lanes(values, |x| x);
}

#[inline(always)]
fn squares_body(values: &[f32], mean: f32, sum: &mut f32) {
    *sum += in_lanes(values, |x| (x - mean) * (x - mean));
}

#[inline(always)]
fn in_lanes(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += term(*value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += term(*value);
    }
    lanes.iter().sum()
}

#[inline(always)]
fn scaled_body(values: &[f32], weight: f32, to: &mut [f32]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += weight * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_same_bits_and_the_sum(values in prop::collection::vec(-9f32..9.0, 0..70), mean in -2f32..2.0) {
            let plain: f64 = values.iter().map(|x| f64::from(*x)).sum();
            let squares: f64 = values.iter().map(|x| f64::from(x - mean).powi(2)).sum();
            let mut found = Vec::new();
            for isa in [Isa::SCALAR, Isa::best()] {
                let (mut sum, mut square, mut scaled) = (0.0, 0.0, vec![1.0; values.len()]);
                add_sum(isa, &values, &mut sum);
                add_squares(isa, &values, mean, &mut square);
                add_scaled(isa, &values, mean, &mut scaled);
                found.push((sum, square, scaled));
            }
            prop_assert_eq!(&found[0], &found[1]);
            let (sum, square, scaled) = &found[0];
            // 70 terms of at most 9, each rounded to 24 bits.
            prop_assert!((f64::from(*sum) - plain).abs() < 1e-3);
            prop_assert!((f64::from(*square) - squares).abs() < 1e-5 * squares.max(1.0));
            prop_assert!(scaled.iter().zip(&values).all(|(to, x)| *to == 1.0 + mean * x));
        }
    }
}
