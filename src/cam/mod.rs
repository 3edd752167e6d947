//! Evidence → HeatMap: the map of a method, with a scale and a gate that do not pretend (see `docs/how-it-works.md`).

pub mod drop_test;
pub mod focus;
pub mod layers;
pub mod methods;
pub mod null;
pub mod report;
pub mod temporal;

use crate::engine::{Evidence, Forward};
use crate::frame::Geometry;
use crate::kernels::Isa;
use crate::kernels::maps::{add_squares, add_sum};
use crate::model::Info;
use crate::model::metadata::NullLevels;
use crate::model::scores::Probabilities;
use crate::target::Target;
use drop_test::DropTest;
use methods::{About, Method};
use ndarray::{Array2, ArrayView1, ArrayView3};
use std::time::Duration;

/// How much more evidence than the null level opens the gate fully.
const EVIDENCE_WIDTH: f32 = 0.4;
/// How many times the null level of contrast opens the gate fully.
const CONTRAST_RATIO: f32 = 1.5;

/// What the numbers of a map mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The map is a sum of gradient times activation: parts of the score (logit).
    Score,
    /// Only ratios within one map mean something.
    Relative,
}

/// One class with its score.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Ranked {
    pub class: usize,
    pub label: String,
    /// Score before softmax or sigmoid.
    pub logit: f32,
    /// After softmax or, where the classes do not exclude each other, sigmoid: 0 to 1.
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
    /// Whether values below 0 speak against the target.
    pub signed: bool,
    /// The class that is explained.
    pub target: Ranked,
    /// The class whose score is taken off, in a contrast.
    pub against: Option<Ranked>,
    /// The best classes, highest score first.
    pub top: Vec<Ranked>,
    /// The value that is drawn with full heat (> 0). Values at or below 0 are cold.
    pub scale: f32,
    /// 0 to 1: how far the network recognises anything; multiplies the opacity.
    pub gate: f32,
    /// Whether the network recognises anything: logsumexp(scores) − ln C, or the largest score where the classes do not
    /// exclude each other.
    pub evidence: f32,
    /// Mean over the feature maps of their standard deviation over the cells: whether there is a *where*.
    pub contrast: f32,
    /// What hiding the hot cells does to the score, where it was tried.
    pub drop_test: Option<DropTest>,
    pub geometry: Geometry,
    /// Number and time of the frame that is explained.
    pub number: u64,
    pub time: Duration,
}

impl HeatMap {
    /// The largest value, or 0 where nothing is positive.
    pub fn max(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }

    /// The explained number: the score of the target, less that of the class it is held against.
    pub fn score(&self) -> f32 {
        self.target.logit - self.against.as_ref().map_or(0.0, |against| against.logit)
    }

    /// What is explained, in words: `cat`, or `cat − dog` for a contrast.
    pub fn title(&self) -> String {
        match &self.against {
            Some(against) => format!("{} − {}", self.target.label, against.label),
            None => self.target.label.clone(),
        }
    }
}

/// What a map of values becomes a heat map with.
pub struct Context<'a> {
    pub info: &'a Info,
    pub null: &'a NullLevels,
    /// The number of classes that are ranked.
    pub top: usize,
    /// Number and time of the frame.
    pub frame: (u64, Duration),
}

impl Context<'_> {
    /// The heat map of `values`. Its scale is its own maximum, but never below `floor`, and its gate opens with evidence
    /// and contrast above their null levels. [`temporal::Follower`] steadies both over a video.
    pub fn heat_map(
        &self,
        forward: &Forward,
        target: Target,
        values: Array2<f32>,
        about: &About,
        floor: f32,
    ) -> HeatMap {
        let scores = forward.scores();
        let ranked = |class: usize| ranked(self.info, scores, class);
        let found = evidence(scores, self.info.probabilities);
        let contrast = contrast(forward.activations());
        let floor = floor.max(f32::MIN_POSITIVE);
        let mut map = HeatMap {
            values,
            unit: about.unit,
            method: about.name,
            signed: about.signed,
            target: ranked(target.class),
            against: target.against.map(ranked),
            top: best(scores, self.top).into_iter().map(ranked).collect(),
            scale: floor,
            gate: gate(found, contrast, self.null),
            evidence: found,
            contrast,
            drop_test: None,
            geometry: forward.geometry,
            number: self.frame.0,
            time: self.frame.1,
        };
        map.scale = map.max().max(floor);
        map
    }
}

/// A class among the scores `[C]` of its model.
pub fn ranked(info: &Info, scores: ArrayView1<f32>, class: usize) -> Ranked {
    let logit = scores[class];
    let probability = match info.probabilities {
        Probabilities::Softmax => (logit - log_sum_exp(scores)).exp(),
        Probabilities::Sigmoid => 1.0 / (1.0 + (-logit).exp()),
    };
    Ranked { class, label: info.labels[class].clone(), logit, probability }
}

/// The map of one method for one still picture, with the method's null level under its scale where there is one.
pub fn heat_map(evidence: &Evidence, method: &dyn Method, context: &Context) -> HeatMap {
    let forward = evidence.forward;
    let values = method.map(forward.activations(), evidence.gradients());
    let floor = context.null.map_max.get(method.name()).copied().unwrap_or(0.0);
    context.heat_map(forward, evidence.target, values, method.about(), floor)
}

/// 0 to 1: whether the network recognises anything, and whether its features differ from cell to cell at all.
fn gate(evidence: f32, contrast: f32, null: &NullLevels) -> f32 {
    let recognised = smoothstep((evidence - null.evidence) / EVIDENCE_WIDTH);
    let width = null.contrast.max(f32::MIN_POSITIVE) * (CONTRAST_RATIO - 1.0);
    recognised * smoothstep((contrast - null.contrast) / width)
}

/// Mean over the feature maps `[K, h, w]` of their standard deviation over the cells.
fn contrast(activations: ArrayView3<f32>) -> f32 {
    let isa = Isa::best();
    let (maps, height, width) = activations.dim();
    let activations = activations.as_standard_layout();
    let values = activations.as_slice().expect("the array is in standard layout");
    let mut deviations = 0.0;
    for map in values.chunks((height * width).max(1)) {
        let (mut sum, mut squares) = (0.0, 0.0);
        add_sum(isa, map, &mut sum);
        add_squares(isa, map, sum / map.len() as f32, &mut squares);
        deviations += (squares / map.len() as f32).sqrt();
    }
    deviations / maps as f32
}

/// Whether the network recognises anything: logsumexp(scores) − ln C where exactly one class is true, the largest score
/// where each is or is not.
fn evidence(scores: ArrayView1<f32>, probabilities: Probabilities) -> f32 {
    match probabilities {
        Probabilities::Softmax => log_sum_exp(scores) - (scores.len() as f32).ln(),
        Probabilities::Sigmoid => scores.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    }
}

/// ln Σ exp(scores), without overflow.
fn log_sum_exp(scores: ArrayView1<f32>) -> f32 {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    max + scores.iter().map(|score| (score - max).exp()).sum::<f32>().ln()
}

/// The `count` classes with the highest scores, best first; of equals the one with the smaller number.
fn best(scores: ArrayView1<f32>, count: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(count + 1);
    for class in 0..scores.len() {
        let place = best.partition_point(|other| scores[*other] >= scores[class]);
        if place < count {
            best.insert(place, class);
            best.truncate(count);
        }
    }
    best
}

/// 0 below 0, 1 above 1, 3x² − 2x³ between.
fn smoothstep(x: f32) -> f32 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_best_classes_come_in_order_and_equals_by_number() {
        assert_eq!(best(array![1.0, 3.0, 3.0, 2.0].view(), 3), [1, 2, 3]);
        assert_eq!(best(array![1.0].view(), 3), [0]);
    }

    #[test]
    fn contrast_is_the_deviation_over_the_cells() {
        // Deviations 1 (of 1 and 3) and 0.
        assert_eq!(contrast(array![[[1.0, 3.0]], [[5.0, 5.0]]].view()), 0.5);
    }

    #[test]
    fn the_gate_wants_both_signs() {
        let null = NullLevels { evidence: 1.0, contrast: 0.1, map_max: Default::default() };
        assert_eq!(gate(2.0, 0.3, &null), 1.0);
        assert_eq!(gate(1.0, 0.3, &null), 0.0);
        assert_eq!(gate(2.0, 0.1, &null), 0.0);
    }

    #[test]
    fn large_scores_do_not_overflow() {
        // ln(2·e^1000) = 1000 + ln 2
        assert!((log_sum_exp(array![1000.0, 1000.0].view()) - 1000.6931).abs() < 1e-3);
    }
}
