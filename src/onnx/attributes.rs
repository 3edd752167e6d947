//! Numbers in attributes, or in constants that say the same, that have no meaning: an engine may count up to them, divide by them, or reserve so much.

use super::graph::{Attribute, Graph, Node};
use super::lists::few;
use super::{MAX_ELEMENTS, MAX_RANK};

const RANK: i64 = MAX_RANK as i64;
/// Sides of blocks, windows across maps, and parts of a split.
const MAX_PARTS: i64 = 4096;

/// The least and the largest value of a single integer or of each in a list.
const BOUNDS: [(&str, i64, i64); 13] = [
    ("axis", -RANK, RANK),
    ("axes", -RANK, RANK),
    ("perm", 0, RANK - 1),
    ("start", i32::MIN as i64, i32::MAX as i64),
    ("end", i32::MIN as i64, i32::MAX as i64),
    ("group", 1, MAX_ELEMENTS as i64),
    ("num_groups", 1, MAX_ELEMENTS as i64),
    ("num_outputs", 1, MAX_PARTS),
    ("split", 0, MAX_ELEMENTS as i64),
    ("blocksize", 1, MAX_PARTS),
    ("block_size", 0, MAX_ELEMENTS as i64),
    ("size", 1, MAX_PARTS),
    ("p", 0, MAX_PARTS),
];

/// Refuses a node with such a number.
pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    for (name, value) in &node.attributes {
        let broken = match value {
            Attribute::Float(value) => value.is_nan(),
            Attribute::Floats(values) => values.iter().any(|value| value.is_nan()),
            _ => false,
        };
        if broken {
            let (label, op) = (node.label(), &node.op);
            return Err(format!("node `{label}` ({op}), attribute `{name}`: it is not a number"));
        }
    }
    let refuse = |what: &str, value: i64| Err(format!("node `{}` ({}) has {what} {value}", node.label(), node.op));
    for (name, least, largest) in BOUNDS {
        let values = match node.attributes.get(name) {
            Some(Attribute::Int(value)) => std::slice::from_ref(value),
            Some(Attribute::Ints(values)) => values,
            _ => continue,
        };
        if let Some(value) = values.iter().find(|value| !(least..=largest).contains(value)) {
            return refuse(name, *value);
        }
    }
    // An engine goes through an order of axes until every axis is in its place.
    if let Some(perm) = node.ints("perm") {
        let mut sorted = perm.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..perm.len() as i64) {
            let (label, op) = (node.label(), &node.op);
            return Err(format!("node `{label}` ({op}) has perm {}, which is no order of axes", few(perm)));
        }
    }
    if let Some(axes) = graph.list_input(node, "axes").and_then(|input| graph.constant(node.input(input)?)) {
        let axes = axes.to_integers().ok_or_else(|| {
            let (label, op) = (node.label(), &node.op);
            format!("node `{label}` ({op}) has axes that are no integers")
        })?;
        if let Some(axis) = axes.iter().find(|axis| !(-RANK..RANK).contains(axis)) {
            return refuse("axis", *axis);
        }
    }
    Ok(())
}
