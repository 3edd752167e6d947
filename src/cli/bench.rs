//! `gradcam bench`: what each stage of a frame's way takes.

use super::model::{ModelArgs, explainer};
use super::{SUCCESS, print_stages};
use crate::cam::methods;
use crate::clock::SystemClock;
use crate::decode::Decoder;
use crate::error::Error;
use crate::frame::{Frame, RawFrame};
use crate::overlay::{Canvas, Hud, Look, Overlay};
use crate::pipeline::stats::{Percentiles, Stage, Stages, Stats};
use crate::source::demo::{Demo, Pace};
use crate::source::{Source, SourceSpec};
use crate::target::Selector;
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::sync::Arc;
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
    /// Any of the methods of `live`
    #[arg(long, value_name = "NAME", default_value = "grad-cam")]
    method: String,
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
    method: String,
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

impl Bench {
    pub fn run(self, start: Instant) -> anyhow::Result<u8> {
        let clock = Arc::new(SystemClock::new());
        let SourceSpec::Demo(format) = self.source.parse()? else {
            return Err(Error::input(&self.source, "the bench runs on demo, demo:mjpeg or demo:yuyv").into());
        };
        let mut source = Demo::new(format, Pace::Free { clock });
        let method = methods::find(&self.method)?;
        let mut explainer = explainer(self.model.engines()?, Selector::default())?.following();
        let mut raw = RawFrame::new();
        let mut decoder = Decoder::new();
        let mut frame = Frame::default();
        let mut overlay = Overlay::new();
        let mut canvas = Canvas::default();
        let mut hud = Hud { layer: explainer.info().layer.wire.clone(), camera: source.name(), ..Hud::default() };
        let mut stats = Stats::default();
        let mut first_map = Duration::ZERO;
        let mut busy = Duration::ZERO;
        let iterations = self.iterations as usize;
        for iteration in 0..WARM_UP + iterations {
            // Making the picture is the camera's work, not a stage.
            source.read(&mut raw)?;
            let mut times = Vec::with_capacity(5);
            let begin = Instant::now();
            decoder.decode(&raw, &mut frame)?;
            times.push((Stage::Decode, begin.elapsed()));
            let (map, explained) = explainer.explain(&frame, method)?;
            times.extend(explained);
            if iteration == 0 {
                first_map = start.elapsed();
            }
            let begin = Instant::now();
            hud.describe(&map);
            overlay.draw(&frame, Some(&map), &Look::default(), Some(&hud), &mut canvas);
            times.push((Stage::Overlay, begin.elapsed()));
            if iteration >= WARM_UP {
                times.iter().for_each(|(stage, duration)| stats.record(*stage, *duration));
                busy += times.iter().map(|(_, duration)| *duration).sum::<Duration>();
            }
        }
        let stages = stats.stages();
        let median = |stage: Option<Percentiles>| stage.map_or(0.0, |percentiles| percentiles.p50);
        let report = Report {
            source: self.source,
            model: explainer.info().file.clone(),
            method: self.method,
            threads: self.model.threads,
            iterations: self.iterations,
            heatmap_share: median(stages.heatmap) / median(stages.forward),
            stages,
            fps: iterations as f64 / busy.as_secs_f64(),
            start_to_first_map_ms: first_map.as_secs_f64() * 1e3,
            peak_memory_mb: peak_memory_mb(),
        };
        let out = &mut std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            print(out, &report)?;
        }
        Ok(SUCCESS)
    }
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let Report { stages, .. } = report;
    let Report { model, source, method, threads, iterations, .. } = report;
    writeln!(out, "{model} on {source}, {method}, {threads} threads, {iterations} frames")?;
    print_stages(out, stages)?;
    writeln!(out, "  heat map / forward {:.2} %", report.heatmap_share * 100.0)?;
    writeln!(
        out,
        "  {:.1} frames per second, first map {:.0} ms after the start",
        report.fps, report.start_to_first_map_ms
    )?;
    match report.peak_memory_mb {
        Some(peak) => writeln!(out, "  peak memory {peak:.0} MB"),
        None => Ok(()),
    }
}

/// The high-water mark of the resident memory, which Linux tells.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}
