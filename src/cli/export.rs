//! `gradcam export`: the gradient head of a classifier, stored in one ONNX file with it.

use super::SUCCESS;
use super::model::{OptionArgs, read};
use crate::cam::null;
use crate::engine::Engine;
use crate::model::Model;
use crate::sink::files;
use clap::Args;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Export {
    /// ONNX classifier
    classifier: PathBuf,
    /// Where to write the explainable model
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    options: OptionArgs,
    /// Licence of the weights, stored in the file
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// What was exported.
#[derive(Serialize)]
struct Report {
    output: String,
    sha256: String,
    classes: usize,
    layer: crate::model::layers::Layer,
    head: Head,
    null_levels: Option<crate::model::metadata::NullLevels>,
}

#[derive(Serialize)]
struct Head {
    nodes: usize,
    /// Operators of the classifier that were differentiated.
    differentiated: Vec<String>,
    depends_on_picture: bool,
}

impl Export {
    pub fn run(self) -> anyhow::Result<u8> {
        let model = self.options.load(&self.classifier)?;
        let bytes = self.with_null_levels(model)?;
        files::write(&self.output, |out| out.write_all(&bytes).map_err(|error| error.to_string()))?;

        // What a user will load is what was written: it must pass the check like any file.
        let written = Model::load(&self.output.display().to_string(), &read(&self.output)?, &Default::default())?;
        Engine::new(&written, 1)?;
        let report = report(&written, &bytes);
        if self.json {
            let out = &mut std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            print_report(&mut std::io::stdout().lock(), &report)?;
        }
        Ok(SUCCESS)
    }

    fn with_null_levels(&self, mut model: Model) -> anyhow::Result<Vec<u8>> {
        let mut engine = Engine::new(&model, 1)?;
        model.info.null_levels = Some(null::measure(&mut engine)?);
        let source = hex(&Sha256::digest(read(&self.classifier)?));
        Ok(model.to_bytes(self.licence.as_deref(), &source))
    }
}

fn report(model: &Model, bytes: &[u8]) -> Report {
    let mut differentiated: Vec<String> = model.parts.tail.nodes.iter().map(|node| node.op.clone()).collect();
    differentiated.sort_unstable();
    differentiated.dedup();
    Report {
        output: model.info.file.clone(),
        sha256: hex(&Sha256::digest(bytes)),
        classes: model.info.classes(),
        layer: model.info.layer.clone(),
        head: Head {
            nodes: model.parts.head.nodes.len(),
            differentiated,
            depends_on_picture: model.info.head_depends_on_picture,
        },
        null_levels: model.info.null_levels.clone(),
    }
}

fn print_report(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let Report { output, sha256, classes, layer, head, null_levels } = report;
    writeln!(out, "{output}")?;
    writeln!(out, "  classes        {classes}")?;
    writeln!(out, "  target layer   {} {:?}", layer.wire, layer.shape)?;
    writeln!(out, "  head           {} nodes, differentiating {}", head.nodes, head.differentiated.join(", "))?;
    writeln!(
        out,
        "  run            {}",
        if head.depends_on_picture { "for every frame" } else { "when the target changes" }
    )?;
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
