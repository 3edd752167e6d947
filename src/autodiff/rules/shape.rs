//! Operators that move elements without changing them.

use crate::autodiff::emit::Emitter;
use crate::onnx::graph::Node;

/// The elements go back to where they were.
pub fn reshape(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[input])?;
    emitter.reshape(gradient, &shape)
}
