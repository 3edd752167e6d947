use super::principal::projection;
use super::{About, Method};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// Eigen-CAM: the activations of each cell, projected on their first principal component over the cells.
///
/// With X `[h·w, K]` the activations less each map's mean over the cells, and v its first right singular vector: X·v.
/// Muhammad, Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020, section III; the
/// mean is taken off as in pytorch-grad-cam. It does not depend on the class but for its sign, which a
/// singular vector does not have: here the sign is the one that goes with Grad-CAM.
pub struct EigenCam;

impl Method for EigenCam {
    fn about(&self) -> &'static About {
        &About { name: "eigen-cam", title: "Eigen-CAM", unit: Unit::Relative, signed: false }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        projection(activations, gradients, |a, _| a)
    }
}
