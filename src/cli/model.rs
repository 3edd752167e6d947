//! The options that name a model, and loading it.

use super::{cores, say};
use crate::cam::null;
use crate::engine::{Backend, Engine};
use crate::error::{Error, Result};
use crate::logbook::ModelFacts;
use crate::memory::Loading;
use crate::model::metadata::{ColourOrder, Preprocessing, Resize, Wish};
use crate::model::{DEFAULT_MODEL, DEFAULT_MODEL_NAME, Info, Model, Options, labels};
use crate::pipeline::explainer::Explainer;
#[cfg(feature = "serve")]
use crate::pipeline::explainer::Loader;
use crate::target::Selector;
use clap::Args;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A larger file is no classifier for a camera; it is refused before it is read.
const MAX_FILE: u64 = 1 << 30;

#[derive(Args, Debug, Clone)]
pub struct ModelArgs {
    /// ONNX classifier, with or without a gradient head [default: EfficientNet-Lite0, built in]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub options: OptionArgs,
    /// Threads of the network [default: one for each core, of four or more cores all but one, which is left to camera and
    /// window]
    #[arg(long, value_name = "N", default_value_t = cores::threads(), hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
}

/// What a file may not say itself.
#[derive(Args, Debug, Clone)]
pub struct OptionArgs {
    /// Target layer: a wire, a node, an index of `gradcam inspect`, or stride16; to live, explain and bench also several
    /// with commas between them, whose maps are averaged [default: the last convolution's]
    #[arg(long, value_name = "LAYER")]
    pub layer: Option<String>,
    /// One label for each class: a text file with one a line, a JSON file, or the word imagenet
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// How pictures are brought to the network, where the file does not say: imagenet, tf, lite, caffe, paddle, raw
    /// [default: imagenet]
    #[arg(long, value_name = "NAME")]
    pub preprocess: Option<String>,
    /// Instead of the preset's: the mean, 0 to 255, for all colours or for red, green and blue
    #[arg(long, value_name = "X[,X,X]", value_parser = parse_mean)]
    pub mean: Option<[f32; 3]>,
    /// Instead of the preset's: what is divided by, in units of 255
    #[arg(long, value_name = "X[,X,X]", value_parser = parse_scale)]
    pub scale: Option<[f32; 3]>,
    /// Instead of the preset's: the order of the colour planes, rgb or bgr
    #[arg(long, value_name = "ORDER", value_parser = parse_order)]
    pub order: Option<ColourOrder>,
    /// How frames are brought to the network's shape: crop (the largest centred part), letterbox (the whole frame, with
    /// bars) or stretch (the whole frame, distorted) [default: as the file or the preset says]
    #[arg(long, value_name = "RULE", value_parser = parse_fit)]
    pub fit: Option<Resize>,
    /// The size of the picture, where the file leaves it open
    #[arg(long, value_name = "WxH", value_parser = super::parse_size)]
    pub input_size: Option<(u32, u32)>,
    /// The output with the scores, where there are several
    #[arg(long, value_name = "NAME")]
    pub scores: Option<String>,
    /// The classes do not exclude each other (known where a sigmoid stands at the end)
    #[arg(long)]
    pub multi_label: bool,
}

impl OptionArgs {
    pub fn options(&self) -> Result<Options> {
        let labels = match self.labels.as_deref() {
            Some(path) if path.as_os_str() == labels::IMAGENET => Some(Model::default_model()?.info.labels),
            path => path.map(labels::read).transpose()?,
        };
        let OptionArgs { preprocess, mean, scale, order, .. } = self;
        Ok(Options {
            layer: self.layer.clone(),
            preprocess: Wish { preset: preprocess.clone(), mean: *mean, scale: *scale, order: *order },
            fit: self.fit,
            labels,
            size: self.input_size.map(|(width, height)| (width as usize, height as usize)),
            scores: self.scores.clone(),
            multi_label: self.multi_label,
        })
    }

    /// The model in the bytes of a file. Says on standard error what had to be assumed.
    pub fn model(&self, file: &str, bytes: &[u8]) -> Result<Model> {
        let options = self.options()?;
        let model = Model::load(file, bytes, &options)?;
        self.say_assumed(file, &options, &model.info)?;
        Ok(model)
    }

    fn say_assumed(&self, file: &str, options: &Options, info: &Info) -> Result<()> {
        if info.preprocessing_assumed {
            say(&format!("gradcam: {file} does not say how to preprocess; assuming imagenet (--preprocess)"));
        } else if options.preprocess != Wish::default()
            && (Preprocessing {
                resize: info.preprocessing.resize,
                ..options.preprocess.preprocessing(info.preprocessing.width, info.preprocessing.height)?
            }) != info.preprocessing
        {
            say(&format!("gradcam: {file} says how to preprocess; --preprocess is for files that do not"));
        }
        if let Some(ending) = info.ending {
            say(&format!("gradcam: {file} ends in a {ending}; the scores before it are explained"));
        }
        if info.widened {
            say(&format!("gradcam: {file} holds float16 numbers; they are computed with as float32"));
        }
        Ok(())
    }
}

impl ModelArgs {
    /// The file's name and content.
    pub(super) fn bytes(&self) -> Result<(String, Cow<'static, [u8]>)> {
        Ok(match &self.model {
            Some(path) => (path.display().to_string(), Cow::Owned(read(path)?)),
            None => (DEFAULT_MODEL_NAME.to_owned(), Cow::Borrowed(DEFAULT_MODEL)),
        })
    }

    /// What a recording says of the model.
    pub fn facts(&self, explainer: &Explainer) -> Result<ModelFacts> {
        let (file, bytes) = self.bytes()?;
        let sha256 = super::hex(&Sha256::digest(&bytes));
        let Info { preprocessing, probabilities, layer, .. } = explainer.info().clone();
        let names = |group: Vec<&str>| group.into_iter().map(str::to_owned).collect();
        let coinciding = explainer.coinciding().into_iter().map(names).collect();
        Ok(ModelFacts { file, sha256, layer: layer.wire, preprocessing, probabilities, coinciding })
    }

    /// The model, compiled, once for each of the layers that are named with commas between them.
    pub fn engines(&self) -> Result<Vec<Engine>> {
        self.engines_on(Backend::default())
    }

    /// Loads the model again, at a layer of another name; at its present one where `first` is that name. Only browsers ask
    /// for other layers.
    #[cfg(feature = "serve")]
    pub fn loader(&self, first: String) -> Loader {
        let start = self.clone();
        Box::new(move |name| {
            let mut model = start.clone();
            if name != first {
                model.options.layer = Some(name.to_owned());
            }
            model.engines()
        })
    }

    /// [`ModelArgs::engines`] with another backend than the default one.
    pub fn engines_on(&self, backend: Backend) -> Result<Vec<Engine>> {
        let _loading = Loading::begin();
        let (file, bytes) = self.bytes()?;
        let options = self.options.options()?;
        let names: Vec<Option<String>> = match &options.layer {
            Some(names) => names.split(',').map(|name| Some(name.trim().to_owned())).collect(),
            None => vec![None],
        };
        let mut engines: Vec<Engine> = Vec::new();
        for layer in names {
            let model = Model::load(&file, &bytes, &Options { layer, ..options.clone() })?;
            if engines.is_empty() {
                self.options.say_assumed(&file, &options, &model.info)?;
            }
            engines.push(self.measured(&model, backend)?);
        }
        Ok(engines)
    }

    /// What an export would have measured is measured where it is missing.
    fn measured(&self, model: &Model, backend: Backend) -> Result<Engine> {
        let mut engine = Engine::with_backend(model, usize::from(self.threads), backend)?;
        if engine.info.null_levels.is_none() {
            let Info { file, layer, .. } = &engine.info;
            say(&format!(
                "gradcam: measuring what {file} shows at {} on blank pictures (`gradcam export` stores it)",
                layer.wire
            ));
            engine.info.null_levels = Some(null::measure(&mut engine)?);
        }
        Ok(engine)
    }
}

/// Explains with all of the engines, of which there is at least one.
pub fn explainer(engines: Vec<Engine>, selector: Selector) -> Result<Explainer> {
    let mut engines = engines.into_iter();
    let first = engines.next().expect("there is an engine for each layer, and at least one");
    engines.try_fold(Explainer::new(first, selector)?, Explainer::and)
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

fn parse_mean(text: &str) -> std::result::Result<[f32; 3], String> {
    parse_colours(text, |mean| mean.is_finite())
}

fn parse_scale(text: &str) -> std::result::Result<[f32; 3], String> {
    parse_colours(text, |scale| scale.is_normal())
}

fn parse_colours(text: &str, usable: fn(&f32) -> bool) -> std::result::Result<[f32; 3], String> {
    let numbers: Option<Vec<f32>> = text.split(',').map(|part| part.trim().parse().ok().filter(usable)).collect();
    match numbers.as_deref() {
        Some([all]) => Ok([*all; 3]),
        Some([red, green, blue]) => Ok([*red, *green, *blue]),
        _ => Err("expected one number, or three for red, green and blue, such as 123.7,116.3,103.5".to_owned()),
    }
}

fn parse_order(text: &str) -> std::result::Result<ColourOrder, String> {
    match text {
        "rgb" => Ok(ColourOrder::Rgb),
        "bgr" => Ok(ColourOrder::Bgr),
        _ => Err("expected rgb or bgr".to_owned()),
    }
}

fn parse_fit(text: &str) -> std::result::Result<Resize, String> {
    match text {
        "crop" => Ok(Resize::CentreCrop),
        "letterbox" => Ok(Resize::Letterbox),
        "stretch" => Ok(Resize::Stretch),
        _ => Err("expected crop, letterbox or stretch".to_owned()),
    }
}
