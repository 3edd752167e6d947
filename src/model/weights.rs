//! Weights that a network normalises itself, in place of batch norms (NFNet, BiT). Exporters write that as a batch norm in
//! training form over the weights.

use crate::onnx::graph::{Graph, Node, Tensor};
use std::collections::HashMap;

/// The epsilon of a node that does not say one, by the ONNX specification.
const EPSILON: f32 = 1e-5;
/// The operator set since which a batch norm says by an attribute that it is in training form.
const SAID_SINCE: i64 = 14;

/// Replaces batch norms in training form by their results where their inputs are constants, with those that were computed
/// in `values`; tells whether there were any. The engine would take the stored statistics for those of the weights, so
/// what it computed behind one is wrong.
pub(super) fn normalise(graph: &mut Graph, values: &HashMap<String, Tensor>) -> bool {
    let in_training = |node: &Node| node.op == "BatchNormalization" && node.int("training_mode") == Some(1);
    let norms: Vec<&Node> = graph.nodes.iter().filter(|node| in_training(node)).collect();
    let made: Vec<&str> = norms.iter().flat_map(|node| &node.outputs).map(String::as_str).collect();
    let behind = graph.behind(&made);
    let found: Vec<(usize, Tensor)> = (0..graph.nodes.len())
        .filter(|at| graph.opset >= SAID_SINCE && in_training(&graph.nodes[*at]) && !behind.contains(at))
        .filter_map(|at| {
            let node = &graph.nodes[at];
            let constant = |input| node.input(input).and_then(|wire| values.get(wire).or_else(|| graph.constant(wire)));
            let epsilon = node.float("epsilon").unwrap_or(EPSILON);
            Some((at, normalised(constant(0)?, constant(1)?, constant(2)?, epsilon.into())?))
        })
        .collect();
    for (at, tensor) in found.iter().rev() {
        let node = graph.nodes.remove(*at);
        graph.initializers.insert(node.outputs[0].clone(), tensor.clone());
    }
    !found.is_empty()
}

/// (x − mean) / √(variance + ε) · scale + offset, with mean and variance over all axes but the second.
fn normalised(x: &Tensor, scale: &Tensor, offset: &Tensor, epsilon: f64) -> Option<Tensor> {
    let [_, channels, cells @ ..] = x.shape.as_slice() else { return None };
    let cells: usize = cells.iter().product();
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
