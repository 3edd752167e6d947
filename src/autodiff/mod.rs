//! Reverse-mode differentiation of an ONNX graph: from the scores back to the target layer, in ordinary ONNX nodes.
//!
//! Prune to the nodes between the two, go through them last to first, apply one [`rules::Rule`] per input that leads to
//! the target layer, and add up where branches meet. What has no rule is refused by name.

pub mod emit;
mod moves;
mod rewrite;
pub mod rules;

use crate::error::{Error, Result};
use crate::onnx::graph::{ElementType, Facts, Graph, Node, Port, Tensor};
use crate::onnx::{ACTIVATIONS, GRADIENTS, TARGET};
use emit::Emitter;
use std::collections::{HashMap, HashSet};

/// Whether there is a rule for an operator; it may refuse some of its forms.
pub fn differentiable(op: &str) -> bool {
    rewrite::REPLACED.contains(&op) || rules::find(op).is_some()
}

/// Adds the gradient head: the input `target` (shape of the scores) and the output `gradients` =
/// d(Σ target·scores)/d activations. `graph` holds the wire `activations`; `facts` tell what each wire carries.
///
/// Integers and truth values that depend on the activations (a comparison, a rounded number) are constant but for
/// jumps: no gradient goes through them, as in PyTorch.
///
/// # Errors
/// [`Error::UnsupportedOperator`] for a node between the target layer and the scores that has no rule;
/// [`Error::Model`] where the scores do not depend on the target layer.
pub fn append_head(graph: &mut Graph, scores: &str, facts: &Facts) -> Result<()> {
    let file = graph.file.clone();
    let shape_of = |wire: &str| {
        let fact = facts.get(wire).map(|fact| fact.shape.clone());
        fact.ok_or_else(|| Error::model(&file, format!("the shape of wire `{wire}` is not known")))
    };
    let scores_shape = shape_of(scores)?;
    let activations_shape = shape_of(ACTIVATIONS)?;

    rewrite::split_as_slices(graph, &between(graph, scores), facts)?;
    let between = between(graph, scores);
    if between.is_empty() {
        return Err(Error::model(&file, format!("the scores `{scores}` do not depend on the target layer")));
    }
    let mut active: HashSet<&str> =
        between.iter().flat_map(|at| &graph.nodes[*at].outputs).map(String::as_str).collect();
    active.insert(ACTIVATIONS);

    let mut emitter = Emitter::new(graph, facts, TARGET, &scores_shape);
    let mut gradients: HashMap<String, String> = HashMap::from([(scores.to_owned(), TARGET.to_owned())]);
    for index in (0..graph.nodes.len()).rev().filter(|index| between.contains(index)) {
        let node = &graph.nodes[index];
        let refuse = |reason: String| Error::UnsupportedOperator {
            file: file.clone(),
            node: node.label().to_owned(),
            operator: node.op.clone(),
            reason,
        };
        if node.outputs.iter().skip(1).any(|wire| active.contains(wire.as_str()) && gradients.contains_key(wire)) {
            return Err(refuse("more than one of its outputs is used".into()));
        }
        let Some(gradient) = gradients.get(&node.outputs[0]).cloned() else { continue };
        if let Some(reason) = rules::refusal(&node.op) {
            return Err(refuse(reason.into()));
        }
        let rule = rules::find(&node.op).ok_or_else(|| refuse("there is no gradient rule for it".into()))?;
        emitter.begin(node);
        let jumps = |wire: &str| {
            let kind = facts.get(wire).map(|fact| fact.kind);
            matches!(
                kind,
                Some(ElementType::I8 | ElementType::U8 | ElementType::I32 | ElementType::I64 | ElementType::Bool)
            )
        };
        let varies = |wire: &str| active.contains(wire) && !jumps(wire);
        for (input, wire) in node.inputs.iter().enumerate().filter(|(_, wire)| varies(wire)) {
            if let Some(kind @ (ElementType::F16 | ElementType::F64)) = facts.get(wire).map(|fact| fact.kind) {
                return Err(refuse(format!("its input `{wire}` holds {kind:?} values; export the model in f32")));
            }
            let share = rule(&mut emitter, node, &gradient, input).map_err(refuse)?;
            if emitter.shape(&share).map_err(refuse)? != emitter.shape(wire).map_err(refuse)? {
                return Err(refuse(format!("the gradient of its input {input} has another shape than the input")));
            }
            let sum = match gradients.remove(wire) {
                Some(other) => emitter.add(&other, &share).map_err(refuse)?,
                None => share,
            };
            gradients.insert(wire.clone(), sum);
        }
    }
    let Some(gradient) = gradients.get(ACTIVATIONS) else {
        return Err(Error::model(&file, "no gradient reaches the target layer"));
    };
    let result = Node {
        name: "gradient_head/gradients".to_owned(),
        op: "Identity".to_owned(),
        inputs: vec![gradient.clone()],
        outputs: vec![GRADIENTS.to_owned()],
        attributes: Default::default(),
    };
    let (nodes, constants) = emitter.finish();
    let finite = |tensor: &Tensor| tensor.to_f32().is_none_or(|values| values.iter().all(|value| value.is_finite()));
    if let Some((name, _)) = constants.iter().find(|(_, tensor)| !finite(tensor)) {
        return Err(Error::model(&file, format!("its gradient needs a number beyond those of float32 (`{name}`)")));
    }
    graph.nodes.extend(nodes);
    graph.nodes.push(result);
    graph.initializers.extend(constants);
    graph.inputs.push(Port::f32(TARGET, &scores_shape));
    graph.outputs.push(Port::f32(GRADIENTS, &activations_shape));
    Ok(())
}

/// The nodes between the target layer and the scores.
fn between(graph: &Graph, scores: &str) -> HashSet<usize> {
    let behind = graph.behind(&[ACTIVATIONS]);
    let needed = graph.before(&[scores], &[ACTIVATIONS]);
    behind.intersection(&needed).copied().collect()
}
