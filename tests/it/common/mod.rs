//! What the tests share: their data, and comparisons.

pub mod evaluate;
pub mod graphs;

use gradcam::frame::Frame;
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
pub fn relative_l2<'a, 'b>(
    a: impl IntoIterator<Item = &'a f32>,
    b: impl IntoIterator<Item = &'b f32>,
) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) = (wide(a), wide(b));
    assert_eq!(a.len(), b.len(), "the arrays differ in size");
    let difference: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
    let norm: f64 = b.iter().map(|b| b * b).sum();
    (difference / norm).sqrt()
}

fn wide<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<f64> {
    values.into_iter().map(|value| f64::from(*value)).collect()
}
