//! One pixel after another: scales, gates, pools, means, channels picked.

use super::arena::{Arena, behind};
use super::finish::{Block, Finish, finish};
use super::simd::{Simd, largest};
use super::{Isa, dispatch};

/// Where the pixels of a row go, and what is done to them last. Offsets are floats in the arena.
#[derive(Clone, Copy)]
pub struct Target {
    pub at: usize,
    pub step: usize,
    /// What is added, and the step to the next pixel's.
    pub residual: Option<(usize, usize)>,
    pub finish: Finish,
}

impl Target {
    fn check(&self, arena: &Arena, pixels: usize, width: usize) {
        arena.at(self.at, (pixels - 1) * self.step + width);
        if let Some((at, step)) = self.residual {
            arena.at(at, (pixels - 1) * step + width);
        }
    }

    /// # Safety
    /// `check` held for more pixels, and `lane` lies within the width.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, base: *mut f32, pixel: usize, lane: usize, value: S::Vector) {
        // SAFETY: the caller vouches for the pixel.
        unsafe { S::store(base.add(behind(self.at + lane, pixel, self.step)), value) }
    }

    /// What is left to do when all pixels are stored.
    ///
    /// # Safety
    /// `check` held for these.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, base: *mut f32, pixels: usize, width: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            let block = Block { at: base.add(self.at), step: self.step, pixels, vectors: width / S::LANES };
            let residual = self.residual.map(|(at, step)| (base.add(at).cast_const(), step));
            finish::<S>(&self.finish, block, residual);
        }
    }
}

/// What the elements of a row are multiplied with before `bias` is added.
#[derive(Clone, Copy)]
pub enum Factors<'a> {
    One,
    /// For each channel.
    Channels(&'a [f32]),
    /// Values in the arena, and the step from one pixel's to the next (0: the same for all).
    Values(usize, usize),
}

/// A row of pixels times `factors`, plus `bias`. Slices hold whole vectors of channels.
///
/// # Panics
/// Where it reaches beyond the arena or a slice.
#[allow(clippy::too_many_arguments)] // a row and its target
pub fn scale(
    isa: Isa,
    arena: &Arena,
    from: usize,
    step: usize,
    pixels: usize,
    factors: Factors,
    bias: &[f32],
    target: &Target,
) {
    let width = bias.len();
    if pixels == 0 {
        return;
    }
    assert_eq!(width % isa.lanes(), 0, "whole vectors");
    arena.at(from, (pixels - 1) * step + width);
    match factors {
        Factors::One => {}
        Factors::Channels(factors) => assert_eq!(factors.len(), width, "a factor for each channel"),
        Factors::Values(at, step) => _ = arena.at(at, (pixels - 1) * step + width),
    }
    target.check(arena, pixels, width);
    dispatch!(
        isa,
        scale_row(
            arena: &Arena = arena, from: usize = from, step: usize = step, pixels: usize = pixels,
            factors: Factors<'_> = factors, bias: &[f32] = bias, target: &Target = target
        )
    );
}

#[inline(always)]
unsafe fn scale_row<S: Simd>(
    arena: &Arena,
    from: usize,
    step: usize,
    pixels: usize,
    factors: Factors,
    bias: &[f32],
    target: &Target,
) {
    let base = arena.at(0, 0);
    for pixel in 0..pixels {
        for lane in (0..bias.len()).step_by(S::LANES) {
            // SAFETY: `scale` checked all pixels, and slices of whole vectors.
            unsafe {
                let value = S::load(base.add(behind(from + lane, pixel, step)));
                let bias = S::load(bias.as_ptr().add(lane));
                let value = match factors {
                    Factors::One => S::add(value, bias),
                    Factors::Channels(factors) => S::fma(value, S::load(factors.as_ptr().add(lane)), bias),
                    Factors::Values(at, step) => S::fma(value, S::load(base.add(behind(at + lane, pixel, step))), bias),
                };
                target.store::<S>(base, pixel, lane, value);
            }
        }
    }
    // SAFETY: they are stored where `target` was checked.
    unsafe { target.finish::<S>(base, pixels, bias.len()) }
}

/// Numbers between two others, which are not among them. Without either bound, none is too small, or too large.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    pub above: Option<f32>,
    pub below: Option<f32>,
}

/// What is chosen: a number, or values in the arena with the step from one pixel's to the next.
#[derive(Clone, Copy)]
pub enum Chosen {
    Number(f32),
    Values(usize, usize),
}

/// A row of pixels, each element of which is `yes` where the one at `from` lies within the bounds, else `no`.
#[derive(Clone, Copy)]
pub struct Choice {
    pub from: usize,
    pub step: usize,
    pub within: Bounds,
    pub yes: Chosen,
    pub no: Chosen,
}

/// Makes a choice, plus `bias` (whole vectors of channels).
///
/// # Panics
/// Where it reaches beyond the arena.
pub fn choose(isa: Isa, arena: &Arena, choice: &Choice, pixels: usize, bias: &[f32], target: &Target) {
    let width = bias.len();
    if pixels == 0 {
        return;
    }
    assert_eq!(width % isa.lanes(), 0, "whole vectors");
    arena.at(choice.from, (pixels - 1) * choice.step + width);
    for chosen in [choice.yes, choice.no] {
        if let Chosen::Values(at, step) = chosen {
            arena.at(at, (pixels - 1) * step + width);
        }
    }
    target.check(arena, pixels, width);
    dispatch!(
        isa,
        choose_row(
            arena: &Arena = arena, choice: &Choice = choice, pixels: usize = pixels, bias: &[f32] = bias,
            target: &Target = target
        )
    );
}

#[inline(always)]
unsafe fn choose_row<S: Simd>(arena: &Arena, choice: &Choice, pixels: usize, bias: &[f32], target: &Target) {
    let base = arena.at(0, 0);
    for pixel in 0..pixels {
        for lane in (0..bias.len()).step_by(S::LANES) {
            // SAFETY: `choose` checked all pixels, and the slice of whole vectors.
            unsafe {
                let x = S::load(base.add(behind(choice.from + lane, pixel, choice.step)));
                let [yes, no] = [choice.yes, choice.no].map(|chosen| match chosen {
                    Chosen::Number(number) => S::splat(number),
                    Chosen::Values(at, step) => S::load(base.add(behind(at + lane, pixel, step))),
                });
                let mut value = yes;
                if let Some(bound) = choice.within.above {
                    value = S::where_above(x, S::splat(bound), value, no);
                }
                if let Some(bound) = choice.within.below {
                    value = S::where_above(S::splat(bound), x, value, no);
                }
                target.store::<S>(base, pixel, lane, S::add(value, S::load(bias.as_ptr().add(lane))));
            }
        }
    }
    // SAFETY: they are stored where `target` was checked.
    unsafe { target.finish::<S>(base, pixels, bias.len()) }
}

/// A row of windows.
#[derive(Clone, Copy)]
pub struct Windows<'a> {
    /// The first pixel of each row of the picture that the windows cover.
    pub rows: &'a [usize],
    /// From one pixel to the next.
    pub step: usize,
    /// Pixels in a row of the picture.
    pub columns: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Columns left of the picture that the first window covers.
    pub before: usize,
    pub pooling: Pooling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    Max,
    /// Divided by the cells of the picture in the window, or by this many.
    Average(Option<usize>),
}

/// Pools a row of `pixels` windows over `width` channels (whole vectors), plus `bias`.
///
/// # Panics
/// Where it reaches beyond the arena.
pub fn pool(isa: Isa, arena: &Arena, windows: &Windows, pixels: usize, bias: &[f32], target: &Target) {
    let width = bias.len();
    if pixels == 0 {
        return;
    }
    assert!(width.is_multiple_of(isa.lanes()) && windows.columns > 0, "whole vectors of a picture");
    windows.rows.iter().for_each(|row| _ = arena.at(*row, (windows.columns - 1) * windows.step + width));
    target.check(arena, pixels, width);
    dispatch!(
        isa,
        pool_row(
            arena: &Arena = arena, windows: &Windows<'_> = windows, pixels: usize = pixels, bias: &[f32] = bias,
            target: &Target = target
        )
    );
}

#[inline(always)]
unsafe fn pool_row<S: Simd>(arena: &Arena, windows: &Windows, pixels: usize, bias: &[f32], target: &Target) {
    let base = arena.at(0, 0);
    for pixel in 0..pixels {
        // The taps of this window that lie in the picture.
        let start = pixel * windows.stride;
        let first = windows.before.saturating_sub(start).div_ceil(windows.dilation);
        let inside = (windows.columns + windows.before).saturating_sub(start).div_ceil(windows.dilation);
        let taps = first..inside.min(windows.kernel);
        let cells = windows.rows.len() * taps.len();
        for lane in (0..bias.len()).step_by(S::LANES) {
            // SAFETY: `pool` checked all columns of all rows, and the slice of whole vectors.
            unsafe {
                let of_largest = windows.pooling == Pooling::Max;
                let mut value = S::splat(if of_largest { f32::NEG_INFINITY } else { 0.0 });
                for row in windows.rows {
                    for tap in taps.clone() {
                        let column = start + tap * windows.dilation - windows.before;
                        let cell = S::load(base.add(behind(row + lane, column, windows.step)));
                        value = if of_largest { largest::<S>(value, cell) } else { S::add(value, cell) };
                    }
                }
                if let Pooling::Average(count) = windows.pooling {
                    value = S::mul(value, S::splat(1.0 / count.unwrap_or(cells).max(1) as f32));
                }
                let value = S::add(value, S::load(bias.as_ptr().add(lane)));
                target.store::<S>(base, pixel, lane, value);
            }
        }
    }
    // SAFETY: they are stored where `target` was checked.
    unsafe { target.finish::<S>(base, pixels, bias.len()) }
}

/// The mean of all pixels of `rows`, plus `bias`: one pixel.
///
/// # Panics
/// Where it reaches beyond the arena.
pub fn mean(isa: Isa, arena: &Arena, rows: &[usize], step: usize, columns: usize, bias: &[f32], target: &Target) {
    let width = bias.len();
    assert!(width.is_multiple_of(isa.lanes()) && columns > 0, "whole vectors of a picture");
    rows.iter().for_each(|row| _ = arena.at(*row, (columns - 1) * step + width));
    target.check(arena, 1, width);
    dispatch!(
        isa,
        mean_of(
            arena: &Arena = arena, rows: &[usize] = rows, step: usize = step, columns: usize = columns,
            bias: &[f32] = bias, target: &Target = target
        )
    );
}

#[inline(always)]
unsafe fn mean_of<S: Simd>(arena: &Arena, rows: &[usize], step: usize, columns: usize, bias: &[f32], target: &Target) {
    let base = arena.at(0, 0);
    let share = 1.0 / (rows.len() * columns).max(1) as f32;
    for lane in (0..bias.len()).step_by(S::LANES) {
        // SAFETY: `mean` checked all pixels, and the slice of whole vectors.
        unsafe {
            let mut sum = S::splat(0.0);
            for row in rows {
                // A sum for each row: shorter sums lose less.
                let mut part = S::splat(0.0);
                for column in 0..columns {
                    part = S::add(part, S::load(base.add(behind(row + lane, column, step))));
                }
                sum = S::add(sum, part);
            }
            let value = S::fma(sum, S::splat(share), S::load(bias.as_ptr().add(lane)));
            target.store::<S>(base, 0, lane, value);
        }
    }
    // SAFETY: they are stored where `target` was checked.
    unsafe { target.finish::<S>(base, 1, bias.len()) }
}
