//! Maps of several target layers → one map.

use ndarray::Array2;

/// One map of the maps of several layers, each with the null level of its method: every map is cut below 0 and divided by
/// its scale (its maximum, or the null level where that is higher), brought to the rows and columns of the largest map,
/// and the mean is taken.
///
/// Returns the map and its scale: its maximum where a layer's map reaches its own scale, and accordingly more where all
/// of them stay below their null levels, so that weak maps look weak.
pub fn combine(maps: &[(Array2<f32>, f32)]) -> (Array2<f32>, f32) {
    let size = maps.iter().map(|(map, _)| map.dim()).max_by_key(|(rows, columns)| rows * columns).unwrap_or_default();
    let mut sum = Array2::zeros(size);
    let mut strongest = 0.0f32;
    for (map, level) in maps {
        let max = map.iter().copied().fold(0.0, f32::max);
        let scale = max.max(*level).max(f32::MIN_POSITIVE);
        strongest = strongest.max(max / scale);
        sum += &resized(&map.mapv(|value| value.max(0.0) / (scale * maps.len() as f32)), size);
    }
    let max = sum.iter().copied().fold(0.0, f32::max);
    let scale = if strongest > 0.0 { max / strongest } else { 1.0 };
    (sum, scale)
}

/// Bilinear between the centres of the cells, constant beyond the outermost ones.
fn resized(map: &Array2<f32>, size: (usize, usize)) -> Array2<f32> {
    let taps = |at: usize, size: usize, cells: usize| {
        let position = ((at as f32 + 0.5) * cells as f32 / size as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        let cell = position as usize;
        (cell, (cell + 1).min(cells - 1), position - cell as f32)
    };
    if map.dim() == size {
        return map.clone();
    }
    Array2::from_shape_fn(size, |(row, column)| {
        let (top, bottom, down) = taps(row, size.0, map.nrows());
        let (left, right, across) = taps(column, size.1, map.ncols());
        let line = |row: usize| map[(row, left)] * (1.0 - across) + map[(row, right)] * across;
        line(top) * (1.0 - down) + line(bottom) * down
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_mean_of_two_layers_by_hand() {
        // The first map by its maximum 4: 0.5 1, on 4 columns 0.5 0.625 0.875 1. The second by its null level 2: 0 0 0.5 0.
        let maps = [(array![[2.0, 4.0]], 1.0), (array![[-3.0, 0.0, 1.0, 0.0]], 2.0)];
        let (map, scale) = combine(&maps);
        assert_eq!(map, array![[0.25, 0.3125, 0.6875, 0.5]]);
        assert_eq!(scale, 0.6875);
    }

    #[test]
    fn layers_that_all_stay_below_their_null_levels_look_weak() {
        let (map, scale) = combine(&[(array![[1.0, 0.0]], 4.0), (array![[1.0, 0.0]], 2.0)]);
        // (1/4 + 1/2) / 2 at the hottest cell; the stronger layer reaches half of its level.
        assert_eq!(map, array![[0.375, 0.0]]);
        assert_eq!(scale, 0.75);
        assert_eq!(combine(&[(array![[-1.0, 0.0]], 0.0)]), (array![[0.0, 0.0]], 1.0));
    }
}
