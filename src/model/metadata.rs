//! What a user would otherwise retype, stored in the ONNX file's `metadata_props`.

use super::scores::Probabilities;
use crate::error::{Error, Result};
use crate::onnx::Graph;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const LAYER: &str = "gradcam.layer";
const PREPROCESSING: &str = "gradcam.preprocessing";
const LABELS: &str = "gradcam.labels";
const LICENCE: &str = "gradcam.licence";
const SOURCE_SHA256: &str = "gradcam.source_sha256";
const NULL_LEVELS: &str = "gradcam.null_levels";
const PROBABILITIES: &str = "gradcam.probabilities";
const VERSION: &str = "gradcam.version";

/// The order of the colour planes that the network wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColourOrder {
    Rgb,
    Bgr,
}

impl ColourOrder {
    /// Which of red, green, blue (0, 1, 2) the network's plane `plane` holds.
    pub fn channel(self, plane: usize) -> usize {
        match self {
            ColourOrder::Rgb => plane,
            ColourOrder::Bgr => 2 - plane,
        }
    }
}

/// How a frame is brought to the network's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The largest centred part with the network's aspect ratio, scaled; what lies outside is not seen.
    CentreCrop,
    /// The whole frame undistorted, with bars beside or above it that are 0 for the network.
    Letterbox,
    /// The whole frame, whatever its aspect ratio.
    Stretch,
}

/// From a frame to the network's input: crop, resize, then `(x − mean) / scale` for x in 0..=255.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Input size in pixels.
    pub width: usize,
    pub height: usize,
    pub order: ColourOrder,
    /// Per colour, in the order red, green, blue.
    pub mean: [f32; 3],
    pub scale: [f32; 3],
    pub resize: Resize,
}

impl Preprocessing {
    /// The names that [`Preprocessing::preset`] knows.
    pub const PRESETS: [&str; 6] = ["imagenet", "tf", "lite", "caffe", "paddle", "raw"];

    /// What a family of training programs does: `imagenet` (torchvision, timm, PaddleClas), `tf`
    /// (x/127.5 − 1), `lite` ((x − 127)/128), `caffe` (BGR minus mean), `paddle` (BGR, x/127.5 − 1, stretched:
    /// PaddleOCR's classifiers), `raw` (0 to 255).
    pub fn preset(name: &str, width: usize, height: usize) -> Option<Preprocessing> {
        let (order, mean, scale) = match name {
            "imagenet" => (
                ColourOrder::Rgb,
                // 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225 of pictures from 0 to 1.
                [123.675, 116.28, 103.53],
                [58.395, 57.12, 57.375],
            ),
            "tf" => (ColourOrder::Rgb, [127.5; 3], [127.5; 3]),
            "lite" => (ColourOrder::Rgb, [127.0; 3], [128.0; 3]),
            "caffe" => (ColourOrder::Bgr, [123.68, 116.779, 103.939], [1.0; 3]),
            "paddle" => (ColourOrder::Bgr, [127.5; 3], [127.5; 3]),
            "raw" => (ColourOrder::Rgb, [0.0; 3], [1.0; 3]),
            _ => return None,
        };
        let resize = if name == "paddle" { Resize::Stretch } else { Resize::CentreCrop };
        Some(Preprocessing { width, height, order, mean, scale, resize })
    }
}

impl std::fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let order = match self.order {
            ColourOrder::Rgb => "RGB",
            ColourOrder::Bgr => "BGR",
        };
        let colours = |[red, green, blue]: [f32; 3]| match red == green && green == blue {
            true => format!("{red}"),
            false => format!("[{red}, {green}, {blue}]"),
        };
        let resize = match self.resize {
            Resize::CentreCrop => "the largest centred part",
            Resize::Letterbox => "the whole frame with bars",
            Resize::Stretch => "the whole frame, stretched",
        };
        write!(f, "{order}, (x − {}) / {}, {resize}", colours(self.mean), colours(self.scale))
    }
}

/// What the user says of the preprocessing: a preset, and what differs from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// A name of [`Preprocessing::PRESETS`]; `imagenet` where there is none.
    pub preset: Option<String>,
    pub mean: Option<[f32; 3]>,
    pub scale: Option<[f32; 3]>,
    pub order: Option<ColourOrder>,
}

impl Wish {
    /// For a network that takes pictures of this size.
    ///
    /// # Errors
    /// [`Error::Input`] lists the presets.
    pub fn preprocessing(&self, width: usize, height: usize) -> Result<Preprocessing> {
        let name = self.preset.as_deref().unwrap_or("imagenet");
        let preset = Preprocessing::preset(name, width, height).ok_or_else(|| {
            Error::input(name, format!("no such preprocessing; there are {}", Preprocessing::PRESETS.join(", ")))
        })?;
        Ok(Preprocessing {
            mean: self.mean.unwrap_or(preset.mean),
            scale: self.scale.unwrap_or(preset.scale),
            order: self.order.unwrap_or(preset.order),
            ..preset
        })
    }
}

/// What the model shows on pictures without anything to recognise, measured at export (see `cam::null`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NullLevels {
    /// The evidence that 95 % of blank and noise pictures stay below.
    pub evidence: f32,
    /// The largest contrast of the feature maps seen on them.
    pub contrast: f32,
    /// For each method, the largest value of a map seen on them.
    pub map_max: BTreeMap<String, f32>,
}

/// Everything that the file says of itself. What is `None` is not in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The target layer's wire in the classifier it was exported from.
    pub layer: Option<String>,
    pub preprocessing: Option<Preprocessing>,
    /// One for each class.
    pub labels: Option<Vec<String>>,
    pub licence: Option<String>,
    /// Of the classifier's file that the head was derived from, in hexadecimal.
    pub source_sha256: Option<String>,
    pub null_levels: Option<NullLevels>,
    /// The softmax or sigmoid that the classifier had behind its scores, or what the user said of them.
    pub probabilities: Option<Probabilities>,
}

impl Metadata {
    /// # Errors
    /// [`Error::Model`] where an entry cannot be understood.
    pub fn read(graph: &Graph) -> Result<Metadata> {
        let entry = |key: &str| graph.metadata.get(key).cloned();
        let metadata = Metadata {
            layer: entry(LAYER),
            preprocessing: json(graph, PREPROCESSING)?,
            labels: entry(LABELS).map(|lines| lines.lines().map(str::to_owned).collect()),
            licence: entry(LICENCE),
            source_sha256: entry(SOURCE_SHA256),
            null_levels: json(graph, NULL_LEVELS)?,
            probabilities: json(graph, PROBABILITIES)?,
        };
        if let Some(Preprocessing { width, height, mean, scale, .. }) = &metadata.preprocessing {
            let usable = mean.iter().all(|mean| mean.is_finite()) && scale.iter().all(|scale| scale.is_normal());
            if !usable || !(1..=4096).contains(width) || !(1..=4096).contains(height) {
                return Err(Error::model(&graph.file, format!("its metadata `{PREPROCESSING}` has unusable numbers")));
            }
        }
        if let Some(levels) = &metadata.null_levels
            && !(levels.evidence.is_finite()
                && levels.contrast.is_finite()
                && levels.map_max.values().all(|max| max.is_finite()))
        {
            return Err(Error::model(&graph.file, format!("its metadata `{NULL_LEVELS}` has unusable numbers")));
        }
        Ok(metadata)
    }

    /// Stores the entries, in place of those of an earlier export.
    pub fn write(&self, graph: &mut Graph) {
        let json = |value: serde_json::Result<String>| value.expect("plain structs of numbers become JSON");
        let entries = [
            (VERSION, Some(env!("CARGO_PKG_VERSION").to_owned())),
            (LAYER, self.layer.clone()),
            (PREPROCESSING, self.preprocessing.as_ref().map(|value| json(serde_json::to_string(value)))),
            (LABELS, self.labels.as_ref().map(|labels| labels.join("\n"))),
            (LICENCE, self.licence.clone()),
            (SOURCE_SHA256, self.source_sha256.clone()),
            (NULL_LEVELS, self.null_levels.as_ref().map(|value| json(serde_json::to_string(value)))),
            (PROBABILITIES, self.probabilities.map(|value| json(serde_json::to_string(&value)))),
        ];
        for (key, value) in entries {
            graph.metadata.remove(key);
            graph.metadata.extend(value.map(|value| (key.to_owned(), value)));
        }
    }
}

fn json<T: serde::de::DeserializeOwned>(graph: &Graph, key: &str) -> Result<Option<T>> {
    let Some(text) = graph.metadata.get(key) else { return Ok(None) };
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| Error::model(&graph.file, format!("its metadata `{key}` cannot be read: {error}")))
}
