//! How many inputs and outputs operators have. Rules and engines index them without asking.

use super::graph::{Graph, Node};
use std::ops::RangeInclusive;

type Count = RangeInclusive<usize>;

/// Operators, the operator set from which on they have so many inputs, the inputs, and the outputs; by the ONNX
/// specification of operator sets 9 to 21. Of several rows for an operator the last that fits counts. What is not listed
/// has one input and one output.
const ARITY: &[(&[&str], i64, Count, Count)] = &[
    (&["Constant"], 9, 0..=0, 1..=1),
    (&["Add", "Div", "Mod", "Mul", "Pow", "Sub"], 9, 2..=2, 1..=1),
    (&["And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor"], 9, 2..=2, 1..=1),
    (&["CumSum", "Expand", "Gather", "MatMul", "PRelu", "Reshape", "Tile"], 9, 2..=2, 1..=1),
    (&["Where", "GroupNormalization", "InstanceNormalization"], 9, 3..=3, 1..=1),
    (&["Conv", "ConvTranspose", "DequantizeLinear", "QuantizeLinear"], 9, 2..=3, 1..=1),
    (&["Gemm"], 9, 3..=3, 1..=1),
    (&["Gemm"], 11, 2..=3, 1..=1),
    (&["BatchNormalization"], 9, 5..=5, 1..=5),
    (&["LayerNormalization"], 9, 2..=3, 1..=3),
    (&["Concat", "Einsum", "Max", "Mean", "Min", "Sum"], 9, 1..=usize::MAX, 1..=1),
    (&["MaxPool"], 9, 1..=1, 1..=2),
    (&["Dropout"], 9, 1..=1, 1..=2),
    (&["Dropout"], 12, 1..=3, 1..=2),
    // Any part of a split may be left out.
    (&["Split"], 9, 1..=1, 0..=usize::MAX),
    (&["Split"], 13, 1..=2, 0..=usize::MAX),
    (&["Resize"], 10, 2..=2, 1..=1),
    (&["Resize"], 11, 1..=4, 1..=1),
    // What was said by attributes is said by inputs.
    (&["Slice"], 10, 3..=5, 1..=1),
    (&["Clip"], 11, 1..=3, 1..=1),
    (&["Pad"], 11, 2..=3, 1..=1),
    (&["Pad"], 18, 2..=4, 1..=1),
    (&["Squeeze", "ReduceSum"], 13, 1..=2, 1..=1),
    (&["Unsqueeze"], 13, 2..=2, 1..=1),
    (&["ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean"], 18, 1..=2, 1..=1),
    (&["ReduceMin", "ReduceProd", "ReduceSumSquare"], 18, 1..=2, 1..=1),
];

/// Refuses a node with too few or too many inputs or outputs; those that it needs must be there by name.
pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let row = ARITY.iter().rev().find(|(ops, since, ..)| *since <= graph.opset && ops.contains(&node.op.as_str()));
    let (inputs, outputs) = row.map_or((1..=1, 1..=1), |(_, _, inputs, outputs)| (inputs.clone(), outputs.clone()));
    fits(node, "input", &node.inputs, &inputs)?;
    fits(node, "output", &node.outputs, &outputs)
}

fn fits(node: &Node, what: &str, wires: &[String], count: &Count) -> Result<(), String> {
    // Optional ones at the end may be written with empty names.
    let given = wires.iter().rposition(|wire| !wire.is_empty()).map_or(0, |last| last + 1);
    let needed = match (*count.start(), *count.end()) {
        (least, most) if least == most => format!("{least}"),
        (least, usize::MAX) => format!("{least} or more"),
        (least, most) => format!("{least} to {most}"),
    };
    let (label, op) = (node.label(), &node.op);
    if !count.contains(&given) {
        return Err(format!("node `{label}` ({op}) has {given} {what}s instead of {needed}"));
    }
    match wires.iter().take(*count.start()).position(String::is_empty) {
        Some(at) => Err(format!("node `{label}` ({op}) lacks its {what} number {at}")),
        None => Ok(()),
    }
}
