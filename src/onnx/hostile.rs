//! Small files that ask for much: an inference engine computes constants and makes lists of a window's size while it
//! only looks for shapes, before anybody can see how large they are.

use super::graph::{Attribute, Graph, Node};
use super::{MAX_ELEMENTS, MAX_RANK, arity, attributes, computed, windows};

/// What image classifiers are made of. Other operators are not tried: some that tract knows can be made to take all
/// memory by a file of a few bytes.
pub const OPERATORS: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "Cos",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "ThresholdedRelu",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
    "Xor",
];

/// Operators that make a tensor of the size that an input says, and which input says it.
const SIZED_BY_INPUT: [(&str, usize); 3] = [("ConstantOfShape", 0), ("Expand", 1), ("Reshape", 1)];

/// The most outputs of a node: each part of a split becomes a node of its own.
const MAX_OUTPUTS: usize = 256;
type Outcome<T> = std::result::Result<T, String>;

/// Refuses what an engine should not be given.
pub(super) fn check(graph: &Graph) -> Outcome<()> {
    for port in graph.inputs.iter().chain(&graph.outputs) {
        if product(port.shape.iter().flatten().flatten().copied(), MAX_ELEMENTS).is_none() {
            return Err(format!("`{}` declares more than {MAX_ELEMENTS} elements", port.name));
        }
    }
    for node in &graph.nodes {
        if !OPERATORS.contains(&node.op.as_str()) {
            return Err(format!("node `{}`: operator {} is none that classifiers are made of", node.label(), node.op));
        }
        if node.outputs.len() > MAX_OUTPUTS {
            let (label, op, outputs) = (node.label(), &node.op, node.outputs.len());
            return Err(format!("node `{label}` ({op}) has {outputs} outputs, at most {MAX_OUTPUTS} are supported"));
        }
        arity::check(graph, node)?;
        declared_size(graph, node)?;
        windows::check(graph, node)?;
        attributes::check(graph, node)?;
        borders(graph, node)?;
        empty_constants(graph, node)?;
    }
    computed::check(graph)
}

/// The elements of a tensor of the size that a constant says.
fn declared_size(graph: &Graph, node: &Node) -> Outcome<Option<usize>> {
    declared_sides(graph, node).map(|sides| size(node, &sides)).transpose()
}

/// The size that a constant says.
pub(super) fn declared_sides(graph: &Graph, node: &Node) -> Option<Vec<i64>> {
    let (_, input) = SIZED_BY_INPUT.iter().find(|(op, _)| *op == node.op)?;
    graph.constant(node.input(*input)?)?.to_i64()
}

/// The elements of a tensor of the size `sides`, which is what a node was told.
pub(super) fn size(node: &Node, sides: &[i64]) -> Outcome<usize> {
    if sides.len() > MAX_RANK {
        let (label, op) = (node.label(), &node.op);
        return Err(format!(
            "node `{label}` ({op}) makes a tensor of {} axes, at most {MAX_RANK} are supported",
            sides.len()
        ));
    }
    if let Some(side) = sides.iter().find(|side| **side < -1) {
        let (label, op) = (node.label(), &node.op);
        return Err(format!("node `{label}` ({op}) makes a tensor with a side of {side}"));
    }
    // −1 and 0 stand for sides that are taken from elsewhere.
    let known = sides.iter().filter(|side| **side > 0).map(|side| usize::try_from(*side).unwrap_or(usize::MAX));
    product(known, MAX_ELEMENTS).ok_or_else(|| {
        let (label, op) = (node.label(), &node.op);
        format!("node `{label}` ({op}) makes a tensor of shape {sides:?}, more than {MAX_ELEMENTS} elements")
    })
}

/// The border that Pad puts around any wire may be wide, but not so that sides overflow when they are added up.
fn borders(graph: &Graph, node: &Node) -> Outcome<()> {
    if node.op != "Pad" {
        return Ok(());
    }
    let widths = graph.list(node, "pads").ok().flatten();
    match widths.iter().flatten().find(|width| width.unsigned_abs() > MAX_ELEMENTS as u64) {
        Some(width) => Err(format!("node `{}` (Pad) has a border of {width}", node.label())),
        None => Ok(()),
    }
}

/// Engines read the first element of a scalar without looking whether there is one.
fn empty_constants(graph: &Graph, node: &Node) -> Outcome<()> {
    // An empty list of axes, sizes or regions has a meaning.
    let may =
        |at: usize| at > 0 && (["Resize", "Reshape"].contains(&node.op.as_str()) || node.op.starts_with("Reduce"));
    let empty = |wire: &str| graph.constant(wire).is_some_and(|tensor| tensor.shape.contains(&0));
    let read = node.inputs.iter().enumerate().find(|(at, wire)| !wire.is_empty() && !may(*at) && empty(wire));
    if let Some((_, wire)) = read {
        return Err(format!("node `{}` ({}) reads `{wire}`, which holds nothing", node.label(), node.op));
    }
    let attribute = |value: &Attribute| matches!(value, Attribute::Tensor(tensor) if tensor.shape.contains(&0));
    if node.op != "Constant" && node.attributes.values().any(attribute) {
        return Err(format!("node `{}` ({}) holds a tensor without values", node.label(), node.op));
    }
    Ok(())
}

fn product(sides: impl Iterator<Item = usize>, most: usize) -> Option<usize> {
    let mut elements: usize = 1;
    for side in sides {
        elements = elements.checked_mul(side).filter(|count| *count <= most)?;
    }
    Some(elements)
}
