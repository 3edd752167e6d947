//! Methods that provably give the same map of a model.

use super::{ElementWise, GradCam, HiResCam, LayerCam, Method, XGradCam};
use crate::engine::Properties;

/// Groups of methods, by name, whose maps of a model with these properties are the same for every picture and target,
/// but for rounding. Methods that are in no group have a map of their own.
///
/// - Where the gradient is the same in every cell, g_ij = g: Grad-CAM's mean of g over the cells is g; HiResCAM's
///   Σ g ⊙ A is Σ g·A; XGrad-CAM's Σ g·A / ΣA is g where ΣA ≠ 0, and where it is 0 the weight is the mean, g again.
/// - Where A ≥ 0: max(g·A, 0) = max(g, 0)·A, so element-wise Grad-CAM is LayerCAM.
pub fn coinciding(properties: Properties) -> Vec<Vec<&'static str>> {
    let mut groups = Vec::new();
    if properties.uniform_gradients {
        groups.push(vec![GradCam.name(), HiResCam.name(), XGradCam.name()]);
    }
    if properties.non_negative {
        groups.push(vec![LayerCam.name(), ElementWise.name()]);
    }
    groups
}

/// A method's name with those of the methods that it coincides with in `groups`; the name alone where there are none.
pub fn with_coinciding(groups: &[Vec<&'static str>], name: &'static str) -> Vec<&'static str> {
    let group = groups.iter().find(|group| group.contains(&name));
    let others = group.into_iter().flatten().copied().filter(|other| *other != name);
    [name].into_iter().chain(others).collect()
}
