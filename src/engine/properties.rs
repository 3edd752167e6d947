//! What is known of every picture's activations and gradients from the model alone.

use super::plan::Plan;
use crate::error::Result;
use crate::model::Model;
use crate::onnx::graph::{Attribute, Graph, Node};
use crate::onnx::{ACTIVATIONS, TARGET};
use std::collections::HashSet;
use tract_onnx::prelude::*;

/// True only where it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties {
    /// The gradients are the same in every cell of a feature map, for every picture and target.
    pub uniform_gradients: bool,
    /// No activation is below 0, for any picture.
    pub non_negative: bool,
}

impl Properties {
    pub(super) fn of(model: &Model, head: &mut Plan) -> Result<Properties> {
        Ok(Properties {
            uniform_gradients: only_averaged(&model.parts.tail)
                || (!model.info.head_depends_on_picture && same_in_every_cell(model, head)?),
            non_negative: non_negative(&model.parts.backbone).contains(ACTIVATIONS),
        })
    }
}

/// Whether the tail reads nothing of the activations but their mean over the cells, so that all cells have one
/// derivative whatever follows.
fn only_averaged(tail: &Graph) -> bool {
    let mut same: HashSet<&str> = HashSet::from([ACTIVATIONS]);
    for node in tail.nodes.iter().filter(|node| node.inputs.iter().any(|wire| wire == ACTIVATIONS)) {
        if matches!(node.op.as_str(), "Identity" | "Dropout") {
            same.insert(&node.outputs[0]);
        }
    }
    let reads = |node: &&Node| node.inputs.iter().any(|wire| same.contains(wire.as_str()));
    let averages = |node: &Node| match node.op.as_str() {
        "GlobalAveragePool" => true,
        "Identity" | "Dropout" => same.contains(node.outputs[0].as_str()),
        "ReduceMean" => {
            let axes = tail.list(node, "axes").ok().flatten();
            let axes: HashSet<i64> = axes.unwrap_or_default().iter().map(|axis| axis.rem_euclid(4)).collect();
            axes == HashSet::from([2, 3])
        }
        _ => false,
    };
    tail.nodes.iter().filter(reads).all(averages)
}

/// For a head that reads the target only, and so is linear in it: whether its gradients for a target without a pattern
/// are the same in every cell. Then so are those for every other target.
fn same_in_every_cell(model: &Model, head: &mut Plan) -> Result<bool> {
    let classes = model.info.classes();
    // Multiples of the golden ratio, modulo 1: dense, and no two alike.
    let weights: Vec<f32> =
        (1..=classes).map(|class| (class as f64 * 0.618_033_988_749_895).fract() as f32 - 0.4).collect();
    let target = Tensor::from_shape(&[1, classes], &weights).expect("the shape has as many elements").into_tvalue();
    let inputs = model.parts.head.inputs.iter().filter(|port| port.name == TARGET).map(|_| target.clone()).collect();
    let gradients = head.run(inputs)?.remove(0);
    let cells: usize = model.info.layer.shape[2..].iter().product();
    let view = gradients.to_plain_array_view::<f32>();
    let view = view.map_err(|error| crate::error::Error::model(&model.info.file, error))?;
    let values: Vec<f32> = view.iter().copied().collect();
    Ok(values.chunks(cells.max(1)).all(|map| map.iter().all(|gradient| *gradient == map[0])))
}

/// The wires of which it is certain that they hold nothing below 0.
fn non_negative(graph: &Graph) -> HashSet<&str> {
    let mut known: HashSet<&str> = HashSet::new();
    for node in &graph.nodes {
        let constant = |wire: &str| {
            let values = graph.constant(wire).and_then(|tensor| tensor.to_f32());
            values.is_some_and(|values| values.iter().all(|value| *value >= 0.0))
        };
        let holds = |wire: &String| known.contains(wire.as_str()) || constant(wire);
        let certain = match node.op.as_str() {
            "Relu" | "Sigmoid" | "HardSigmoid" | "Softplus" | "Sqrt" | "Abs" | "Exp" | "Softmax" | "ReduceL1"
            | "ReduceL2" | "ReduceSumSquare" => true,
            "Clip" => lower_bound(graph, node) >= 0.0,
            "Identity" | "Dropout" | "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool"
            | "LeakyRelu" | "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "Reshape" | "Transpose"
            | "Flatten" | "Squeeze" | "Unsqueeze" | "Slice" | "Split" | "DepthToSpace" | "SpaceToDepth" => {
                holds(&node.inputs[0])
            }
            "Add" | "Sum" | "Mean" | "Concat" | "Min" => node.inputs.iter().all(holds),
            "Max" => node.inputs.iter().any(holds),
            "Mul" => node.inputs.iter().all(holds) || node.inputs[0] == node.inputs[1],
            _ => false,
        };
        if certain {
            known.extend(node.outputs.iter().map(String::as_str));
        }
    }
    known
}

/// The lower bound of a Clip: an attribute before opset 11, then an input.
fn lower_bound(graph: &Graph, node: &Node) -> f32 {
    let input = || graph.constant(node.input(1)?)?.to_f32()?.first().copied();
    match node.attributes.get("min") {
        Some(Attribute::Float(bound)) => *bound,
        _ => input().unwrap_or(f32::NEG_INFINITY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::graph::Tensor;

    fn graph(nodes: &[(&str, &[&str], &str)]) -> Graph {
        let nodes = nodes.iter().map(|(op, inputs, output)| Node {
            name: String::new(),
            op: (*op).to_owned(),
            inputs: inputs.iter().map(|wire| (*wire).to_owned()).collect(),
            outputs: vec![(*output).to_owned()],
            attributes: Default::default(),
        });
        let constants = [("below", -1.0), ("nothing", 0.0), ("six", 6.0)];
        let constants = constants.map(|(name, value)| (name.to_owned(), Tensor::f32(&[], &[value])));
        let axes = [("cells", [2, -1]), ("maps", [1, 2])].map(|(name, axes)| (name.to_owned(), Tensor::i64(&axes)));
        Graph {
            file: "test.onnx".to_owned(),
            opset: 18,
            ir_version: 8,
            nodes: nodes.collect(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            initializers: constants.into_iter().chain(axes).collect(),
            metadata: Default::default(),
        }
    }

    #[test]
    fn what_cannot_be_below_0_is_known_by_what_makes_it() {
        for (nodes, certain) in [
            (&[("Conv", &["x", "w"][..], "a")][..], false),
            (&[("Conv", &["x", "w"], "y"), ("Relu", &["y"], "a")], true),
            (&[("Clip", &["x", "nothing", "six"], "a")], true),
            (&[("Clip", &["x", "below", "six"], "a")], false),
            (&[("Clip", &["x"], "a")], false),
            (&[("Relu", &["x"], "y"), ("Add", &["y", "x"], "a")], false),
            (&[("Relu", &["x"], "y"), ("Sigmoid", &["x"], "z"), ("Concat", &["y", "z"], "a")], true),
            (&[("Relu", &["x"], "y"), ("Add", &["y", "below"], "a")], false),
            (&[("Relu", &["x"], "y"), ("Mul", &["y", "six"], "z"), ("MaxPool", &["z"], "a")], true),
            (&[("Mul", &["x", "x"], "a")], true),
            (&[("Sigmoid", &["x"], "y"), ("Mul", &["x", "y"], "a")], false),
        ] {
            assert_eq!(non_negative(&graph(nodes)).contains("a"), certain, "{nodes:?}");
        }
    }

    #[test]
    fn a_tail_that_only_averages_is_known_by_its_first_operators() {
        let a = ACTIVATIONS;
        for (nodes, certain) in [
            (&[("GlobalAveragePool", &[a][..], "y"), ("Sigmoid", &["y"], "z")][..], true),
            (&[("Identity", &[a], "y"), ("ReduceMean", &["y", "cells"], "z")], true),
            (&[("ReduceMean", &[a, "maps"], "y")], false),
            (&[("GlobalAveragePool", &[a], "y"), ("Mul", &[a, "y"], "z")], false),
            (&[("Relu", &[a], "y"), ("GlobalAveragePool", &["y"], "z")], false),
        ] {
            assert_eq!(only_averaged(&graph(nodes)), certain, "{nodes:?}");
        }
    }
}
