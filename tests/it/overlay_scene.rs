//! Frames and maps made for the tests of the overlay.

use gradcam::cam::{HeatMap, Ranked, Unit};
use gradcam::frame::{Frame, Geometry, Rect};
use gradcam::overlay::Hud;
use ndarray::Array2;
use std::time::Duration;

/// A frame with a pattern that has no symmetry.
pub fn patterned(width: usize, height: usize) -> Frame {
    let rgb = (0..width * height * 3).map(|i| (i * 7 + i / (width * 3) * 13) as u8).collect();
    Frame { width, height, rgb, ..Frame::default() }
}

pub fn plain(width: usize, height: usize, level: u8) -> Frame {
    Frame { width, height, rgb: vec![level; width * height * 3], ..Frame::default() }
}

/// A map over the centred square of a frame, with scale 1 and an open gate.
pub fn over(frame: &Frame, values: Array2<f32>) -> HeatMap {
    let side = frame.width.min(frame.height);
    let seen = Rect {
        x: ((frame.width - side) / 2) as f32,
        y: ((frame.height - side) / 2) as f32,
        width: side as f32,
        height: side as f32,
    };
    let cat = Ranked { class: 285, label: "Egyptian cat".into(), logit: 9.0, probability: 0.5 };
    HeatMap {
        values,
        unit: Unit::Score,
        method: "grad-cam",
        signed: true,
        target: cat.clone(),
        against: None,
        top: vec![cat],
        scale: 1.0,
        gate: 1.0,
        evidence: 4.0,
        contrast: 0.3,
        drop_test: None,
        geometry: Geometry { width: frame.width, height: frame.height, seen },
        number: 0,
        time: Duration::ZERO,
    }
}

/// The display of a map.
pub fn hud(map: &HeatMap) -> Hud {
    let mut hud = Hud { camera: "demo".into(), layer: "features".into(), ..Hud::default() };
    hud.describe(map);
    hud
}
