//! What is done to a sum before it is stored: last(activation(sum) + residual).

use super::arena::behind;
use super::simd::Simd;

/// A function of one element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    None,
    /// min(max(x, low), high); ReLU is 0 to ∞.
    Clip {
        low: f32,
        high: f32,
    },
    /// x, or `slope`·x below zero.
    LeakyRelu {
        slope: f32,
    },
    /// min(max(slope·x + offset, 0), 1).
    HardSigmoid {
        slope: f32,
        offset: f32,
    },
    /// x · min(max(slope·x + offset, 0), 1).
    HardSwish {
        slope: f32,
        offset: f32,
    },
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// x / (1 + e⁻ˣ).
    Silu,
}

impl Activation {
    /// Where it only clips.
    #[inline(always)]
    fn bounds(self) -> Option<[f32; 2]> {
        match self {
            Activation::None => Some([f32::NEG_INFINITY, f32::INFINITY]),
            Activation::Clip { low, high } => Some([low, high]),
            _ => None,
        }
    }
}

/// What follows the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    pub activation: Activation,
    /// After the residual was added.
    pub last: Activation,
}

impl Finish {
    /// The bounds of both, where both only clip: that is done while the sums are in registers.
    #[inline(always)]
    pub(super) fn bounds(&self) -> Option<[f32; 4]> {
        let ([low, high], [last_low, last_high]) = (self.activation.bounds()?, self.last.bounds()?);
        Some([low, high, last_low, last_high])
    }
}

/// e^x, relative error below 2·10⁻⁷ from −87 to 88; beyond, as at these ends. Range reduction by ln 2 in two parts and a
/// polynomial of degree 5: coefficients of `expf` in Cephes (S. Moshier).
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::Vector) -> S::Vector {
    // SAFETY: the caller runs where the set exists.
    unsafe {
        let x = S::min(S::max(x, S::splat(-87.0)), S::splat(88.0));
        let power = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let rest = S::fma(power, S::splat(-0.693_359_4), x);
        let rest = S::fma(power, S::splat(2.121_944_4e-4), rest);
        let mut sum = S::splat(1.987_569_1e-4);
        for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
            sum = S::fma(sum, rest, S::splat(coefficient));
        }
        let sum = S::fma(S::mul(rest, rest), sum, S::add(rest, S::splat(1.0)));
        S::mul(sum, S::power_of_two(power))
    }
}

#[inline(always)]
pub(super) unsafe fn activate<S: Simd>(activation: Activation, x: S::Vector) -> S::Vector {
    // SAFETY: the caller runs where the set exists.
    unsafe {
        let one = S::splat(1.0);
        let unit = |x| S::min(S::max(x, S::splat(0.0)), one);
        let inverse = |x| S::add(exp::<S>(S::sub(S::splat(0.0), x)), one);
        match activation {
            Activation::None => x,
            Activation::Clip { low, high } => S::min(S::max(x, S::splat(low)), S::splat(high)),
            Activation::LeakyRelu { slope } => {
                S::fma(S::min(x, S::splat(0.0)), S::splat(slope), S::max(x, S::splat(0.0)))
            }
            Activation::HardSigmoid { slope, offset } => unit(S::fma(x, S::splat(slope), S::splat(offset))),
            Activation::HardSwish { slope, offset } => S::mul(x, unit(S::fma(x, S::splat(slope), S::splat(offset)))),
            Activation::Sigmoid => S::div(one, inverse(x)),
            Activation::Silu => S::div(x, inverse(x)),
        }
    }
}

/// Finishes `vectors` vectors at each of `pixels` pixels in place.
#[inline(always)]
pub(super) unsafe fn finish<S: Simd>(
    finish: &Finish,
    values: *mut f32,
    step: usize,
    residual: Option<(*const f32, usize)>,
    pixels: usize,
    vectors: usize,
) {
    #[inline(always)]
    unsafe fn pass<S: Simd>(
        values: *mut f32,
        step: usize,
        pixels: usize,
        vectors: usize,
        change: impl Fn(S::Vector, usize, usize) -> S::Vector,
    ) {
        for pixel in 0..pixels {
            for vector in 0..vectors {
                // SAFETY: the caller of `finish` vouches for all pixels and vectors.
                unsafe {
                    let at = values.add(behind(behind(0, pixel, step), vector, S::LANES));
                    S::store(at, change(S::load(at), pixel, vector));
                }
            }
        }
    }
    // SAFETY: passed on from the caller.
    unsafe {
        pass::<S>(values, step, pixels, vectors, |x, _, _| activate::<S>(finish.activation, x));
        if let Some((residual, residual_step)) = residual {
            pass::<S>(values, step, pixels, vectors, |x, pixel, vector| {
                S::add(x, S::load(residual.add(behind(behind(0, pixel, residual_step), vector, S::LANES))))
            });
        }
        if finish.last != Activation::None {
            pass::<S>(values, step, pixels, vectors, |x, _, _| activate::<S>(finish.last, x));
        }
    }
}
