//! What is said of an explained frame to machines: one JSON object.

use super::stats::Stage;
use crate::cam::focus::{Focus, focus};
use crate::cam::report::{MapReport, TargetReport};
use crate::cam::{HeatMap, Ranked};
use crate::frame::Rect;
use crate::model::Info;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The explanation of one frame.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The file, camera or `demo`.
    pub input: String,
    /// Number of the frame and its time in seconds, for frames that follow one another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<FrameReport>,
    pub model: String,
    /// The target layer's wire in the classifier; several with commas between them.
    pub layer: String,
    pub method: &'static str,
    pub target: TargetReport,
    /// The best classes, highest score first.
    pub top: Vec<Ranked>,
    /// Whether the network recognises anything: logsumexp(scores) − ln C, or the largest score of a multi-label network.
    pub evidence: f32,
    /// Mean over the feature maps of their standard deviation over the cells: whether there is a *where*.
    pub contrast: f32,
    /// 0 to 1: how far the heat is shown, because of evidence and contrast.
    pub gate: f32,
    pub map: MapReport,
    /// `null` where nothing is positive.
    pub focus: Option<Focus>,
    pub times_ms: TimesReport,
}

#[derive(Debug, Clone, Serialize)]
pub struct FrameReport {
    pub number: u64,
    pub time: f64,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct TimesReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode: Option<f64>,
    pub preprocess: f64,
    pub forward: f64,
    pub heatmap: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<f64>,
}

impl TimesReport {
    pub fn add(&mut self, stage: Stage, duration: Duration) {
        let ms = duration.as_secs_f64() * 1e3;
        match stage {
            Stage::Decode => self.decode = Some(ms),
            Stage::Preprocess => self.preprocess = ms,
            Stage::Forward => self.forward = ms,
            Stage::HeatMap => self.heatmap = ms,
            Stage::Overlay => self.overlay = Some(ms),
            Stage::Show => {}
        }
    }

    /// Of times by name.
    pub fn from_named(times: &BTreeMap<String, f64>) -> TimesReport {
        let time = |name: &str| times.get(name).copied();
        TimesReport {
            decode: time("decode"),
            preprocess: time("preprocess").unwrap_or_default(),
            forward: time("forward").unwrap_or_default(),
            heatmap: time("heatmap").unwrap_or_default(),
            overlay: time("overlay"),
        }
    }

    /// By name, without those that are not known.
    pub fn named(&self) -> BTreeMap<String, f64> {
        let TimesReport { decode, preprocess, forward, heatmap, overlay } = *self;
        let known = [
            ("decode", decode),
            ("preprocess", Some(preprocess)),
            ("forward", Some(forward)),
            ("heatmap", Some(heatmap)),
            ("overlay", overlay),
        ];
        known.into_iter().filter_map(|(name, ms)| Some((name.to_owned(), ms?))).collect()
    }
}

impl Report {
    pub fn new(input: &str, info: &Info, map: &HeatMap, region: Option<Rect>, times_ms: TimesReport) -> Report {
        Report {
            input: input.to_owned(),
            frame: None,
            model: info.file.clone(),
            layer: info.layer.wire.clone(),
            method: map.method,
            target: TargetReport::of(map),
            top: map.top.clone(),
            evidence: map.evidence,
            contrast: map.contrast,
            gate: map.gate,
            map: MapReport::of(map),
            focus: focus(map, region),
            times_ms,
        }
    }

    /// With the number and time of the map's frame.
    pub fn of_frame(mut self, map: &HeatMap) -> Report {
        self.frame = Some(FrameReport { number: map.number, time: map.time.as_secs_f64() });
        self
    }
}
