//! AVX2 with FMA, and AVX-512.

use super::Simd;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct Avx2;

#[derive(Clone, Copy)]
pub struct Avx512;

macro_rules! instructions {
    ($set:ident, $vector:ty, $lanes:expr, $registers:expr, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident,
     $div:ident, $min:ident, $max:ident, $fma:ident, where_above = |$a:ident, $b:ident, $yes:ident, $no:ident| $where_above:expr,
     or = |$one:ident, $other:ident| $or:expr, round = |$x:ident| $round:expr,
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
            unsafe fn where_above($a: $vector, $b: $vector, $yes: $vector, $no: $vector) -> $vector {
                unsafe { $where_above }
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
    where_above = |a, b, yes, no| _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)),
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
    where_above = |a, b, yes, no| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes),
    or = |a, b| _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a), _mm512_castps_si512(b))),
    round = |a| _mm512_roundscale_ps::<NEAREST>(a),
    power = |a| _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(
        _mm512_cvtps_epi32(a),
        _mm512_set1_epi32(127)
    )))
);
