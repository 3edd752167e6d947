//! What the engine's analysis leaves of a graph's constants: large ones, and weights that a network normalises itself in
//! place of batch norms (NFNet, BiT), which exporters write as a batch norm over the weights, in training form or not.

use super::analysis::tensor;
use crate::error::guarded;
use crate::onnx::graph::{Facts, Graph, Node, Port, Tensor};
use crate::onnx::to_proto;
use std::collections::HashMap;
use tract_onnx::prelude::*;

/// The epsilon of a batch norm that does not say one, by the ONNX specification.
const EPSILON: f32 = 1e-5;
/// The operator set since which a batch norm says by an attribute that it is in training form.
const SAID_SINCE: i64 = 14;
/// Operators that only give the elements another shape.
const SAME_ELEMENTS: [&str; 5] = ["Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"];

/// Adds to `values` what nodes make of constants and of what is known already. What the engine cannot compute is left.
pub(super) fn complete(graph: &Graph, facts: &Facts, values: &mut HashMap<String, Tensor>) {
    for node in graph.nodes.iter().filter(|node| node.op != "Constant" && !node.inputs.is_empty()) {
        if node.outputs.iter().all(|wire| wire.is_empty() || values.contains_key(wire)) {
            continue;
        }
        let constant = |wire: &String| values.get(wire).or_else(|| graph.constant(wire)).cloned();
        let named = node.inputs.iter().filter(|wire| !wire.is_empty());
        let inputs: Option<Vec<(String, Tensor)>> = named.map(|wire| Some((wire.clone(), constant(wire)?))).collect();
        let Some(inputs) = inputs.filter(|inputs| !inputs.is_empty()) else { continue };
        if let Some(made) = made(graph, node, inputs, facts) {
            values.extend(node.outputs.iter().cloned().zip(made));
        }
    }
}

fn made(graph: &Graph, node: &Node, inputs: Vec<(String, Tensor)>, facts: &Facts) -> Option<Vec<Tensor>> {
    let shape = |wire: &String| facts.get(wire).map(|fact| fact.shape.clone());
    if SAME_ELEMENTS.contains(&node.op.as_str()) {
        let tensor = Tensor { shape: shape(&node.outputs[0])?, ..inputs.into_iter().next()?.1 };
        let elements = tensor.shape.iter().product::<usize>();
        return (elements * tensor.kind.size() == tensor.bytes.len()).then(|| vec![tensor]);
    }
    if node.op == "BatchNormalization" {
        if node.int("training_mode") == Some(1) && graph.opset >= SAID_SINCE {
            let [x, scale, offset, ..] = inputs.as_slice() else { return None };
            let epsilon = node.float("epsilon").unwrap_or(EPSILON);
            return Some(vec![normalised(&x.1, &scale.1, &offset.1, epsilon.into())?]);
        }
        // Before, it was in training form where it made statistics.
        if node.outputs.len() > 1 {
            return None;
        }
    }
    let output = |wire: &String| Some(Port::new(wire, facts.get(wire)?));
    let part = Graph {
        nodes: vec![node.clone()],
        inputs: Vec::new(),
        outputs: node.outputs.iter().map(output).collect::<Option<_>>()?,
        initializers: inputs.into_iter().collect(),
        metadata: Default::default(),
        file: graph.file.clone(),
        ..*graph
    };
    let run =
        || tract_onnx::onnx().model_for_proto_model(&to_proto(&part))?.into_typed()?.into_runnable()?.run(tvec![]);
    guarded(run).ok()?.iter().map(|value| tensor(value)).collect()
}

/// (x − mean) / √(variance + ε) · scale + offset, with mean and variance over all axes but the second.
fn normalised(x: &Tensor, scale: &Tensor, offset: &Tensor, epsilon: f64) -> Option<Tensor> {
    let [_, channels, cells @ ..] = x.shape.as_slice() else { return None };
    let cells = cells.iter().product::<usize>();
    let (mut values, scale, offset) = (x.to_f32()?, scale.to_f32()?, offset.to_f32()?);
    if values.is_empty() || scale.len() != *channels || offset.len() != *channels {
        return None;
    }
    for channel in 0..*channels {
        let own = || (channel * cells..).step_by(channels * cells).take(x.shape[0]).flat_map(|at| at..at + cells);
        let count = (x.shape[0] * cells) as f64;
        let mean = own().map(|at| f64::from(values[at])).sum::<f64>() / count;
        let variance = own().map(|at| (f64::from(values[at]) - mean).powi(2)).sum::<f64>() / count;
        let factor = f64::from(scale[channel]) / (variance + epsilon).sqrt();
        for at in own() {
            values[at] = ((f64::from(values[at]) - mean) * factor + f64::from(offset[channel])) as f32;
        }
    }
    values.iter().all(|value| value.is_finite()).then(|| Tensor::f32(&x.shape, &values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_normalised_by_hand() {
        // Two pictures of two channels of two cells. Channel 0 is 1, 3, 5, 7: mean 4, variance 5, with ε 4 a root of 3.
        // Channel 1 is 0, 0, 4, 4: mean 2, variance 4, with ε a root of √8.
        let x = Tensor::f32(&[2, 2, 2], &[1.0, 3.0, 0.0, 0.0, 5.0, 7.0, 4.0, 4.0]);
        let scale = Tensor::f32(&[2], &[3.0, 8f32.sqrt()]);
        let offset = Tensor::f32(&[2], &[10.0, -1.0]);
        let found = normalised(&x, &scale, &offset, 4.0).and_then(|tensor| tensor.to_f32()).expect("it can be done");
        let by_hand = [7.0, 9.0, -3.0, -3.0, 11.0, 13.0, 1.0, 1.0];
        assert!(found.iter().zip(by_hand).all(|(found, value)| (found - value).abs() < 1e-6), "{found:?}");
        assert!(normalised(&x, &scale, &Tensor::f32(&[1], &[0.0]), 4.0).is_none());
        assert!(normalised(&x, &scale, &offset, -6.0).is_none());
    }
}
