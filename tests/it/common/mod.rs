//! What the tests share: their data, and comparisons.

pub mod display;
pub mod evaluate;
pub mod graphs;
#[cfg(feature = "serve")]
pub mod http;
pub mod mp4;
pub mod onnxruntime;
pub mod program;
pub mod recording;

use gradcam::cam::HeatMap;
use gradcam::cam::methods::GradCam;
use gradcam::engine::Engine;
use gradcam::frame::Frame;
use gradcam::model::Model;
use gradcam::pipeline::explainer::Explainer;
use gradcam::target::{Selector, Target};
use ndarray::ArrayD;
use std::path::PathBuf;

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A little-endian f32 `.npy` of `tests/data`.
pub fn npy(name: &str) -> ArrayD<f32> {
    ndarray_npy::read_npy(data(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A picture of `tests/data`, which is RGB already.
pub fn picture(name: &str) -> Frame {
    let image = image::open(data(name)).unwrap_or_else(|error| panic!("{name}: {error}")).into_rgb8();
    Frame { width: image.width() as usize, height: image.height() as usize, rgb: image.into_raw(), ..Frame::default() }
}

/// ‖a − b‖ / ‖b‖.
#[track_caller]
pub fn relative_l2<'a, 'b>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'b f32>) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) = (wide(a), wide(b));
    assert_eq!(a.len(), b.len(), "the arrays differ in size");
    let difference: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
    let norm: f64 = b.iter().map(|b| b * b).sum();
    (difference / norm).sqrt()
}

fn wide<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<f64> {
    values.into_iter().map(|value| f64::from(*value)).collect()
}

/// Two pictures of one height, side by side.
pub fn beside(left: &Frame, right: &Frame) -> Frame {
    assert_eq!(left.height, right.height);
    let rows = left.rgb.chunks(left.width * 3).zip(right.rgb.chunks(right.width * 3));
    let rgb = rows.flat_map(|(left, right)| left.iter().chain(right)).copied().collect();
    Frame { width: left.width + right.width, height: left.height, rgb, ..Frame::default() }
}

/// The default model, ready to explain stills.
pub fn explainer() -> Explainer {
    let model = Model::default_model().expect("the default model loads");
    let engine = Engine::new(&model, 1).expect("the default model compiles");
    Explainer::new(engine, Selector::default()).expect("its null levels are in the file")
}

/// The Grad-CAM map of a still picture.
pub fn explained(explainer: &mut Explainer, frame: &Frame, class: Option<usize>) -> HeatMap {
    explainer.selector = Selector::new(class.map(Target::class));
    explainer.explain(frame, &GradCam).expect("it is explained").0
}

/// What a test draws its random numbers from: another number in each run, or GRADCAM_TEST_SEED. A failure shows it.
pub fn seed() -> u64 {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let given = std::env::var("GRADCAM_TEST_SEED").ok().map(|text| text.parse().expect("a seed is a number"));
    let seed = given.unwrap_or_else(|| u64::from(now().subsec_nanos()));
    println!("GRADCAM_TEST_SEED={seed} draws the same again");
    seed
}

/// Sensor noise: normal, independent for each pixel and colour, the same in every run.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    /// By Box and Muller.
    pub fn normal(&mut self) -> f32 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
    }

    pub fn on(&mut self, frame: &Frame, sd: f32) -> Frame {
        let add = |value: &u8| (f32::from(*value) + sd * self.normal()).round().clamp(0.0, 255.0) as u8;
        Frame { rgb: frame.rgb.iter().map(add).collect(), ..frame.clone() }
    }
}
