//! `gradcam live`: a source, explained while it runs.

use super::model::{ModelArgs, explainer};
use super::view::ViewArgs;
use super::{INTERRUPTED, SUCCESS, print_stages, say};
use crate::cam::methods;
use crate::clock::SystemClock;
use crate::frame::PixelFormat;
use crate::model::Info;
use crate::overlay::Look;
use crate::pipeline::live::{self, Controls, View};
use crate::pipeline::report::{Report, TimesReport};
#[cfg(feature = "window")]
use crate::pipeline::screen::{Screen, Settings};
use crate::pipeline::stats::Rate;
use crate::shutdown::Shutdown;
use crate::source::{self, CameraRequest, SourceSpec};
use crate::target::Selector;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a run without window and JSON says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
#[cfg_attr(not(feature = "window"), allow(dead_code, reason = "some options are the window's"))]
pub struct Live {
    /// Camera (0, /dev/video0), picture, folder of pictures, demo, demo:mjpeg, demo:yuyv
    /// [default: the first camera, or the demo where there is none]
    #[arg(short, long, value_name = "SOURCE", verbatim_doc_comment)]
    source: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    view: ViewArgs,
    /// Size asked of the camera
    #[arg(long, value_name = "WxH", value_parser = super::parse_size)]
    size: Option<(u32, u32)>,
    /// Pixel format asked of the camera: mjpeg, yuyv, nv12, grey
    #[arg(long, value_name = "NAME", value_parser = parse_format)]
    format: Option<PixelFormat>,
    /// Frames per second asked of the camera
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    fps: Option<u32>,
    /// Opacity of full heat, 0 to 1
    #[arg(long, value_name = "X", default_value_t = Look::default().opacity, value_parser = parse_share)]
    opacity: f32,
    /// Mirror the picture
    #[arg(long)]
    flip: bool,
    /// Show each map on the very frame it explains
    #[arg(long)]
    sync: bool,
    /// Folder for snapshots (key s)
    #[arg(long, value_name = "DIR", default_value = "snapshots")]
    snapshots: PathBuf,
    /// Print the times of the stages at the end
    #[arg(long)]
    stats: bool,
    /// Without a window
    #[arg(long)]
    headless: bool,
    /// End after N explained frames
    #[arg(long, value_name = "N", requires = "headless", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// Print one JSON object for each explained frame
    #[arg(long, requires = "headless")]
    json: bool,
}

impl Live {
    pub fn run(self, start: Instant) -> anyhow::Result<u8> {
        let method = methods::find(&self.view.method)?;
        let shutdown = Shutdown::new();
        stop_on_signals(&shutdown)?;
        let clock = Arc::new(SystemClock::new());
        // The source first: it answers at once, the model takes a moment.
        let request = CameraRequest {
            width: self.size.map(|(width, _)| width),
            height: self.size.map(|(_, height)| height),
            fps: self.fps,
            format: self.format,
        };
        let source = source::open(&self.source()?, &request, clock.clone(), shutdown.clone())?;
        let engines = self.model.engines()?;
        let locked = self.view.target(&engines[0].info)?;
        let explainer = explainer(engines, Selector::new(locked))?.following();
        let (info, coinciding) = (explainer.info().clone(), explainer.coinciding());
        let controls = Controls { method, locked, frozen: None };
        let stages = live::run(source, explainer, controls, clock, shutdown, |view| match self.headless {
            true => self.headless(view, &info),
            false => self.window(view, &info, coinciding, start),
        })?;
        if self.stats {
            print_stages(&mut std::io::stderr().lock(), &stages)?;
        }
        Ok(SUCCESS)
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

    #[cfg(feature = "window")]
    fn window(
        &self,
        view: View,
        info: &Info,
        coinciding: Vec<Vec<&'static str>>,
        start: Instant,
    ) -> anyhow::Result<()> {
        let look = Look {
            colormap: self.view.colormap,
            opacity: self.opacity,
            flip: self.flip,
            signed: self.view.signed,
            ..Look::default()
        };
        let (sync, snapshots, roi) = (self.sync, self.snapshots.clone(), self.view.roi);
        let settings = Settings { look, sync, snapshots, roi, coinciding, start };
        Screen::new(info, settings).run(view, "gradcam")
    }

    #[cfg(not(feature = "window"))]
    fn window(&self, _: View, _: &Info, _: Vec<Vec<&'static str>>, _: Instant) -> anyhow::Result<()> {
        Err(crate::Error::device("window", "this gradcam was built without one").into())
    }

    fn headless(&self, view: View, info: &Info) -> anyhow::Result<()> {
        let mut explained = 0;
        let mut network = Rate::default();
        let mut said = view.now();
        while !view.ended() && self.frames.is_none_or(|frames| explained < frames) {
            let Some(result) = view.explained(Duration::from_millis(100)) else { continue };
            explained += 1;
            let now = view.now();
            network.tick(now);
            if self.json {
                let mut times = TimesReport::default();
                result.times.iter().for_each(|(stage, duration)| times.add(*stage, *duration));
                let report = Report::new(&view.capture().source, info, &result.map, self.view.roi, times);
                let out = &mut std::io::stdout().lock();
                serde_json::to_writer(&mut *out, &report.of_frame(&result.map))?;
                writeln!(out)?;
            } else if now - said >= SIGN_OF_LIFE {
                said = now;
                let (target, score) = (result.map.title(), result.map.score());
                let (network, camera) = (network.per_second(now), view.camera_fps());
                say(&format!("{target} {score:.2}, network {network:.1} fps, camera {camera:.1} fps"));
            }
        }
        Ok(())
    }
}

/// The first signal asks for the end, a second one does not wait for it.
fn stop_on_signals(shutdown: &Shutdown) -> anyhow::Result<()> {
    let shutdown = shutdown.clone();
    ctrlc::set_handler(move || {
        if !shutdown.request() {
            process::exit(INTERRUPTED);
        }
    })?;
    Ok(())
}

fn parse_share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("expected a number from 0 to 1".to_owned())
}

fn parse_format(text: &str) -> Result<PixelFormat, String> {
    source::READABLE
        .into_iter()
        .find(|format| source::format_name(*format).eq_ignore_ascii_case(text))
        .ok_or("expected mjpeg, yuyv, nv12 or grey".to_owned())
}
