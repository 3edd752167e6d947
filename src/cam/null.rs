//! The null levels: what a model shows on pictures without anything to recognise. Below them the heat is noise.

use super::methods::{ALL, Method};
use crate::engine::{Engine, Evidence};
use crate::error::Result;
use crate::frame::Frame;
use crate::model::metadata::NullLevels;
use crate::preprocess::{Input, Preprocess};
use crate::target::{Target, best};
use std::collections::BTreeMap;

/// Standard deviations of the sensor noise on the blank pictures, in grey levels of 255.
const NOISE: [f32; 4] = [0.0, 3.0, 8.0, 20.0];
/// Few plain colours look like something to a network; they do not set the level for all pictures.
const QUANTILE: f32 = 0.95;

/// Runs the model on blank, plain-coloured, shaded and noisy pictures, and takes the evidence that 95 % of them stay
/// below, the largest contrast and, for each method for video, the largest value of a map of the best class.
///
/// # Errors
/// Those of the engine.
pub fn measure(engine: &mut Engine) -> Result<NullLevels> {
    let probabilities = engine.info.probabilities;
    let mut found: Vec<f32> = Vec::new();
    let mut contrast = 0.0f32;
    let mut map_max: BTreeMap<String, f32> = BTreeMap::new();
    on_blank_pictures(engine, |evidence| {
        let scores = evidence.forward.scores();
        contrast = contrast.max(super::contrast(evidence.forward.activations()));
        found.push(super::evidence(scores, probabilities));
        for method in ALL {
            let max = map_max.entry(method.name().to_owned()).or_insert(0.0);
            *max = max.max(hottest(evidence, method));
        }
    })?;
    found.sort_by(f32::total_cmp);
    let evidence = found[((found.len() - 1) as f32 * QUANTILE).round() as usize];
    map_max.values_mut().for_each(|max| *max = three_figures(*max));
    Ok(NullLevels { evidence: round(evidence), contrast: round(contrast), map_max })
}

/// The null level of one method's map, as [`measure`] takes it: for files that were exported without it.
///
/// # Errors
/// Those of the engine.
pub fn measure_map(engine: &mut Engine, method: &dyn Method) -> Result<f32> {
    let mut max = 0.0f32;
    on_blank_pictures(engine, |evidence| max = max.max(hottest(evidence, method)))?;
    Ok(three_figures(max))
}

fn hottest(evidence: &Evidence, method: &dyn Method) -> f32 {
    let map = method.map(evidence.forward.activations(), evidence.gradients());
    map.iter().copied().fold(0.0, f32::max)
}

/// Maps are large or small as the gradients are. So many figures do not depend on how a CPU rounds.
fn three_figures(level: f32) -> f32 {
    format!("{level:.2e}").parse().expect("a number's own text is a number")
}

/// Three decimals say all there is to say.
fn round(level: f32) -> f32 {
    (level * 1e3).round() / 1e3
}

/// Hands out what the best class of each blank picture rests on.
fn on_blank_pictures(engine: &mut Engine, mut look: impl FnMut(&Evidence)) -> Result<()> {
    let mut preprocess = Preprocess::new(&engine.info.preprocessing);
    let mut input = Input::new(&engine.info.preprocessing);
    let (width, height) = (engine.info.preprocessing.width, engine.info.preprocessing.height);
    let mut random = 1;
    for scene in scenes() {
        for noise in NOISE {
            let frame = picture(width, height, scene, noise, &mut random);
            preprocess.run(&frame, &mut input);
            let forward = engine.forward(&input)?;
            let target = Target::class(best(forward.scores()));
            look(&engine.gradients(&forward, target)?);
        }
    }
    Ok(())
}

/// A picture that fades from one colour to another.
#[derive(Clone, Copy)]
struct Scene {
    from: [f32; 3],
    to: [f32; 3],
    /// Direction of the fade: x and y shares.
    across: [f32; 2],
}

fn scenes() -> impl Iterator<Item = Scene> {
    let plain = |colour: [f32; 3]| Scene { from: colour, to: colour, across: [0.0, 0.0] };
    let greys = (0..=8).map(move |step| plain([step as f32 * 255.0 / 8.0; 3]));
    let colours = [
        [200.0, 30.0, 30.0],
        [30.0, 160.0, 40.0],
        [30.0, 60.0, 200.0],
        [220.0, 200.0, 40.0],
        [190.0, 150.0, 110.0],
        [120.0, 170.0, 220.0],
    ];
    let fades = [
        Scene { from: [0.0; 3], to: [255.0; 3], across: [1.0, 0.0] },
        Scene { from: [230.0; 3], to: [40.0; 3], across: [0.0, 1.0] },
        Scene { from: [150.0, 140.0, 120.0], to: [90.0, 100.0, 120.0], across: [0.5, 0.5] },
    ];
    greys.chain(colours.into_iter().map(plain)).chain(fades)
}

fn picture(width: usize, height: usize, scene: Scene, noise: f32, random: &mut u32) -> Frame {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let share = scene.across[0] * x as f32 / width as f32 + scene.across[1] * y as f32 / height as f32;
            for colour in 0..3 {
                let clean = scene.from[colour] + (scene.to[colour] - scene.from[colour]) * share;
                rgb.push((clean + noise * normal(random)).round().clamp(0.0, 255.0) as u8);
            }
        }
    }
    Frame { width, height, rgb, ..Frame::default() }
}

/// About normal with mean 0 and standard deviation 1: the sum of twelve uniform numbers, less 6.
fn normal(state: &mut u32) -> f32 {
    let uniform = |state: &mut u32| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        (*state >> 8) as f32 / (1u32 << 24) as f32
    };
    (0..12).map(|_| uniform(state)).sum::<f32>() - 6.0
}
