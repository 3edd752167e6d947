//! Evidence → HeatMap.

use crate::frame::Geometry;
use ndarray::Array2;
use std::time::Duration;

/// What the numbers of a map mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The map is a sum of gradient times activation: parts of the score (logit).
    Score,
    /// Only ratios within one map mean something.
    Relative,
}

/// One class with its score.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Ranked {
    pub class: usize,
    pub label: String,
    /// Score before softmax or sigmoid.
    pub logit: f32,
    /// After softmax or sigmoid, 0 to 1.
    pub probability: f32,
}

/// Where the network looked: a map at the target layer's resolution with what is needed to show it.
#[derive(Debug, Clone)]
pub struct HeatMap {
    /// `[h, w]`, signed, before the ReLU; row 0 is the top of `geometry.seen`.
    pub values: Array2<f32>,
    pub unit: Unit,
    /// The method's name, e.g. `grad-cam`.
    pub method: &'static str,
    /// The class that is explained.
    pub target: Ranked,
    /// The best classes, highest score first.
    pub top: Vec<Ranked>,
    /// The value that is drawn with full heat (> 0). Values at or below 0 are cold.
    pub scale: f32,
    /// 0 to 1: how far the network recognises anything; multiplies the opacity.
    pub gate: f32,
    /// logsumexp(scores) − ln C, or the largest score of a sigmoid classifier.
    pub evidence: f32,
    pub geometry: Geometry,
    /// Number and time of the frame that is explained.
    pub number: u64,
    pub time: Duration,
}
