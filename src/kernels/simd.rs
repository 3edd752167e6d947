//! Vectors of `f32` as the instruction sets have them, behind one trait: a kernel is written once, generic over [`Simd`],
//! and compiled for each set by a function that enables its features.

use super::arena::behind;

/// One instruction set.
///
/// # Safety
/// Every function may run only where the machine has the instructions; loads and stores touch `LANES` floats at the
/// pointer, which need not be aligned.
pub trait Simd: Copy + 'static {
    type Vector: Copy;
    const LANES: usize;
    /// Pixels whose sums, two vectors each, stay in registers in [`Simd::add_products`].
    const PIXELS: usize;
    /// Factors of a pixel that [`Simd::add_products`] takes at once.
    const FACTORS: usize = 1;

    unsafe fn splat(value: f32) -> Self::Vector;
    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, value: Self::Vector);
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn div(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller one. `b` where that is NaN; where only `a` is, `b` or NaN.
    unsafe fn min(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger one. `b` where that is NaN; where only `a` is, `b` or NaN.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The bits that are set in either: NaN where either is.
    unsafe fn or(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a·b + c; rounded once where the set can.
    unsafe fn fma(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// To the nearest integer.
    unsafe fn round(a: Self::Vector) -> Self::Vector;
    /// 2^a for integers a from −126 to 127.
    unsafe fn power_of_two(a: Self::Vector) -> Self::Vector;

    /// Says that what lies there is soon needed; it may lie anywhere. Where the set cannot say it, nothing.
    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {}

    /// Adds to each pixel's sums the products of [`Simd::FACTORS`] of its factors with their rows of weights, in this
    /// order. A row has `VECTORS` vectors; from one pixel's factors to the next pixel's it is `step` floats.
    #[inline(always)]
    unsafe fn add_products<const PIXELS: usize, const VECTORS: usize>(
        sums: &mut [[Self::Vector; VECTORS]; PIXELS],
        factors: *const f32,
        step: usize,
        weights: *const f32,
    ) {
        // SAFETY: the caller vouches for all factors and weights.
        unsafe { add_product::<Self, PIXELS, VECTORS>(sums, factors, step, weights) }
    }
}

/// min(max(x, low), high). NaN stays NaN: what is not a number must not be shown as one.
///
/// # Safety
/// Where the machine has the instructions.
#[inline(always)]
pub unsafe fn clip<S: Simd>(x: S::Vector, low: S::Vector, high: S::Vector) -> S::Vector {
    // SAFETY: passed on from the caller.
    unsafe { S::min(high, S::max(low, x)) }
}

/// The larger one, and NaN where either is.
///
/// # Safety
/// As [`clip`].
#[inline(always)]
pub unsafe fn largest<S: Simd>(a: S::Vector, b: S::Vector) -> S::Vector {
    // SAFETY: passed on from the caller.
    unsafe { S::or(S::max(a, b), S::max(b, a)) }
}

/// [`Simd::add_products`] of one factor.
///
/// # Safety
/// As there.
#[inline(always)]
pub unsafe fn add_product<S: Simd, const PIXELS: usize, const VECTORS: usize>(
    sums: &mut [[S::Vector; VECTORS]; PIXELS],
    factors: *const f32,
    step: usize,
    weights: *const f32,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        let row: [S::Vector; VECTORS] = std::array::from_fn(|vector| S::load(weights.add(behind(0, vector, S::LANES))));
        for (pixel, sums) in sums.iter_mut().enumerate() {
            let factor = S::splat(*factors.add(behind(0, pixel, step)));
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum = S::fma(factor, weight, *sum);
            }
        }
    }
}

/// What every processor has: arrays of four, one operation after another.
#[derive(Clone, Copy)]
pub struct Scalar;

impl Simd for Scalar {
    type Vector = [f32; 4];
    const LANES: usize = 4;
    const PIXELS: usize = 6;

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; 4] {
        [value; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 4] {
        // SAFETY: the caller vouches for four floats; an array may lie where a float may.
        unsafe { from.cast::<[f32; 4]>().read() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; 4]) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; 4]>().write(value) }
    }

    #[inline(always)]
    unsafe fn add(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| a[at] + b[at])
    }

    #[inline(always)]
    unsafe fn sub(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| a[at] - b[at])
    }

    #[inline(always)]
    unsafe fn mul(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| a[at] * b[at])
    }

    #[inline(always)]
    unsafe fn div(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| a[at] / b[at])
    }

    #[inline(always)]
    unsafe fn min(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| if a[at] < b[at] { a[at] } else { b[at] })
    }

    #[inline(always)]
    unsafe fn max(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| if a[at] > b[at] { a[at] } else { b[at] })
    }

    #[inline(always)]
    unsafe fn or(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| f32::from_bits(a[at].to_bits() | b[at].to_bits()))
    }

    #[inline(always)]
    unsafe fn fma(a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| a[at] * b[at] + c[at])
    }

    #[inline(always)]
    unsafe fn round(a: [f32; 4]) -> [f32; 4] {
        // Adding and taking away 1.5·2²³ leaves the nearest integer; the arguments are small.
        std::array::from_fn(|at| (a[at] + 12_582_912.0) - 12_582_912.0)
    }

    #[inline(always)]
    unsafe fn power_of_two(a: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| f32::from_bits(((a[at] as i32 + 127) as u32) << 23))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub struct Avx2;

    #[derive(Clone, Copy)]
    pub struct Avx512;

    macro_rules! instructions {
        ($set:ident, $vector:ty, $lanes:expr, $registers:expr, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident,
         $div:ident, $min:ident, $max:ident, $fma:ident, or = |$one:ident, $other:ident| $or:expr, round = |$x:ident| $round:expr,
         power = |$power_of:ident| $power:expr) => {
            // SAFETY (all): the trait's contract is the instructions' own.
            impl Simd for $set {
                type Vector = $vector;
                const LANES: usize = $lanes;
                // Beside the sums, two vectors of weights and a factor.
                const PIXELS: usize = ($registers - 3) / 2;

                #[inline(always)]
                unsafe fn splat(value: f32) -> $vector {
                    unsafe { $splat(value) }
                }

                #[inline(always)]
                unsafe fn load(from: *const f32) -> $vector {
                    unsafe { $load(from) }
                }

                #[inline(always)]
                unsafe fn store(to: *mut f32, value: $vector) {
                    unsafe { $store(to, value) }
                }

                #[inline(always)]
                unsafe fn add(a: $vector, b: $vector) -> $vector {
                    unsafe { $add(a, b) }
                }

                #[inline(always)]
                unsafe fn sub(a: $vector, b: $vector) -> $vector {
                    unsafe { $sub(a, b) }
                }

                #[inline(always)]
                unsafe fn mul(a: $vector, b: $vector) -> $vector {
                    unsafe { $mul(a, b) }
                }

                #[inline(always)]
                unsafe fn div(a: $vector, b: $vector) -> $vector {
                    unsafe { $div(a, b) }
                }

                #[inline(always)]
                unsafe fn min(a: $vector, b: $vector) -> $vector {
                    unsafe { $min(a, b) }
                }

                #[inline(always)]
                unsafe fn max(a: $vector, b: $vector) -> $vector {
                    unsafe { $max(a, b) }
                }

                #[inline(always)]
                unsafe fn or($one: $vector, $other: $vector) -> $vector {
                    unsafe { $or }
                }

                #[inline(always)]
                unsafe fn fma(a: $vector, b: $vector, c: $vector) -> $vector {
                    unsafe { $fma(a, b, c) }
                }

                #[inline(always)]
                unsafe fn round($x: $vector) -> $vector {
                    unsafe { $round }
                }

                #[inline(always)]
                unsafe fn power_of_two($power_of: $vector) -> $vector {
                    unsafe { $power }
                }

                #[inline(always)]
                unsafe fn prefetch(at: *const f32) {
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
                }
            }
        };
    }

    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

    instructions!(
        Avx2,
        __m256,
        8,
        16,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_min_ps,
        _mm256_max_ps,
        _mm256_fmadd_ps,
        or = |a, b| _mm256_or_ps(a, b),
        round = |a| _mm256_round_ps::<NEAREST>(a),
        power = |a| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
            _mm256_cvtps_epi32(a),
            _mm256_set1_epi32(127)
        )))
    );

    instructions!(
        Avx512,
        __m512,
        16,
        32,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_div_ps,
        _mm512_min_ps,
        _mm512_max_ps,
        _mm512_fmadd_ps,
        or = |a, b| _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a), _mm512_castps_si512(b))),
        round = |a| _mm512_roundscale_ps::<NEAREST>(a),
        power = |a| _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(
            _mm512_cvtps_epi32(a),
            _mm512_set1_epi32(127)
        )))
    );
}
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "aarch64")]
mod arm {
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
}
#[cfg(target_arch = "aarch64")]
pub use arm::Neon;
