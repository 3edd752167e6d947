//! The first principal component of feature maps over their cells.

use super::eigenpair::{dot, leading};
use super::{slices, weighted_sum};
use ndarray::{Array2, ArrayView3};
use std::cell::RefCell;

/// Memory that is used again for the next map.
#[derive(Default)]
struct Scratch {
    /// The maps less their means over the cells, one after another, `[K, h·w]`.
    centred: Vec<f64>,
    /// The products of cells with cells or of maps with maps, whichever is smaller.
    gram: Vec<f64>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// With X `[h·w, K]` the values term(A, g) less each map's mean over the cells: X·v for the first right singular vector
/// v, `[h, w]`. The sign is the one with which it goes with Grad-CAM: Σ over the cells of both multiplied is not negative;
/// where that sum is 0 the value that is farthest from 0 is positive. All zeros where nothing differs over the cells. Of
/// several equal largest singular values one vector is taken, always the same for the same numbers.
pub fn projection(
    activations: ArrayView3<f32>,
    gradients: ArrayView3<f32>,
    term: impl Fn(f32, f32) -> f32,
) -> Array2<f32> {
    let (_, height, width) = activations.dim();
    let cells = height * width;
    let (features, gradients) = (activations.as_standard_layout(), gradients.as_standard_layout());
    let mut result = vec![0.0; cells];
    SCRATCH.with_borrow_mut(|Scratch { centred, gram }| {
        centred.clear();
        for (feature, gradient) in slices(&features).zip(slices(&gradients)) {
            let start = centred.len();
            centred.extend(feature.iter().zip(gradient).map(|(a, g)| f64::from(term(*a, *g))));
            let map = &mut centred[start..];
            let mean = map.iter().sum::<f64>() / cells as f64;
            map.iter_mut().for_each(|value| *value -= mean);
            // A map that is the same in every cell has no part in the component.
            if map.iter().all(|value| *value == 0.0) {
                centred.truncate(start);
            }
        }
        project(centred, cells, gram, &mut result);
    });
    let grad_cam = weighted_sum(activations, slices(&gradients).map(|g| super::sum(g) / g.len() as f32));
    let agreement: f64 = result.iter().zip(&grad_cam).map(|(value, heat)| value * f64::from(*heat)).sum();
    let farthest = result.iter().fold(0.0f64, |far, value| if value.abs() > far.abs() { *value } else { far });
    let sign = if agreement == 0.0 { farthest } else { agreement }.signum();
    Array2::from_shape_fn((height, width), |(y, x)| (sign * result[y * width + x]) as f32)
}

/// X·v for `centred` = Xᵀ, of `cells` columns. With few cells through X·Xᵀ = U·Σ²·Uᵀ, where X·v = σ·u; with few maps
/// through Xᵀ·X = V·Σ²·Vᵀ.
fn project(centred: &[f64], cells: usize, gram: &mut Vec<f64>, result: &mut [f64]) {
    let maps = centred.len() / cells.max(1);
    let size = cells.min(maps);
    gram.clear();
    gram.resize(size * size, 0.0);
    if cells <= maps {
        for map in centred.chunks_exact(cells) {
            for (row, value) in map.iter().enumerate() {
                for (to, other) in gram[row * size..][..row + 1].iter_mut().zip(map) {
                    *to += value * other;
                }
            }
        }
    } else {
        let map = |at: usize| &centred[at * cells..][..cells];
        for row in 0..size {
            for column in 0..=row {
                gram[row * size + column] = dot(map(row), map(column));
            }
        }
    }
    let Some((value, vector)) = leading(gram, size) else { return };
    if cells <= maps {
        result.iter_mut().zip(vector).for_each(|(to, u)| *to = value.sqrt() * u);
    } else {
        for (map, v) in centred.chunks_exact(cells).zip(vector) {
            result.iter_mut().zip(map).for_each(|(to, x)| *to += v * x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};

    #[test]
    fn a_component_by_hand_with_few_maps_and_with_few_cells() {
        // One map, cells 1 2 6, mean 3: X = (−2, −1, 3), v = ±1. Grad-CAM with g = 1 is the map itself, so the sign is +.
        let one = array![[[1.0, 2.0, 6.0]]];
        let ones = Array3::ones((1, 1, 3));
        assert_eq!(projection(one.view(), ones.view(), |a, _| a), array![[-2.0, -1.0, 3.0]]);
        // A gradient below 0 turns Grad-CAM around, and the component with it.
        assert_eq!(projection(one.view(), (-&ones).view(), |a, _| a), array![[2.0, 1.0, -3.0]]);
        // Maps (3, −3) and (4, −4) over two cells: X·v = ±5, since v = (3, 4) / 5.
        let two = array![[[3.0, -3.0]], [[4.0, -4.0]]];
        let map = projection(two.view(), Array3::ones((2, 1, 2)).view(), |a, _| a);
        assert!((map[(0, 0)] - 5.0).abs() < 1e-6 && (map[(0, 1)] + 5.0).abs() < 1e-6, "{map}");
    }

    #[test]
    fn maps_that_are_the_same_everywhere_have_no_component() {
        let flat = Array3::from_elem((3, 2, 2), 0.7f32);
        assert_eq!(projection(flat.view(), flat.view(), |a, g| a * g), Array2::<f32>::zeros((2, 2)));
    }
}
