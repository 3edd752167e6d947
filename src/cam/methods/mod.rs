//! The CAM methods: one file each. They differ only in the weights of the feature maps.

mod grad_cam;
mod grad_cam_plus_plus;

pub use grad_cam::GradCam;
pub use grad_cam_plus_plus::GradCamPlusPlus;

use super::Unit;
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::kernels::maps::{add_scaled, add_sum};
use ndarray::{Array2, ArrayView3, CowArray, Ix3};

/// From activations and gradients to a map.
pub trait Method: Sync {
    /// How the user calls it.
    fn name(&self) -> &'static str;

    /// What the map's numbers mean.
    fn unit(&self) -> Unit;

    /// The signed map `[h, w]`, before the ReLU, from activations and gradients `[K, h, w]`.
    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32>;
}

/// All methods, in the order in which a key press goes through them.
pub static ALL: [&dyn Method; 2] = [&GradCam, &GradCamPlusPlus { epsilon: 0.0 }];

/// The method of that name.
///
/// # Errors
/// [`Error::Input`] lists the names.
pub fn find(name: &str) -> Result<&'static dyn Method> {
    let names: Vec<&str> = ALL.iter().map(|method| method.name()).collect();
    let found = ALL.into_iter().find(|method| method.name() == name);
    found.ok_or_else(|| Error::input(name, format!("no such method; there are {}", names.join(", "))))
}

/// The method after `current`, from the start again at the end.
pub fn after(current: &dyn Method) -> &'static dyn Method {
    let at = ALL.iter().position(|method| method.name() == current.name()).unwrap_or(0);
    ALL[(at + 1) % ALL.len()]
}

/// Σ_k weights_k · A_k, the form that all methods with one weight for each feature map share.
fn weighted_sum(activations: ArrayView3<f32>, weights: impl Iterator<Item = f32>) -> Array2<f32> {
    let (_, height, width) = activations.dim();
    let mut map = Array2::zeros((height, width));
    let to = map.as_slice_mut().expect("a new array is in standard layout");
    for (feature, weight) in slices(&activations.as_standard_layout()).zip(weights) {
        add_scaled(Isa::best(), feature, weight, to);
    }
    map
}

/// The maps of a `[K, h, w]` array in standard layout, each as its `h · w` values.
fn slices<'a>(maps: &'a CowArray<f32, Ix3>) -> impl Iterator<Item = &'a [f32]> {
    let (_, height, width) = maps.dim();
    maps.as_slice().expect("the array is in standard layout").chunks((height * width).max(1))
}

/// Σ over the cells.
fn sum(map: &[f32]) -> f32 {
    let mut sum = 0.0;
    add_sum(Isa::best(), map, &mut sum);
    sum
}
