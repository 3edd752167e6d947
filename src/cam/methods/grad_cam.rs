use super::{About, Method, slices, sum, weighted_sum};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// Grad-CAM: Σ_k α_k A_k with α_k the mean over the cells of ∂y/∂A_k.
///
/// Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017,
/// section 3, equations 1 and 2.
pub struct GradCam;

impl Method for GradCam {
    fn about(&self) -> &'static About {
        &About { name: "grad-cam", title: "Grad-CAM", unit: Unit::Score, signed: true }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        let gradients = gradients.as_standard_layout();
        weighted_sum(activations, slices(&gradients).map(|gradient| sum(gradient) / gradient.len() as f32))
    }
}
