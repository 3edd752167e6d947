//! 0..=255 → what the network was trained on.

use super::multiversion;

multiversion! {
    /// Replaces every value x by (x − mean) / scale.
    pub fn normalize = body(values: &mut [f32], mean: f32, scale: f32)
}

// A true division, not a product with the reciprocal: (x − 127) / 128 and the like come out with the very bits that
// the network's training saw, for any scale.
#[inline(always)]
fn body(values: &mut [f32], mean: f32, scale: f32) {
    for value in values {
        *value = (*value - mean) / scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_same_bits(values in prop::collection::vec(0f32..=255.0, 0..70), mean in 0f32..255.0, scale in 0.1f32..255.0) {
            let expected: Vec<f32> = values.iter().map(|x| (x - mean) / scale).collect();
            for isa in [Isa::SCALAR, Isa::best()] {
                let mut got = values.clone();
                normalize(isa, &mut got, mean, scale);
                prop_assert_eq!(&got, &expected);
            }
        }
    }
}
