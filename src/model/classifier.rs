//! The classifier in a file: its picture, its scores and its shapes.

use super::analysis;
use super::metadata::Metadata;
use crate::error::{Error, Result};
use crate::onnx::graph::{ElementType, Fact, Facts, Graph, Port};
use crate::onnx::{self, ACTIVATIONS, GRADIENTS, TARGET};

/// A classifier without gradient head, whose picture has a fixed size.
pub struct Classifier {
    pub graph: Graph,
    /// Name of the output with the scores, `[1, classes]`.
    pub scores: String,
    pub classes: usize,
    /// What each wire carries.
    pub facts: Facts,
    pub metadata: Metadata,
    /// The head that was taken out of the file.
    pub stored_head: Option<StoredHead>,
}

impl Classifier {
    /// Reads a file. Where it holds an explainable model and `keep_head` is false, its head is thrown away and its
    /// layers have the names of the classifier that it was made from.
    ///
    /// # Errors
    /// [`Error::Model`] says why it is no classifier that can be explained.
    pub fn read(file: &str, bytes: &[u8], keep_head: bool) -> Result<Classifier> {
        let mut graph = onnx::read(file, bytes)?;
        let metadata = Metadata::read(&graph)?;
        let mut stored_head = take_head(&mut graph);
        if stored_head.is_some() && !keep_head {
            let name = metadata.layer.as_deref().filter(|name| !name.is_empty() && !graph.wires().contains(name));
            let name = name.map_or_else(|| graph.free_name(ACTIVATIONS), str::to_owned);
            graph.rename(ACTIVATIONS, &name);
            stored_head = None;
        }
        fix_picture(&mut graph, &metadata)?;
        let scores = only_output(&graph)?;
        let facts = analysis::fold(&mut graph)?;
        let classes = match facts.get(&scores) {
            Some(Fact { kind: ElementType::F32, shape }) => match shape.as_slice() {
                [1, classes] => *classes,
                _ => return Err(not_scores(&graph, &scores, &format!("has shape {shape:?}"))),
            },
            _ => return Err(not_scores(&graph, &scores, "has no fixed shape of f32 values")),
        };
        Ok(Classifier { graph, scores, classes, facts, metadata, stored_head })
    }
}

/// The gradient head that a file brought.
pub struct StoredHead {
    pub(super) nodes: Vec<onnx::Node>,
    pub(super) initializers: std::collections::BTreeMap<String, onnx::Tensor>,
}

/// Takes the gradient head out of an explainable model, leaving the classifier.
fn take_head(graph: &mut Graph) -> Option<StoredHead> {
    let has_output = |name: &str| graph.outputs.iter().any(|port| port.name == name);
    if !(graph.inputs.iter().any(|port| port.name == TARGET) && has_output(GRADIENTS) && has_output(ACTIVATIONS)) {
        return None;
    }
    let classifier: Vec<&str> =
        graph.outputs.iter().map(|port| port.name.as_str()).filter(|name| *name != GRADIENTS).collect();
    let kept = graph.before(&classifier, &[]);
    let mut head = StoredHead { nodes: Vec::new(), initializers: graph.initializers.clone() };
    for (at, node) in std::mem::take(&mut graph.nodes).into_iter().enumerate() {
        if kept.contains(&at) { graph.nodes.push(node) } else { head.nodes.push(node) }
    }
    graph.inputs.retain(|port| port.name != TARGET);
    graph.outputs.retain(|port| port.name != GRADIENTS && port.name != ACTIVATIONS);
    graph.drop_unused_initializers();
    Some(head)
}

/// Finds the picture among the inputs and gives it a fixed shape `[1, 3, H, W]`.
fn fix_picture(graph: &mut Graph, metadata: &Metadata) -> Result<()> {
    let file = graph.file.clone();
    let refuse = |reason: String| Err(Error::model(&file, reason));
    let [port] = graph.inputs.as_mut_slice() else {
        let names: Vec<&str> = graph.inputs.iter().map(|port| port.name.as_str()).collect();
        return refuse(format!("a classifier has one input, the picture; this one has {}: {names:?}", names.len()));
    };
    if port.kind != ElementType::F32 {
        return refuse(format!("its input `{}` is {:?}; a picture of F32 values is needed", port.name, port.kind));
    }
    let stored = metadata.preprocessing.as_ref();
    let (height, width) = match port.shape.as_deref() {
        Some([None | Some(1), None | Some(3), height, width]) => {
            (height.or(stored.map(|p| p.height)), width.or(stored.map(|p| p.width)))
        }
        Some(shape) => {
            let sides: Vec<String> =
                shape.iter().map(|side| side.map_or("?".into(), |side| side.to_string())).collect();
            let sides = sides.join(", ");
            return refuse(format!(
                "its input `{}` has shape [{sides}]; a picture [1, 3, height, width] is needed",
                port.name
            ));
        }
        None => {
            return refuse(format!(
                "its input `{}` has no shape; a picture [1, 3, height, width] is needed",
                port.name
            ));
        }
    };
    let (Some(height), Some(width)) = (height, width) else {
        return refuse(format!("its input `{}` has no fixed height and width; export it with fixed ones", port.name));
    };
    if height > 4096 || width > 4096 {
        return refuse(format!(
            "its input `{}` wants {width}×{height} pixels; at most 4096×4096 are supported",
            port.name
        ));
    }
    *port = Port::f32(&port.name, &[1, 3, height, width]);
    Ok(())
}

fn only_output(graph: &Graph) -> Result<String> {
    match graph.outputs.as_slice() {
        [port] => Ok(port.name.clone()),
        ports => {
            let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            let reason = format!("a classifier has one output, the scores; this one has {}: {names:?}", names.len());
            Err(Error::model(&graph.file, reason))
        }
    }
}

fn not_scores(graph: &Graph, scores: &str, what: &str) -> Error {
    Error::model(
        &graph.file,
        format!("its output `{scores}` {what}; one score for each class, [1, classes], is needed"),
    )
}
