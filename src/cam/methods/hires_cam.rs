use super::{About, Method, cellwise};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// HiResCAM: Σ_k g_k ⊙ A_k with g_k = ∂y/∂A_k, cell by cell, without an average over the cells.
///
/// Draelos, Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
/// arXiv 2011.08891, 2020. Where the tail is affine, the cells add up to the score less its bias.
pub struct HiResCam;

impl Method for HiResCam {
    fn about(&self) -> &'static About {
        &About { name: "hires-cam", title: "HiResCAM", unit: Unit::Score, signed: true }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        cellwise(activations, gradients, |a, g| g * a)
    }
}
