//! The scores among a classifier's outputs: before a softmax or sigmoid, one for each class.

use crate::error::{Error, Result};
use crate::onnx::few;
use crate::onnx::graph::{ElementType, Fact, Facts, Graph, Node, Tensor};
use serde::{Deserialize, Serialize};

/// What makes probabilities of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probabilities {
    /// Exactly one class is true.
    Softmax,
    /// Each class is true or not, whatever the others are: multi-label, or one score for yes and no.
    Sigmoid,
}

impl std::fmt::Display for Probabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Probabilities::Softmax => "softmax",
            Probabilities::Sigmoid => "sigmoid",
        })
    }
}

/// Keeps one output: the one of that name, or the only one. What no other output needs is dropped.
///
/// # Errors
/// [`Error::Model`] lists the outputs.
pub fn choose(graph: &mut Graph, name: Option<&str>) -> Result<()> {
    let names: Vec<&str> = graph.outputs.iter().map(|port| port.name.as_str()).collect();
    let refuse = |reason: String| Err(Error::model(&graph.file, reason));
    let at = match (name, names.as_slice()) {
        (None, [_]) => 0,
        (None, _) => {
            return refuse(format!(
                "a classifier has one output, the scores; this one has {}: {}. If it is no detector or segmenter, \
                 name the one with the scores (--scores)",
                names.len(),
                few(&names)
            ));
        }
        (Some(name), _) => match names.iter().position(|known| *known == name) {
            Some(at) => at,
            None => return refuse(format!("it has no output `{name}`; there are {}", few(&names))),
        },
    };
    graph.outputs = vec![graph.outputs.swap_remove(at)];
    graph.drop_unneeded();
    Ok(())
}

/// Makes the graph's output the scores `[1, C]` before a softmax or sigmoid at its end; returns their wire, C, and which
/// of the two there was.
///
/// # Errors
/// [`Error::Model`] says why the output is no score vector.
pub fn find(graph: &mut Graph, facts: &mut Facts) -> Result<(String, usize, Option<Probabilities>)> {
    let output = graph.outputs[0].name.clone();
    let classes = match facts.get(&output) {
        Some(Fact { kind: ElementType::F32, shape }) => classes(graph, &output, shape)?,
        _ => return Err(not_scores(graph, &output, "has no fixed shape of f32 values".to_owned())),
    };
    let (wire, ending) = before_the_end(graph, facts, &output)?;
    if !facts.contains_key(&wire) {
        return Err(not_scores(graph, &output, "is made of values of no fixed shape".to_owned()));
    }
    if let Some(reason) = embedding(graph, facts, &wire) {
        return Err(not_scores(graph, &output, reason));
    }
    let mut scores = wire;
    if facts[&scores].shape != [1, classes] {
        scores = with_shape(graph, facts, &scores, classes);
    }
    graph.outputs[0].name = scores.clone();
    if ending.is_some() {
        graph.drop_unneeded();
        // The name of the wire before a softmax is nothing that anybody gave.
        let name = if graph.wires().contains("scores") { graph.free_name("scores") } else { "scores".to_owned() };
        graph.rename(&scores, &name);
        let fact = facts.remove(&scores).expect("the scores have a shape");
        facts.insert(name.clone(), fact);
        scores = name;
    }
    Ok((scores, classes, ending))
}

/// One score for each class: all sides are 1 but that of the classes.
fn classes(graph: &Graph, output: &str, shape: &[usize]) -> Result<usize> {
    let what = match shape {
        [classes] | [1, classes] => return Ok(*classes),
        [1, classes, 1, 1] | [1, 1, 1, classes] => return Ok(*classes),
        [1, _, height, width] => format!("holds a score for each of {height}×{width} cells: a segmentation"),
        [1, boxes, values] => {
            format!("holds {boxes} rows of {values} values: a detector's boxes, or a sequence such as read text")
        }
        [batch, _] if *batch > 1 => format!("has shape {shape:?}: the number of pictures is fixed in the file"),
        _ => format!("has shape {shape:?}"),
    };
    Err(not_scores(graph, output, what))
}

/// Looks through what only moves the values to a softmax or sigmoid, and returns the wire that it reads.
fn before_the_end(graph: &Graph, facts: &Facts, output: &str) -> Result<(String, Option<Probabilities>)> {
    let producers = graph.producers();
    let mut wire = output;
    while let Some(node) = producers.get(wire).map(|at| &graph.nodes[*at]) {
        match node.op.as_str() {
            "Identity" | "Dropout" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => wire = &node.inputs[0],
            "Sigmoid" => return Ok((node.inputs[0].clone(), Some(Probabilities::Sigmoid))),
            "Softmax" | "LogSoftmax" => {
                over_classes(graph, facts, node, output)?;
                return Ok((node.inputs[0].clone(), Some(Probabilities::Softmax)));
            }
            _ => break,
        }
    }
    Ok((output.to_owned(), None))
}

/// A softmax over one value is 1 whatever the picture shows.
fn over_classes(graph: &Graph, facts: &Facts, node: &Node, output: &str) -> Result<()> {
    let Some(Fact { shape, .. }) = facts.get(&node.inputs[0]) else { return Ok(()) };
    let rank = shape.len() as i64;
    let axis = node.int("axis").unwrap_or(if graph.opset >= 13 { -1 } else { 1 });
    let axis = if axis < 0 { axis + rank } else { axis }.clamp(0, rank) as usize;
    // Before operator set 13, all axes from this one on.
    let over = if graph.opset >= 13 { shape.get(axis).copied().unwrap_or(1) } else { shape[axis..].iter().product() };
    if over == shape.iter().product::<usize>() && over > 1 {
        return Ok(());
    }
    let what = format!("is a softmax over {over} of the values of shape {shape:?}, which is no softmax over classes");
    Err(not_scores(graph, output, what))
}

/// The same values as `[1, C]`.
fn with_shape(graph: &mut Graph, facts: &mut Facts, wire: &str, classes: usize) -> String {
    let (row, shape) = (graph.free_name("scores"), graph.free_name("scores_shape"));
    graph.initializers.insert(shape.clone(), Tensor::i64(&[1, classes as i64]));
    graph.nodes.push(Node {
        name: row.clone(),
        op: "Reshape".to_owned(),
        inputs: vec![wire.to_owned(), shape],
        outputs: vec![row.clone()],
        attributes: Default::default(),
    });
    facts.insert(row.clone(), Fact::f32(&[1, classes]));
    row
}

/// Why the values are features that describe a picture rather than scores of classes; `None` where nothing says so.
fn embedding(graph: &Graph, facts: &Facts, scores: &str) -> Option<String> {
    let producers = graph.producers();
    let producer = |wire: &str| producers.get(wire).map(|at| &graph.nodes[*at]);
    let mut wire = scores;
    while let Some(node) = producer(wire) {
        match node.op.as_str() {
            "LpNormalization" => return Some("is a normalised vector: an embedding, not scores".to_owned()),
            "Div" if is_norm(graph, &node.inputs[1]) => {
                return Some("is a vector divided by its length: an embedding, not scores".to_owned());
            }
            "Identity" | "Dropout" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Cast" | "Relu" | "Add"
            | "Mul" | "Sub" | "Div" | "BatchNormalization" => wire = &node.inputs[0],
            "GlobalAveragePool" | "AveragePool" | "GlobalMaxPool" | "MaxPool" | "ReduceMean" | "ReduceMax" => {
                wire = &node.inputs[0];
                break;
            }
            _ => return None,
        }
    }
    // One map per class, pooled, makes scores; the sum or the norm of a block does not.
    if facts.get(wire).is_none_or(|fact| fact.shape.len() != 4) {
        return None;
    }
    while let Some(node) = producer(wire) {
        match node.op.as_str() {
            "Relu" | "Clip" | "Identity" | "Dropout" | "LeakyRelu" | "Sigmoid" => wire = &node.inputs[0],
            "Add" | "BatchNormalization" | "Concat" => {
                return Some(
                    "is made of pooled features without a layer that makes scores of them: an embedding".into(),
                );
            }
            _ => return None,
        }
    }
    None
}

/// Whether a wire holds the length of a vector, perhaps kept from 0 and expanded.
fn is_norm(graph: &Graph, wire: &str) -> bool {
    let producers = graph.producers();
    let mut wire = wire;
    while let Some(node) = producers.get(wire).map(|at| &graph.nodes[*at]) {
        match node.op.as_str() {
            "ReduceL2" => return true,
            "Clip" | "Max" | "Expand" | "Add" | "Sqrt" | "Unsqueeze" | "Reshape" | "Pow" => wire = &node.inputs[0],
            "ReduceSumSquare" => return true,
            _ => return false,
        }
    }
    false
}

fn not_scores(graph: &Graph, output: &str, what: String) -> Error {
    Error::model(
        &graph.file,
        format!("its output `{output}` {what}; one score for each class, [1, classes], is needed"),
    )
}
