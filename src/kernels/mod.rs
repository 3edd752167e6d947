//! Loops over pixels and feature maps. Each takes slices, writes slices, and allocates nothing once its plan is made.
//!
//! A kernel is one loop, compiled for the baseline of the target and again for wider registers where the machine has
//! them; [`Isa`] picks. No kernel lets the compiler reorder or fuse floating-point operations, so every path gives the
//! same bits. On aarch64 the baseline has NEON already.

pub mod resample;
pub mod normalize;
pub mod maps;
pub mod upsample;
pub mod blend;
pub mod yuv420;

/// The instructions a kernel may use. A value other than [`Isa::SCALAR`] exists only on a machine that has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// What every processor of the target has.
    pub const SCALAR: Isa = Isa(Level::Baseline);

    /// The best that this machine has. Cheap: the standard library keeps what it found.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Isa(Level::Avx2);
        }
        Isa::SCALAR
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
                // SAFETY: `Isa::best` is the only maker of this level and has found AVX2.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::Level::Avx2 => unsafe { avx2($($arg),*) },
            }
        }
    };
}
use multiversion;
