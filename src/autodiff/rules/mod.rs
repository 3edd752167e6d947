//! One rule per operator. A new rule is one function and one line in [`find`].

mod linear;
mod pointwise;
mod pool;
mod shape;

use super::emit::Emitter;
use crate::onnx::graph::Node;

/// Writes the gradient of a node's input number `input`, given the gradient of its output; returns the wire, which has
/// the input's shape. An error is the reason why this use of the operator cannot be differentiated.
pub type Rule = fn(&mut Emitter, &Node, gradient: &str, input: usize) -> Result<String, String>;

/// The rule of an operator.
pub fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Gemm" => linear::gemm,
        "MatMul" => linear::mat_mul,
        "Add" => pointwise::add,
        "Relu" => pointwise::relu,
        "Clip" => pointwise::clip,
        "Identity" | "Dropout" => pointwise::identity,
        "GlobalAveragePool" => pool::global_average,
        "ReduceMean" => pool::reduce_mean,
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => shape::reshape,
        _ => return None,
    })
}
