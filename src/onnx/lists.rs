//! Lists of integers, such as axes, that are an attribute of a node in older operator sets and an input in newer ones.

use super::graph::{Graph, Node};
use std::fmt::Debug;

/// Operators, the attribute, the input that took its place, and the operator set since which it is there.
const BECAME_INPUTS: &[(&[&str], &str, usize, i64)] = &[
    (&["Slice"], "starts", 1, 10),
    (&["Slice"], "ends", 2, 10),
    (&["Slice"], "axes", 3, 10),
    (&["Slice"], "steps", 4, 10),
    (&["Pad"], "pads", 1, 11),
    // These never were an attribute.
    (&["Pad"], "axes", 3, 0),
    (&["Split"], "split", 1, 13),
    (&["ReduceSum", "Squeeze", "Unsqueeze"], "axes", 1, 13),
    (&["ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean"], "axes", 1, 18),
    (&["ReduceMin", "ReduceProd", "ReduceSumSquare"], "axes", 1, 18),
];

/// The first of `items`, for a sentence, and how many there are if that is not all of them.
pub fn few<T: Debug>(items: &[T]) -> String {
    match items.get(..12) {
        Some(first) if items.len() > first.len() => {
            let first: Vec<String> = first.iter().map(|item| format!("{item:?}")).collect();
            format!("[{}, …: {} of them]", first.join(", "), items.len())
        }
        _ => format!("{items:?}"),
    }
}

impl Graph {
    /// Which input of a node holds the list `name`; `None` where it is an attribute in this operator set.
    pub fn list_input(&self, node: &Node, name: &str) -> Option<usize> {
        let fits = |ops: &[&str], list: &str, since: i64| {
            list == name && self.opset >= since && ops.contains(&node.op.as_str())
        };
        BECAME_INPUTS.iter().find(|(ops, list, _, since)| fits(ops, list, *since)).map(|(_, _, input, _)| *input)
    }

    /// The list `name` of a node, from the attribute or the constant input that holds it; `None` where it is left out.
    ///
    /// # Errors
    /// A sentence that names the input where it is not constant, or no integers.
    pub fn list(&self, node: &Node, name: &str) -> Result<Option<Vec<i64>>, String> {
        let Some(input) = self.list_input(node, name) else { return Ok(node.ints(name).map(<[i64]>::to_vec)) };
        let Some(wire) = node.input(input) else { return Ok(None) };
        let tensor = self.constant(wire).ok_or_else(|| format!("its input `{wire}` is not constant"))?;
        tensor.to_integers().map(Some).ok_or_else(|| format!("its input `{wire}` holds no integers"))
    }
}
