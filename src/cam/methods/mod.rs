//! The CAM methods, one file each: those that need one forward pass and the gradients, and those that run the network
//! many times.

mod ablation_cam;
mod coincidence;
mod eigen_cam;
mod eigen_grad_cam;
mod eigenpair;
mod element_wise;
mod grad_cam;
mod grad_cam_plus_plus;
mod hires_cam;
mod layer_cam;
mod principal;
mod score_cam;
mod xgrad_cam;

pub use ablation_cam::AblationCam;
pub use coincidence::{coinciding, with_coinciding};
pub use eigen_cam::EigenCam;
pub use eigen_grad_cam::EigenGradCam;
pub use element_wise::ElementWise;
pub use grad_cam::GradCam;
pub use grad_cam_plus_plus::GradCamPlusPlus;
pub use hires_cam::HiResCam;
pub use layer_cam::LayerCam;
pub use score_cam::ScoreCam;
pub use xgrad_cam::XGradCam;

use super::Unit;
use crate::engine::{Engine, Forward};
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::kernels::maps::{add_scaled, add_sum};
use crate::preprocess::Input;
use crate::target::Target;
use ndarray::{Array2, ArrayView3, CowArray, Ix3};

/// What is known of a method without running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// How the user calls it.
    pub name: &'static str,
    /// How people write it.
    pub title: &'static str,
    /// What the map's numbers mean.
    pub unit: Unit,
    /// Whether values below 0 speak against the target.
    pub signed: bool,
}

/// From activations and gradients to a map: one forward pass, fit for video.
pub trait Method: Sync {
    fn about(&self) -> &'static About;

    /// The map `[h, w]`, before the ReLU, from activations and gradients `[K, h, w]`.
    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32>;

    fn name(&self) -> &'static str {
        self.about().name
    }
}

/// From many runs of the network to a map: for stills.
pub trait StillMethod: Sync {
    fn about(&self) -> &'static About;

    /// The map `[h, w]`, before the ReLU. `forward` is the forward pass of `input`. `progress` is told how many of the
    /// runs are done, and of how many.
    ///
    /// # Errors
    /// Those of the engine.
    fn map(
        &self,
        engine: &mut Engine,
        input: &Input,
        forward: &Forward,
        target: Target,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Array2<f32>>;
}

/// The methods for video and stills, in the order in which a key press goes through them.
pub static ALL: [&dyn Method; 8] = [
    &GradCam,
    &GradCamPlusPlus { epsilon: 0.0 },
    &HiResCam,
    &XGradCam,
    &LayerCam,
    &ElementWise,
    &EigenCam,
    &EigenGradCam,
];

/// The methods for stills only.
pub static STILLS: [&dyn StillMethod; 2] = [&ScoreCam, &AblationCam];

/// A method of either kind.
#[derive(Clone, Copy)]
pub enum AnyMethod {
    Live(&'static dyn Method),
    Still(&'static dyn StillMethod),
}

impl AnyMethod {
    pub fn about(self) -> &'static About {
        match self {
            AnyMethod::Live(method) => method.about(),
            AnyMethod::Still(method) => method.about(),
        }
    }
}

/// The method for video and stills of that name.
///
/// # Errors
/// [`Error::Input`] lists the names, or says that the method is for stills only.
pub fn find(name: &str) -> Result<&'static dyn Method> {
    match find_any(name)? {
        AnyMethod::Live(method) => Ok(method),
        AnyMethod::Still(_) => {
            let reason = "runs the network once for each feature map, which is for stills; `gradcam explain` has it";
            Err(Error::input(name, reason))
        }
    }
}

/// The method of that name.
///
/// # Errors
/// [`Error::Input`] lists the names.
pub fn find_any(name: &str) -> Result<AnyMethod> {
    let live = ALL.into_iter().map(AnyMethod::Live);
    let all = live.chain(STILLS.into_iter().map(AnyMethod::Still));
    all.clone().find(|method| method.about().name == name).ok_or_else(|| {
        let names: Vec<&str> = all.map(|method| method.about().name).collect();
        Error::input(name, format!("no such method; there are {}", names.join(", ")))
    })
}

/// How people write a method's name; the name itself where there is no such method.
pub fn title(name: &'static str) -> &'static str {
    find_any(name).map_or(name, |method| method.about().title)
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

/// Σ_k term(A_k, g_k), cell by cell: the form of the methods that do not average over the cells.
fn cellwise(activations: ArrayView3<f32>, gradients: ArrayView3<f32>, term: impl Fn(f32, f32) -> f32) -> Array2<f32> {
    let (_, height, width) = activations.dim();
    let mut map = Array2::zeros((height, width));
    let to: &mut [f32] = map.as_slice_mut().expect("a new array is in standard layout");
    let (features, gradients) = (activations.as_standard_layout(), gradients.as_standard_layout());
    for (feature, gradient) in slices(&features).zip(slices(&gradients)) {
        for (to, (a, g)) in to.iter_mut().zip(feature.iter().zip(gradient)) {
            *to += term(*a, *g);
        }
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
