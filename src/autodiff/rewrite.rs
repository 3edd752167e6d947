//! Nodes with several outputs, written as nodes with one: a rule knows the gradient of one output.

use super::rules::axis_from_front;
use crate::error::{Error, Result};
use crate::onnx::few;
use crate::onnx::graph::{Attribute, Facts, Graph, Node, Tensor};
use std::collections::HashSet;

/// The operators that are replaced before rules are asked.
pub(super) const REPLACED: [&str; 1] = ["Split"];

/// Replaces each Split among the nodes `chosen` by one Slice for each of its outputs, of the same name and values.
///
/// # Errors
/// [`Error::UnsupportedOperator`] where the parts are not constant, or are not what the input has.
pub(super) fn split_as_slices(graph: &mut Graph, chosen: &HashSet<usize>, facts: &Facts) -> Result<()> {
    let names: HashSet<String> = graph.wires().into_iter().map(str::to_owned).collect();
    let is_split = |(at, node): (usize, &Node)| REPLACED.contains(&node.op.as_str()) && chosen.contains(&at);
    if !graph.nodes.iter().enumerate().any(is_split) {
        return Ok(());
    }
    let mut slices = Slices { opset: graph.opset, names, constants: Vec::new() };
    let mut nodes = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        if !is_split((at, node)) {
            nodes.push(node.clone());
            continue;
        }
        let (axis, ends) = parts(graph, node, facts).map_err(|reason| Error::UnsupportedOperator {
            file: graph.file.clone(),
            node: node.label().to_owned(),
            operator: node.op.clone(),
            reason,
        })?;
        let mut start = 0;
        for (output, end) in node.outputs.iter().zip(ends) {
            if !output.is_empty() {
                nodes.push(slices.node(node, output, axis, start, end));
            }
            start = end;
        }
    }
    graph.nodes = nodes;
    graph.initializers.extend(slices.constants);
    Ok(())
}

/// The axis of a Split, counted from 0, and where each part ends.
fn parts(graph: &Graph, node: &Node, facts: &Facts) -> std::result::Result<(usize, Vec<i64>), String> {
    let shape_of = |wire: &str| facts.get(wire).map(|fact| &fact.shape).ok_or("its shapes are not known");
    let shape = shape_of(&node.inputs[0])?;
    let axis = axis_from_front(node.int("axis").unwrap_or(0), shape.len())?;
    let length = shape[axis] as i64;
    let count = node.outputs.len() as i64;
    let sizes = graph.list(node, "split")?.unwrap_or_else(|| {
        // Parts of one size; since opset 18 the last one may be smaller.
        let size = if graph.opset >= 18 { (length + count - 1) / count } else { length / count };
        let last = length - size * (count - 1);
        let last = if graph.opset >= 18 { last } else { size };
        (1..count).map(|_| size).chain([last]).collect()
    });
    if sizes.len() != node.outputs.len() || sizes.iter().any(|size| *size <= 0) || sizes.iter().sum::<i64>() != length {
        return Err(format!("it splits {length} elements into parts of {}", few(&sizes)));
    }
    for (output, size) in node.outputs.iter().zip(&sizes).filter(|(output, _)| !output.is_empty()) {
        let found = shape_of(output)?[axis];
        if found as i64 != *size {
            return Err(format!("its output `{output}` has {found} elements along axis {axis} instead of {size}"));
        }
    }
    let ends = sizes.iter().scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    Ok((axis, ends.collect()))
}

struct Slices {
    opset: i64,
    names: HashSet<String>,
    constants: Vec<(String, Tensor)>,
}

impl Slices {
    fn node(&mut self, split: &Node, output: &str, axis: usize, start: i64, end: i64) -> Node {
        let mut slice = Node {
            name: format!("{}/{output}", split.label()),
            op: "Slice".to_owned(),
            inputs: vec![split.inputs[0].clone()],
            outputs: vec![output.to_owned()],
            attributes: Default::default(),
        };
        for (what, value) in [("starts", start), ("ends", end), ("axes", axis as i64)] {
            // The bounds of Slice became inputs in opset 10.
            if self.opset < 10 {
                slice.attributes.insert(what.to_owned(), Attribute::Ints(vec![value]));
                continue;
            }
            let mut name = format!("{output}/{what}");
            while !self.names.insert(name.clone()) {
                name.push('_');
            }
            slice.inputs.push(name.clone());
            self.constants.push((name, Tensor::i64(&[value])));
        }
        slice
    }
}
