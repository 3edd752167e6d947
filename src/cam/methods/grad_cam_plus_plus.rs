use super::{About, Method, slices, sum, weighted_sum};
use crate::cam::Unit;
use ndarray::{Array2, ArrayView3};

/// Grad-CAM++: Σ_k α_k A_k with α_k = Σ_ij a_ij · max(g_ij, 0), a_ij = g_ij² / (2 g_ij² + ΣA_k · g_ij³ + ε).
///
/// Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional Networks",
/// WACV 2018, section 3, equation 19, with the derivatives of exp(y) as the authors do (the second and third are powers
/// of the first). Exact with ε = 0, where 0/0 counts as 0; other implementations add an ε, which is not small where
/// gradients are.
pub struct GradCamPlusPlus {
    pub epsilon: f32,
}

impl Method for GradCamPlusPlus {
    fn about(&self) -> &'static About {
        &About { name: "grad-cam++", title: "Grad-CAM++", unit: Unit::Relative, signed: false }
    }

    fn map(&self, activations: ArrayView3<f32>, gradients: ArrayView3<f32>) -> Array2<f32> {
        let (features, gradients) = (activations.as_standard_layout(), gradients.as_standard_layout());
        let weights = slices(&features).zip(slices(&gradients)).map(|(feature, gradient)| {
            let total = sum(feature);
            let share = |g: f32| {
                if g <= 0.0 {
                    return 0.0;
                }
                // Divided by g² where there is no ε, so that small gradients do not vanish in f32.
                let a = if self.epsilon == 0.0 {
                    1.0 / (2.0 + total * g)
                } else {
                    g * g / (2.0 * g * g + total * g * g * g + self.epsilon)
                };
                if a.is_finite() { a * g } else { 0.0 }
            };
            gradient.iter().map(|g| share(*g)).sum::<f32>()
        });
        weighted_sum(activations, weights)
    }
}
