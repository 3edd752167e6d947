//! Softmax and its logarithm.

use super::{Rule, axis_from_front};
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::Node;

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Softmax" => softmax,
        "LogSoftmax" => log_softmax,
        _ => return None,
    })
}

/// y = eˣ / Σ eˣ: dx = y·(g − Σ g·y).
fn softmax(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let y = &node.outputs[0];
    let product = emitter.apply("Mul", &[gradient, y])?;
    let mean = total(emitter, node, &product)?;
    let rest = emitter.apply("Sub", &[gradient, &mean])?;
    emitter.apply("Mul", &[y, &rest])
}

/// y = x − ln Σ eˣ: dx = g − e^y·Σ g.
fn log_softmax(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let probability = emitter.apply("Exp", &[&node.outputs[0]])?;
    let total = total(emitter, node, gradient)?;
    let share = emitter.apply("Mul", &[&probability, &total])?;
    emitter.apply("Sub", &[gradient, &share])
}

/// The sum over what is normalised together: one axis, by default the last; before opset 13 all axes from `axis` on, by
/// default all but the first.
fn total(emitter: &mut Emitter, node: &Node, wire: &str) -> Result<String, String> {
    let rank = emitter.shape(&node.inputs[0])?.len();
    let one = emitter.opset() >= 13;
    let axis = node.int("axis").unwrap_or(if one { -1 } else { 1 });
    let first = axis_from_front(axis, rank)?;
    let axes: Vec<usize> = (first..if one { first + 1 } else { rank }).collect();
    emitter.reduce("ReduceSum", wire, &axes)
}
