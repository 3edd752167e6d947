//! The shape of every wire, found by the inference engine's own analysis.

use crate::error::{Error, Result, guarded};
use crate::onnx::{Graph, MAX_ELEMENTS, to_proto};
use std::collections::HashMap;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{Factoid, InferenceModelExt};
use tract_onnx::tract_hir::internal::DimLike;

/// The shapes of the f32 wires of a graph whose input shapes are fixed.
///
/// # Errors
/// [`Error::Model`] where the analysis fails or finds a tensor that is too large.
pub fn shapes(graph: &Graph) -> Result<HashMap<String, Vec<usize>>> {
    // tract reads past the end of a shape of fewer than two sides; a batch norm changes no shape.
    let mut plain = graph.clone();
    for node in plain.nodes.iter_mut().filter(|node| node.op == "BatchNormalization") {
        node.op = "Identity".to_owned();
        node.inputs.truncate(1);
        node.attributes.clear();
    }
    let shapes = analysed(&plain)?;
    for node in graph.nodes.iter().filter(|node| node.op == "BatchNormalization") {
        let rank = node.input(0).and_then(|wire| shapes.get(wire)).map(Vec::len);
        if rank.is_none_or(|rank| rank < 2) {
            let reason = format!("node `{}` (BatchNormalization) reads a wire that is no feature map", node.label());
            return Err(Error::model(&graph.file, reason));
        }
    }
    Ok(shapes)
}

fn analysed(graph: &Graph) -> Result<HashMap<String, Vec<usize>>> {
    let analysed = guarded(|| -> TractResult<_> {
        let mut model = tract_onnx::onnx().model_for_proto_model(&to_proto(graph))?;
        model.analyse(false)?;
        Ok(model)
    });
    let model = analysed.map_err(|reason| Error::model(&graph.file, format!("its shapes do not fit: {reason}")))?;
    let mut shapes = HashMap::new();
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
            let elements = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
            if elements.is_none_or(|count| count > MAX_ELEMENTS) {
                let reason = format!("wire `{name}` of shape {shape:?} has more than {MAX_ELEMENTS} elements");
                return Err(Error::model(&graph.file, reason));
            }
            if outlet.fact.datum_type.concretize() == Some(f32::datum_type()) {
                shapes.insert(name.to_owned(), shape);
            }
        }
    }
    Ok(shapes)
}
