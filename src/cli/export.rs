//! `gradcam export`: the gradient head of a classifier, stored in one ONNX file with it.

use super::model::{OptionArgs, read};
use super::{SUCCESS, hex};
use crate::cam::{methods, null};
use crate::engine::Engine;
use crate::model::Model;
use crate::model::layers::Layer;
use crate::model::metadata::NullLevels;
use crate::model::scores::Probabilities;
use crate::preprocess::Input;
use crate::sink::files;
use crate::target::Target;
use clap::Args;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Forward passes and heads that are timed.
const RUNS: usize = 5;
/// Small networks gain nothing by more.
const MOST_THREADS: usize = 4;

#[derive(Args, Debug)]
#[command(mut_arg("input_size", |size| size.visible_alias("size")))]
pub struct Export {
    /// ONNX classifier
    classifier: PathBuf,
    /// Where to write the explainable model
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Licence of the weights, stored in the file
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Model")]
    options: OptionArgs,
}

/// What was exported.
#[derive(Serialize)]
struct Report {
    output: String,
    sha256: String,
    classes: usize,
    /// The softmax or sigmoid at the classifier's end, before which the scores are taken.
    ending: Option<Probabilities>,
    layer: Layer,
    head: Head,
    /// Methods whose maps are the same for this head, each group by its names.
    coinciding: Vec<Vec<&'static str>>,
    null_levels: Option<NullLevels>,
}

#[derive(Serialize)]
struct Head {
    nodes: usize,
    /// By how many bytes the head makes the file larger.
    bytes: usize,
    /// Operators of the classifier that were differentiated.
    differentiated: Vec<String>,
    /// Otherwise it is run when the target changes.
    depends_on_picture: bool,
    /// One run of it, relative to one forward pass: medians, on as many threads as the machine has cores, at most 4.
    cost: f64,
    /// Relative L2 difference between the gradients of the head as it was written and as it is derived from the file.
    check_error: Option<f64>,
}

impl Export {
    pub fn run(self) -> anyhow::Result<u8> {
        // Said before anything is measured.
        drop(files::temporary(&self.output)?);
        let classifier = read(&self.classifier)?;
        let model = self.options.model(&self.classifier.display().to_string(), &classifier)?;
        let (ending, layer) = (model.info.ending, model.info.layer.clone());
        let (bytes, cost) = self.measured(model, &classifier)?;
        files::write(&self.output, |out| out.write_all(&bytes).map_err(|error| error.to_string()))?;

        // What a user will load is what was written: it must pass the check like any file.
        let written = Model::load(&self.output.display().to_string(), &read(&self.output)?, &Default::default())?;
        let Engine { stored_head_error, properties, .. } = Engine::new(&written, 1)?;
        let mut differentiated: Vec<String> = written.parts.tail.nodes.iter().map(|node| node.op.clone()).collect();
        differentiated.sort_unstable();
        differentiated.dedup();
        let report = Report {
            output: written.info.file.clone(),
            sha256: hex(&Sha256::digest(&bytes)),
            classes: written.info.classes(),
            ending,
            layer,
            head: Head {
                nodes: written.parts.head.nodes.len(),
                bytes: written.head_bytes(),
                differentiated,
                depends_on_picture: written.info.head_depends_on_picture,
                cost,
                check_error: stored_head_error,
            },
            coinciding: methods::coinciding(properties),
            null_levels: written.info.null_levels.clone(),
        };
        let out = &mut std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            print_report(out, &report)?;
        }
        Ok(SUCCESS)
    }

    /// The explainable model with its null levels, and what its head costs.
    fn measured(&self, mut model: Model, classifier: &[u8]) -> anyhow::Result<(Vec<u8>, f64)> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let mut engine = Engine::new(&model, threads)?;
        let cost = head_cost(&mut engine)?;
        model.info.null_levels = Some(null::measure(&mut engine)?);
        let source = hex(&Sha256::digest(classifier));
        Ok((model.to_bytes(self.licence.as_deref(), &source), cost))
    }
}

/// One run of the gradient head relative to one forward pass.
fn head_cost(engine: &mut Engine) -> anyhow::Result<f64> {
    let input = Input::new(&engine.info.preprocessing);
    let classes = engine.info.classes();
    let mut times = [Vec::new(), Vec::new()];
    for run in 0..RUNS {
        let start = Instant::now();
        let forward = engine.forward(&input)?;
        times[0].push(start.elapsed());
        // Another target each time: a head that depends on nothing else is run again only then.
        let target = Target { class: run % classes, against: (classes > 1).then_some((run + 1) % classes) };
        let start = Instant::now();
        engine.gradients(&forward, target)?;
        times[1].push(start.elapsed());
    }
    let [forward, head] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    });
    Ok(head / forward)
}

fn print_report(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let Report { output, sha256, classes, ending, layer, head, coinciding, null_levels } = report;
    writeln!(out, "{output}")?;
    writeln!(out, "  classes        {classes}")?;
    if let Some(ending) = ending {
        writeln!(out, "  scores         those before the {ending} at the end")?;
    }
    writeln!(out, "  target layer   {} {:?}", layer.wire, layer.shape)?;
    writeln!(out, "                 {}", layer.reason)?;
    writeln!(out, "  head           {} nodes, {:.1} kB", head.nodes, head.bytes as f64 / 1e3)?;
    writeln!(out, "                 differentiates {}", head.differentiated.join(", "))?;
    let when = if head.depends_on_picture { "every frame" } else { "when the target changes" };
    writeln!(out, "                 run {when}, {:.2} % of a forward pass", head.cost * 100.0)?;
    if let Some(error) = head.check_error {
        writeln!(out, "  check          gradients of the written head within {error:.1e} of the derived ones")?;
    }
    for names in coinciding {
        writeln!(out, "  same map       {}", names.join(" = "))?;
    }
    if let Some(levels) = null_levels {
        writeln!(out, "  null evidence  {:.2}", levels.evidence)?;
        writeln!(out, "  null contrast  {:.3}", levels.contrast)?;
        for (method, max) in &levels.map_max {
            writeln!(out, "  null map max   {max:.3} ({method})")?;
        }
    }
    writeln!(out, "  sha256         {sha256}")?;
    Ok(())
}
