//! The check at load: is the gradient head that the file brought the one that its classifier really has?

use super::plan::Plan;
use crate::error::{Error, Result};
use crate::onnx::graph::Port;
use crate::onnx::{ElementType, Graph, TARGET};
use std::collections::HashMap;
use tract_onnx::prelude::*;

/// The largest relative L2 difference: some hundred times the rounding of f32 in sums of a thousand terms.
const TOLERANCE: f64 = 1e-5;

/// What is drawn for the activations and bypass wires from u in [0, 1): values as a ReLU makes them, then values on both
/// sides of every bend of an activation function that lies between two neighbouring layers.
const DRAWS: [fn(f32) -> f32; 2] = [|u| 2.0 * u, |u| 10.0 * (2.0 * u - 1.0).powi(3)];

/// Compares two heads on random activations and a random dense target, so that every class counts; returns the largest
/// relative L2 difference.
pub(super) fn same_head(
    stored: &Graph,
    stored_plan: &mut Plan,
    derived: &Graph,
    derived_plan: &mut Plan,
) -> Result<f64> {
    let refuse = |reason: String| {
        let again = "export it again from its classifier with `gradcam export`";
        Err(Error::model(&stored.file, format!("its gradient head is not that of its classifier ({reason}); {again}")))
    };
    let mut worst = 0.0f64;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (round, draw) in DRAWS.into_iter().enumerate() {
        let mut values: HashMap<&str, TValue> = HashMap::new();
        for port in stored.inputs.iter().chain(&derived.inputs) {
            values.entry(&port.name).or_insert_with(|| random.tensor(port, draw));
        }
        let run = |graph: &Graph, plan: &mut Plan| -> Result<(Vec<usize>, Vec<f32>)> {
            let outputs = plan.run(graph.inputs.iter().map(|port| values[port.name.as_str()].clone()).collect())?;
            let view = outputs[0].to_plain_array_view::<f32>();
            let view = view.map_err(|_| Error::model(&graph.file, "its gradients are not f32 values"))?;
            Ok((view.shape().to_vec(), view.iter().copied().collect()))
        };
        let (derived_shape, derived) = run(derived, derived_plan)?;
        // A logarithm, say, has no gradient at values that its layer never has.
        if round > 0 && derived.iter().any(|gradient| !gradient.is_finite()) {
            continue;
        }
        let (stored_shape, stored) = run(stored, stored_plan)?;
        if stored_shape != derived_shape {
            return refuse(format!("gradients {stored_shape:?} instead of {derived_shape:?}"));
        }
        let difference: f64 = stored.iter().zip(&derived).map(|(s, d)| f64::from(s - d).powi(2)).sum();
        let norm: f64 = derived.iter().map(|d| f64::from(*d).powi(2)).sum();
        let relative = (difference / norm.max(f64::MIN_POSITIVE)).sqrt();
        // Not a number is no agreement.
        if relative.is_nan() || relative > TOLERANCE {
            return refuse(format!("relative difference {relative:.1e}, allowed {TOLERANCE:.0e}"));
        }
        worst = worst.max(relative);
    }
    Ok(worst)
}

/// Uniform numbers in [0, 1): xorshift64*, the same on every machine.
struct Random(u64);

impl Random {
    /// A value for a port: the target is drawn from [−1, 1).
    fn tensor(&mut self, port: &Port, draw: fn(f32) -> f32) -> TValue {
        let shape: Vec<usize> = port.shape.iter().flatten().map(|side| side.unwrap_or(1)).collect();
        let draw = if port.name == TARGET { |u| 2.0 * u - 1.0 } else { draw };
        let draws: Vec<f32> = (0..shape.iter().product()).map(|_| draw(self.next())).collect();
        let drawn = "as many values as elements were drawn";
        let tensor = match port.kind {
            ElementType::Bool => {
                Tensor::from_shape(&shape, &draws.iter().map(|draw| *draw > 0.5).collect::<Vec<bool>>())
            }
            // Counts and indices: 0 is within every list.
            ElementType::I64 => Tensor::from_shape(&shape, &vec![0i64; draws.len()]),
            ElementType::I32 => Tensor::from_shape(&shape, &vec![0i32; draws.len()]),
            _ => Tensor::from_shape(&shape, &draws),
        };
        tensor.expect(drawn).into_tvalue()
    }

    fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1u64 << 24) as f32
    }
}
