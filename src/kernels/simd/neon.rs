//! NEON of 64-bit ARM.

use super::{Simd, behind};
use std::arch::aarch64::*;

#[derive(Clone, Copy)]
pub struct Neon;

// SAFETY (all): the trait's contract is the instructions' own; every aarch64 processor has them.
impl Simd for Neon {
    type Vector = float32x4_t;
    const LANES: usize = 4;
    // Beside the sums, two vectors of weights, and one of factors for each pixel.
    const PIXELS: usize = 8;
    const FACTORS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> float32x4_t {
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> float32x4_t {
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: float32x4_t) {
        unsafe { vst1q_f32(to, value) }
    }

    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vdivq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn min(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vminq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn where_above(a: float32x4_t, b: float32x4_t, yes: float32x4_t, no: float32x4_t) -> float32x4_t {
        unsafe { vbslq_f32(vcgtq_f32(a, b), yes, no) }
    }

    #[inline(always)]
    unsafe fn or(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b))) }
    }

    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    unsafe fn round(a: float32x4_t) -> float32x4_t {
        unsafe { vrndnq_f32(a) }
    }

    #[inline(always)]
    unsafe fn power_of_two(a: float32x4_t) -> float32x4_t {
        unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(a), vdupq_n_s32(127)))) }
    }

    /// A product takes its factor from a lane of a vector: no factor is loaded, or spread over a vector, by itself.
    #[inline(always)]
    unsafe fn add_products<const PIXELS: usize, const VECTORS: usize>(
        sums: &mut [[float32x4_t; VECTORS]; PIXELS],
        factors: *const f32,
        step: usize,
        weights: *const f32,
    ) {
        // SAFETY: the caller vouches for four factors of each pixel, and four rows of weights.
        unsafe {
            let factors: [float32x4_t; PIXELS] =
                std::array::from_fn(|pixel| vld1q_f32(factors.add(behind(0, pixel, step))));
            macro_rules! lanes {
                ($($lane:literal)*) => {$(
                    let row: [float32x4_t; VECTORS] =
                        std::array::from_fn(|vector| vld1q_f32(weights.add(($lane * VECTORS + vector) * 4)));
                    for (sums, factors) in sums.iter_mut().zip(factors) {
                        for (sum, weight) in sums.iter_mut().zip(row) {
                            *sum = vfmaq_laneq_f32::<$lane>(*sum, weight, factors);
                        }
                    }
                )*};
            }
            lanes!(0 1 2 3);
        }
    }
}
