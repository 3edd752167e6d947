//! What is done to a sum before it is stored: last(activation(sum) + residual).

use super::arena::behind;
use super::simd::{Simd, clip};

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
    /// After the residual was added; none where there is none.
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
        let x = clip::<S>(x, S::splat(-87.0), S::splat(88.0));
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

/// 1 + e⁻ˣ.
#[inline(always)]
unsafe fn inverse_sigmoid<S: Simd>(x: S::Vector) -> S::Vector {
    // SAFETY: the caller runs where the set exists.
    unsafe { S::add(exp::<S>(S::sub(S::splat(0.0), x)), S::splat(1.0)) }
}

/// Vectors at pixels of a row.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub at: *mut f32,
    /// From one pixel to the next.
    pub step: usize,
    pub pixels: usize,
    pub vectors: usize,
}

/// Puts `$change` of each vector of the block in its place. No closure: one that is not inlined would be compiled
/// without the instruction set, and each of its instructions become a call.
macro_rules! each {
    ($set:ident, $block:expr, |$x:ident $(, $pixel:ident, $vector:ident)?| $change:expr) => {
        for pixel in 0..$block.pixels {
            for vector in 0..$block.vectors {
                $(let ($pixel, $vector) = (pixel, vector);)?
                let at = $block.at.add(behind(behind(0, pixel, $block.step), vector, $set::LANES));
                let $x = $set::load(at);
                $set::store(at, $change);
            }
        }
    };
}

impl Block {
    #[inline(always)]
    unsafe fn activate<S: Simd>(self, activation: Activation) {
        // SAFETY: the caller of `finish` vouches for all pixels and vectors.
        unsafe {
            let (zero, one) = (S::splat(0.0), S::splat(1.0));
            match activation {
                Activation::None => {}
                Activation::Clip { low, high } => {
                    let (low, high) = (S::splat(low), S::splat(high));
                    each!(S, self, |x| clip::<S>(x, low, high));
                }
                Activation::LeakyRelu { slope } => {
                    let slope = S::splat(slope);
                    each!(S, self, |x| S::fma(S::min(zero, x), slope, S::max(zero, x)));
                }
                Activation::HardSigmoid { slope, offset } => {
                    let (slope, offset) = (S::splat(slope), S::splat(offset));
                    each!(S, self, |x| clip::<S>(S::fma(x, slope, offset), zero, one));
                }
                Activation::HardSwish { slope, offset } => {
                    let (slope, offset) = (S::splat(slope), S::splat(offset));
                    each!(S, self, |x| S::mul(x, clip::<S>(S::fma(x, slope, offset), zero, one)));
                }
                Activation::Sigmoid => each!(S, self, |x| S::div(one, inverse_sigmoid::<S>(x))),
                Activation::Silu => each!(S, self, |x| S::div(x, inverse_sigmoid::<S>(x))),
            }
        }
    }
}

/// Finishes the sums of a block in their places. `residual` is what is added to the first pixel, and the step to the
/// next.
#[inline(always)]
pub(super) unsafe fn finish<S: Simd>(finish: &Finish, block: Block, residual: Option<(*const f32, usize)>) {
    // SAFETY: passed on from the caller.
    unsafe {
        block.activate::<S>(finish.activation);
        if let Some((residual, step)) = residual {
            each!(S, block, |x, pixel, vector| S::add(
                x,
                S::load(residual.add(behind(behind(0, pixel, step), vector, S::LANES)))
            ));
        }
        block.activate::<S>(finish.last);
    }
}
