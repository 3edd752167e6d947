//! What must hold before an inference engine sees a graph: engines may panic on graphs that are put together wrongly.

use super::graph::Graph;
use super::{MAX_NODES, hostile, ranks};
use std::collections::{HashMap, HashSet};

/// Opsets whose operators the program knows.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=21;
/// IR versions of those opsets.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=10;

type Outcome<T> = std::result::Result<T, String>;

/// Checks the wiring, sorts the nodes, and looks at versions, declared sizes and weights.
pub fn validate(mut graph: Graph) -> Outcome<Graph> {
    if !OPSETS.contains(&graph.opset) {
        return Err(format!(
            "it uses operator set {}, supported are {} to {}",
            graph.opset,
            OPSETS.start(),
            OPSETS.end()
        ));
    }
    if !IR_VERSIONS.contains(&graph.ir_version) {
        return Err(format!(
            "its IR version is {}, supported are {} to {}",
            graph.ir_version,
            IR_VERSIONS.start(),
            IR_VERSIONS.end()
        ));
    }
    if graph.nodes.is_empty() {
        return Err("its graph has no nodes".into());
    }
    if graph.nodes.len() > MAX_NODES {
        return Err(format!("its graph has {} nodes, at most {MAX_NODES} are supported", graph.nodes.len()));
    }
    wires_have_names(&graph)?;
    wires_are_made_once(&graph)?;
    wires_exist(&graph)?;
    sort(&mut graph)?;
    ranks::check(&graph)?;
    hostile::check(&graph)?;
    weights_are_finite(&graph)?;
    engine_agrees(&graph)?;
    Ok(graph)
}

/// An empty name stands for an input that is left out: nothing else can have it.
fn wires_have_names(graph: &Graph) -> Outcome<()> {
    let ports = graph.inputs.iter().chain(&graph.outputs).any(|port| port.name.is_empty());
    if ports || graph.initializers.contains_key("") {
        return Err("an input, output or weight has no name".into());
    }
    Ok(())
}

fn wires_are_made_once(graph: &Graph) -> Outcome<()> {
    let mut made = HashSet::new();
    let given = graph.inputs.iter().map(|port| &port.name).chain(graph.initializers.keys());
    let outputs = graph.nodes.iter().flat_map(|node| &node.outputs).filter(|wire| !wire.is_empty());
    for wire in given.chain(outputs) {
        if !made.insert(wire) {
            return Err(format!("wire `{wire}` is made twice"));
        }
    }
    let mut named = HashSet::new();
    for port in &graph.outputs {
        if !named.insert(&port.name) {
            return Err(format!("output `{}` is listed twice", port.name));
        }
    }
    Ok(())
}

fn wires_exist(graph: &Graph) -> Outcome<()> {
    let given = graph.inputs.iter().map(|port| &port.name).chain(graph.initializers.keys());
    let made: HashSet<&String> = given.chain(graph.nodes.iter().flat_map(|node| &node.outputs)).collect();
    for node in &graph.nodes {
        if node.outputs.iter().all(|wire| wire.is_empty()) {
            return Err(format!("node `{}` ({}) makes nothing", node.name, node.op));
        }
        if let Some(wire) = node.inputs.iter().find(|wire| !wire.is_empty() && !made.contains(wire)) {
            return Err(format!("node `{}` ({}) reads `{wire}`, which nothing makes", node.label(), node.op));
        }
    }
    if graph.outputs.is_empty() {
        return Err("its graph has no output".into());
    }
    match graph.outputs.iter().find(|port| !made.contains(&port.name)) {
        Some(port) => Err(format!("its output `{}` does not exist in the graph", port.name)),
        None => Ok(()),
    }
}

/// Puts the nodes into an order in which each finds its inputs made, keeping the file's order where it can.
fn sort(graph: &mut Graph) -> Outcome<()> {
    let producers = graph.producers();
    let mut missing = vec![0; graph.nodes.len()];
    let mut waiting: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for producer in node.inputs.iter().filter_map(|wire| producers.get(wire.as_str())) {
            missing[index] += 1;
            waiting.entry(*producer).or_default().push(index);
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        missing.iter().enumerate().filter(|(_, count)| **count == 0).map(|(index, _)| index).collect();
    let mut order = Vec::with_capacity(graph.nodes.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for waiter in waiting.remove(&index).unwrap_or_default() {
            missing[waiter] -= 1;
            if missing[waiter] == 0 {
                ready.insert(waiter);
            }
        }
    }
    if let Some(stuck) = missing.iter().position(|count| *count > 0) {
        return Err(format!("its graph has a cycle through node `{}`", graph.nodes[stuck].label()));
    }
    let mut nodes: Vec<_> = std::mem::take(&mut graph.nodes).into_iter().map(Some).collect();
    graph.nodes = order.into_iter().map(|index| nodes[index].take().expect("each node has one place")).collect();
    Ok(())
}

fn weights_are_finite(graph: &Graph) -> Outcome<()> {
    for (name, tensor) in &graph.initializers {
        if let Some(at) = tensor.broken_element() {
            return Err(format!("weights `{name}` hold a value that is not a number (element {at})"));
        }
    }
    Ok(())
}

/// What tract computes otherwise than ONNX defines it: its Celu leaves out the factor α, max(0, x) + min(0, exp(x/α) − 1).
fn engine_agrees(graph: &Graph) -> Outcome<()> {
    let other = |alpha: f32| alpha != 1.0;
    match graph.nodes.iter().find(|node| node.op == "Celu" && node.float("alpha").is_some_and(other)) {
        Some(node) => Err(format!(
            "node `{}` (Celu) has an alpha other than 1, which the inference engine computes wrongly",
            node.label()
        )),
        None => Ok(()),
    }
}
