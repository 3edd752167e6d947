//! What every wire carries, found by the inference engine's own analysis, and what of it does not depend on the picture.

use super::{constants, forms, spatial};
use crate::error::{Error, Result, guarded};
use crate::onnx::graph::{Fact, Facts};
use crate::onnx::{ElementType, Graph, MAX_ELEMENTS, MAX_RANK, Node, Tensor, size_was_found, sized, to_proto};
use std::collections::{BTreeSet, HashMap, HashSet};
use tract_onnx::prelude::{Tensor as Value, *};
use tract_onnx::tract_hir::infer::{Factoid, InferenceModel};
use tract_onnx::tract_hir::internal::{DimLike, bail, format_err};

/// Replaces what is computed from constants and shapes alone by its value (an exporter writes the shape arithmetic of a
/// flatten, say, as nodes), and tells what the wires carry. The inputs of the graph have fixed shapes.
///
/// # Errors
/// [`Error::Model`] where the analysis fails or finds a tensor that is too large.
pub fn fold(graph: &mut Graph) -> Result<Facts> {
    let (mut facts, mut values) = analyse(graph)?;
    constants::complete(graph, &facts, &mut values);
    // The engine keeps one of several equal constants, so that some of the names are missing.
    for (name, tensor) in &graph.initializers {
        facts.entry(name.clone()).or_insert_with(|| Fact { kind: tensor.kind, shape: tensor.shape.clone() });
    }
    for node in &graph.nodes {
        if let Some(at) = node.outputs.iter().filter_map(|wire| values.get(wire)).find_map(Tensor::broken_element) {
            let (op, label) = (&node.op, node.label());
            let reason =
                format!("node `{label}` ({op}) makes a value that is not a number of constants (element {at})");
            return Err(Error::model(&graph.file, reason));
        }
    }
    // What a training form makes of constants is known; whatever else it may make is not read.
    graph.nodes.retain(|node| node.op != "BatchNormalization" || !values.contains_key(&node.outputs[0]));
    forms::check(graph, &facts)?;
    let known = |wire: &String| wire.is_empty() || values.contains_key(wire);
    graph.nodes.retain(|node| node.op == "Constant" || !node.outputs.iter().all(known));
    let made = graph.producers();
    let computed: Vec<(String, Tensor)> = values
        .into_iter()
        .filter(|(wire, _)| !made.contains_key(wire.as_str()) && !graph.initializers.contains_key(wire))
        .collect();
    graph.initializers.extend(computed);
    graph.drop_unused_initializers();
    // Once more, now that what was computed (a border, say) is known.
    forms::check(graph, &facts)?;
    Ok(facts)
}

/// Analyses a graph that is not the classifier, for the sizes only.
///
/// # Errors
/// As [`fold`].
pub fn check(graph: &Graph) -> Result<()> {
    analyse(graph).map(drop)
}

/// Operators that keep the shape of their first input, and whose number of axes tract trusts.
const NORMS: [&str; 2] = ["BatchNormalization", "LayerNormalization"];

/// What each wire carries, and the value of those that nodes compute from constants and shapes alone.
fn analyse(graph: &Graph) -> Result<(Facts, HashMap<String, Tensor>)> {
    // tract reads past the end of a shape of fewer than two sides, or counts to the end of numbers for an axis that is
    // not there. A norm changes no shape.
    let read: HashSet<&str> = graph.nodes.iter().flat_map(|node| &node.inputs).map(String::as_str).collect();
    let wanted = |wire: &String| read.contains(wire.as_str()) || graph.outputs.iter().any(|port| port.name == *wire);
    for node in graph.nodes.iter().filter(|node| NORMS.contains(&node.op.as_str())) {
        if let Some(wire) = node.outputs.iter().skip(1).find(|wire| wanted(wire)) {
            let (op, label) = (&node.op, node.label());
            let reason = format!(
                "node `{label}` ({op}) makes `{wire}`, which only its training form has; export the model for inference"
            );
            return Err(Error::model(&graph.file, reason));
        }
    }
    let mut plain = graph.clone();
    for node in plain.nodes.iter_mut().filter(|node| NORMS.contains(&node.op.as_str())) {
        node.op = "Identity".to_owned();
        node.inputs.truncate(1);
        node.outputs.truncate(1);
        node.attributes.clear();
    }
    let (facts, mut values) = analyse_plain(&plain)?;
    for node in graph.nodes.iter().filter(|node| NORMS.contains(&node.op.as_str())) {
        let rank = node.input(0).and_then(|wire| facts.get(wire)).map_or(0, |fact| fact.shape.len() as i64);
        let fits = match node.op.as_str() {
            "BatchNormalization" => rank >= 2,
            _ => (-rank..rank).contains(&node.int("axis").unwrap_or(-1)),
        };
        if !fits {
            let (op, label) = (&node.op, node.label());
            let reason = format!("node `{label}` ({op}) reads a wire of {rank} axes");
            return Err(Error::model(&graph.file, reason));
        }
    }
    // What was made of a norm's output is wrong, but for its shape.
    let mut wrong: HashSet<&str> = HashSet::new();
    for node in &graph.nodes {
        let reads = !["Shape", "Size"].contains(&node.op.as_str())
            && node.inputs.iter().any(|wire| wrong.contains(wire.as_str()));
        if reads || NORMS.contains(&node.op.as_str()) {
            wrong.extend(node.outputs.iter().map(String::as_str).filter(|wire| !wire.is_empty()));
        }
    }
    wrong.iter().for_each(|wire| drop(values.remove(*wire)));
    Ok((facts, values))
}

fn analyse_plain(graph: &Graph) -> Result<(Facts, HashMap<String, Tensor>)> {
    let analysed = guarded(|| -> TractResult<_> {
        let mut model = tract_onnx::onnx().model_for_proto_model(&to_proto(graph))?;
        infer_shapes(graph, &mut model)?;
        Ok(model)
    });
    let model = analysed.map_err(|reason| Error::model(&graph.file, format!("its shapes do not fit: {reason}")))?;
    let made = graph.producers();
    let mut facts = HashMap::new();
    let mut values = HashMap::new();
    for node in model.nodes() {
        if node.op.name().starts_with("Unimplemented") {
            let op = graph.nodes.iter().find(|known| known.label() == node.name).map_or("", |known| known.op.as_str());
            let reason = format!("the inference engine does not know operator {op} (node `{}`)", node.name);
            return Err(Error::model(&graph.file, reason));
        }
        for (slot, outlet) in node.outputs.iter().enumerate() {
            let name = model.outlet_label(OutletId::new(node.id, slot)).unwrap_or(&node.name);
            let Some(dims) = outlet.fact.shape.concretize() else { continue };
            let Some(shape) = dims.iter().map(|dim| dim.to_usize().ok()).collect::<Option<Vec<usize>>>() else {
                continue;
            };
            // A side of no length must not hide others beyond all bounds.
            let elements = shape.iter().try_fold(1usize, |count, side| count.checked_mul((*side).max(1)));
            if elements.is_none_or(|count| count > MAX_ELEMENTS) {
                let reason = format!("wire `{name}` of shape {shape:?} has more than {MAX_ELEMENTS} elements");
                return Err(Error::model(&graph.file, reason));
            }
            // Only a constant may hold nothing: an empty list of axes, say.
            if shape.contains(&0) && outlet.fact.value.concretize().is_none() {
                return Err(Error::model(&graph.file, format!("wire `{name}` of shape {shape:?} holds nothing")));
            }
            if shape.len() > MAX_RANK {
                let reason = format!("wire `{name}` has {} axes, at most {MAX_RANK} are supported", shape.len());
                return Err(Error::model(&graph.file, reason));
            }
            if let Some(kind) = outlet.fact.datum_type.concretize().and_then(element_type) {
                facts.insert(name.to_owned(), Fact { kind, shape });
            }
            if made.get(name).is_some_and(|at| graph.nodes[*at].op != "Constant")
                && let Some(value) = outlet.fact.value.concretize().and_then(|value| tensor(&value))
            {
                values.insert(name.to_owned(), value);
            }
        }
    }
    for node in &graph.nodes {
        size_was_found(node, |wire| facts.contains_key(wire)).map_err(|reason| Error::model(&graph.file, reason))?;
    }
    spatial::check(graph, &facts)?;
    transposed_convolutions(graph, &facts)?;
    Ok((facts, values))
}

/// tract's own analysis, with a look at every shape as soon as it is found: sides that cannot be broadcast against each other
/// become an expression there, which doubles with each node that reads it. As the inputs have fixed shapes, and the
/// operators of the allow-list make tensors of no other sizes, every known side is a number where the shapes fit.
fn infer_shapes(graph: &Graph, model: &mut InferenceModel) -> TractResult<()> {
    let mut waiting: BTreeSet<usize> = (0..model.nodes.len()).collect();
    let known: HashMap<&str, &Node> = graph.nodes.iter().map(|node| (node.label(), node)).collect();
    while let Some(at) = waiting.pop_first() {
        let (inputs, outputs) = model.node_facts(at)?;
        let [inputs, outputs] = [inputs, outputs].map(|facts| facts.into_iter().cloned().collect::<TVec<_>>());
        let node = &mut model.nodes[at];
        let name = node.name.clone();
        let place = || {
            let op = known.get(name.as_str()).map_or("constant", |node| &node.op);
            format!("node `{name}` ({op})")
        };
        if let Some(node) = known.get(name.as_str()) {
            let sides = |at: usize| inputs.get(at)?.shape.concretize();
            let shape = |at| sides(at)?.iter().map(|side| side.to_usize().ok()).collect();
            spatial::fits(node, shape).map_err(|reason| format_err!("{} {reason}", place()))?;
            // With all values there, the engine computes the result at once.
            let value = |at: usize| inputs.get(at)?.value.concretize();
            let integers = |at| tensor(&*value(at)?)?.to_integers();
            let constant = |at| Some(value(at)?.shape().to_vec());
            sized(graph, node, integers, constant).map_err(|reason| format_err!(reason))?;
        }
        let found = node.op.infer(inputs.iter().collect(), outputs.iter().collect(), tvec!());
        let (found_inputs, found_outputs, _) = found.map_err(|error| error.context(place()))?;
        let made = (0..).map(|slot| OutletId::new(at, slot));
        let found: Vec<_> =
            node.inputs.iter().copied().chain(made).zip(found_inputs.into_iter().chain(found_outputs)).collect();
        for (outlet, found) in found {
            let known = model.outlet_fact(outlet)?;
            let fact = known.unify(&found).map_err(|error| error.context(place()))?;
            if fact == *known {
                continue;
            }
            if fact.shape.dims().any(|side| side.concretize().is_some_and(|side| side.to_i64().is_err())) {
                bail!("{}: its inputs cannot be broadcast against each other", place());
            }
            model.set_outlet_fact(outlet, fact)?;
            let maker = &model.nodes[outlet.node];
            waiting.extend(maker.outputs[outlet.slot].successors.iter().map(|reader| reader.node));
            waiting.insert(maker.id);
            waiting.remove(&at);
        }
    }
    Ok(())
}

/// tract makes all products of a transposed convolution at once, before it adds them up and cuts the border off.
fn transposed_convolutions(graph: &Graph, facts: &Facts) -> Result<()> {
    for node in graph.nodes.iter().filter(|node| node.op == "ConvTranspose") {
        let shape = |wire: Option<&str>| wire.and_then(|wire| facts.get(wire)).map(|fact| fact.shape.as_slice());
        let output = node.outputs.first().map(String::as_str);
        let products = match (shape(node.input(0)), shape(node.input(1)), shape(output)) {
            (Some([batch, _, cells @ ..]), Some([_, weights @ ..]), Some(_)) => {
                let group = usize::try_from(node.int("group").unwrap_or(1)).unwrap_or(usize::MAX);
                let sides = cells.iter().chain(weights).chain([batch, &group]);
                sides.fold(1usize, |products, side| products.saturating_mul(*side))
            }
            _ => usize::MAX,
        };
        if products > MAX_ELEMENTS {
            let reason = format!("node `{}` (ConvTranspose) takes more than {MAX_ELEMENTS} products", node.label());
            return Err(Error::model(&graph.file, reason));
        }
    }
    Ok(())
}

/// tract counts sides of shapes in a type of its own, which is an integer to ONNX.
fn element_type(kind: DatumType) -> Option<ElementType> {
    match kind {
        DatumType::F32 => Some(ElementType::F32),
        DatumType::F64 => Some(ElementType::F64),
        DatumType::F16 => Some(ElementType::F16),
        DatumType::I8 => Some(ElementType::I8),
        DatumType::U8 => Some(ElementType::U8),
        DatumType::I32 => Some(ElementType::I32),
        DatumType::I64 | DatumType::TDim => Some(ElementType::I64),
        DatumType::Bool => Some(ElementType::Bool),
        _ => None,
    }
}

/// The value in our own form, of those types that constants are computed in.
pub(super) fn tensor(value: &Value) -> Option<Tensor> {
    let bytes: Vec<u8> = match value.datum_type() {
        DatumType::F32 => value.to_plain_array_view::<f32>().ok()?.iter().flat_map(|x| x.to_le_bytes()).collect(),
        DatumType::I32 => value.to_plain_array_view::<i32>().ok()?.iter().flat_map(|x| x.to_le_bytes()).collect(),
        DatumType::I64 | DatumType::TDim => {
            let value = value.cast_to::<i64>().ok()?;
            value.to_plain_array_view::<i64>().ok()?.iter().flat_map(|x| x.to_le_bytes()).collect()
        }
        DatumType::Bool => value.to_plain_array_view::<bool>().ok()?.iter().map(|x| u8::from(*x)).collect(),
        _ => return None,
    };
    let kind = element_type(value.datum_type())?;
    Some(Tensor { kind, shape: value.shape().to_vec(), bytes: bytes.into() })
}
