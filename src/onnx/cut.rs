//! An explainable model's graph → backbone, tail and gradient head.

use super::graph::{Facts, Graph, Node, Port};
use super::{ACTIVATIONS, GRADIENTS, TARGET};
use std::collections::HashSet;

/// The three graphs that an explainable model is run as. Backbone and tail together are the classifier.
#[derive(Debug)]
pub struct Parts {
    /// Picture → `activations`, then the bypass wires but the picture.
    pub backbone: Graph,
    /// `activations`, then the bypass wires that it reads → scores.
    pub tail: Graph,
    /// `activations` and bypass wires that it reads, `target` if it reads it → `gradients`.
    pub head: Graph,
    /// What else the rest of the network reads, besides the activations, that depends on the picture: there is some
    /// where the target layer sits inside a residual branch, an Inception or a dense block. The picture itself may be one.
    pub bypass: Vec<String>,
}

impl Parts {
    /// Whether the gradients change with the picture. For pooled linear heads they do not: they change with the target
    /// only.
    pub fn head_depends_on_picture(&self) -> bool {
        self.head.inputs.iter().any(|port| port.name != TARGET)
    }
}

/// Cuts the graph at `activations`. `facts` tell of every wire that may become a port.
///
/// # Errors
/// A sentence that says which wire is missing or unconnected.
pub fn cut(graph: &Graph, scores: &str, facts: &Facts) -> Result<Parts, String> {
    let picture: Vec<&str> =
        graph.inputs.iter().map(|port| port.name.as_str()).filter(|name| *name != TARGET).collect();
    let seen = graph.behind(&picture);
    let from_picture: HashSet<&str> = wires_of(graph, &seen).chain(picture.iter().copied()).collect();
    let after = graph.behind(&[ACTIVATIONS]);
    let after_wires: HashSet<&str> = wires_of(graph, &after).collect();
    if !after_wires.contains(scores) {
        return Err(format!("the scores `{scores}` do not depend on the target layer"));
    }

    // What lies before the cut is run once, in the backbone; constants are kept by whoever reads them, and the head makes
    // what the classifier does not have. Its last wire may depend on nothing but the target and what goes around the
    // layer: the gradient of a product does.
    let targeted = graph.behind(&[TARGET]);
    let own: HashSet<&str> = wires_of(graph, &targeted).chain(after_wires.iter().copied()).collect();
    let passes = |wire: &&str| {
        !own.contains(*wire) && from_picture.contains(*wire) && *wire != ACTIVATIONS && facts.contains_key(*wire)
    };
    let stop: Vec<&str> = from_picture.iter().copied().filter(passes).chain([ACTIVATIONS, TARGET]).collect();
    let tail_nodes = graph.before(&[scores], &stop);
    let head_nodes = graph.before(&[GRADIENTS], &stop);
    let mut bypass: Vec<&str> = Vec::new();
    for index in tail_nodes.iter().chain(&head_nodes) {
        bypass.extend(graph.nodes[*index].inputs.iter().map(String::as_str).filter(passes));
    }
    bypass.sort_unstable();
    bypass.dedup();

    // What goes around the layer may be the picture itself, which nothing makes.
    let made = |wire: &&str| !picture.contains(wire);
    let backbone_outputs: Vec<&str> = [ACTIVATIONS].into_iter().chain(bypass.iter().copied().filter(made)).collect();
    let backbone_nodes = graph.before(&backbone_outputs, &[]);
    let part = |nodes, inputs: &[&str], outputs: &[&str]| part(graph, nodes, inputs, outputs, facts);
    let crossing: Vec<&str> = [ACTIVATIONS].into_iter().chain(bypass.iter().copied()).collect();
    let with_target: Vec<&str> = crossing.iter().copied().chain([TARGET]).collect();
    Ok(Parts {
        backbone: part(backbone_nodes, &picture, &backbone_outputs)?,
        tail: part(tail_nodes, &crossing, &[scores])?,
        head: part(head_nodes, &with_target, &[GRADIENTS])?,
        bypass: bypass.into_iter().map(str::to_owned).collect(),
    })
}

fn wires_of<'a>(graph: &'a Graph, nodes: &'a HashSet<usize>) -> impl Iterator<Item = &'a str> {
    nodes.iter().flat_map(|index| &graph.nodes[*index].outputs).map(String::as_str).filter(|wire| !wire.is_empty())
}

/// The graph of `nodes`, with those of the `inputs` that they read.
fn part(
    graph: &Graph,
    nodes: HashSet<usize>,
    inputs: &[&str],
    outputs: &[&str],
    facts: &Facts,
) -> Result<Graph, String> {
    let port = |wire: &str| match facts.get(wire) {
        Some(fact) => Ok(Port::new(wire, fact)),
        None => Err(format!("the shape of wire `{wire}` is not known")),
    };
    let kept: Vec<Node> = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(index, _)| nodes.contains(index))
        .map(|(_, node)| node.clone())
        .collect();
    let read: HashSet<&str> = kept.iter().flat_map(|node| &node.inputs).map(String::as_str).collect();
    let input_ports = inputs.iter().filter(|wire| read.contains(**wire)).map(|wire| port(wire));
    let mut part = Graph {
        file: graph.file.clone(),
        opset: graph.opset,
        ir_version: graph.ir_version,
        inputs: input_ports.collect::<Result<_, String>>()?,
        outputs: outputs.iter().map(|wire| port(wire)).collect::<Result<_, String>>()?,
        nodes: kept,
        initializers: graph.initializers.clone(),
        metadata: Default::default(),
    };
    part.drop_unused_initializers();
    Ok(part)
}
