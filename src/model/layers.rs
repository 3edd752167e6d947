//! Finding the target layer.

use crate::onnx::cost::multiply_adds;
use crate::onnx::graph::{ElementType, Facts, Graph, Node};
use std::collections::HashSet;

/// Operators behind which a cell is not what it was, and those of poolings that are written out (a generalized mean, a
/// logarithm of sums). In a normalisation or activation they stand on side ways.
const POOLS: [&str; 14] = [
    "AveragePool",
    "Exp",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "Log",
    "MaxPool",
    "Pow",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Sqrt",
];

/// Operators that multiply by weights: behind the last convolution they make scores from features.
const WEIGHTED: [&str; 4] = ["Gemm", "MatMul", "Conv", "Einsum"];

/// A place where the network can be cut.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Layer {
    /// The wire with the feature maps.
    pub wire: String,
    /// The node that makes it, and its operator.
    pub node: String,
    pub op: String,
    /// `[1, K, h, w]`.
    pub shape: Vec<usize>,
    /// Why it was chosen.
    pub reason: String,
}

/// The output of the last convolution with the batch norm, activation, residual add, concat or gate that follows it, up
/// to the first pooling, flatten or reduction. A 1×1 convolution that makes one map per class is stepped back over.
///
/// # Errors
/// The reason why there is none.
pub fn automatic(graph: &Graph, scores: &str, classes: usize, facts: &Facts) -> Result<Layer, String> {
    let needed = graph.before(&[scores], &[]);
    let last = (0..graph.nodes.len())
        .rev()
        .filter(|at| needed.contains(at) && graph.nodes[*at].op == "Conv")
        .find(|at| is_spatial(facts, &graph.nodes[*at].outputs[0]));
    let at = last.ok_or("it has no convolution whose output has more than one cell")?;
    let convolution = &graph.nodes[at];
    let kernel = graph.constant(&convolution.inputs[1]).map(|weights| weights.shape.as_slice());
    let one_map_per_class =
        kernel.is_some_and(|kernel| kernel.len() == 4 && kernel[0] == classes && kernel[2..] == [1, 1]);
    let behind = graph.behind(&[convolution.outputs[0].as_str()]);
    let weighted = |at: &usize| needed.contains(at) && WEIGHTED.contains(&graph.nodes[*at].op.as_str());
    let before = through_identities(graph, &convolution.inputs[0]);
    let is_layer = is_spatial(facts, &before) && graph.producers().contains_key(before.as_str());
    if one_map_per_class && is_layer && !behind.iter().any(weighted) {
        let reason = format!("input of `{}`, a 1×1 convolution that makes one map per class", convolution.label());
        return layer(graph, &before, facts, reason);
    }
    let wire = follow(graph, at, &needed, facts);
    let reason = if wire == convolution.outputs[0] {
        format!("output of the last convolution `{}`", convolution.label())
    } else {
        format!("the last convolution `{}` with what follows it up to the pooling", convolution.label())
    };
    layer(graph, &wire, facts, reason)
}

/// A layer with what a user chooses by.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// Place in the list, from 0.
    pub index: usize,
    #[serde(flatten)]
    pub layer: Layer,
    /// Pixels of the picture from one row of cells to the next.
    pub stride: usize,
    /// How many wires go around the layer: what else of the picture the rest of the network reads.
    pub bypass: usize,
    /// Share of the classifier's multiply-adds that lie behind the layer, 0 to 1. A gradient head that changes with the
    /// picture costs at most about twice that share of a forward pass.
    pub behind: f64,
}

/// The layer that a user names: by its wire, by the node that makes it, by its index in [`all`] (`12` or `@12`), or the
/// last one of a stride (`stride16`), where there is one that nothing bypasses.
///
/// # Errors
/// The reason why it cannot be the target layer.
pub fn named(graph: &Graph, name: &str, scores: &str, facts: &Facts) -> Result<Layer, String> {
    let is_wire = graph.nodes.iter().any(|node| node.outputs.iter().any(|wire| wire == name));
    let by_node = || graph.nodes.iter().find(|node| node.name == name).map(|node| node.outputs[0].clone());
    let Some(wire) = (if is_wire { Some(name.to_owned()) } else { by_node() }) else {
        return listed(graph, name, scores, facts);
    };
    if !is_spatial(facts, &wire) {
        let shape = facts.get(&wire).map_or("of unknown shape".to_owned(), |fact| format!("of shape {:?}", fact.shape));
        return Err(format!("layer `{name}` is {shape}; feature maps [1, K, h, w] with more than one cell are needed"));
    }
    layer(graph, &wire, facts, "chosen by name".to_owned())
}

fn listed(graph: &Graph, name: &str, scores: &str, facts: &Facts) -> Result<Layer, String> {
    let unknown = || format!("there is no layer `{name}`; `gradcam inspect` lists them");
    if let Some(stride) = name.strip_prefix("stride") {
        let stride: usize = stride.parse().map_err(|_| unknown())?;
        let mut layers = all(graph, scores, facts);
        let mut strides: Vec<String> = layers.iter().map(|layer| layer.stride.to_string()).collect();
        strides.dedup();
        layers.retain(|layer| layer.stride == stride);
        let free = layers.iter().rposition(|layer| layer.bypass == 0);
        let Some(at) = free.or(layers.len().checked_sub(1)) else {
            return Err(format!("there is no layer of stride {stride}; there are strides {}", strides.join(", ")));
        };
        let reason = format!("the last layer of stride {stride}");
        let around = if free.is_some() { " that nothing bypasses" } else { "" };
        return Ok(Layer { reason: reason + around, ..layers.swap_remove(at).layer });
    }
    let index: usize = name.strip_prefix('@').unwrap_or(name).parse().map_err(|_| unknown())?;
    let mut layers = all(graph, scores, facts);
    if index >= layers.len() {
        return Err(format!("there is no layer {index}; `gradcam inspect` lists {} of them, from 0", layers.len()));
    }
    Ok(Layer { reason: format!("number {index} of the list"), ..layers.swap_remove(index).layer })
}

/// Every place with feature maps that the scores depend on, in the order of the network.
pub fn all(graph: &Graph, scores: &str, facts: &Facts) -> Vec<Listed> {
    let needed = graph.before(&[scores], &[]);
    let picture = graph.inputs.first().map_or("", |port| port.name.as_str());
    let height = facts.get(picture).and_then(|fact| fact.shape.get(2).copied()).unwrap_or(0);
    let seen = graph.behind(&[picture]);
    let mut from_picture: HashSet<&str> =
        seen.iter().flat_map(|at| &graph.nodes[*at].outputs).map(String::as_str).collect();
    from_picture.insert(picture);
    let costs: Vec<u64> = graph.nodes.iter().map(|node| multiply_adds(graph, node, facts)).collect();
    let total: u64 = needed.iter().map(|at| costs[*at]).sum();
    let wires = (0..graph.nodes.len()).filter(|at| needed.contains(at)).map(|at| &graph.nodes[at].outputs[0]);
    let layers = wires.filter(|wire| is_spatial(facts, wire) && from_picture.contains(wire.as_str()));
    let layers = layers.filter_map(|wire| layer(graph, wire, facts, String::new()).ok());
    layers
        .enumerate()
        .map(|(index, layer)| {
            let behind: Vec<usize> = graph.behind(&[&layer.wire]).intersection(&needed).copied().collect();
            let made: HashSet<&str> =
                behind.iter().flat_map(|at| &graph.nodes[*at].outputs).map(String::as_str).collect();
            let read = behind.iter().flat_map(|at| &graph.nodes[*at].inputs).map(String::as_str);
            let around = |wire: &&str| from_picture.contains(wire) && !made.contains(wire) && *wire != layer.wire;
            let bypass = read.filter(around).collect::<HashSet<&str>>().len();
            let cost: u64 = behind.iter().map(|at| costs[*at]).sum();
            let stride = (height + layer.shape[2] / 2) / layer.shape[2];
            Listed { index, stride, bypass, behind: cost as f64 / total.max(1) as f64, layer }
        })
        .collect()
}

fn layer(graph: &Graph, wire: &str, facts: &Facts, reason: String) -> Result<Layer, String> {
    let node = graph.nodes.iter().find(|node| node.outputs.iter().any(|output| output == wire));
    let node: &Node = node.ok_or_else(|| format!("`{wire}` is the picture itself, not a layer"))?;
    Ok(Layer {
        wire: wire.to_owned(),
        node: node.label().to_owned(),
        op: node.op.clone(),
        shape: facts[wire].shape.clone(),
        reason,
    })
}

fn is_spatial(facts: &Facts, wire: &str) -> bool {
    facts
        .get(wire)
        .is_some_and(|fact| fact.kind == ElementType::F32 && fact.shape.len() == 4 && fact.shape[2] * fact.shape[3] > 1)
}

/// The last feature maps of the convolution's cells that are reached from it without a pooling or reduction. The way may
/// leave the form of maps and come back, as for a normalisation of channels that are turned to the end.
fn follow(graph: &Graph, convolution: usize, needed: &HashSet<usize>, facts: &Facts) -> String {
    let start = &graph.nodes[convolution].outputs[0];
    let cells = &facts[start].shape[2..];
    let mut reached: HashSet<&str> = HashSet::from([start.as_str()]);
    let mut last = start;
    for (at, node) in graph.nodes.iter().enumerate().skip(convolution + 1) {
        let reads = node.inputs.iter().any(|input| reached.contains(input.as_str()));
        if !reads || !needed.contains(&at) || POOLS.contains(&node.op.as_str()) {
            continue;
        }
        reached.extend(node.outputs.iter().map(String::as_str));
        let wire = &node.outputs[0];
        if is_spatial(facts, wire) && facts[wire].shape[2..] == *cells {
            last = wire;
        }
    }
    last.clone()
}

/// The wire that Identity and Dropout nodes pass on.
fn through_identities(graph: &Graph, wire: &str) -> String {
    let producers = graph.producers();
    let mut wire = wire;
    while let Some(node) = producers.get(wire).map(|at| &graph.nodes[*at])
        && matches!(node.op.as_str(), "Identity" | "Dropout")
    {
        wire = &node.inputs[0];
    }
    wire.to_owned()
}
