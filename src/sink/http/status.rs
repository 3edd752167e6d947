//! What is said of a run, as JSON.

use super::control::Asked;
use super::hub::{Hub, Picture};
use crate::cam::drop_test::DropTest;
use crate::cam::report::{MapReport, TargetReport};
use crate::cam::{HeatMap, Ranked, Unit};
use crate::frame::Geometry;
use crate::overlay::{Colormap, Look};
use serde::Serialize;
use std::sync::Arc;

/// How things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No frame has come yet.
    #[default]
    Starting,
    Live,
    Frozen,
    /// No frames come any more.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShownFrame {
    pub number: u64,
    /// Seconds on the run's clock.
    pub time: f64,
    /// Pixels.
    pub width: usize,
    pub height: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordingInfo {
    /// Of the present file, without its folder.
    pub name: String,
    /// Seconds of video.
    pub elapsed: f64,
    pub frames: u64,
    pub dropped: u64,
}

/// How a map is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct LookInfo {
    colormap: Colormap,
    opacity: f32,
    heat: bool,
    signed: bool,
    flip: bool,
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    pub frames: u64,
    pub maps: u64,
    /// Frames that the source lost, that were broken, and that came and went without being shown.
    pub lost: u64,
    pub broken: u64,
    pub skipped: u64,
    /// Seconds that preprocessing, forward passes and maps have taken.
    pub stages: [f64; 3],
    pub recordings: u64,
    pub snapshots: u64,
}

/// What is shown, and how everything runs.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Rises with each status of a run: of two, the one with the higher number is newer.
    pub number: u64,
    pub state: State,
    /// Why no frames come.
    pub reason: Option<String>,
    pub source: String,
    pub frame: Option<ShownFrame>,
    pub camera_fps: f32,
    pub network_fps: f32,
    pub map_age_ms: Option<f64>,
    pub map: Option<Arc<HeatMap>>,
    pub locked: bool,
    pub layer: String,
    pub layer_wire: String,
    pub layer_loading: Option<String>,
    /// Methods that give the same map as the present one.
    pub same: Vec<&'static str>,
    pub drop_test: Option<DropTest>,
    pub method: &'static str,
    pub look: Look,
    pub recording: Option<RecordingInfo>,
    pub note: Option<String>,
    /// Rises when files may have come or gone.
    pub files: u64,
    pub totals: Totals,
}

/// The object of `/status.json`.
#[derive(Serialize)]
struct Told<'a> {
    version: &'static str,
    run: &'a str,
    number: u64,
    state: State,
    reason: &'a Option<String>,
    source: &'a str,
    frame: Option<ShownFrame>,
    camera_fps: f32,
    network_fps: f32,
    map_age_ms: Option<f64>,
    dropped: u64,
    target: Option<TargetReport>,
    locked: bool,
    top: &'a [Ranked],
    method: &'static str,
    same: &'a [&'static str],
    layer: &'a str,
    layer_wire: &'a str,
    layer_loading: &'a Option<String>,
    evidence: Option<f32>,
    contrast: Option<f32>,
    gate: Option<f32>,
    map: Option<MapReport>,
    drop_test: Option<DropTest>,
    look: LookInfo,
    recording: &'a Option<RecordingInfo>,
    note: &'a Option<String>,
    files: u64,
    viewers: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<serde_json::Value>,
}

impl Status {
    pub(super) fn told(&self, hub: &Hub, saved: Option<serde_json::Value>) -> serde_json::Result<String> {
        let map = self.map.as_deref();
        let Look { colormap, opacity, heat, signed, flip, .. } = self.look;
        let Totals { lost, broken, skipped, .. } = self.totals;
        serde_json::to_string(&Told {
            version: env!("CARGO_PKG_VERSION"),
            run: &hub.run,
            number: self.number,
            state: self.state,
            reason: &self.reason,
            source: &self.source,
            frame: self.frame,
            camera_fps: self.camera_fps,
            network_fps: self.network_fps,
            map_age_ms: self.map_age_ms,
            dropped: lost + broken + skipped,
            target: map.map(TargetReport::of),
            locked: self.locked,
            top: map.map_or(&[], |map| &map.top),
            method: self.method,
            same: &self.same,
            layer: &self.layer,
            layer_wire: &self.layer_wire,
            layer_loading: &self.layer_loading,
            evidence: map.map(|map| map.evidence),
            contrast: map.map(|map| map.contrast),
            gate: map.map(|map| map.gate),
            map: map.map(MapReport::of),
            drop_test: self.drop_test,
            look: LookInfo { colormap, opacity, heat, signed, flip },
            recording: &self.recording,
            note: &self.note,
            files: self.files,
            viewers: Picture::ALL.into_iter().map(|picture| hub.viewers(picture)).sum(),
            saved,
        })
    }

    /// The object of `/map.json`.
    pub(super) fn map_told(&self) -> Option<serde_json::Value> {
        let map = self.map.as_deref()?;
        let rows: Vec<Vec<f32>> = map.values.rows().into_iter().map(|row| row.to_vec()).collect();
        Some(serde_json::json!({
            "frame": { "number": map.number, "time": map.time.as_secs_f64() },
            "target": TargetReport::of(map),
            "method": map.method,
            "layer_wire": self.layer_wire,
            "unit": map.unit,
            "scale": map.scale,
            "gate": map.gate,
            "geometry": geometry(&map.geometry),
            "values": rows,
        }))
    }
}

fn geometry(geometry: &Geometry) -> serde_json::Value {
    serde_json::json!(geometry)
}

#[derive(Debug, Clone, Serialize)]
pub struct MethodInfo {
    pub name: &'static str,
    pub title: &'static str,
    pub unit: Unit,
    pub signed: bool,
    /// Methods that give the same map at the first layer.
    pub same: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerInfo {
    /// What `/control` calls it.
    pub name: String,
    pub wire: String,
    /// Cells.
    pub height: usize,
    pub width: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct ColormapInfo {
    pub name: &'static str,
    pub colours: Vec<String>,
}

/// What does not change during a run.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfo {
    pub model: String,
    pub labels: Vec<String>,
    pub methods: Vec<MethodInfo>,
    pub layers: Vec<LayerInfo>,
    pub colormaps: Vec<ColormapInfo>,
    pub signed_colours: Vec<String>,
}

impl ModelInfo {
    /// The object of `/model.json`.
    pub(super) fn told(&self, run: &str) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Told<'a> {
            run: &'a str,
            #[serde(flatten)]
            model: &'a ModelInfo,
        }
        serde_json::to_string(&Told { run, model: self })
    }
}

/// The target of a request as text, as the command line has it.
impl Asked {
    pub fn text(&self) -> String {
        match self {
            Asked::Class(class) => class.to_string(),
            Asked::Named(name) => name.clone(),
        }
    }
}
