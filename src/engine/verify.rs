//! The check at load: is the gradient head that the file brought the one that its classifier really has?

use super::plan::Plan;
use crate::error::{Error, Result};
use crate::onnx::{Graph, TARGET};
use std::collections::HashMap;
use tract_onnx::prelude::*;

/// The largest relative L2 difference: some hundred times the rounding of f32 in sums of a thousand terms.
const TOLERANCE: f64 = 1e-5;

/// Compares two heads on random positive activations and a random dense target, so that every class counts.
pub(super) fn same_head(stored: &Graph, stored_plan: &mut Plan, derived: &Graph, derived_plan: &mut Plan) -> Result<()> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut values: HashMap<&str, TValue> = HashMap::new();
    for port in stored.inputs.iter().chain(&derived.inputs) {
        let shape: Vec<usize> = port.shape.iter().flatten().map(|side| side.unwrap_or(1)).collect();
        let signed = port.name == TARGET;
        let elements = shape.iter().product();
        let draws: Vec<f32> = (0..elements).map(|_| random.next() * 2.0 - if signed { 1.0 } else { 0.0 }).collect();
        let tensor = Tensor::from_shape(&shape, &draws).expect("as many values as elements were drawn");
        values.entry(&port.name).or_insert_with(|| tensor.into_tvalue());
    }
    let run = |graph: &Graph, plan: &mut Plan| -> Result<Vec<f32>> {
        let outputs = plan.run(graph.inputs.iter().map(|port| values[port.name.as_str()].clone()).collect())?;
        let view = outputs[0].to_plain_array_view::<f32>();
        let view = view.map_err(|_| Error::model(&graph.file, "its gradients are not f32 values"))?;
        Ok(view.iter().copied().collect())
    };
    let derived_gradients = run(derived, derived_plan)?;
    let stored_gradients = run(stored, stored_plan)?;
    let refuse = |reason: String| {
        let again = "export it again from its classifier with `gradcam export`";
        Err(Error::model(&stored.file, format!("its gradient head is not that of its classifier ({reason}); {again}")))
    };
    if stored_gradients.len() != derived_gradients.len() {
        return refuse(format!("{} gradients instead of {}", stored_gradients.len(), derived_gradients.len()));
    }
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let pairs = stored_gradients.iter().zip(&derived_gradients);
    let difference = squares(&mut pairs.map(|(stored, derived)| (*stored - *derived) as f64));
    let norm = squares(&mut derived_gradients.iter().map(|derived| *derived as f64));
    let relative = (difference / norm.max(f64::MIN_POSITIVE)).sqrt();
    // Not a number is no agreement.
    if relative.is_nan() || relative > TOLERANCE {
        return refuse(format!("relative difference {relative:.1e}, allowed {TOLERANCE:.0e}"));
    }
    Ok(())
}

/// Uniform numbers in [0, 1): xorshift64*, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1u64 << 24) as f32
    }
}
