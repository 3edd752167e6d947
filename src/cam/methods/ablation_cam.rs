use super::{About, StillMethod, weighted_sum};
use crate::cam::Unit;
use crate::engine::{Engine, Forward};
use crate::error::Result;
use crate::preprocess::Input;
use crate::target::Target;
use ndarray::Array2;

/// Ablation-CAM: Σ_k w_k A_k with w_k = (y − y_k) / y, y_k being the score with the map A_k set to 0.
///
/// Desai, Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free Localization",
/// WACV 2020, section 3. Only the tail is run, once for each map; what bypasses the target layer stays as it is. The
/// division by y keeps the paper's form and turns the map around where the score is below 0, and a score of 0 leaves
/// the plain differences.
pub struct AblationCam;

impl StillMethod for AblationCam {
    fn about(&self) -> &'static About {
        &About { name: "ablation-cam", title: "Ablation-CAM", unit: Unit::Relative, signed: true }
    }

    fn map(
        &self,
        engine: &mut Engine,
        _: &Input,
        forward: &Forward,
        target: Target,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Array2<f32>> {
        let activations = forward.activations();
        let whole = target.score(forward.scores());
        let mut ablated = activations.to_owned();
        let maps = activations.dim().0;
        let mut weights = Vec::with_capacity(maps);
        for map in 0..maps {
            let feature = activations.index_axis(ndarray::Axis(0), map);
            // Without a map that is 0 already the score is what it was.
            if feature.iter().all(|value| *value == 0.0) {
                weights.push(0.0);
            } else {
                ablated.index_axis_mut(ndarray::Axis(0), map).fill(0.0);
                let score = target.score(engine.scores_at(forward, ablated.view())?.view());
                ablated.index_axis_mut(ndarray::Axis(0), map).assign(&feature);
                weights.push(if whole == 0.0 { whole - score } else { (whole - score) / whole });
            }
            progress(weights.len(), maps);
        }
        Ok(weighted_sum(activations, weights.into_iter()))
    }
}
