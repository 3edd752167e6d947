//! One rule per operator. A new rule is one function, and one line in the `find` of its family's file.

mod conv;
mod linear;
mod norm;
mod pointwise;
mod pool;
mod reduce;
mod select;
mod shape;

use super::emit::Emitter;
use crate::onnx::graph::Node;

/// Writes the gradient of a node's input number `input`, given the gradient of its (first) output; returns the wire, which
/// has the input's shape. An error is the reason why this use of the operator cannot be differentiated.
pub type Rule = fn(&mut Emitter, &Node, gradient: &str, input: usize) -> Result<String, String>;

/// The rule of an operator.
pub fn find(op: &str) -> Option<Rule> {
    let families =
        [linear::find, conv::find, pool::find, norm::find, reduce::find, pointwise::find, shape::find, select::find];
    families.into_iter().find_map(|family| family(op))
}

/// An axis counted from 0, where ONNX lets negative ones count from behind.
pub(super) fn axis_from_front(axis: i64, rank: usize) -> Result<usize, String> {
    let front = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(front).ok().filter(|front| *front < rank).ok_or_else(|| format!("axis {axis} does not exist"))
}
