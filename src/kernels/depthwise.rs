//! Depthwise convolutions over channels-last feature maps: each channel by itself, a vector of channels at a time.

use super::arena::{Aligned, Arena, behind};
use super::finish::{Activation, Block, Finish, finish};
use super::simd::{Simd, clip};
use super::{Isa, dispatch};
use std::ops::Range;

/// Output pixels that are computed together: each input is then loaded once for all windows of a row that it is in.
const TOGETHER: usize = 7;

/// Weights in the order in which the kernel reads them: for each vector of channels all taps, row by row.
pub struct Packed {
    weights: Aligned,
    bias: Aligned,
    kernel: [usize; 2],
    vectors: usize,
}

impl Packed {
    /// `weights` `[ky, kx, channels]`, `bias` one for each channel.
    pub fn new(isa: Isa, weights: &[f32], bias: Option<&[f32]>, kernel: [usize; 2], channels: usize) -> Packed {
        let taps = kernel[0] * kernel[1];
        assert_eq!(weights.len(), taps * channels, "one weight for each tap and channel");
        let lanes = isa.lanes();
        let vectors = channels.div_ceil(lanes);
        let weight = |at: usize| {
            let (vector, tap, lane) = (at / lanes / taps, at / lanes % taps, at % lanes);
            let channel = vector * lanes + lane;
            if channel < channels { weights[tap * channels + channel] } else { 0.0 }
        };
        let bias = |channel: usize| bias.and_then(|bias| bias.get(channel)).copied().unwrap_or(0.0);
        Packed {
            weights: Aligned::new((0..vectors * taps * lanes).map(weight)),
            bias: Aligned::new((0..vectors * lanes).map(bias)),
            kernel,
            vectors,
        }
    }

    /// Vectors of channels: the parts in which the work can be divided.
    pub fn vectors(&self) -> usize {
        self.vectors
    }
}

/// Rows of output pixels to compute. All offsets are floats in the arena.
pub struct Depthwise<'a> {
    pub weights: &'a Packed,
    pub vectors: Range<usize>,
    /// For each row of output, where the first pixel of each row of its window lies.
    pub rows: &'a [usize],
    /// From one pixel to the next.
    pub step: usize,
    /// Pixels from one column of a window to the next.
    pub dilation: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// For each row, where its first pixel goes.
    pub outputs: &'a [usize],
    pub output_step: usize,
    /// For each row, what is added to its first pixel, and the step to the next.
    pub residuals: Option<(&'a [usize], usize)>,
    /// In each row of output.
    pub pixels: usize,
    pub finish: Finish,
}

/// Computes what `depthwise` says.
///
/// # Panics
/// Where it reaches beyond the arena, or its parts do not fit each other.
pub fn depthwise(isa: Isa, arena: &Arena, depthwise: &Depthwise) {
    let Depthwise { weights, pixels, step, .. } = depthwise;
    let [high, wide] = weights.kernel;
    let rows = depthwise.outputs.len();
    if rows == 0 || *pixels == 0 {
        return;
    }
    let width = weights.vectors * isa.lanes();
    assert_eq!(depthwise.rows.len(), rows * high, "a row for each row of the windows");
    assert!(depthwise.vectors.end <= weights.vectors, "vectors that exist");
    assert!(weights.weights.len() == width * high * wide && weights.bias.len() == width, "packed for this set");
    assert!(*pixels == 1 || depthwise.output_step >= width, "pixels that do not overlap");
    let reach = ((pixels - 1) * depthwise.stride + (wide - 1) * depthwise.dilation) * step + width;
    depthwise.rows.iter().for_each(|row| _ = arena.at(*row, reach));
    depthwise.outputs.iter().for_each(|output| _ = arena.at(*output, (pixels - 1) * depthwise.output_step + width));
    if let Some((residuals, step)) = depthwise.residuals {
        assert_eq!(residuals.len(), rows, "one residual for each row");
        residuals.iter().for_each(|residual| _ = arena.at(*residual, (pixels - 1) * step + width));
    } else {
        assert_eq!(depthwise.finish.last, Activation::None, "nothing follows where nothing is added");
    }
    dispatch!(isa, rows_of(arena: &Arena = arena, depthwise: &Depthwise<'_> = depthwise));
}

#[inline(always)]
unsafe fn rows_of<S: Simd>(arena: &Arena, depthwise: &Depthwise) {
    // SAFETY: passed on from the caller.
    unsafe {
        match (depthwise.weights.kernel, depthwise.stride, depthwise.dilation) {
            ([3, 3], 1, 1) => windows::<S, 3, 1>(arena, depthwise),
            ([3, 3], 2, 1) => windows::<S, 3, 2>(arena, depthwise),
            ([5, 5], 1, 1) => windows::<S, 5, 1>(arena, depthwise),
            ([5, 5], 2, 1) => windows::<S, 5, 2>(arena, depthwise),
            ([7, 7], 1, 1) => windows::<S, 7, 1>(arena, depthwise),
            _ => any_windows::<S>(arena, depthwise),
        }
    }
}

/// One row of output for one vector of channels.
struct Row<'a> {
    base: *mut f32,
    weights: *const f32,
    bias: *const f32,
    rows: &'a [usize],
    to: usize,
    residual: Option<(usize, usize)>,
    lane: usize,
}

impl<'a> Row<'a> {
    #[inline(always)]
    fn new<S: Simd>(arena: &Arena, depthwise: &Depthwise<'a>, vector: usize, at: usize) -> Row<'a> {
        let [high, wide] = depthwise.weights.kernel;
        let lane = vector * S::LANES;
        Row {
            base: arena.at(0, 0),
            weights: depthwise.weights.weights[lane * high * wide..].as_ptr(),
            bias: depthwise.weights.bias[lane..].as_ptr(),
            rows: &depthwise.rows[at * high..(at + 1) * high],
            to: depthwise.outputs[at] + lane,
            residual: depthwise.residuals.map(|(residuals, step)| (residuals[at] + lane, step)),
            lane,
        }
    }

    /// What is left to do when all sums are stored.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, depthwise: &Depthwise) {
        if depthwise.finish.bounds().is_some() {
            return;
        }
        // SAFETY: `depthwise` checked all pixels of output and residual.
        unsafe {
            let (at, step) = (self.base.add(self.to), depthwise.output_step);
            let block = Block { at, step, pixels: depthwise.pixels, vectors: 1 };
            finish::<S>(
                &depthwise.finish,
                block,
                self.residual.map(|(at, step)| (self.base.add(at).cast_const(), step)),
            );
        }
    }
}

#[inline(always)]
unsafe fn windows<S: Simd, const KERNEL: usize, const STRIDE: usize>(arena: &Arena, depthwise: &Depthwise) {
    // The rows of one vector follow each other, because they share their inputs.
    for (vector, at) in
        depthwise.vectors.clone().flat_map(|vector| (0..depthwise.outputs.len()).map(move |at| (vector, at)))
    {
        let row = Row::new::<S>(arena, depthwise, vector, at);
        let mut pixel = 0;
        // SAFETY: `depthwise` checked all rows for all pixels.
        unsafe {
            while pixel + TOGETHER <= depthwise.pixels {
                pixels::<S, KERNEL, STRIDE, TOGETHER>(depthwise, &row, pixel);
                pixel += TOGETHER;
            }
            match depthwise.pixels - pixel {
                0 => {}
                1 => pixels::<S, KERNEL, STRIDE, 1>(depthwise, &row, pixel),
                2 => pixels::<S, KERNEL, STRIDE, 2>(depthwise, &row, pixel),
                3 => pixels::<S, KERNEL, STRIDE, 3>(depthwise, &row, pixel),
                4 => pixels::<S, KERNEL, STRIDE, 4>(depthwise, &row, pixel),
                5 => pixels::<S, KERNEL, STRIDE, 5>(depthwise, &row, pixel),
                _ => pixels::<S, KERNEL, STRIDE, 6>(depthwise, &row, pixel),
            }
            row.finish::<S>(depthwise);
        }
    }
}

#[inline(always)]
unsafe fn pixels<S: Simd, const KERNEL: usize, const STRIDE: usize, const PIXELS: usize>(
    depthwise: &Depthwise,
    row: &Row,
    pixel: usize,
) {
    // SAFETY: the caller vouches for all columns of these pixels' windows.
    unsafe {
        let mut sums = [S::load(row.bias); PIXELS];
        for (high, from) in row.rows.iter().enumerate() {
            let from = row.base.add(behind(from + row.lane, pixel * STRIDE, depthwise.step));
            let weights: [S::Vector; KERNEL] =
                std::array::from_fn(|wide| S::load(row.weights.add(behind(0, behind(wide, high, KERNEL), S::LANES))));
            if STRIDE == 1 {
                // Each input once, for all windows that it is in.
                for column in 0..PIXELS - 1 + KERNEL {
                    let value = S::load(from.add(behind(0, column, depthwise.step)));
                    for (wide, weight) in weights.iter().enumerate() {
                        if column >= wide && column - wide < PIXELS {
                            sums[column - wide] = S::fma(value, *weight, sums[column - wide]);
                        }
                    }
                }
            } else {
                for (wide, weight) in weights.iter().enumerate() {
                    for (pixel, sum) in sums.iter_mut().enumerate() {
                        let value = S::load(from.add(behind(0, behind(wide, pixel, STRIDE), depthwise.step)));
                        *sum = S::fma(value, *weight, *sum);
                    }
                }
            }
        }
        store::<S, PIXELS>(depthwise, row, pixel, sums);
    }
}

/// Windows of any size, stride and dilation.
#[inline(always)]
unsafe fn any_windows<S: Simd>(arena: &Arena, depthwise: &Depthwise) {
    let [_, wide] = depthwise.weights.kernel;
    for (vector, at) in
        depthwise.vectors.clone().flat_map(|vector| (0..depthwise.outputs.len()).map(move |at| (vector, at)))
    {
        let row = Row::new::<S>(arena, depthwise, vector, at);
        for pixel in 0..depthwise.pixels {
            // SAFETY: `depthwise` checked all rows for all pixels.
            unsafe {
                let mut sum = S::load(row.bias);
                let mut weights = row.weights;
                for from in row.rows {
                    for column in 0..wide {
                        let column = behind(behind(0, pixel, depthwise.stride), column, depthwise.dilation);
                        sum = S::fma(
                            S::load(row.base.add(behind(from + row.lane, column, depthwise.step))),
                            S::load(weights),
                            sum,
                        );
                        weights = weights.add(S::LANES);
                    }
                }
                store::<S, 1>(depthwise, &row, pixel, [sum]);
            }
        }
        // SAFETY: these pixels are stored.
        unsafe { row.finish::<S>(depthwise) }
    }
}

#[inline(always)]
unsafe fn store<S: Simd, const PIXELS: usize>(
    depthwise: &Depthwise,
    row: &Row,
    pixel: usize,
    sums: [S::Vector; PIXELS],
) {
    // SAFETY: the caller vouches for these pixels of output and residual.
    unsafe {
        let to = row.base.add(row.to + pixel * depthwise.output_step);
        let residual = row.residual.map(|(at, step)| (row.base.add(at + pixel * step).cast_const(), step));
        let Some(bounds) = depthwise.finish.bounds() else {
            for (at, sum) in sums.into_iter().enumerate() {
                S::store(to.add(behind(0, at, depthwise.output_step)), sum);
            }
            return;
        };
        let [low, high, last_low, last_high] = bounds.map(|bound| S::splat(bound));
        for (at, sum) in sums.into_iter().enumerate() {
            let mut value = clip::<S>(sum, low, high);
            if let Some((residual, step)) = residual {
                value = S::add(value, S::load(residual.add(behind(0, at, step))));
                value = clip::<S>(value, last_low, last_high);
            }
            S::store(to.add(behind(0, at, depthwise.output_step)), value);
        }
    }
}
