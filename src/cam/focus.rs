//! A map in numbers: where its heat lies, in pixels of the picture.

use super::HeatMap;
use super::drop_test::DropTest;
use crate::frame::Rect;
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
    /// Share of the positive mass inside the region of interest, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roi_share: Option<f32>,
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

/// The focus of a map; `None` where nothing is positive.
pub fn focus(map: &HeatMap, roi: Option<Rect>) -> Option<Focus> {
    let values = &map.values;
    let total: f32 = values.iter().map(|value| value.max(0.0)).sum();
    let ((row, column), peak) = values
        .indexed_iter()
        .fold(((0, 0), 0.0), |best, (at, value)| if *value > best.1 { (at, *value) } else { best });
    if total <= 0.0 || peak <= 0.0 {
        return None;
    }
    let centre = |row: usize, column: usize| {
        let cell = cell(map, row, column);
        Point { x: cell.x + cell.width / 2.0, y: cell.y + cell.height / 2.0 }
    };
    let mut centroid = Point { x: 0.0, y: 0.0 };
    let mut inside = 0.0;
    for ((row, column), value) in values.indexed_iter().filter(|(_, value)| **value > 0.0) {
        let Point { x, y } = centre(row, column);
        centroid.x += x * value / total;
        centroid.y += y * value / total;
        if let Some(roi) = roi {
            inside += value / total * covered(cell(map, row, column), roi);
        }
    }
    let Point { x, y } = centre(row, column);
    Some(Focus {
        peak: Peak { row, column, x, y, value: peak },
        centroid,
        bounding_box: bounding_box(map, peak * HOT),
        roi_share: roi.map(|_| inside),
        drop_test: map.drop_test,
    })
}

/// The pixels that a cell stands for.
fn cell(map: &HeatMap, row: usize, column: usize) -> Rect {
    let (rows, columns) = map.values.dim();
    let seen = map.geometry.seen;
    let (width, height) = (seen.width / columns as f32, seen.height / rows as f32);
    Rect { x: seen.x + column as f32 * width, y: seen.y + row as f32 * height, width, height }
}

/// Share of `cell` that lies in `roi`.
fn covered(cell: Rect, roi: Rect) -> f32 {
    let overlap = |a: f32, a_side: f32, b: f32, b_side: f32| ((a + a_side).min(b + b_side) - a.max(b)).max(0.0);
    overlap(cell.x, cell.width, roi.x, roi.width) * overlap(cell.y, cell.height, roi.y, roi.height)
        / (cell.width * cell.height)
}

fn bounding_box(map: &HeatMap, threshold: f32) -> Rect {
    let (rows, columns) = map.values.dim();
    let mut open = map.values.mapv(|value| value >= threshold && value > 0.0);
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
    for (row, column) in largest {
        let Rect { x, y, width, height } = cell(map, row, column);
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
    use crate::frame::Geometry;
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
    fn the_roi_takes_its_share_of_a_cell() {
        let roi = Rect { x: 0.0, y: 0.0, width: 30.0, height: 60.0 };
        let focus = focus(&map(array![[1.0, 0.0, 1.0]]), Some(roi)).expect("there is heat");
        // Half of the left cell, which runs from 20 to 40, and nothing of the right one.
        assert!((focus.roi_share.expect("a region was given") - 0.25).abs() < 1e-6);
    }

    #[test]
    fn a_map_without_heat_has_no_focus() {
        assert_eq!(focus(&map(array![[-1.0, 0.0]]), None), None);
    }
}
