//! `gradcam bench`: what each stage of a frame's way takes.

use super::model::{ModelArgs, explainer};
use super::{SUCCESS, print_stages};
use crate::cam::methods;
use crate::clock::SystemClock;
use crate::decode::Decoder;
use crate::engine::{Backend, Timed};
use crate::error::{Error, Result};
use crate::frame::{Frame, RawFrame};
use crate::kernels::Isa;
use crate::overlay::{Canvas, Hud, Look, Overlay};
use crate::pipeline::explainer::Explainer;
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
    /// What runs the network: fused (our own operators for convolutional parts, tract for the rest) or tract alone
    #[arg(long, value_name = "NAME", default_value_t = Backend::default().to_string())]
    engine: String,
    /// Time each operator of the network, too, in runs of their own on one thread
    #[arg(long)]
    profile: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Model")]
    model: ModelArgs,
}

/// All frames go through all stages one after another, on one thread.
#[derive(Serialize)]
struct Report {
    source: String,
    model: String,
    method: String,
    engine: String,
    /// What our own kernels are compiled for, of what this machine has.
    instructions: String,
    threads: u16,
    iterations: u32,
    /// Milliseconds.
    stages: Stages,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Vec<Operator>>,
    /// Frames per second if nothing ran at the same time: 1 / mean time of all stages.
    fps: f64,
    /// Heat map (gradients, method, scale) relative to the forward pass, by medians.
    heatmap_share: f64,
    /// From the program's start to the first heat map.
    start_to_first_map_ms: f64,
    /// The largest memory the program had, where the system tells.
    peak_memory_mb: Option<f64>,
}

/// One operator of the network.
#[derive(Serialize)]
struct Operator {
    part: &'static str,
    node: String,
    operator: String,
    /// Median.
    ms: f64,
    /// Of the sum of all medians.
    share: f64,
    /// 10⁹ a second; nothing for what multiplies nothing.
    giga_multiply_adds_per_second: Option<f64>,
}

impl Bench {
    pub fn run(self, start: Instant) -> anyhow::Result<u8> {
        let clock = Arc::new(SystemClock::new());
        let SourceSpec::Demo(format) = self.source.parse()? else {
            return Err(Error::input(&self.source, "the bench runs on demo, demo:mjpeg or demo:yuyv").into());
        };
        let mut source = Demo::new(format, Pace::Free { clock });
        let method = methods::find(&self.method)?;
        let mut explainer = explainer(self.model.engines_on(self.engine.parse()?)?, Selector::default())?.following();
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
        let profile = if self.profile { Some(profile(&mut explainer, &frame, iterations)?) } else { None };
        let stages = stats.stages();
        let median = |stage: Option<Percentiles>| stage.map_or(0.0, |percentiles| percentiles.p50);
        let report = Report {
            source: self.source,
            model: explainer.info().file.clone(),
            method: self.method,
            engine: self.engine,
            instructions: Isa::best().to_string(),
            threads: self.model.threads,
            iterations: self.iterations,
            heatmap_share: median(stages.heatmap) / median(stages.forward),
            stages,
            profile,
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

/// The medians of as many runs of the network on one frame.
fn profile(explainer: &mut Explainer, frame: &Frame, runs: usize) -> Result<Vec<Operator>> {
    let mut times: Vec<Vec<Duration>> = Vec::new();
    let mut last = Vec::new();
    for run in 0..WARM_UP + runs {
        last = explainer.profile(frame)?;
        times.resize_with(last.len(), || Vec::with_capacity(runs));
        if run >= WARM_UP {
            times.iter_mut().zip(&last).for_each(|(times, timed)| times.push(timed.took));
        }
    }
    let medians: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64()
        })
        .collect();
    let all: f64 = medians.iter().sum();
    let operator = |(Timed { part, node, operator, multiply_adds, .. }, median): (Timed, &f64)| Operator {
        part,
        node,
        operator,
        ms: median * 1e3,
        share: median / all,
        giga_multiply_adds_per_second: (multiply_adds > 0).then(|| multiply_adds as f64 / median / 1e9),
    };
    Ok(last.into_iter().zip(&medians).map(operator).collect())
}

fn print_profile(out: &mut impl Write, profile: &[Operator]) -> std::io::Result<()> {
    writeln!(out, "\n      ms  share  G multiply-adds/s  operator     node")?;
    for Operator { node, operator, ms, share, giga_multiply_adds_per_second, .. } in profile {
        let rate = giga_multiply_adds_per_second.map(|rate| format!("{rate:.1}")).unwrap_or_default();
        writeln!(out, "{ms:8.3} {:5.1}% {rate:>18}  {operator:<12} {node}", share * 100.0)?;
    }
    let (all, products) = profile.iter().fold((0.0, 0.0), |(all, products), operator| {
        let rate = operator.giga_multiply_adds_per_second.unwrap_or(0.0);
        (all + operator.ms, products + rate * operator.ms)
    });
    writeln!(out, "{all:8.3} {:5.1}% {:>18.1}  in all", 100.0, products / all)
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let Report { stages, .. } = report;
    let Report { model, source, method, engine, instructions, threads, iterations, .. } = report;
    let plural = if *threads == 1 { "" } else { "s" };
    writeln!(out, "{model} on {source}, {method}, {threads} thread{plural}, {iterations} frames")?;
    writeln!(out, "  engine {engine}, kernels {instructions}")?;
    print_stages(out, stages)?;
    writeln!(out, "  heat map / forward {:.2} %", report.heatmap_share * 100.0)?;
    writeln!(
        out,
        "  {:.1} frames per second, first map {:.0} ms after the start",
        report.fps, report.start_to_first_map_ms
    )?;
    if let Some(peak) = report.peak_memory_mb {
        writeln!(out, "  peak memory {peak:.0} MB")?;
    }
    report.profile.iter().try_for_each(|profile| print_profile(out, profile))
}

/// The high-water mark of the resident memory, which Linux tells.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}
