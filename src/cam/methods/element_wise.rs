use super::{About, Method, cellwise};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// Element-wise Grad-CAM: Σ_k max(g_k ⊙ A_k, 0) with g_k = ∂y/∂A_k: only what raises the score, cell by cell.
///
/// It has no paper of its own: HiResCAM (Draelos, Carin 2020) with the ReLU inside the sum, known from the
/// library pytorch-grad-cam as `GradCAMElementWise`.
pub struct ElementWise;

impl Method for ElementWise {
    fn about(&self) -> &'static About {
        &About { name: "element-wise", title: "element-wise", unit: Unit::Score, signed: false }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        cellwise(activations, gradients, |a, g| (g * a).max(0.0))
    }
}
