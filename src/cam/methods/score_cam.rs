use super::{About, StillMethod, slices, weighted_sum};
use crate::cam::Unit;
use crate::engine::{Engine, Forward};
use crate::error::Result;
use crate::preprocess::Input;
use crate::target::Target;
use ndarray::{Array2, Axis};

/// What keeps the quotient of a map that is the same in every cell finite, as in pytorch-grad-cam.
const EPSILON: f32 = 1e-8;

/// Score-CAM: Σ_k w_k A_k with w = softmax over the maps of the score of the picture seen through each map.
///
/// Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR Workshops 2020,
/// section 3. The mask of a map is the map at the picture's size (bilinear, corners on corners), from 0 at its smallest
/// to 1 at its largest value; it multiplies the normalised picture. K runs of the network. The paper takes the softmax of
/// the rise over an empty picture: the same weights, since a softmax does not see a constant.
pub struct ScoreCam;

impl StillMethod for ScoreCam {
    fn about(&self) -> &'static About {
        &About { name: "score-cam", title: "Score-CAM", unit: Unit::Relative, signed: false }
    }

    fn map(
        &self,
        engine: &mut Engine,
        input: &Input,
        forward: &Forward,
        target: Target,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Array2<f32>> {
        let activations = forward.activations();
        let (maps, height, width) = activations.dim();
        let mut masked = input.clone();
        let mut score = |mask: Option<&Array2<f32>>| -> Result<f32> {
            match mask {
                None => masked.tensor.fill(0.0),
                Some(mask) => {
                    for (mut to, from) in masked.tensor.axis_iter_mut(Axis(1)).zip(input.tensor.axis_iter(Axis(1))) {
                        to.assign(&(&from * mask));
                    }
                }
            }
            Ok(target.score(engine.forward(&masked)?.scores()))
        };
        let (_, _, rows, columns) = input.tensor.dim();
        let mut flat = None;
        let mut scores = Vec::with_capacity(maps);
        for map in slices(&activations.as_standard_layout()) {
            let range = |pick: fn(f32, f32) -> f32| map.iter().copied().reduce(pick).unwrap_or(0.0);
            // Every map that is the same in all cells shows an empty picture.
            let found = if range(f32::min) == range(f32::max) {
                match flat {
                    Some(score) => score,
                    None => *flat.insert(score(None)?),
                }
            } else {
                score(Some(&mask(map, (height, width), (rows, columns))))?
            };
            scores.push(found);
            progress(scores.len(), maps);
        }
        Ok(weighted_sum(activations, softmax(&scores).into_iter()))
    }
}

/// A map at the picture's size, from 0 to 1.
fn mask(map: &[f32], cells: (usize, usize), pixels: (usize, usize)) -> Array2<f32> {
    let taps = |pixel: usize, pixels: usize, cells: usize| {
        let position = if pixels > 1 { pixel as f32 * (cells - 1) as f32 / (pixels - 1) as f32 } else { 0.0 };
        let cell = (position as usize).min(cells - 1);
        (cell, (cell + 1).min(cells - 1), position - cell as f32)
    };
    let mut mask = Array2::from_shape_fn(pixels, |(y, x)| {
        let (top, bottom, down) = taps(y, pixels.0, cells.0);
        let (left, right, across) = taps(x, pixels.1, cells.1);
        let at = |row: usize, column: usize| map[row * cells.1 + column];
        let row = |row: usize| at(row, left) * (1.0 - across) + at(row, right) * across;
        row(top) * (1.0 - down) + row(bottom) * down
    });
    let low = mask.iter().copied().fold(f32::INFINITY, f32::min);
    let high = mask.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    mask.mapv_inplace(|value| (value - low) / (high - low + EPSILON));
    mask
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - max).exp()).sum();
    scores.iter().map(|score| (f64::from(score - max).exp() / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_corners_of_a_mask_lie_on_the_corners_of_the_map() {
        // 2×2 cells on 3×3 pixels: the middle of a side is the mean of its ends. (x − 1) / 4 after stretching 1 to 5.
        let found = mask(&[1.0, 3.0, 3.0, 5.0], (2, 2), (3, 3));
        let expected = array![[0.0, 0.25, 0.5], [0.25, 0.5, 0.75], [0.5, 0.75, 1.0]];
        assert!(found.iter().zip(&expected).all(|(a, b): (&f32, &f32)| (a - b).abs() < 1e-6), "{found}");
    }

    #[test]
    fn a_softmax_does_not_overflow() {
        assert_eq!(softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
    }
}
