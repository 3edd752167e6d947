//! Small files that ask for much: an inference engine computes constants and makes lists of a window's size while it
//! only looks for shapes, before anybody can see how large they are.

use super::graph::{Attribute, Graph, Node, Tensor};
use super::{MAX_ELEMENTS, MAX_RANK, attributes, windows};
use std::collections::HashMap;

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

/// What may be computed from constants alone, by how large the result is at most: as the first input, as all inputs
/// broadcast, or as all inputs together.
const LIKE_FIRST: [&str; 19] = [
    "Identity",
    "Cast",
    "Size",
    "Slice",
    "Squeeze",
    "Unsqueeze",
    "Reshape",
    "Transpose",
    "Neg",
    "Sqrt",
    "Reciprocal",
    "Floor",
    "Ceil",
    "Abs",
    "Not",
    "ReduceProd",
    "ReduceSum",
    "ReduceMean",
    "Exp",
];
const BROADCAST: [&str; 16] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Mod",
    "Min",
    "Max",
    "Equal",
    "Less",
    "Greater",
    "And",
    "Or",
    "Where",
    "Gather",
    "LessOrEqual",
];

/// The most outputs of a node: each part of a split becomes a node of its own.
const MAX_OUTPUTS: usize = 256;
/// The most elements of a tensor that is computed from constants, and of all of them together.
const MAX_COMPUTED: usize = 1 << 25;

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
        declared_size(graph, node)?;
        windows::check(graph, node)?;
        attributes::check(graph, node)?;
        borders(graph, node)?;
        empty_constants(graph, node)?;
    }
    computed_constants(graph)
}

/// The size that a constant says.
fn declared_size(graph: &Graph, node: &Node) -> Outcome<Option<usize>> {
    let Some((_, input)) = SIZED_BY_INPUT.iter().find(|(op, _)| *op == node.op) else { return Ok(None) };
    let Some(shape) = node.input(*input).and_then(|wire| graph.constant(wire)).and_then(Tensor::to_i64) else {
        return Ok(None);
    };
    if shape.len() > MAX_RANK {
        let (label, op) = (node.label(), &node.op);
        return Err(format!(
            "node `{label}` ({op}) makes a tensor of {} axes, at most {MAX_RANK} are supported",
            shape.len()
        ));
    }
    // −1 and 0 stand for sides that are taken from elsewhere.
    let sides = shape.iter().filter(|side| **side > 0).map(|side| usize::try_from(*side).unwrap_or(usize::MAX));
    let elements = product(sides, MAX_ELEMENTS).ok_or_else(|| {
        let (label, op) = (node.label(), &node.op);
        format!("node `{label}` ({op}) makes a tensor of shape {shape:?}, more than {MAX_ELEMENTS} elements")
    })?;
    Ok(Some(elements))
}

/// The border that Pad puts around any wire may be wide, but not so that sides overflow when they are added up.
fn borders(graph: &Graph, node: &Node) -> Outcome<()> {
    if node.op != "Pad" {
        return Ok(());
    }
    let widths = match node.input(1).and_then(|wire| graph.constant(wire)) {
        Some(widths) => widths.to_integers(),
        None => node.ints("pads").map(<[i64]>::to_vec),
    };
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

/// Follows what can be computed before a picture is there, and how large it gets at most.
fn computed_constants(graph: &Graph) -> Outcome<()> {
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for (name, tensor) in &graph.initializers {
        sizes.insert(name, tensor.shape.iter().product());
    }
    let mut total = 0usize;
    for node in &graph.nodes {
        let refuse = |what: &str| Err(format!("node `{}`: operator {} on constants {what}", node.label(), node.op));
        let mut inputs = node.inputs.iter().filter(|wire| !wire.is_empty());
        let elements = match node.op.as_str() {
            // A shape has as many elements as there are axes.
            "Shape" => MAX_RANK,
            "Constant" => node.attributes.values().map(constant_size).sum(),
            _ if !inputs.clone().all(|wire| sizes.contains_key(wire.as_str())) => continue,
            "ConstantOfShape" | "Expand" => match declared_size(graph, node)? {
                Some(elements) => elements.max(inputs.next().map_or(0, |wire| sizes[wire.as_str()])),
                None => return refuse("has a size that is computed; export with constants folded"),
            },
            "Concat" => inputs.map(|wire| sizes[wire.as_str()]).sum(),
            op if LIKE_FIRST.contains(&op) => inputs.next().map_or(1, |wire| sizes[wire.as_str()]),
            op if BROADCAST.contains(&op) => match broadcast(graph, node) {
                Some(elements) => elements,
                None => inputs.fold(1usize, |elements, wire| elements.saturating_mul(sizes[wire.as_str()].max(1))),
            },
            _ => return refuse("is not supported; export with constants folded"),
        };
        total = total.saturating_add(elements);
        if total > MAX_COMPUTED {
            return refuse("makes too much of them; export with constants folded");
        }
        sizes.extend(node.outputs.iter().map(|wire| (wire.as_str(), elements)));
    }
    Ok(())
}

fn constant_size(value: &Attribute) -> usize {
    match value {
        Attribute::Tensor(tensor) => tensor.shape.iter().product(),
        Attribute::Floats(values) => values.len(),
        Attribute::Ints(values) => values.len(),
        _ => 1,
    }
}

/// The elements of the broadcast result where all inputs stand in the file. `None` elsewhere, and for Gather.
fn broadcast(graph: &Graph, node: &Node) -> Option<usize> {
    if node.op == "Gather" {
        return None;
    }
    let shapes: Vec<&[usize]> = node
        .inputs
        .iter()
        .map(|wire| graph.constant(wire).map(|tensor| tensor.shape.as_slice()))
        .collect::<Option<_>>()?;
    let rank = shapes.iter().map(|shape| shape.len()).max()?;
    let side = |axis: usize| {
        let sides = shapes.iter().filter_map(|shape| (axis + shape.len()).checked_sub(rank).map(|at| shape[at]));
        sides.max().unwrap_or(1)
    };
    Some((0..rank).map(side).fold(1, usize::saturating_mul))
}

fn product(sides: impl Iterator<Item = usize>, most: usize) -> Option<usize> {
    let mut elements: usize = 1;
    for side in sides {
        elements = elements.checked_mul(side).filter(|count| *count <= most)?;
    }
    Some(elements)
}
