//! One rule per operator. A new rule is one function, and one line in the `find` of its family's file.

mod activation;
mod arithmetic;
mod conv;
mod linear;
mod max_pool;
mod norm;
mod pointwise;
mod pool;
mod reduce;
mod select;
mod shape;
mod softmax;
mod window;

use super::emit::Emitter;
use crate::onnx::graph::Node;

/// Writes the gradient of a node's input number `input`, given the gradient of its (first) output; returns the wire, which
/// has the input's shape. An error is the reason why this use of the operator cannot be differentiated.
pub type Rule = fn(&mut Emitter, &Node, gradient: &str, input: usize) -> Result<String, String>;

/// The rule of an operator.
pub fn find(op: &str) -> Option<Rule> {
    let families = [
        linear::find,
        conv::find,
        pool::find,
        norm::find,
        reduce::find,
        pointwise::find,
        activation::find,
        arithmetic::find,
        softmax::find,
        shape::find,
        select::find,
    ];
    families.into_iter().find_map(|family| family(op))
}

/// Why there can be no rule for an operator whose derivative is 0 wherever it has one: a gradient of zeros would say that
/// nothing mattered.
pub fn refusal(op: &str) -> Option<&'static str> {
    Some(match op {
        "QuantizeLinear" | "DequantizeLinear" => {
            "the model is quantised, and rounding has no gradient; explain the float model that it was made from"
        }
        "Round" | "Floor" | "Ceil" | "Sign" => {
            "its output moves in steps, which have no gradient; choose a target layer behind it with --layer"
        }
        _ => return None,
    })
}

/// An axis counted from 0, where ONNX lets negative ones count from behind.
pub(super) fn axis_from_front(axis: i64, rank: usize) -> Result<usize, String> {
    let front = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(front).ok().filter(|front| *front < rank).ok_or_else(|| format!("axis {axis} does not exist"))
}
