//! Loops over pixels and feature maps. Each takes slices, writes slices, and allocates nothing once its plan is made.
//!
//! A kernel is one loop, compiled for the baseline of the target and again for wider registers where the machine has
//! them; [`Isa`] picks. Those on pixels and heat let no floating-point operation be reordered or fused, so every path
//! gives the same bits. Those of the network (`product` to `layout`) are written over [`simd::Simd`], fuse products with
//! sums where the machine can, and keep their values in an [`arena::Arena`].

pub(crate) mod simd;
pub(crate) mod arena;
pub(crate) mod finish;
pub(crate) mod product;
pub(crate) mod depthwise;
pub(crate) mod elements;
pub(crate) mod layout;

pub mod resample;
pub mod normalize;
pub mod maps;
pub mod upsample;
pub mod blend;
pub mod yuv420;

#[cfg(test)]
pub(crate) mod dice;
#[cfg(test)]
mod tests;

use simd::Simd;

/// The instructions a kernel may use. A value other than [`Isa::SCALAR`] exists only on a machine that has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Baseline,
    /// With FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// What every processor of the target has.
    pub const SCALAR: Isa = Isa(Level::Baseline);

    /// The best that this machine has. Cheap: the standard library keeps what it found.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if !is_x86_feature_detected!("avx2") || !is_x86_feature_detected!("fma") {
                return Isa::SCALAR;
            }
            if is_x86_feature_detected!("avx512f") { Isa(Level::Avx512) } else { Isa(Level::Avx2) }
        }
        #[cfg(target_arch = "aarch64")]
        {
            Isa(Level::Neon)
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            Isa::SCALAR
        }
    }

    /// All that this machine has, the least first.
    pub fn all() -> &'static [Isa] {
        #[cfg(target_arch = "x86_64")]
        const ALL: &[Isa] = &[Isa::SCALAR, Isa(Level::Avx2), Isa(Level::Avx512)];
        #[cfg(target_arch = "aarch64")]
        const ALL: &[Isa] = &[Isa::SCALAR, Isa(Level::Neon)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        const ALL: &[Isa] = &[Isa::SCALAR];
        let best = ALL.iter().position(|isa| *isa == Isa::best()).expect("the best is one of them");
        &ALL[..=best]
    }

    /// Floats in a vector of the network kernels.
    pub fn lanes(self) -> usize {
        match self.0 {
            Level::Baseline => simd::Scalar::LANES,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => simd::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => simd::Avx512::LANES,
            #[cfg(target_arch = "aarch64")]
            Level::Neon => simd::Neon::LANES,
        }
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self.0 {
            Level::Baseline => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "AVX-512",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "NEON",
        })
    }
}

/// Defines `$name($isa, …)`, which runs the `#[inline(always)]` function `$body` compiled for what `$isa` allows.
macro_rules! multiversion {
    ($(#[$doc:meta])* $vis:vis fn $name:ident = $body:ident($($arg:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        $vis fn $name(isa: $crate::kernels::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($arg: $type),*) {
                $body($($arg),*)
            }
            match isa.0 {
                $crate::kernels::Level::Baseline => $body($($arg),*),
                // SAFETY: only what `Isa::best` found on this machine is ever handed out.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::Level::Avx2 | $crate::kernels::Level::Avx512 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "aarch64")]
                $crate::kernels::Level::Neon => $body($($arg),*),
            }
        }
    };
}
use multiversion;

/// Runs the `#[inline(always)]` function `$body`, generic over [`simd::Simd`], compiled for what `$isa` allows.
macro_rules! dispatch {
    ($isa:expr, $body:ident($($arg:ident: $type:ty = $value:expr),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2($($arg: $type),*) {
            // SAFETY: passed on from the caller.
            unsafe { $body::<$crate::kernels::simd::Avx2>($($arg),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f")]
        unsafe fn avx512($($arg: $type),*) {
            // SAFETY: passed on from the caller.
            unsafe { $body::<$crate::kernels::simd::Avx512>($($arg),*) }
        }
        // SAFETY: only what `Isa::best` found on this machine is ever handed out; the body's own conditions are those of
        // the function that dispatches.
        unsafe {
            match $isa.0 {
                $crate::kernels::Level::Baseline => $body::<$crate::kernels::simd::Scalar>($($value),*),
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::Level::Avx2 => avx2($($value),*),
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::Level::Avx512 => avx512($($value),*),
                #[cfg(target_arch = "aarch64")]
                $crate::kernels::Level::Neon => $body::<$crate::kernels::simd::Neon>($($value),*),
            }
        }
    }};
}
use dispatch;
