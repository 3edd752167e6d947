//! `gradcam inspect`: what a classifier offers to look at.

use super::SUCCESS;
use super::model::{OptionArgs, read};
use crate::autodiff;
use crate::cam::methods;
use crate::engine::{Backend, Engine, Fusion};
use crate::model::layers::{self, Layer, Listed};
use crate::model::metadata::{Metadata, NullLevels, Preprocessing};
use crate::model::scores::Probabilities;
use crate::model::{Classifier, DEFAULT_MODEL, DEFAULT_MODEL_NAME};
use crate::onnx::ACTIVATIONS;
use crate::preprocess::Input;
use crate::target::{Target, best};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(mut_arg("input_size", |size| size.visible_alias("size")))]
pub struct Inspect {
    /// ONNX classifier [default: EfficientNet-Lite0, built in]
    classifier: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Model")]
    options: OptionArgs,
}

#[derive(Serialize)]
struct Report {
    file: String,
    opset: i64,
    /// `[1, 3, H, W]`.
    picture: Vec<usize>,
    classes: usize,
    /// The chosen target layer and why, or why there is none.
    target_layer: Option<Layer>,
    reason: String,
    /// The softmax or sigmoid at its end, before which the scores are taken.
    ending: Option<Probabilities>,
    /// What makes probabilities of the scores.
    probabilities: Option<Probabilities>,
    /// Whether the file brought its own gradient head.
    stored_head: bool,
    /// Whether the gradients change with the picture; nothing where there is no head.
    head_depends_on_picture: Option<bool>,
    /// Why the classifier cannot be explained at this layer; nothing where it can.
    refused: Option<String>,
    /// Operators between the target layer and the scores that have no gradient rule, with their nodes.
    without_rule: BTreeMap<String, Vec<String>>,
    /// Methods whose maps are the same for this head, each group by its names.
    coinciding: Vec<Vec<&'static str>>,
    /// What the fused engine takes of each part of the classifier; nothing where there is no head.
    fusion: BTreeMap<&'static str, Fusion>,
    /// For a pooled linear head, how far Σ g·A is from score − bias, relative to the score.
    completeness_error: Option<f32>,
    preprocessing: Option<Preprocessing>,
    null_levels: Option<NullLevels>,
    licence: Option<String>,
    source_sha256: Option<String>,
    /// Whether the file has labels.
    labelled: bool,
    layers: Vec<Listed>,
}

impl Inspect {
    pub fn run(self) -> anyhow::Result<u8> {
        let (file, bytes) = match &self.classifier {
            Some(path) => (path.display().to_string(), read(path)?),
            None => (DEFAULT_MODEL_NAME.to_owned(), DEFAULT_MODEL.to_vec()),
        };
        let report = self.report(&file, &bytes)?;
        if self.json {
            let out = &mut std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            print_report(&report)?;
        }
        Ok(SUCCESS)
    }

    fn report(&self, file: &str, bytes: &[u8]) -> anyhow::Result<Report> {
        let options = self.options.options()?;
        let Classifier { graph, scores, classes, facts, metadata, ending, stored_head, .. } =
            Classifier::read(file, bytes, &options.reading())?;
        let chosen = match (&options.layer, &stored_head) {
            (Some(name), _) => layers::named(&graph, name, &scores, &facts),
            (None, Some(_)) => layers::named(&graph, ACTIVATIONS, &scores, &facts),
            (None, None) => layers::automatic(&graph, &scores, classes, &facts),
        };
        let mut without_rule: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if let Ok(layer) = &chosen {
            let behind = graph.behind(&[layer.wire.as_str()]);
            let between = graph.before(&[scores.as_str()], &[layer.wire.as_str()]);
            let nodes = graph.nodes.iter().enumerate().filter(|(at, _)| behind.contains(at) && between.contains(at));
            for (_, node) in nodes.filter(|(_, node)| !autodiff::differentiable(&node.op)) {
                without_rule.entry(node.op.clone()).or_default().push(node.label().to_owned());
            }
        }
        let explained = self.options.model(file, bytes).and_then(|model| {
            let mut engine = Engine::with_backend(&model, 1, Backend::Fused)?;
            let forward = engine.forward(&checkered(&model.info.preprocessing))?;
            let target = Target::class(best(forward.scores()));
            let coinciding = methods::coinciding(engine.properties);
            let completeness = engine.completeness(&forward, target)?;
            Ok((completeness, coinciding, engine.fusion.into_iter().collect(), model.info))
        });
        let (completeness_error, coinciding, fusion, info, refused) = match explained {
            Ok((error, coinciding, fusion, info)) => (error, coinciding, fusion, Some(info), None),
            Err(error) => (None, Vec::new(), BTreeMap::new(), None, Some(error.to_string())),
        };
        let (target_layer, reason) = match (chosen, &info) {
            (_, Some(info)) => (Some(info.layer.clone()), info.layer.reason.clone()),
            (Ok(layer), None) => (Some(layer.clone()), layer.reason),
            (Err(reason), None) => (None, reason),
        };
        let Metadata { preprocessing, licence, source_sha256, labels, .. } = metadata;
        Ok(Report {
            file: file.to_owned(),
            opset: graph.opset,
            picture: graph.inputs[0].shape.iter().flatten().map(|side| side.unwrap_or(0)).collect(),
            classes,
            target_layer,
            reason,
            ending,
            probabilities: info.as_ref().map(|info| info.probabilities),
            stored_head: stored_head.is_some(),
            head_depends_on_picture: info.as_ref().map(|info| info.head_depends_on_picture),
            refused,
            without_rule,
            coinciding,
            fusion,
            completeness_error,
            preprocessing,
            null_levels: info.and_then(|info| info.null_levels),
            licence,
            source_sha256,
            labelled: labels.is_some(),
            layers: layers::all(&graph, &scores, &facts),
        })
    }
}

/// An input with structure, so that features are warm.
fn checkered(preprocessing: &Preprocessing) -> Input {
    let mut input = Input::new(preprocessing);
    input.tensor.indexed_iter_mut().for_each(|((_, colour, y, x), value)| {
        *value = if (x / 16 + y / 24 + colour) % 2 == 0 { 1.0 } else { -0.5 };
    });
    input
}

/// How much of a graph is fused, and why the rest is not: each reason once, with the first of its nodes.
fn summary(fusion: &Fusion) -> String {
    let Fusion { regions, fused, others } = fusion;
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for other in others {
        reasons.entry(&other.reason).or_default().push(&other.node);
    }
    let reasons = reasons.into_iter().map(|(reason, nodes)| match nodes.as_slice() {
        [node] => format!("`{node}` ({reason})"),
        [node, rest @ ..] => format!("`{node}` and {} more ({reason})", rest.len()),
        [] => unreachable!("a reason has a node"),
    });
    let reasons: Vec<String> = reasons.collect();
    let rest = if reasons.is_empty() { String::new() } else { format!("; not {}", reasons.join(", ")) };
    let plural = if *regions == 1 { "" } else { "s" };
    format!("{} of {} nodes in {regions} region{plural}{rest}", fused.len(), fused.len() + others.len())
}

fn print_report(report: &Report) -> std::io::Result<()> {
    let out = &mut std::io::stdout().lock();
    let yes = |there: bool| if there { "yes" } else { "no" };
    writeln!(out, "{}", report.file)?;
    writeln!(out, "  picture        {:?}, opset {}", report.picture, report.opset)?;
    writeln!(out, "  classes        {}, labels in the file: {}", report.classes, yes(report.labelled))?;
    match (report.ending, report.probabilities) {
        (Some(ending), _) => writeln!(out, "  scores         those before the {ending} at the end")?,
        (None, Some(probabilities)) => writeln!(out, "  scores         probabilities by {probabilities}")?,
        (None, None) => {}
    }
    match &report.target_layer {
        Some(layer) => {
            writeln!(out, "  target layer   {} {:?}", layer.wire, layer.shape)?;
            writeln!(out, "                 {}", report.reason)?;
        }
        None => writeln!(out, "  target layer   none: {}", report.reason)?,
    }
    match (&report.refused, report.head_depends_on_picture) {
        (Some(reason), _) => writeln!(out, "  refused        {reason}")?,
        (None, Some(true)) => writeln!(out, "  gradient head  changes with the picture, run for every frame")?,
        (None, _) => writeln!(out, "  gradient head  changes with the target only, run when it changes")?,
    }
    for (operator, nodes) in &report.without_rule {
        writeln!(out, "  without rule   {operator}: {}", nodes.join(", "))?;
    }
    for names in &report.coinciding {
        writeln!(out, "  same map       {}", names.join(" = "))?;
    }
    if let Some(error) = report.completeness_error {
        writeln!(out, "  completeness   Σ g·A = score − bias within {error:.1e} of the score")?;
    }
    for (part, fusion) in &report.fusion {
        writeln!(out, "  {:<14} {}", format!("fused {part}"), summary(fusion))?;
    }
    match &report.preprocessing {
        Some(preprocessing) => writeln!(out, "  preprocessing  {preprocessing}")?,
        None => writeln!(out, "  preprocessing  not in the file: imagenet, or what --preprocess says")?,
    }
    if let Some(levels) = &report.null_levels {
        let maps: Vec<String> = levels.map_max.iter().map(|(method, max)| format!("{method} {max:.2}")).collect();
        let NullLevels { evidence, contrast, .. } = levels;
        writeln!(
            out,
            "  null levels    evidence {evidence:.2}, contrast {contrast:.3}, map maximum {}",
            maps.join(", ")
        )?;
    }
    if let Some(licence) = &report.licence {
        writeln!(out, "  licence        {licence}")?;
    }
    if let Some(hash) = &report.source_sha256 {
        writeln!(out, "  source sha256  {hash}")?;
    }
    writeln!(out, "layers (--layer takes the number, the wire, the node, or stride16)")?;
    let wire = report.layers.iter().map(|listed| listed.layer.wire.chars().count()).max().unwrap_or(0).clamp(4, 60);
    writeln!(
        out,
        "  {:>4}  {:<wire$}  {:<20}  {:<18}  {:>6}  {:>6}  {:>6}",
        "", "wire", "operator", "shape", "stride", "bypass", "behind"
    )?;
    for Listed { index, layer, stride, bypass, behind } in &report.layers {
        let shape = format!("{:?}", layer.shape);
        writeln!(
            out,
            "  {index:>4}  {:<wire$}  {:<20}  {shape:<18}  {stride:>6}  {bypass:>6}  {:>5.1}%",
            layer.wire,
            layer.op,
            behind * 100.0
        )?;
    }
    writeln!(out, "bypass: wires that go around the layer; behind: share of the multiply-adds after it")?;
    Ok(())
}
