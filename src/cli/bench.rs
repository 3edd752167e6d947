//! `gradcam bench`: what each stage of a frame's way takes.

use super::SUCCESS;
use super::model::ModelArgs;
use crate::cam::methods;
use crate::clock::{Clock, SystemClock};
use crate::decode::Decoder;
use crate::error::Error;
use crate::frame::{Frame, RawFrame};
use crate::overlay::hud::Hud;
use crate::overlay::{Canvas, Look, Overlay};
use crate::pipeline::explainer::Explainer;
use crate::pipeline::stats::{Stage, Stages, Stats};
use crate::source::{Event, Source};
use crate::target::Selector;
use clap::Args;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Frames that are not counted: caches fill, the CPU wakes up.
const WARM_UP: usize = 5;

#[derive(Args, Debug)]
pub struct Bench {
    /// demo, demo:mjpeg, demo:yuyv
    #[arg(long, value_name = "SOURCE", default_value = "demo")]
    source: String,
    /// Frames that are measured
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,
    #[command(flatten)]
    model: ModelArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// All frames go through all stages one after another, on one thread.
#[derive(Serialize)]
struct Report {
    source: String,
    model: String,
    threads: u16,
    iterations: u32,
    /// Milliseconds.
    stages: Stages,
    /// Frames per second if nothing ran at the same time: 1 / mean time of all stages.
    fps: f64,
    /// Heat map (gradients, method, scale) relative to the forward pass, by medians.
    heatmap_share: f64,
    /// From the program's start to the first heat map.
    start_to_first_map_ms: f64,
    /// The largest memory the program had, where the system tells.
    peak_memory_mb: Option<f64>,
}
