//! A map in numbers: where its heat lies, in pixels of the picture.

use super::HeatMap;
use super::drop_test::DropTest;
use crate::frame::{Geometry, Rect};
use ndarray::Array2;

/// Cells from this share of the maximum on count as hot: the usual rule for boxes from CAMs (Selvaraju et al. 2017,
/// section 4.1).
const HOT: f32 = 0.15;

/// The positive part of a map in numbers. Positions are in pixels of the whole picture.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Focus {
    /// The hottest cell.
    pub peak: Peak,
    /// Centre of the positive mass.
    pub centroid: Point,
    /// Around the largest connected part (by cells that share a side) of the hot cells.
    pub bounding_box: Rect,
    /// Share of the positive mass inside the rectangle that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heat_share: Option<f32>,
    /// What hiding the hot cells does to the score, where it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_test: Option<DropTest>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Peak {
    /// Cell of the map, from the top left.
    pub row: usize,
    pub column: usize,
    /// The cell's centre.
    pub x: f32,
    pub y: f32,
    pub value: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

/// The focus of a map; `None` where nothing is positive. What lies in bars beside the picture does not count.
pub fn focus(map: &HeatMap, rectangle: Option<Rect>) -> Option<Focus> {
    let mut values = map.values.clone();
    values.indexed_iter_mut().for_each(|(at, value)| *value = if shown(map, at) > 0.0 { value.max(0.0) } else { 0.0 });
    let mass = |at: (usize, usize)| values[at] * shown(map, at);
    let cells = || values.indexed_iter().filter(|(_, value)| **value > 0.0).map(|(at, _)| at);
    let total: f32 = cells().map(mass).sum();
    let ((row, column), peak) = values
        .indexed_iter()
        .fold(((0, 0), 0.0), |best, (at, value)| if *value > best.1 { (at, *value) } else { best });
    if total <= 0.0 || peak <= 0.0 {
        return None;
    }
    let centre = |at: (usize, usize)| {
        let cell = visible(map, at);
        Point { x: cell.x + cell.width / 2.0, y: cell.y + cell.height / 2.0 }
    };
    let mut centroid = Point { x: 0.0, y: 0.0 };
    let mut inside = 0.0;
    for at in cells() {
        let Point { x, y } = centre(at);
        centroid.x += x * mass(at) / total;
        centroid.y += y * mass(at) / total;
        if let Some(rectangle) = rectangle {
            inside += mass(at) / total * covered(visible(map, at), rectangle);
        }
    }
    let Point { x, y } = centre((row, column));
    Some(Focus {
        peak: Peak { row, column, x, y, value: peak },
        centroid,
        bounding_box: bounding_box(map, &values, peak * HOT),
        heat_share: rectangle.map(|_| inside),
        drop_test: map.drop_test,
    })
}

/// The pixels that a cell stands for, those of bars beside the picture included.
fn cell(map: &HeatMap, (row, column): (usize, usize)) -> Rect {
    let (rows, columns) = map.values.dim();
    let seen = map.geometry.seen;
    let (width, height) = (seen.width / columns as f32, seen.height / rows as f32);
    Rect { x: seen.x + column as f32 * width, y: seen.y + row as f32 * height, width, height }
}

/// The picture, where bars were put beside it.
fn picture(map: &HeatMap) -> Option<Rect> {
    let Geometry { width, height, seen } = map.geometry;
    let (width, height) = (width as f32, height as f32);
    let barred = seen.x < 0.0 || seen.y < 0.0 || seen.width > width || seen.height > height;
    barred.then_some(Rect { x: 0.0, y: 0.0, width, height })
}

/// How much of a cell lies on the picture, 0 to 1.
fn shown(map: &HeatMap, at: (usize, usize)) -> f32 {
    picture(map).map_or(1.0, |picture| covered(cell(map, at), picture))
}

/// The part of a cell that lies on the picture.
fn visible(map: &HeatMap, at: (usize, usize)) -> Rect {
    let (cell, Some(picture)) = (cell(map, at), picture(map)) else { return cell(map, at) };
    let (x, y) = (cell.x.max(0.0), cell.y.max(0.0));
    let (right, bottom) = ((cell.x + cell.width).min(picture.width), (cell.y + cell.height).min(picture.height));
    Rect { x, y, width: right - x, height: bottom - y }
}

/// Share of `cell` that lies in `rectangle`.
fn covered(cell: Rect, rectangle: Rect) -> f32 {
    let overlap = |a: f32, a_side: f32, b: f32, b_side: f32| ((a + a_side).min(b + b_side) - a.max(b)).max(0.0);
    overlap(cell.x, cell.width, rectangle.x, rectangle.width)
        * overlap(cell.y, cell.height, rectangle.y, rectangle.height)
        / (cell.width * cell.height)
}

fn bounding_box(map: &HeatMap, values: &Array2<f32>, threshold: f32) -> Rect {
    let (rows, columns) = values.dim();
    let mut open = values.mapv(|value| value >= threshold && value > 0.0);
    let mut largest: Vec<(usize, usize)> = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let part = take_part(&mut open, row, column);
            if part.len() > largest.len() {
                largest = part;
            }
        }
    }
    let mut corners = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
    for at in largest {
        let Rect { x, y, width, height } = visible(map, at);
        corners = [corners[0].min(x), corners[1].min(y), corners[2].max(x + width), corners[3].max(y + height)];
    }
    Rect { x: corners[0], y: corners[1], width: corners[2] - corners[0], height: corners[3] - corners[1] }
}

/// Takes the connected part at a cell out of `open`; empty where the cell is not open.
fn take_part(open: &mut Array2<bool>, row: usize, column: usize) -> Vec<(usize, usize)> {
    let mut part = Vec::new();
    let mut waiting = vec![(row, column)];
    while let Some((row, column)) = waiting.pop() {
        match open.get_mut((row, column)) {
            Some(cell) if *cell => *cell = false,
            _ => continue,
        }
        part.push((row, column));
        waiting.extend([
            (row + 1, column),
            (row, column + 1),
            (row.wrapping_sub(1), column),
            (row, column.wrapping_sub(1)),
        ]);
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cam::{Ranked, Unit};
    use ndarray::array;

    /// A map over a 60×60 square in the middle of a 100×60 picture.
    fn map(values: Array2<f32>) -> HeatMap {
        HeatMap {
            values,
            unit: Unit::Score,
            method: "grad-cam",
            signed: true,
            target: Ranked { class: 0, label: String::new(), logit: 0.0, probability: 0.0 },
            against: None,
            top: Vec::new(),
            scale: 1.0,
            gate: 1.0,
            evidence: 0.0,
            contrast: 0.0,
            drop_test: None,
            geometry: Geometry { width: 100, height: 60, seen: Rect { x: 20.0, y: 0.0, width: 60.0, height: 60.0 } },
            number: 0,
            time: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn positions_are_pixels_of_the_whole_picture() {
        let focus =
            focus(&map(array![[-5.0, 0.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 1.0]]), None).expect("there is heat");
        assert_eq!((focus.peak.row, focus.peak.column, focus.peak.x, focus.peak.y), (1, 2, 70.0, 30.0));
        // (3·30 + 1·50) / 4
        assert_eq!(focus.centroid, Point { x: 70.0, y: 35.0 });
        assert_eq!(focus.bounding_box, Rect { x: 60.0, y: 20.0, width: 20.0, height: 40.0 });
    }

    #[test]
    fn the_box_is_around_the_largest_part_not_the_hottest() {
        let focus =
            focus(&map(array![[9.0, 0.0, 0.0], [0.0, 0.0, 2.0], [1.0, 0.0, 2.0]]), None).expect("there is heat");
        assert_eq!(focus.bounding_box, Rect { x: 60.0, y: 20.0, width: 20.0, height: 40.0 });
    }

    #[test]
    fn a_rectangle_takes_its_share_of_a_cell() {
        let roi = Rect { x: 0.0, y: 0.0, width: 30.0, height: 60.0 };
        let focus = focus(&map(array![[1.0, 0.0, 1.0]]), Some(roi)).expect("there is heat");
        // Half of the left cell, which runs from 20 to 40, and nothing of the right one.
        assert!((focus.heat_share.expect("a region was given") - 0.25).abs() < 1e-6);
    }

    #[test]
    fn heat_in_the_bars_of_a_letterbox_does_not_count() {
        // A 100×60 picture in a square of 100, with bars of 20 above and below; three rows of cells of 33.3.
        let seen = Rect { x: 0.0, y: -20.0, width: 100.0, height: 100.0 };
        let geometry = Geometry { width: 100, height: 60, seen };
        let letterbox = |values| HeatMap { geometry, ..map(values) };
        let top = focus(&letterbox(array![[9.0], [0.0], [0.0]]), None).expect("there is heat");
        // Of the first row, −20 to 13.3, the picture has 0 to 13.3.
        assert!((top.peak.y - 20.0 / 3.0).abs() < 1e-4 && (top.bounding_box.height - 40.0 / 3.0).abs() < 1e-4);
        assert_eq!((top.bounding_box.y, top.peak.value), (0.0, 9.0));
        // 13.3 of 33.3 rows are seen of the first cell, all of the second: 0.4·5 to 1·2.
        let rectangle = Rect { x: 0.0, y: 0.0, width: 100.0, height: 40.0 / 3.0 };
        let share = focus(&letterbox(array![[5.0], [2.0], [0.0]]), Some(rectangle)).and_then(|focus| focus.heat_share);
        assert!((share.expect("it was asked for") - 0.5).abs() < 1e-5, "{share:?}");
        // All of a cell in the bar.
        let all = Array2::from_shape_fn((5, 1), |(row, _)| if row == 0 { 9.0 } else { 0.0 });
        assert_eq!(focus(&letterbox(all), None), None);
    }

    #[test]
    fn a_map_without_heat_has_no_focus() {
        assert_eq!(focus(&map(array![[-1.0, 0.0]]), None), None);
    }
}
