//! The options that name a model, and loading it.

use super::say;
use crate::cam::null;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::metadata::Preprocessing;
use crate::model::{DEFAULT_MODEL, DEFAULT_MODEL_NAME, Model, Options, labels};
use clap::Args;
use std::path::{Path, PathBuf};

/// A larger file is no classifier for a camera; it is refused before it is read.
const MAX_FILE: u64 = 1 << 30;

#[derive(Args, Debug)]
pub struct ModelArgs {
    /// ONNX classifier, with or without a gradient head [default: EfficientNet-Lite0, built in]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub options: OptionArgs,
    /// Threads of the network
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
}

/// What a file may not say itself.
#[derive(Args, Debug)]
pub struct OptionArgs {
    /// Target layer by wire or node name [default: the last convolution's]
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,
    /// Text file with one label for each class
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// How pictures are brought to the network, where the file does not say: imagenet, tf, lite, caffe, raw
    #[arg(long, value_name = "NAME")]
    pub preprocess: Option<String>,
}

impl OptionArgs {
    /// The model in a file.
    pub fn load(&self, path: &Path) -> Result<Model> {
        self.model(&path.display().to_string(), &read(path)?)
    }

    /// The model in the bytes of a file. Says on standard error what had to be assumed.
    pub fn model(&self, file: &str, bytes: &[u8]) -> Result<Model> {
        let labels = self.labels.as_deref().map(labels::read).transpose()?;
        let options = Options { layer: self.layer.clone(), preprocess: self.preprocess.clone(), labels };
        let model = Model::load(file, bytes, &options)?;
        if model.info.preprocessing_assumed {
            say(&format!("gradcam: {file} does not say how to preprocess; assuming imagenet (--preprocess)"));
        }
        let Preprocessing { width, height, .. } = model.info.preprocessing;
        let asked = self.preprocess.as_deref().and_then(|name| Preprocessing::preset(name, width, height));
        if asked.is_some_and(|asked| asked != model.info.preprocessing) {
            say(&format!("gradcam: {file} says how to preprocess; --preprocess is for files that do not"));
        }
        Ok(model)
    }
}

impl ModelArgs {
    /// The model, compiled. What an export would have measured is measured where it is missing.
    pub fn engine(&self) -> Result<Engine> {
        let model = match &self.model {
            Some(path) => self.options.load(path)?,
            None => self.options.model(DEFAULT_MODEL_NAME, DEFAULT_MODEL)?,
        };
        let mut engine = Engine::new(&model, usize::from(self.threads))?;
        drop(model);
        if engine.info.null_levels.is_none() {
            let file = &engine.info.file;
            say(&format!("gradcam: measuring what {file} shows on blank pictures (`gradcam export` stores it)"));
            engine.info.null_levels = Some(null::measure(&mut engine)?);
        }
        Ok(engine)
    }
}

/// Reads a model file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let refuse = |reason: String| Error::model(path.display(), reason);
    let cannot = |error: std::io::Error| refuse(format!("cannot be read: {error}"));
    let data = std::fs::metadata(path).map_err(cannot)?;
    if !data.is_file() {
        return Err(refuse("is not a file".to_owned()));
    }
    if data.len() > MAX_FILE {
        return Err(refuse(format!("has {} MB; at most {} are supported", data.len() >> 20, MAX_FILE >> 20)));
    }
    std::fs::read(path).map_err(cannot)
}
