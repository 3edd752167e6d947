//! No heat where nothing is recognised, and heat where something is, with the noise of a camera's sensor.

use crate::common::{Noise, beside, explained, explainer, picture};
use gradcam::cam::methods::GradCam;
use gradcam::frame::Frame;
use gradcam::overlay::{Look, max_opacity};
use std::time::Duration;

const SENSOR_NOISE: [f32; 4] = [0.0, 3.0, 8.0, 20.0];

fn filled(colour: impl Fn(usize, usize) -> [u8; 3]) -> Frame {
    let rgb = (0..240).flat_map(|y| (0..320).map(move |x| (x, y))).flat_map(|(x, y)| colour(x, y)).collect();
    Frame { width: 320, height: 240, rgb, ..Frame::default() }
}

fn blanks() -> Vec<(String, Frame)> {
    let mut blanks = Vec::new();
    for grey in [0, 36, 73, 109, 146, 182, 219, 255u8] {
        blanks.push((format!("grey {grey}"), filled(|_, _| [grey; 3])));
    }
    for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0u8]] {
        blanks.push((format!("{colour:?}"), filled(|_, _| colour)));
    }
    blanks.push(("gradient".to_owned(), filled(|x, _| [(x * 255 / 319) as u8; 3])));
    blanks
}

#[test]
fn blank_pictures_stay_clear() {
    let mut explainer = explainer();
    let mut noise = Noise::new(7);
    for (name, frame) in blanks() {
        for sd in SENSOR_NOISE {
            let map = explained(&mut explainer, &noise.on(&frame, sd), None);
            let opacity = max_opacity(&map, &Look::default());
            println!("{name}, noise {sd}: evidence {:.2}, opacity {:.1} %", map.evidence, opacity * 100.0);
            assert!(opacity <= 0.1, "{name} with noise {sd}: opacity {opacity}, evidence {}", map.evidence);
        }
    }
}

#[test]
fn photographs_are_shown() {
    let (cat, cup) = (picture("lite0/chelsea_224.png"), picture("lite0/coffee_224.png"));
    let both = beside(&cat, &cup);
    let mut explainer = explainer();
    let mut noise = Noise::new(8);
    for (name, frame) in [("cat", cat), ("cup", cup), ("both", both)] {
        for sd in SENSOR_NOISE {
            let map = explained(&mut explainer, &noise.on(&frame, sd), None);
            println!("{name}, noise {sd}: evidence {:.2}, gate {:.2}", map.evidence, map.gate);
            assert!(map.gate >= 0.9, "{name} with noise {sd}: gate {}, evidence {}", map.gate, map.evidence);
        }
    }
}

#[test]
fn a_frozen_scene_is_shown_calmly() {
    let frame = picture("lite0/coffee_224.png");
    let mut explainer = explainer().following();
    let mut noise = Noise::new(9);
    let mut shown: Vec<Vec<f32>> = Vec::new();
    let mut per_frame: Vec<Vec<f32>> = Vec::new();
    for number in 0..40u32 {
        let mut noisy = noise.on(&frame, 3.0);
        noisy.time = Duration::from_millis(33) * number;
        let (map, _) = explainer.explain(&noisy, &GradCam).expect("it is explained");
        shown.push(map.values.iter().map(|value| map.gate * (value.max(0.0) / map.scale).min(1.0)).collect());
        let max = map.max();
        per_frame.push(map.values.iter().map(|value| value.max(0.0) / max).collect());
    }
    let change = |maps: &[Vec<f32>]| {
        let steps = maps[10..].windows(2);
        let differences: Vec<f32> =
            steps.flat_map(|pair| pair[0].iter().zip(&pair[1]).map(|(a, b)| (a - b).abs())).collect();
        differences.iter().sum::<f32>() / differences.len() as f32
    };
    let (followed, own) = (change(&shown), change(&per_frame));
    println!(
        "frame-to-frame change of the shown heat: {:.2} % of full heat; with per-frame maximum {:.2} %",
        followed * 100.0,
        own * 100.0
    );
    // The map itself is exact and moves with the noise; the scale must not add to it.
    assert!(followed <= own, "the followed scale flickers more than a scale per frame: {followed} > {own}");
    assert!(followed < 0.03, "the shown heat changes by {followed} of full heat from frame to frame");
}
