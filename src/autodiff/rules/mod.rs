//! One rule per operator. A new rule is one function, and one line in the `find` of its family's file.

mod conv;
mod linear;
mod max_pool;
mod norm;
mod pointwise;
mod pool;
mod reduce;
mod shape;
mod window;

use super::emit::Emitter;
use crate::onnx::graph::Node;

/// Writes the gradient of a node's input number `input`, given the gradient of its (first) output; returns the wire, which
/// has the input's shape. An error is the reason why this use of the operator cannot be differentiated.
pub type Rule = fn(&mut Emitter, &Node, gradient: &str, input: usize) -> Result<String, String>;

/// The rule of an operator.
pub fn find(op: &str) -> Option<Rule> {
    let families = [linear::find, conv::find, pool::find, norm::find, reduce::find, pointwise::find, shape::find];
    families.into_iter().find_map(|family| family(op))
}
