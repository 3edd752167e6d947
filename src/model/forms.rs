//! Forms of operators that the inference engine computes otherwise than ONNX says, without a word.

use crate::error::{Error, Result};
use crate::onnx::graph::{Attribute, ElementType, Facts, Node};
use crate::onnx::{Graph, MAX_ELEMENTS, few};
use std::collections::HashMap;

type Outcome = std::result::Result<(), String>;

/// Refuses a graph in which one occurs, wherever it stands: the scores would be wrong.
///
/// # Errors
/// [`Error::UnsupportedOperator`] names the node and what to do.
pub(super) fn check(graph: &Graph, facts: &Facts) -> Result<()> {
    let producers = graph.producers();
    for node in &graph.nodes {
        let form = match node.op.as_str() {
            "Pad" => pad(graph, node),
            "BatchNormalization" => batch_normalization(node),
            "Split" => split(graph, node, facts),
            "MatMul" | "Gemm" | "Conv" | "Einsum" => product(graph, &producers, node, facts),
            op if op.starts_with("Reduce") => reduce(graph, node),
            _ => Ok(()),
        };
        types(graph, node, facts).and(form).map_err(|reason| Error::UnsupportedOperator {
            file: graph.file.clone(),
            node: node.label().to_owned(),
            operator: node.op.clone(),
            reason,
        })?;
    }
    Ok(())
}

/// Operators whose inputs hold elements of one type by the ONNX specification, and which inputs where it is not all.
const ONE_TYPE: [(&[&str], &[usize]); 7] = [
    (&["Add", "Concat", "Div", "Max", "Mean", "Min", "Mod", "Mul", "PRelu", "Sub", "Sum"], &[]),
    (&["Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"], &[]),
    (&["And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor"], &[]),
    (&["BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization"], &[]),
    (&["Clip"], &[]),
    (&["Where"], &[1, 2]),
    (&["DequantizeLinear", "Pad"], &[0, 2]),
];

/// Operators that read truth values only, and how many of their inputs.
const TRUTHS: [(&[&str], usize); 2] = [(&["And", "Not", "Or", "Xor"], 2), (&["Where"], 1)];

/// The engine brings what is of several types to a common one, or takes numbers for truth values.
fn types(graph: &Graph, node: &Node, facts: &Facts) -> Outcome {
    let kind = |wire: &str| facts.get(wire).map(|fact| fact.kind).or(graph.constant(wire).map(|tensor| tensor.kind));
    let typed: Vec<(usize, &String, ElementType)> =
        node.inputs.iter().enumerate().filter_map(|(at, wire)| Some((at, wire, kind(wire)?))).collect();
    let listed = |ops: &[&str]| ops.contains(&node.op.as_str());
    if let Some((_, which)) = ONE_TYPE.iter().find(|(ops, _)| listed(ops)) {
        let mut alike = typed.iter().filter(|(at, ..)| which.is_empty() || which.contains(at));
        if let Some((_, first, kind)) = alike.next()
            && let Some((_, other, another)) = alike.find(|(.., another)| another != kind)
        {
            return Err(format!("its inputs `{first}` ({kind:?}) and `{other}` ({another:?}) are of different types"));
        }
    }
    let truths = TRUTHS.iter().find(|(ops, _)| listed(ops)).map_or(0, |(_, count)| *count);
    match typed.iter().find(|(at, _, kind)| *at < truths && *kind != ElementType::Bool) {
        Some((_, wire, kind)) => Err(format!("its input `{wire}` holds {kind:?} values, not truth values")),
        None => Ok(()),
    }
}

/// With a value among the inputs the engine takes any border for a constant one, and a negative width for a huge one.
fn pad(graph: &Graph, node: &Node) -> Outcome {
    let widths = graph.list(node, "pads").ok().flatten();
    let widths = widths.unwrap_or_default();
    if widths.iter().any(|width| *width < 0) {
        return Err("a border of negative width is not supported; export it as Slice".into());
    }
    // Sums of computed ones may have gone round.
    if let Some(width) = widths.iter().find(|width| **width > MAX_ELEMENTS as i64) {
        return Err(format!("a border of {width} cells is too wide"));
    }
    match node.attributes.get("mode") {
        Some(Attribute::String(mode)) if mode != b"constant" && node.input(2).is_some() => {
            let mode = String::from_utf8_lossy(mode);
            Err(format!("a border of mode {mode:?} has no value; export it without that input"))
        }
        _ => Ok(()),
    }
}

/// The engine normalises with the stored statistics, never with those of the batch.
fn batch_normalization(node: &Node) -> Outcome {
    match node.int("training_mode").unwrap_or(0) != 0 || node.outputs.iter().skip(1).any(|wire| !wire.is_empty()) {
        true => Err("its training form is not supported; export the model for inference".into()),
        false => Ok(()),
    }
}

/// The engine does not ask whether the parts make up the whole.
fn split(graph: &Graph, node: &Node, facts: &Facts) -> Outcome {
    let shape = |wire: &str| facts.get(wire).map(|fact| fact.shape.as_slice());
    let Some(whole) = node.input(0).and_then(shape) else { return Ok(()) };
    let axis = node.int("axis").unwrap_or(0);
    let axis = if axis < 0 { axis + whole.len() as i64 } else { axis };
    let Some(length) = usize::try_from(axis).ok().and_then(|axis| whole.get(axis)) else {
        return Err(format!("it has no axis {axis}"));
    };
    let of_part = |wire: &String| shape(wire).and_then(|shape| shape.get(axis as usize)).copied();
    // An output that is left out has no shape.
    let Some(parts) = node.outputs.iter().map(of_part).collect::<Option<Vec<usize>>>() else { return Ok(()) };
    let sized = node.ints("split").is_some() || node.input(1).is_some();
    let equal = sized || graph.opset >= 18 || parts.iter().all(|part| *part == parts[0]);
    match parts.iter().try_fold(0usize, |sum, part| sum.checked_add(*part)) == Some(*length) && equal {
        true => Ok(()),
        false => Err(format!("it splits {length} elements into parts of {}", few(&parts))),
    }
}

/// The engine passes over axes in the form of another operator set, and works on each element where ONNX says that
/// nothing is done.
fn reduce(graph: &Graph, node: &Node) -> Outcome {
    if graph.list_input(node, "axes").is_some() && node.attributes.contains_key("axes") {
        return Err(format!("its axes are an attribute, which they are not in operator set {}", graph.opset));
    }
    let axes = graph.list(node, "axes").ok().flatten();
    let none = axes.is_none_or(|axes| axes.is_empty()) && node.int("noop_with_empty_axes").unwrap_or(0) != 0;
    if none && !["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"].contains(&node.op.as_str()) {
        return Err("it reduces no axes; leave it out".into());
    }
    Ok(())
}

/// The engine takes Expand (and Tile, where it repeats an axis of length 1) out of a product that reads it, also through
/// nodes that only give the elements another shape, and then sums one element where there are many.
fn product(graph: &Graph, producers: &HashMap<&str, usize>, node: &Node, facts: &Facts) -> Outcome {
    let maker = |wire: &str| producers.get(wire).map(|at| &graph.nodes[*at]);
    let shape = |wire: &str| facts.get(wire).map(|fact| fact.shape.as_slice()).unwrap_or_default();
    let from_one = |from: &[usize], to: &[usize]| {
        let aligned = || from.iter().rev().zip(to.iter().rev());
        from != to && aligned().all(|(from, to)| from == to || *from == 1)
    };
    for wire in &node.inputs {
        let mut wire = wire.as_str();
        while let Some(before) = maker(wire) {
            let Some(input) = before.input(0) else { break };
            match before.op.as_str() {
                // What does not depend on the picture is computed before the engine could take it out.
                "Expand" | "Tile" if graph.constant(input).is_none() && from_one(shape(input), shape(wire)) => {
                    let (label, op) = (before.label(), &before.op);
                    return Err(format!(
                        "it reads what node `{label}` ({op}) repeats, which the inference engine gets wrong; export it with a factor instead"
                    ));
                }
                "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose" | "Identity" | "Dropout" | "Expand"
                | "Tile" => wire = input,
                _ => break,
            }
        }
    }
    Ok(())
}
