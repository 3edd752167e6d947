//! Operators that move elements without changing them.

use super::Rule;
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::Node;

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => reshape,
        _ => return None,
    })
}

/// The elements go back to where they were.
fn reshape(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[input])?;
    emitter.reshape(gradient, &shape)
}
