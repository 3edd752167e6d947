//! Dense convolutions over channels-last feature maps: sums of products of pixels' channels with packed weights.
//!
//! A tile of some pixels and two vectors of output channels stays in registers while all products are added to it. For
//! a 1×1 convolution the factors of a pixel are its channels; for k×k they are runs of channels at each of its taps,
//! read where they lie: nothing is copied together (no im2col).

use super::arena::{Aligned, Arena, behind};
use super::finish::{Activation, Block, Finish, finish};
use super::simd::{Simd, add_product, clip};
use super::{Isa, dispatch};
use std::ops::Range;

/// Vectors of output channels in a tile.
const WIDE: usize = 2;
/// Of a single pixel, at most as many factors are called few.
const FEW: usize = 8;

/// Weights in the order in which the kernel reads them: panels of two vectors of output channels (the last may be one);
/// in a panel one such row for each factor of a pixel.
pub struct Packed {
    weights: Aligned,
    bias: Aligned,
    depth: usize,
    vectors: usize,
    /// None is infinite.
    finite: bool,
}

impl Packed {
    /// `weights` `[out, depth]`, `bias` one for each output.
    pub fn new(isa: Isa, weights: &[f32], bias: Option<&[f32]>, outputs: usize) -> Packed {
        assert_eq!(weights.len() % outputs.max(1), 0, "each output has as many weights");
        let depth = weights.len() / outputs.max(1);
        let lanes = isa.lanes();
        let vectors = outputs.div_ceil(lanes);
        let mut packed = vec![0.0; vectors * lanes * depth];
        for (output, row) in weights.chunks_exact(depth.max(1)).enumerate() {
            let (vector, lane) = (output / lanes, output % lanes);
            let panel = vector / WIDE;
            let width = (vectors - panel * WIDE).min(WIDE) * lanes;
            let start = panel * WIDE * lanes * depth + vector % WIDE * lanes + lane;
            row.iter().enumerate().for_each(|(at, weight)| packed[start + at * width] = *weight);
        }
        let mut padded = vec![0.0; vectors * lanes];
        if let Some(bias) = bias {
            padded[..outputs].copy_from_slice(bias);
        }
        let finite = weights.iter().all(|weight| weight.is_finite());
        Packed {
            weights: Aligned::new(packed.into_iter()),
            bias: Aligned::new(padded.into_iter()),
            depth,
            vectors,
            finite,
        }
    }

    /// Panels of output channels: the parts in which the work can be divided.
    pub fn panels(&self) -> usize {
        self.vectors.div_ceil(WIDE)
    }

    /// Factors of a pixel.
    pub fn depth(&self) -> usize {
        self.depth
    }
}

/// Rows of output pixels to compute. All offsets are floats in the arena.
pub struct Product<'a> {
    pub weights: &'a Packed,
    pub panels: Range<usize>,
    /// For each row, where its first pixel's factors begin: as many runs as there are taps.
    pub taps: &'a [usize],
    /// Factors in each run, one after another.
    pub run: usize,
    /// From one pixel's factors to the next pixel's.
    pub step: usize,
    /// For each row, where its first pixel goes.
    pub outputs: &'a [usize],
    pub output_step: usize,
    /// For each row, what is added to its first pixel, and the step to the next.
    pub residuals: Option<(&'a [usize], usize)>,
    /// In each row.
    pub pixels: usize,
    pub finish: Finish,
}

/// Computes what `product` says.
///
/// # Panics
/// Where it reaches beyond the arena, or its parts do not fit each other.
pub fn product(isa: Isa, arena: &Arena, product: &Product) {
    let Product { weights, pixels, .. } = product;
    let rows = product.outputs.len();
    if rows == 0 || *pixels == 0 {
        return;
    }
    let (taps, rest) = (product.taps.len() / rows, product.taps.len() % rows);
    assert!(rest == 0 && taps * product.run == weights.depth, "as many factors as weights");
    assert!(product.panels.end <= weights.panels(), "panels that exist");
    let width = weights.vectors * isa.lanes();
    assert!(weights.weights.len() == width * weights.depth && weights.bias.len() == width, "packed for this set");
    assert!(*pixels == 1 || product.output_step >= width, "pixels that do not overlap");
    product.taps.iter().for_each(|tap| _ = arena.at(*tap, (pixels - 1) * product.step + product.run));
    product.outputs.iter().for_each(|output| _ = arena.at(*output, (pixels - 1) * product.output_step + width));
    if let Some((residuals, step)) = product.residuals {
        assert_eq!(residuals.len(), rows, "one residual for each row");
        residuals.iter().for_each(|residual| _ = arena.at(*residual, (pixels - 1) * step + width));
    } else {
        assert_eq!(product.finish.last, Activation::None, "nothing follows where nothing is added");
    }
    dispatch!(isa, rows_of(arena: &Arena = arena, product: &Product<'_> = product, taps: usize = taps));
}

#[inline(always)]
unsafe fn rows_of<S: Simd>(arena: &Arena, product: &Product, taps: usize) {
    let base = arena.at(0, 0);
    let weights = product.weights;
    // SAFETY: `product` checked that the pixel's factors lie in the arena.
    let few = unsafe { Few::of(base, product) };
    for panel in product.panels.clone() {
        let vectors = (weights.vectors - panel * WIDE).min(WIDE);
        let start = panel * WIDE * S::LANES;
        let mut tiles = 0..WIDE;
        for (row, output) in product.outputs.iter().enumerate() {
            let taps = &product.taps[row * taps..(row + 1) * taps];
            let mut pixel = 0;
            while pixel < product.pixels {
                // The first tiles of a panel fetch the weights of the next one while they compute.
                let half = if panel + 1 < weights.panels() && product.pixels > WIDE { tiles.next() } else { None };
                let pixels = even_share(product.pixels - pixel, S::PIXELS);
                // SAFETY: `product` checked that every pixel of every row lies in the arena, for all panels, and that
                // the weights have the size that the panels say.
                unsafe {
                    let tile = Tile {
                        base,
                        taps,
                        from: pixel * product.step,
                        step: product.step,
                        run: product.run,
                        weights: weights.weights.as_ptr().add(start * weights.depth),
                        ahead: weights
                            .weights
                            .as_ptr()
                            .wrapping_add((start + vectors * S::LANES) * weights.depth)
                            .wrapping_add(half.unwrap_or(0) * S::LANES * weights.depth),
                        fetches: half.is_some(),
                        bias: weights.bias.as_ptr().add(start),
                        to: base.add(output + pixel * product.output_step + start),
                        output_step: product.output_step,
                        residual: product.residuals.map(|(residuals, step)| {
                            (base.add(residuals[row] + pixel * step + start).cast_const(), step)
                        }),
                        bounds: product.finish.bounds(),
                    };
                    if let Some(few) = &few {
                        if vectors == WIDE { tile.run_few::<S, WIDE>(few) } else { tile.run_few::<S, 1>(few) }
                    } else if vectors == WIDE {
                        tile.run_any::<S, WIDE>(pixels)
                    } else {
                        tile.run_any::<S, 1>(pixels)
                    }
                    if tile.bounds.is_none() {
                        let block = Block { at: tile.to, step: tile.output_step, pixels, vectors };
                        finish::<S>(&product.finish, block, tile.residual);
                    }
                }
                pixel += pixels;
            }
        }
    }
}

/// How many of `left` to take next, at most `most`, so that the last is not a small rest.
#[inline(always)]
fn even_share(left: usize, most: usize) -> usize {
    if left <= most { left } else { left.div_ceil(left.div_ceil(most)) }
}

struct Tile<'a> {
    base: *const f32,
    taps: &'a [usize],
    from: usize,
    step: usize,
    run: usize,
    weights: *const f32,
    /// What is fetched, a vector for each factor.
    ahead: *const f32,
    fetches: bool,
    bias: *const f32,
    to: *mut f32,
    output_step: usize,
    residual: Option<(*const f32, usize)>,
    /// Of the sums, where they are finished by these. Other sums are only stored.
    bounds: Option<[f32; 4]>,
}

/// The factors of a single pixel that are not zero, where they are few: a gradient begins with one class, or two, of
/// all, and their rows of the weights are all that has to be read.
struct Few {
    factors: [(usize, f32); FEW],
    count: usize,
}

impl Few {
    #[inline(always)]
    unsafe fn of(base: *const f32, product: &Product) -> Option<Few> {
        let ([tap], [_], 1) = (product.taps, product.outputs, product.pixels) else { return None };
        // Zero times infinity is not zero.
        if !product.weights.finite {
            return None;
        }
        // SAFETY: the caller vouches for a run of factors at the tap.
        let all = unsafe { std::slice::from_raw_parts(base.add(*tap), product.run) };
        let mut few = Few { factors: [(0, 0.0); FEW], count: 0 };
        for (at, factor) in all.iter().enumerate().filter(|(_, factor)| **factor != 0.0) {
            *few.factors.get_mut(few.count)? = (at, *factor);
            few.count += 1;
        }
        Some(few)
    }
}

impl Tile<'_> {
    /// As `run` for a single pixel.
    #[inline(always)]
    unsafe fn run_few<S: Simd, const VECTORS: usize>(&self, few: &Few) {
        // SAFETY: the caller vouches for weights, output and residual of the tile; the factors were found in its run.
        unsafe {
            let mut sums = [std::array::from_fn(|vector| S::load(self.bias.add(behind(0, vector, S::LANES))))];
            for (at, factor) in &few.factors[..few.count] {
                let weights = self.weights.add(at * VECTORS * S::LANES);
                add_product::<S, 1, VECTORS>(&mut sums, factor, 0, weights);
            }
            self.put::<S, 1, VECTORS>(sums);
        }
    }

    #[inline(always)]
    unsafe fn run_any<S: Simd, const VECTORS: usize>(&self, pixels: usize) {
        macro_rules! sizes {
            ($($few:literal)* ; $($many:literal)*) => {
                // SAFETY: passed on from the caller.
                unsafe {
                    match pixels {
                        $($few => self.run::<S, $few, VECTORS>(),)*
                        $($many if S::PIXELS >= $many => self.run::<S, $many, VECTORS>(),)*
                        _ => unreachable!("tiles have at most as many pixels as registers allow"),
                    }
                }
            };
        }
        sizes!(1 2 3 4 5 6; 7 8 9 10 11 12 13 14)
    }

    #[inline(always)]
    unsafe fn run<S: Simd, const PIXELS: usize, const VECTORS: usize>(&self) {
        // SAFETY: the caller vouches for all taps, weights, outputs and residuals of the tile.
        unsafe {
            let bias: [S::Vector; VECTORS] =
                std::array::from_fn(|vector| S::load(self.bias.add(behind(0, vector, S::LANES))));
            let mut sums = [bias; PIXELS];
            let mut weights = self.weights;
            let mut ahead = self.ahead;
            for tap in self.taps {
                let factors = self.base.add(tap + self.from);
                for group in 0..self.run / S::FACTORS {
                    if self.fetches {
                        S::prefetch(ahead);
                        ahead = ahead.wrapping_add(S::FACTORS * S::LANES);
                    }
                    S::add_products(&mut sums, factors.add(behind(0, group, S::FACTORS)), self.step, weights);
                    weights = weights.add(S::FACTORS * VECTORS * S::LANES);
                }
                for at in self.run - self.run % S::FACTORS..self.run {
                    add_product::<S, PIXELS, VECTORS>(&mut sums, factors.add(at), self.step, weights);
                    weights = weights.add(VECTORS * S::LANES);
                }
            }
            self.put::<S, PIXELS, VECTORS>(sums);
        }
    }

    /// Stores sums, and finishes those that only need clipping.
    #[inline(always)]
    unsafe fn put<S: Simd, const PIXELS: usize, const VECTORS: usize>(&self, sums: [[S::Vector; VECTORS]; PIXELS]) {
        // SAFETY: the caller vouches for outputs and residuals of the tile.
        unsafe {
            let Some(bounds) = self.bounds else {
                for (pixel, sums) in sums.into_iter().enumerate() {
                    for (vector, sum) in sums.into_iter().enumerate() {
                        S::store(self.to.add(behind(behind(0, pixel, self.output_step), vector, S::LANES)), sum);
                    }
                }
                return;
            };
            let [low, high, last_low, last_high] = bounds.map(|bound| S::splat(bound));
            for (pixel, sums) in sums.into_iter().enumerate() {
                for (vector, sum) in sums.into_iter().enumerate() {
                    let mut value = clip::<S>(sum, low, high);
                    if let Some((residual, step)) = self.residual {
                        value = S::add(value, S::load(residual.add(behind(behind(0, pixel, step), vector, S::LANES))));
                        value = clip::<S>(value, last_low, last_high);
                    }
                    S::store(self.to.add(behind(behind(0, pixel, self.output_step), vector, S::LANES)), value);
                }
            }
        }
    }
}
