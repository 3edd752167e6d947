//! How many axes wires have at most: a row of nodes that each add one makes an engine's lists of axes grow with the
//! square of its length, while it only looks for shapes.

use super::MAX_RANK;
use super::graph::{Attribute, Graph, Node};
use std::collections::HashMap;

/// Refuses a graph in which a wire may have more than [`MAX_RANK`] axes.
pub(super) fn check(graph: &Graph) -> Result<(), String> {
    let mut ranks: HashMap<&str, usize> = HashMap::new();
    for port in &graph.inputs {
        ranks.insert(&port.name, port.shape.as_ref().map_or(0, Vec::len));
    }
    for (name, tensor) in &graph.initializers {
        ranks.insert(name, tensor.shape.len());
    }
    for node in &graph.nodes {
        let rank = rank(graph, node, &ranks);
        if rank > MAX_RANK {
            let (label, op) = (node.label(), &node.op);
            return Err(format!("node `{label}` ({op}) makes {rank} axes, at most {MAX_RANK} are supported"));
        }
        ranks.extend(node.outputs.iter().map(|wire| (wire.as_str(), rank)));
    }
    Ok(())
}

fn rank(graph: &Graph, node: &Node, ranks: &HashMap<&str, usize>) -> usize {
    let of = |at: usize| node.input(at).and_then(|wire| ranks.get(wire)).copied().unwrap_or(0);
    let axes = || graph.list(node, "axes").ok().flatten().map(|axes| axes.len());
    let sides =
        |at: usize| node.input(at).and_then(|wire| graph.constant(wire)).map(|tensor| tensor.shape.iter().product());
    match node.op.as_str() {
        "Shape" | "Size" => 1,
        "Constant" => match node.attributes.get("value") {
            Some(Attribute::Tensor(tensor)) => tensor.shape.len(),
            _ => 1,
        },
        "Unsqueeze" => of(0) + axes().unwrap_or(1),
        "Squeeze" => of(0) - axes().unwrap_or(0).min(of(0)),
        "Gather" => (of(0) + of(1)).saturating_sub(1),
        // A size that is computed from shapes has as many axes as these.
        "Reshape" | "ConstantOfShape" => sides(usize::from(node.op == "Reshape")).unwrap_or(0),
        "Flatten" => 2,
        "Expand" => of(0).max(sides(1).unwrap_or(0)),
        _ => (0..node.inputs.len()).map(of).max().unwrap_or(0),
    }
}
