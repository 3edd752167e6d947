//! Operators that go over the cells of feature maps, and whether what they are told fits these.

use crate::error::{Error, Result};
use crate::onnx::graph::{Attribute, Facts, Graph, Node};

type Outcome = std::result::Result<(), String>;

const OPERATORS: [&str; 7] =
    ["AveragePool", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "MaxPool"];

/// Refuses windows that have other axes than the maps that they go over, and maps without any. The engine takes the
/// numbers as they come: with a window of no axes it reads beyond its lists, and what it finds there decides whether it
/// goes on.
///
/// # Errors
/// [`Error::Model`] names the node.
pub(super) fn check(graph: &Graph, facts: &Facts) -> Result<()> {
    for node in &graph.nodes {
        let shape = |at: usize| {
            let wire = node.input(at)?;
            let constant = graph.constant(wire).map(|tensor| tensor.shape.clone());
            constant.or_else(|| facts.get(wire).map(|fact| fact.shape.clone()))
        };
        fits(node, shape).map_err(|reason| {
            let (label, op) = (node.label(), &node.op);
            Error::model(&graph.file, format!("node `{label}` ({op}) {reason}"))
        })?;
    }
    Ok(())
}

/// [`check`] for one node, with the shapes of its inputs as far as they are known.
///
/// # Errors
/// What does not fit.
pub(super) fn fits(node: &Node, shape: impl Fn(usize) -> Option<Vec<usize>>) -> Outcome {
    if !OPERATORS.contains(&node.op.as_str()) {
        return Ok(());
    }
    let Some(maps) = shape(0) else { return Ok(()) };
    let Some(axes) = maps.len().checked_sub(2).filter(|axes| *axes > 0) else {
        return Err(format!("reads a wire of {} axes, which is no feature map", maps.len()));
    };
    lists(node, axes)?;
    match node.op.as_str() {
        "Conv" | "ConvTranspose" => shape(1).map_or(Ok(()), |weights| convolution(node, axes, &weights)),
        "AveragePool" | "MaxPool" => pool(node, axes),
        _ => Ok(()),
    }
}

fn convolution(node: &Node, axes: usize, weights: &[usize]) -> Outcome {
    if weights.len() != axes + 2 {
        return Err(format!("has weights of {} axes for a wire of {}", weights.len(), axes + 2));
    }
    let kernel = &weights[2..];
    let same = |said: &[i64]| said.iter().copied().eq(kernel.iter().map(|side| *side as i64));
    match node.ints("kernel_shape").filter(|said| !same(said)) {
        Some(said) => Err(format!("has kernel_shape {said:?} and weights of {kernel:?}")),
        None => Ok(()),
    }
}

fn pool(node: &Node, axes: usize) -> Outcome {
    let Some(kernel) = node.ints("kernel_shape") else { return Err("has no kernel_shape".into()) };
    // A window that lies outside the picture has no mean and no largest cell.
    let dilation = |axis: usize| node.ints("dilations").map_or(1, |sides| sides[axis]);
    let reach = |axis: usize| (kernel[axis] - 1) * dilation(axis) + 1;
    let wide = |(at, border): (usize, &i64)| *border < 0 || *border >= reach(at % axes);
    match node.ints("pads").filter(|pads| pads.iter().enumerate().any(wide)) {
        Some(pads) => Err(format!("has pads {pads:?}, which do not fit its window {kernel:?}")),
        None => Ok(()),
    }
}

/// Lists with a number for each axis, or two.
fn lists(node: &Node, axes: usize) -> Outcome {
    for (name, each) in [("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("output_padding", 1), ("pads", 2)] {
        let count = match node.attributes.get(name) {
            None => continue,
            Some(Attribute::Ints(sides)) => sides.len(),
            Some(_) => return Err(format!("has {name} that are no list of integers")),
        };
        if count != each * axes {
            return Err(format!("has {name} of {count} numbers for {axes} axes"));
        }
    }
    Ok(())
}
