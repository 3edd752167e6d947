use super::{About, Method, cellwise};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// LayerCAM: Σ_k max(g_k, 0) ⊙ A_k with g_k = ∂y/∂A_k, cell by cell.
///
/// Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE TIP 2021, section III.
pub struct LayerCam;

impl Method for LayerCam {
    fn about(&self) -> &'static About {
        &About { name: "layer-cam", title: "LayerCAM", unit: Unit::Score, signed: false }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        cellwise(activations, gradients, |a, g| g.max(0.0) * a)
    }
}
