use super::principal::projection;
use super::{About, Method};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// Eigen-Grad-CAM: as Eigen-CAM, of gradient times activation instead of the activations, and so of a class.
///
/// Muhammad, Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020, section III,
/// applied to g_k ⊙ A_k; the combination is pytorch-grad-cam's. The sign goes with Grad-CAM.
pub struct EigenGradCam;

impl Method for EigenGradCam {
    fn about(&self) -> &'static About {
        &About { name: "eigen-grad-cam", title: "Eigen-Grad-CAM", unit: Unit::Relative, signed: false }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        projection(activations, gradients, |a, g| g * a)
    }
}
