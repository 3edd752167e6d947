//! A classifier's file → the model that the engine runs: cut into backbone, tail and gradient head, with what the file
//! says of itself. A plain classifier gets its head here; a head that is stored is derived again for the engine's check.

pub mod analysis;
mod forms;
mod classifier;
mod constants;
mod half;
pub mod labels;
pub mod layers;
pub mod metadata;
mod picture;
pub mod scores;
mod spatial;

use crate::autodiff;
use crate::error::{Error, Result};
use crate::onnx::graph::{Fact, Facts, Graph, Port};
use crate::onnx::{self, ACTIVATIONS, GRADIENTS, MAX_NODES, Parts, Shared, TARGET};
pub use classifier::{Classifier, Reading};
use layers::Layer;
use metadata::{Metadata, NullLevels, Preprocessing, Resize, Wish};
use scores::Probabilities;

/// The model that is built into the program: EfficientNet-Lite0 with its gradient head.
pub const DEFAULT_MODEL: &[u8] = include_bytes!("../../models/efficientnet_lite0.onnx");
/// How messages and results call it.
pub const DEFAULT_MODEL_NAME: &str = "efficientnet_lite0";

/// What the user says about a file that does not say it itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The target layer (see [`layers::named`]); `None`: the automatic choice, or the one stored in the file.
    pub layer: Option<String>,
    /// How pictures are brought to the network; the file's own metadata wins.
    pub preprocess: Wish,
    /// How frames are brought to the network's shape; wins over the file's.
    pub fit: Option<Resize>,
    /// One label for each class; wins over the file's.
    pub labels: Option<Vec<String>>,
    /// Width and height of the picture, where the file leaves them open.
    pub size: Option<(usize, usize)>,
    /// The output with the scores, where there are several.
    pub scores: Option<String>,
    /// The classes do not exclude each other, although no sigmoid stands behind the scores.
    pub multi_label: bool,
}

impl Options {
    /// What is to be known before the layers can be looked at.
    pub fn reading(&self) -> Reading {
        Reading { keep_head: self.layer.is_none(), size: self.size, scores: self.scores.clone() }
    }
}

/// What everything after the engine wants to know about a model.
#[derive(Debug, Clone)]
pub struct Info {
    pub file: String,
    pub layer: Layer,
    /// One for each class.
    pub labels: Vec<String>,
    /// Neither the file nor the user named the classes: the labels are their numbers.
    pub labels_assumed: bool,
    pub preprocessing: Preprocessing,
    /// Neither the file nor the user said how to preprocess: `imagenet` is assumed.
    pub preprocessing_assumed: bool,
    /// What makes probabilities of the scores.
    pub probabilities: Probabilities,
    /// A softmax or sigmoid stood behind the scores: these are explained before it.
    pub ending: Option<Probabilities>,
    /// The file holds float16 numbers, which are computed with as float32.
    pub widened: bool,
    pub null_levels: Option<NullLevels>,
    pub licence: Option<String>,
    /// Whether the gradients change with the picture, or with the target only.
    pub head_depends_on_picture: bool,
}

impl Info {
    pub fn classes(&self) -> usize {
        self.labels.len()
    }

    /// The class of a number, of a label (ignoring case), or of the beginning of exactly one label, unless it is a whole word
    /// of others.
    ///
    /// # Errors
    /// [`Error::Input`] says what there is instead.
    pub fn class(&self, name: &str) -> Result<usize> {
        if let Ok(class) = name.parse::<usize>() {
            let range =
                || Error::input(format!("class `{name}`"), format!("the classes are 0 to {}", self.classes() - 1));
            return (class < self.classes()).then_some(class).ok_or_else(range);
        }
        let wanted = name.to_lowercase();
        let labels = || self.labels.iter().map(|label| label.to_lowercase()).enumerate();
        let chosen = |matches: &dyn Fn(&str) -> bool| -> Vec<usize> {
            labels().filter(|(_, label)| matches(label)).map(|(class, _)| class).collect()
        };
        let listed = |classes: &[usize]| {
            let some: Vec<String> = classes.iter().take(5).map(|at| format!("{at} `{}`", self.labels[*at])).collect();
            let more = if classes.len() > some.len() { " and more" } else { "" };
            some.join(", ") + more
        };
        let refuse = |reason: String| Err(Error::input(format!("class `{name}`"), reason));
        let exact = chosen(&|label| label == wanted);
        let starting = chosen(&|label| !wanted.is_empty() && label.starts_with(&wanted));
        // `cat` is no catamaran where there are cats.
        let word = chosen(&|label| label.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == wanted));
        match (exact.as_slice(), starting.as_slice()) {
            ([class], _) => Ok(*class),
            ([], [class]) if word.is_empty() || word == [*class] => Ok(*class),
            ([], [_]) => refuse(format!("it is a word of several labels: {}", listed(&word))),
            ([], []) => {
                let like = chosen(&|label| !wanted.is_empty() && label.contains(&wanted));
                match like.is_empty() {
                    true => refuse("no class has this label".to_owned()),
                    false => refuse(format!("no label is or begins so; there are {}", listed(&like))),
                }
            }
            ([], several) => refuse(format!("several labels begin so: {}", listed(several))),
            (several, _) => refuse(format!("several classes have this label: {}", listed(several))),
        }
    }
}

/// A model, ready for the engine.
#[derive(Debug)]
pub struct Model {
    /// The whole explainable graph.
    pub graph: Graph,
    pub parts: Parts,
    /// Tail and head for the engine, where the head reads what the tail computes; the head of `parts`, which is the file's,
    /// stands alone.
    pub shared: Option<Shared>,
    /// The file's picture is `[1, H, W, 3]`; the graph transposes the one that it is given.
    colours_last: bool,
    /// The head that the file brought, for the engine's check. What runs is the head of `parts`.
    pub stored_head: Option<Graph>,
    pub info: Info,
}

impl Model {
    /// The built-in model.
    pub fn default_model() -> Result<Model> {
        Model::load(DEFAULT_MODEL_NAME, DEFAULT_MODEL, &Options::default())
    }

    /// Loads a classifier, with or without a gradient head.
    ///
    /// # Errors
    /// [`Error::Model`], [`Error::UnsupportedOperator`] or [`Error::Input`], with what is wrong and where.
    pub fn load(file: &str, bytes: &[u8], options: &Options) -> Result<Model> {
        let Classifier { mut graph, scores, classes, mut facts, metadata, ending, widened, colours_last, stored_head } =
            Classifier::read(file, bytes, &options.reading())?;
        let refuse = |reason: String| Error::model(file, reason);
        let mut layer = match (&options.layer, &stored_head) {
            (Some(name), _) => layers::named(&graph, name, &scores, &facts).map_err(refuse)?,
            (None, Some(_)) => layers::named(&graph, ACTIVATIONS, &scores, &facts).map_err(refuse)?,
            (None, None) => layers::automatic(&graph, &scores, classes, &facts).map_err(refuse)?,
        };
        let layer_named = Some(layer.wire.clone());
        name_activations(&mut graph, &layer.wire, &mut facts);
        // Renaming may have moved the scores out of the way.
        let scores = graph.outputs[0].name.clone();
        if stored_head.is_some() {
            layer.wire = metadata.layer.clone().unwrap_or(layer.wire);
            layer.reason = "stored in the file".to_owned();
        }

        let mut derived = graph.clone();
        autodiff::append_head(&mut derived, &scores, &facts)?;
        if derived.nodes.len() > MAX_NODES {
            let nodes = derived.nodes.len();
            let advice = "a target layer nearer to the scores has a smaller one";
            return Err(refuse(format!(
                "it has {nodes} nodes with its gradient head, at most {MAX_NODES} are supported; {advice}"
            )));
        }
        derived.outputs.insert(1, Port::f32(ACTIVATIONS, &layer.shape));
        facts.insert(TARGET.to_owned(), Fact::f32(&[1, classes]));
        facts.insert(GRADIENTS.to_owned(), Fact::f32(&layer.shape));
        let derived_parts = onnx::cut(&derived, &scores, &facts).map_err(refuse)?;
        let shared = Shared::of(&derived_parts, &facts);

        // What runs is always the derived head: a stored one is only compared with it.
        let (graph, parts, stored_head) = match stored_head {
            None => (derived, derived_parts, None),
            Some(head) => {
                let mut whole = graph;
                whole.nodes.extend(head.nodes);
                whole.initializers.extend(head.initializers);
                whole.inputs = derived.inputs;
                whole.outputs = derived.outputs;
                let stored = onnx::cut(&whole, &scores, &facts).map_err(refuse)?.head;
                analysis::check(&stored)?;
                (whole, derived_parts, Some(stored))
            }
        };
        let info = Info {
            file: file.to_owned(),
            labels_assumed: metadata.labels.is_none() && options.labels.is_none(),
            labels: choose_labels(file, options, metadata.labels, classes)?,
            preprocessing_assumed: metadata.preprocessing.is_none() && options.preprocess == Wish::default(),
            preprocessing: choose_preprocessing(&graph, options, metadata.preprocessing)?,
            probabilities: match ending.or(metadata.probabilities) {
                _ if options.multi_label => Probabilities::Sigmoid,
                // One score says yes or no.
                None if classes == 1 => Probabilities::Sigmoid,
                known => known.unwrap_or(Probabilities::Softmax),
            },
            ending,
            widened,
            // They belong to the stored head's layer, by whatever name that is asked for.
            null_levels: metadata.null_levels.filter(|_| options.layer.is_none() || metadata.layer == layer_named),
            licence: metadata.licence,
            head_depends_on_picture: parts.head_depends_on_picture(),
            layer,
        };
        Ok(Model { graph, parts, shared, colours_last, stored_head, info })
    }

    /// The bytes of the explainable model: any ONNX runtime gives the same outputs.
    ///
    /// `licence` and `source_sha256` are stored with what is known of the model.
    pub fn to_bytes(&self, licence: Option<&str>, source_sha256: &str) -> Vec<u8> {
        let mut graph = self.graph.clone();
        let metadata = Metadata {
            layer: Some(self.info.layer.wire.clone()),
            preprocessing: Some(self.info.preprocessing.clone()),
            labels: (!self.info.labels_assumed).then(|| self.info.labels.clone()),
            licence: licence.map(str::to_owned).or_else(|| self.info.licence.clone()),
            source_sha256: Some(source_sha256.to_owned()),
            null_levels: self.info.null_levels.clone(),
            probabilities: Some(self.info.probabilities),
        };
        metadata.write(&mut graph);
        if self.colours_last {
            picture::restore(&mut graph);
        }
        onnx::to_bytes(&graph)
    }

    /// By how many bytes the gradient head makes the explainable model larger.
    pub fn head_bytes(&self) -> usize {
        let mut plain = self.graph.clone();
        plain.outputs.retain(|port| port.name != GRADIENTS);
        plain.inputs.retain(|port| port.name != TARGET);
        let outputs: Vec<&str> = plain.outputs.iter().map(|port| port.name.as_str()).collect();
        let kept = plain.before(&outputs, &[]);
        let nodes = std::mem::take(&mut plain.nodes).into_iter().enumerate();
        plain.nodes = nodes.filter(|(at, _)| kept.contains(at)).map(|(_, node)| node).collect();
        plain.drop_unused_initializers();
        onnx::to_bytes(&self.graph).len().saturating_sub(onnx::to_bytes(&plain).len())
    }
}

/// Renames the target layer's wire to `activations`, and whatever has the names of the head's ports out of the way.
fn name_activations(graph: &mut Graph, wire: &str, facts: &mut Facts) {
    let mut rename = |graph: &mut Graph, from: &str, to: &str| {
        graph.rename(from, to);
        if let Some(fact) = facts.remove(from) {
            facts.insert(to.to_owned(), fact);
        }
    };
    for reserved in [ACTIVATIONS, GRADIENTS, TARGET] {
        if reserved != wire && graph.wires().contains(reserved) {
            let free = graph.free_name(reserved);
            rename(graph, reserved, &free);
        }
    }
    if wire != ACTIVATIONS {
        rename(graph, wire, ACTIVATIONS);
    }
}

/// The user's labels, those of the file, or numbers.
fn choose_labels(file: &str, options: &Options, stored: Option<Vec<String>>, classes: usize) -> Result<Vec<String>> {
    let Some(labels) = options.labels.clone().or(stored) else {
        return Ok((0..classes).map(|class| format!("class {class}")).collect());
    };
    labels::check(&labels, classes).map_err(|reason| Error::model(file, reason))?;
    Ok(labels)
}

/// The file's preprocessing, the one that the user names, or `imagenet`; with the user's fit in any case.
fn choose_preprocessing(graph: &Graph, options: &Options, stored: Option<Preprocessing>) -> Result<Preprocessing> {
    let Some([_, _, Some(height), Some(width)]) = graph.inputs[0].shape.as_deref() else {
        return Err(Error::model(&graph.file, "its picture has no fixed shape"));
    };
    let wished = options.preprocess.preprocessing(*width, *height)?;
    let chosen = match stored {
        Some(stored) if (stored.width, stored.height) == (*width, *height) => Ok(stored),
        Some(Preprocessing { width: w, height: h, .. }) => {
            let reason = format!("its metadata says {w}×{h} pixels, its input has {width}×{height}");
            Err(Error::model(&graph.file, reason))
        }
        None => Ok(wished),
    }?;
    Ok(Preprocessing { resize: options.fit.unwrap_or(chosen.resize), ..chosen })
}
