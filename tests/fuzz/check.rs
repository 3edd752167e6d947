//! What must hold for any file, and how far one gets.

use gradcam::engine::Engine;
use gradcam::model::{Classifier, Model, Options, layers};
use gradcam::onnx::{ElementType, Fact};
use gradcam::preprocess::Input;
use gradcam::target::Target;
use std::fmt::{self, Display, Formatter};

/// How far a file gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Not read: no sound ONNX graph.
    Refused,
    /// Read, but no classifier, or one whose gradient cannot be told.
    Read,
    /// Exported and loaded again.
    Exported,
    /// And run, before and after.
    Run,
}

impl Display for Reached {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Reached::Refused => "refused",
            Reached::Read => "read",
            Reached::Exported => "exported",
            Reached::Run => "run",
        })
    }
}

/// Multiplications and elements that a forward pass may take here; more is no question of reading a file.
const WORK: usize = 1 << 23;
/// Larger graphs are not compiled.
const NODES: usize = 600;
/// How messages call the file.
const FILE: &str = "fuzzed.onnx";

/// Loads, exports, loads again, and runs.
///
/// # Errors
/// What does not hold.
pub fn check(bytes: &[u8]) -> Result<Reached, String> {
    if let Err(error) = gradcam::onnx::read(FILE, bytes) {
        return told_well(&error).map(|()| Reached::Refused);
    }
    let classifier = match Classifier::read(FILE, bytes, &Options::default().reading()) {
        Ok(classifier) => classifier,
        Err(error) => return told_well(&error).map(|()| Reached::Read),
    };
    let small = is_small(&classifier);
    let layers = layers::all(&classifier.graph, &classifier.scores, &classifier.facts);
    drop(classifier);
    let mut reached = explained(bytes, &Options::default(), small)?;
    // The bytes choose, so that the file tells it all.
    let sum = bytes.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    if !layers.is_empty() {
        let layer = Some(layers[sum / 8 % layers.len()].layer.wire.clone());
        let other = explained(bytes, &Options { layer, ..Options::default() }, small)?;
        reached = if other as u8 > reached as u8 { other } else { reached };
    }
    Ok(reached)
}

/// One line that names the file.
fn told_well(error: &gradcam::Error) -> Result<(), String> {
    let text = error.to_string();
    let named = text.contains(FILE) || matches!(error, gradcam::Error::Input { .. });
    if !named || text.chars().any(char::is_control) || text.len() > 2000 {
        let start: String = text.chars().take(300).collect();
        return Err(format!("an error of {} bytes is not one line that names the file: {start:?}", text.len()));
    }
    Ok(())
}

fn explained(bytes: &[u8], options: &Options, small: bool) -> Result<Reached, String> {
    let model = match Model::load(FILE, bytes, options) {
        Ok(model) => model,
        Err(error) => return told_well(&error).map(|()| Reached::Read),
    };
    let exported = model.to_bytes(Some("MIT"), "0");
    let again = Model::load("exported.onnx", &exported, &Options::default())
        .map_err(|error| format!("the exported file is refused: {error}"))?;
    if again.info.layer.shape != model.info.layer.shape || again.info.classes() != model.info.classes() {
        return Err(format!("exported with layer {:?}, read as {:?}", model.info.layer, again.info.layer));
    }
    if !small || !affordable(&model) {
        return Ok(Reached::Exported);
    }
    let Ok(before) = run(&model)? else { return Ok(Reached::Exported) };
    let after = match run(&again)? {
        Ok(after) => after,
        // The check of stored heads draws activations of its own, for which a row of products may have no finite value.
        Err(reason) if reason.contains("relative difference NaN") => return Ok(Reached::Exported),
        Err(reason) => return Err(format!("the exported file does not run, though the file did: {reason}")),
    };
    for (what, before, after) in [("scores", &before.0, &after.0), ("gradients", &before.1, &after.1)] {
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * (1.0 + a.abs().max(b.abs()));
        if before.len() != after.len() || !before.iter().zip(after).all(near) {
            return Err(format!("{what} before export {before:?}, after it {after:?}"));
        }
    }
    Ok(Reached::Run)
}

/// Scores and gradients.
type Values = (Vec<f32>, Vec<f32>);

/// What the engine finds in one picture, or why it refuses.
fn run(model: &Model) -> Result<Result<Values, String>, String> {
    let refused = |error: gradcam::Error| {
        let text = error.to_string();
        match text.chars().any(char::is_control) {
            true => Err(format!("an error is not one line: {text:?}")),
            false => Ok(Err(text)),
        }
    };
    let mut engine = match Engine::new(model, 1) {
        Ok(engine) => engine,
        Err(error) => return refused(error),
    };
    let mut input = Input::new(&model.info.preprocessing);
    input.tensor.iter_mut().enumerate().for_each(|(at, value)| *value = ((at * 37) % 101) as f32 / 50.0 - 1.0);
    let forward = match engine.forward(&input) {
        Ok(forward) => forward,
        Err(error) => return refused(error),
    };
    let scores = forward.scores().to_vec();
    match engine.gradients(&forward, Target::class(scores.len() - 1)) {
        Ok(evidence) => Ok(Ok((scores, evidence.gradients().iter().copied().collect()))),
        Err(error) => refused(error),
    }
}

/// Whether a forward pass takes little: a file may ask for a picture or a layer of any size that is within bounds.
fn is_small(classifier: &Classifier) -> bool {
    let size = |wire: &String| classifier.facts.get(wire).map_or(1, elements);
    let work = |node: &gradcam::onnx::Node| {
        let window: usize = node.ints("kernel_shape").into_iter().flatten().map(|side| *side as usize).product();
        let largest = node.inputs.iter().skip(1).map(size).max().unwrap_or(1);
        let per_element = if is_linear(&node.op) { largest } else { window };
        node.outputs.iter().map(size).sum::<usize>().saturating_mul(per_element.max(1))
    };
    classifier.graph.nodes.iter().map(work).fold(0, usize::saturating_add) <= WORK
}

fn is_linear(op: &str) -> bool {
    matches!(op, "Conv" | "ConvTranspose" | "MatMul" | "Gemm" | "Einsum")
}

fn elements(fact: &Fact) -> usize {
    let bytes: usize = if fact.kind == ElementType::F64 { 2 } else { 1 };
    fact.shape.iter().copied().fold(bytes, usize::saturating_mul)
}

/// Whether compiling takes little: an engine's time for it grows with the square of the number of nodes.
fn affordable(model: &Model) -> bool {
    let heads = model.stored_head.iter().chain([&model.parts.head]);
    heads.chain([&model.graph]).all(|graph| graph.nodes.len() <= NODES)
}
