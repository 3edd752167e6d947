use super::{About, Method, slices, weighted_sum};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// XGrad-CAM: Σ_k w_k A_k with w_k = Σ_ij g_ij · A_ij / Σ_ij A_ij, the mean of the gradient weighted by the activations.
///
/// Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC 2020, section 3. A
/// map whose activations add up to 0 has no such mean; it gets the plain one of Grad-CAM. So w_k is g
/// wherever g is the same in every cell, and the method is Grad-CAM there. No constant is added to the denominator.
pub struct XGradCam;

impl Method for XGradCam {
    fn about(&self) -> &'static About {
        &About { name: "xgrad-cam", title: "XGrad-CAM", unit: Unit::Score, signed: true }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        let (features, gradients) = (activations.as_standard_layout(), gradients.as_standard_layout());
        let weights = slices(&features).zip(slices(&gradients)).map(|(feature, gradient)| {
            // In f64 a product of two f32 is exact, so that sums that nearly cancel keep their quotient.
            let (mut weighted, mut total, mut plain) = (0.0, 0.0, 0.0);
            for (a, g) in feature.iter().zip(gradient) {
                let (a, g) = (f64::from(*a), f64::from(*g));
                weighted += g * a;
                total += a;
                plain += g;
            }
            let weight = if total == 0.0 { plain / gradient.len() as f64 } else { weighted / total };
            weight as f32
        });
        weighted_sum(activations, weights)
    }
}
