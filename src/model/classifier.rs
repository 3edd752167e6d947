//! The classifier in a file: its picture, its scores and what its wires carry.

use super::metadata::Metadata;
use super::scores::{self, Probabilities};
use super::{analysis, half, picture};
use crate::error::Result;
use crate::onnx::graph::{Facts, Graph};
use crate::onnx::{self, ACTIVATIONS, GRADIENTS, TARGET};

/// What the user says about a file before its layers can be looked at.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Takes the gradient head that the file may hold with it. Otherwise it is thrown away, and the layers have the names
    /// of the classifier that it was made from.
    pub keep_head: bool,
    /// Width and height of the picture, where the file leaves them open.
    pub size: Option<(usize, usize)>,
    /// The output with the scores, where there are several.
    pub scores: Option<String>,
}

/// A classifier without gradient head, whose picture has a fixed size.
pub struct Classifier {
    pub graph: Graph,
    /// Name of the output with the scores, `[1, classes]`, before softmax or sigmoid.
    pub scores: String,
    pub classes: usize,
    /// What each wire carries.
    pub facts: Facts,
    pub metadata: Metadata,
    /// The softmax or sigmoid that stood at the end.
    pub ending: Option<Probabilities>,
    /// The file holds float16 numbers, which are computed with as float32.
    pub widened: bool,
    /// The file's picture is `[1, H, W, 3]`; the graph transposes the one that it is given.
    pub colours_last: bool,
    /// The head that was taken out of the file.
    pub stored_head: Option<StoredHead>,
}

impl Classifier {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Model`] says why it is no classifier that can be explained.
    pub fn read(file: &str, bytes: &[u8], reading: &Reading) -> Result<Classifier> {
        let mut graph = onnx::read(file, bytes)?;
        let metadata = Metadata::read(&graph)?;
        let mut stored_head = take_head(&mut graph);
        if stored_head.is_some() && !reading.keep_head {
            let name = metadata.layer.as_deref().filter(|name| !name.is_empty() && !graph.wires().contains(name));
            let name = name.map_or_else(|| graph.free_name(ACTIVATIONS), str::to_owned);
            graph.rename(ACTIVATIONS, &name);
            stored_head = None;
        }
        let widened = half::widen(&mut graph);
        scores::choose(&mut graph, reading.scores.as_deref())?;
        let colours_last = picture::fix(&mut graph, &metadata, reading.size)?;
        let mut facts = analysis::fold(&mut graph)?;
        let (scores, classes, ending) = scores::find(&mut graph, &mut facts)?;
        Ok(Classifier { graph, scores, classes, facts, metadata, ending, widened, colours_last, stored_head })
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
