//! `gradcam live`: a source, explained while it runs.

use super::lost::Lost;
use super::model::{ModelArgs, explainer};
use super::record::RecordArgs;
#[cfg(feature = "serve")]
use super::serve::ServeArgs;
use super::view::ViewArgs;
use super::{FAILURE, SUCCESS, print_stages, say};
use crate::cam::methods;
use crate::clock::SystemClock;
use crate::frame::PixelFormat;
use crate::model::Info;
use crate::overlay::Look;
use crate::pipeline::live::{self, Controls, Limits, View};
use crate::pipeline::recorder::Plan;
use crate::pipeline::report::{Report, TimesReport};
use crate::pipeline::screen::{Screen, Settings};
use crate::pipeline::stats::Rate;
use crate::pipeline::watch::Rule;
use crate::source::{self, CameraRequest, ControlRequest, SourceSpec};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Parts of the list of options.
const SOURCE: &str = "Source";
const VIEW: &str = "View";
const SNAPSHOTS: &str = "Snapshots";
/// How often a run without window and JSON says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
pub struct Live {
    /// Without a window
    #[arg(long)]
    headless: bool,
    /// Print one JSON object for each explained frame
    #[arg(long, requires = "headless")]
    json: bool,
    /// End after N explained frames
    #[arg(long, value_name = "N", requires = "headless", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// Print the times of the stages at the end
    #[arg(long)]
    stats: bool,
    /// Camera (0, /dev/video0), picture, folder of pictures, video, rtsp:// or http:// address, standard input (-, as
    /// Y4M), demo, demo:mjpeg, demo:yuyv [default: the first camera, or the demo where there is none]
    #[arg(short, long, value_name = "SOURCE", help_heading = SOURCE)]
    source: Option<String>,
    #[command(flatten, next_help_heading = "Model")]
    model: ModelArgs,
    #[command(flatten, next_help_heading = VIEW)]
    view: ViewArgs,
    /// Size asked of the camera
    #[arg(long, value_name = "WxH", value_parser = super::parse_size, help_heading = SOURCE)]
    size: Option<(u32, u32)>,
    /// Pixel format asked of the camera: mjpeg, yuyv, nv12, grey
    #[arg(long, value_name = "NAME", value_parser = parse_format, help_heading = SOURCE)]
    format: Option<PixelFormat>,
    /// Frames per second asked of the camera
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = SOURCE)]
    fps: Option<u32>,
    /// Set a control of the camera, such as gain=40 or auto_exposure=manual_mode; may be given several
    /// times, and is done in this order (`gradcam devices --controls` lists names and values)
    #[arg(long, value_name = "NAME=VALUE", help_heading = SOURCE)]
    control: Vec<ControlRequest>,
    /// Frames per second that are decoded and shown, at most
    #[arg(long, value_name = "N", value_parser = super::record::parse_fps, help_heading = SOURCE)]
    max_fps: Option<f32>,
    /// Frames per second that are explained, at most
    #[arg(long, value_name = "N", value_parser = super::record::parse_fps, help_heading = SOURCE)]
    max_inference_fps: Option<f32>,
    /// Play a video at its own pace; with `false`, explain each of its frames as fast as that goes, and show
    /// each map on its own frame (--sync)
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, help_heading = SOURCE)]
    realtime: bool,
    /// Begin a video anew at its end
    #[arg(long = "loop", help_heading = SOURCE)]
    again: bool,
    /// Opacity of full heat, 0 to 1
    #[arg(long, value_name = "X", default_value_t = Look::default().opacity, value_parser = super::parse_share)]
    #[arg(help_heading = VIEW)]
    opacity: f32,
    /// Show each map on the very frame it explains
    #[arg(long, help_heading = VIEW)]
    sync: bool,
    /// Folder for snapshots (key s)
    #[arg(long, value_name = "DIR", default_value = "snapshots", help_heading = SNAPSHOTS)]
    snapshots: PathBuf,
    /// Take a snapshot when this class is seen (number or label; may be given several times)
    #[arg(long, value_name = "CLASS", help_heading = SNAPSHOTS)]
    snapshot_on: Vec<String>,
    /// With --snapshot-on: the class's probability must be at least this
    #[arg(long, value_name = "X", default_value_t = 0.6, value_parser = super::parse_share)]
    #[arg(requires = "snapshot_on", help_heading = SNAPSHOTS)]
    min_probability: f32,
    /// With --snapshot-on: one snapshot in this time at most
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = super::parse_duration)]
    #[arg(requires = "snapshot_on", help_heading = SNAPSHOTS)]
    every: Duration,
    #[command(flatten, next_help_heading = "Recording")]
    recording: RecordArgs,
    #[cfg(feature = "serve")]
    #[command(flatten, next_help_heading = "Browser")]
    serving: ServeArgs,
}

impl Live {
    pub fn run(self, start: Instant) -> anyhow::Result<u8> {
        let method = methods::find(&self.view.method)?;
        let shutdown = super::film::stop_on_signals()?;
        let clock = Arc::new(SystemClock::new());
        // The source first: it answers at once, the model takes a moment.
        let request = CameraRequest {
            width: self.size.map(|(width, _)| width),
            height: self.size.map(|(_, height)| height),
            fps: self.fps,
            again: self.again,
            fast: !self.realtime,
            turn: self.view.rotate,
            format: self.format,
            controls: self.control.clone(),
        };
        let spec = self.source()?;
        let destination = self.recording.destination()?;
        let source = source::open(&spec, &request, clock.clone(), shutdown.clone())?;
        let named = self.source.as_deref().map_or_else(|| source.name(), source::shown);
        #[cfg(feature = "serve")]
        let server = self.serving.bind(&destination, &self.snapshots)?;
        let engines = self.model.engines()?;
        let selector = self.view.selector(&engines[0].info)?;
        let locked = selector.locked();
        let watched =
            self.snapshot_on.iter().map(|class| engines[0].info.class(class)).collect::<crate::Result<_>>()?;
        let explainer = explainer(engines, selector)?.following().on(self.view.roi).watching(watched);
        let (info, coinciding) = (explainer.info().clone(), explainer.coinciding());
        let facts = self.model.facts(&explainer)?;
        let recordings = self.recording.plan(destination, named, self.view.rotate, facts);
        let limits = Limits { video: self.max_fps, inference: self.max_inference_fps };
        let controls = Controls { method, locked, frozen: None, limits, layer: None };
        #[cfg(feature = "serve")]
        let (explainer, serving) = self.serving.start(server, &self.model, explainer)?;
        #[cfg(not(feature = "serve"))]
        let serving = None;
        self.say_what_is_seen();
        let settings = Settings { serving, ..self.settings(coinciding, start, recordings) };
        let screen = Screen::new(info.clone(), settings);
        let mut whole = true;
        let stages = live::run(source, explainer, controls, clock, shutdown, |view| {
            whole = match self.headless {
                true => self.headless(view, info, screen)?,
                false => screen.run(view, "gradcam")?,
            };
            Ok(())
        })?;
        if self.stats {
            print_stages(&mut std::io::stderr().lock(), &stages)?;
        }
        Ok(if whole { SUCCESS } else { FAILURE })
    }

    fn source(&self) -> anyhow::Result<SourceSpec> {
        if let Some(source) = &self.source {
            return Ok(source.parse()?);
        }
        Ok(source::default_camera().unwrap_or_else(|| {
            say("gradcam: no camera found, showing the built-in demo (--source names another source)");
            SourceSpec::Demo(source::demo::Format::Rgb8)
        }))
    }

    fn settings(&self, coinciding: Vec<Vec<&'static str>>, start: Instant, recordings: Plan) -> Settings {
        let look = Look {
            colormap: self.view.colormap,
            opacity: self.opacity,
            flip: self.view.flip,
            signed: self.view.signed,
            ..Look::default()
        };
        let (sync, snapshots, heat_share) = (self.sync || !self.realtime, self.snapshots.clone(), self.view.heat_share);
        let rule = Rule { min_probability: self.min_probability, every: self.every };
        let watch = (!self.snapshot_on.is_empty()).then_some(rule);
        let recording = self.recording.record.is_some();
        Settings {
            look,
            sync,
            snapshots,
            heat_share,
            watch,
            coinciding,
            start,
            recordings,
            recording,
            serving: None,
            say,
        }
    }

    /// Whether there is a view without a window: to a recording, to browsers, or to snapshots.
    fn is_viewed(&self) -> bool {
        #[cfg(feature = "serve")]
        if self.serving.serve.is_some() {
            return true;
        }
        self.recording.record.is_some() || !self.snapshot_on.is_empty()
    }

    fn say_what_is_seen(&self) {
        if self.headless && !self.json && !self.is_viewed() {
            let browser = if cfg!(feature = "serve") { "--serve shows the view in a browser, " } else { "" };
            say(&format!(
                "gradcam: nothing will be seen but these lines: {browser}--record OUT records it, \
                 --json prints numbers"
            ));
        }
    }

    /// Returns whether all recordings are whole.
    fn headless(&self, mut view: View, mut info: Info, mut screen: Screen) -> anyhow::Result<bool> {
        let viewed = self.is_viewed();
        screen.begin()?;
        let mut explained = 0;
        let mut network = Rate::default();
        let mut said = view.now();
        let mut lost = Lost::default();
        while self.frames.is_none_or(|frames| explained < frames) {
            // What was explained before the end is shown too.
            let ended = view.ended();
            // Where the frames are seen it is they that set the pace.
            let patience = if viewed { Duration::ZERO } else { Duration::from_millis(100) };
            let result = view.explained(patience);
            if viewed {
                screen.step(&mut view, Duration::from_millis(20));
            }
            let Some(result) = result else {
                if ended {
                    break;
                }
                if let Some(line) = lost.line(&view.capture(), view.now()) {
                    say(&line);
                }
                continue;
            };
            explained += 1;
            let now = view.now();
            network.tick(now);
            if self.json {
                let mut times = TimesReport::default();
                result.times.iter().for_each(|(stage, duration)| times.add(*stage, *duration));
                info.layer.wire.clone_from(&result.layer.wire);
                let report = Report::new(&view.capture().source, &info, &result.map, self.view.heat_share, times);
                let out = &mut std::io::stdout().lock();
                serde_json::to_writer(&mut *out, &report.of_frame(&result.map))?;
                writeln!(out)?;
            } else if now - said >= SIGN_OF_LIFE {
                said = now;
                let (target, score) = (result.map.title(), result.map.score());
                let (network, camera) = (network.per_second(now), view.camera_fps());
                say(&format!("{target} {score:.2}, network {network:.1} fps, camera {camera:.1} fps"));
            }
            if viewed {
                screen.take(result, &view);
            }
        }
        Ok(screen.end())
    }
}

fn parse_format(text: &str) -> Result<PixelFormat, String> {
    source::READABLE
        .into_iter()
        .find(|format| source::format_name(*format).eq_ignore_ascii_case(text))
        .ok_or("expected mjpeg, yuyv, nv12 or grey".to_owned())
}
