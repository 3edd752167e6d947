//! Vectors of `f32` as the instruction sets have them, behind one trait: a kernel is written once, generic over [`Simd`],
//! and compiled for each set by a function that enables its features.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::arena::behind;
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

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
    /// `yes` where a > b, else `no`; that where either is NaN.
    unsafe fn where_above(a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
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
    unsafe fn where_above(a: [f32; 4], b: [f32; 4], yes: [f32; 4], no: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|at| if a[at] > b[at] { yes[at] } else { no[at] })
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
