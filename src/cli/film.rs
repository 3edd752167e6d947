//! `gradcam explain CLIP -o OUT.mp4`: every frame of a video, with its sound.

use super::explain::Explain;
use super::model::explainer;
use super::{INTERRUPTED, PARTLY, STANDARD_OUTPUT, SUCCESS, say};
use crate::cam::methods::AnyMethod;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::logbook::{self, Reader};
use crate::overlay::{Hud, Look};
use crate::pipeline::film::{Done, Drawn, Explained, Film, Kept, Maps};
use crate::pipeline::recorder::{Plan, Recorder};
use crate::pipeline::report::{Report, TimesReport};
use crate::shutdown::Shutdown;
use crate::sink::record::name::Destination;
use crate::sink::record::sounded;
use crate::source::ffmpeg::{About, add_sound};
use crate::source::video::{Pace, Video};
use crate::source::{Source, SourceSpec};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process;
use std::time::Duration;

/// How the scale of a film comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// It follows the maps' maxima, as live.
    Following,
    /// The largest maximum of the whole film, which is explained before it is drawn.
    Fixed,
}

pub fn parse_scale(text: &str) -> std::result::Result<Scale, String> {
    match text {
        "following" => Ok(Scale::Following),
        "fixed" => Ok(Scale::Fixed),
        _ => Err("expected following or fixed".to_owned()),
    }
}

/// The first signal closes the files, a second one does not wait for that.
pub fn stop_on_signals() -> anyhow::Result<Shutdown> {
    let shutdown = Shutdown::new();
    let asked = shutdown.clone();
    ctrlc::set_handler(move || {
        if !asked.request() {
            process::exit(INTERRUPTED);
        }
    })?;
    Ok(shutdown)
}

/// Opens a video to be read as fast as it goes.
pub fn open(input: &Path, shutdown: &Shutdown) -> Result<Video> {
    let name = input.to_str().ok_or_else(|| Error::input(input.display(), "its name is not Unicode"))?;
    match name.parse()? {
        SourceSpec::Video(path) => Video::file(&path, Pace::Free, false, shutdown.clone()),
        SourceSpec::Pipe => Video::pipe(Pace::Free, shutdown.clone()),
        _ => Err(Error::input(name, "is no video; where OUT is an .mp4 file, IN is a video file or -")),
    }
}

/// A bar for the frames of a video.
pub fn bar(about: &About, what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let frames = about.duration.zip(about.fps).map(|(duration, fps)| (duration.as_secs_f64() * fps).round() as u64);
    let template = match frames {
        Some(_) => "{msg} {bar:30} {pos}/{len} frames, {per_sec:.1}, {eta} left",
        None => "{msg} {pos} frames, {per_sec:.1}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    let bar = frames.map_or_else(ProgressBar::no_length, ProgressBar::new);
    bar.with_style(style).with_message(what)
}

impl Explain {
    /// Explains a video.
    pub fn film(&self, method: AnyMethod, engines: Vec<Engine>) -> anyhow::Result<u8> {
        let [input] = &self.inputs[..] else {
            return Err(Error::input(self.output.display(), "is one video; give one video as IN").into());
        };
        if self.drop_test {
            return Err(Error::input("--drop-test", "is for pictures").into());
        }
        let destination = Destination::at(&self.output)?;
        destination.first("")?;
        let shutdown = stop_on_signals()?;
        let video = open(input, &shutdown)?;
        let selector = self.view.selector(&engines[0].info)?;
        let explainer = explainer(engines, selector)?.following().on(self.view.roi);
        let info = explainer.info().clone();
        let hud = Hud { layer: info.layer.wire.clone(), coinciding: explainer.coinciding(), ..Hud::default() };
        let hud = (!self.plain).then_some(hud);
        let (named, model) = (input.display().to_string(), self.model.facts(&explainer)?);
        let turn = self.view.rotate;
        let (encoding, view) = (self.encoding.encoding(), self.encoding.record_view);
        let plan = Plan { destination, encoding, view, segment: None, source: named.clone(), turn, model };
        let look =
            Look { colormap: self.view.colormap, signed: self.view.signed, flip: self.view.flip, ..Look::default() };
        let tell = |drawn: Option<&Drawn>| -> Result<()> {
            let Some(drawn) = drawn.filter(|_| self.json) else { return Ok(()) };
            let times = TimesReport::from_named(&drawn.times_ms);
            let report = Report::new(&named, &info, &drawn.map, self.view.heat_share, times).of_frame(&drawn.map);
            let refused = |error: &dyn std::fmt::Display| Error::output(Path::new(STANDARD_OUTPUT), error);
            let text = serde_json::to_string(&report).map_err(|error| refused(&error))?;
            match writeln!(std::io::stdout().lock(), "{text}") {
                // Whoever read has seen enough; the film is closed like any other.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    shutdown.request();
                    Ok(())
                }
                written => written.map_err(|error| refused(&error)),
            }
        };
        let maps = Explained { explainer, method, look, every: self.every };

        let (about, done, broken) = match self.video_scale {
            Scale::Following => draw(Film { video, maps, turn, part: None, mirrored: false, hud }, &plan, "", tell)?,
            Scale::Fixed => {
                if *input == Path::new("-") {
                    return Err(
                        Error::input("--video-scale", "fixed reads the video twice, which a pipe cannot be").into()
                    );
                }
                let folder = tempfile::tempdir().map_err(|error| Error::output(&std::env::temp_dir(), error))?;
                let kept = folder.path().join("first.mp4");
                let first = Plan { destination: Destination::File(kept.clone()), ..plan.clone() };
                let fixed = explain_only(video, maps, &first, &kept, tell)?;
                let entries = Reader::open(&kept)?.entries;
                let relook = move |map: &mut crate::cam::HeatMap, look| {
                    map.scale = fixed;
                    look
                };
                let maps = Kept { entries, by_source: false, relook, next: None };
                let video = open(input, &shutdown)?;
                draw(Film { video, maps, turn, part: None, mirrored: false, hud }, &plan, "drawing", |_| Ok(()))?
            }
        };
        let part = broken.is_some() || shutdown.requested();
        self.sound(input, &about, &done, part.then_some(done.duration));
        if let Some(reason) = broken {
            say(&format!("gradcam: {named}: breaks off after {} frames ({reason})", done.frames));
            return Ok(PARTLY);
        }
        Ok(SUCCESS)
    }

    /// Copies the sound, where there is some, up to `end` if that is given. Without it the film is whole too.
    fn sound(&self, input: &Path, about: &About, done: &Done, end: Option<Duration>) {
        if !about.sound || done.frames == 0 {
            return;
        }
        let folder = self.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let outcome =
            tempfile::Builder::new().prefix(".gradcam-").tempdir_in(folder).map_err(|error| error.to_string());
        let outcome = outcome.and_then(|folder| {
            let with_sound = folder.path().join("film.mp4");
            add_sound(&self.output, input, done.start, end, &with_sound)?;
            sounded::settle(&self.output, &with_sound).map_err(|error| error.to_string())?;
            std::fs::rename(with_sound, &self.output).map_err(|error| error.to_string())
        });
        if let Err(reason) = outcome {
            say(&format!("gradcam: {}: without sound ({reason})", self.output.display()));
        }
    }
}

/// Draws a film and records it. Returns what ffmpeg said of the video, what was done, and why it broke off if it did.
pub fn draw<M: Maps>(
    mut film: Film<M>,
    plan: &Plan,
    what: &'static str,
    tell: impl Fn(Option<&Drawn>) -> Result<()>,
) -> Result<(About, Done, Option<String>)> {
    let bar = bar(&film.video.about(), what);
    let open = |size| Recorder::start(plan.clone(), false, size);
    let done = film.run(open, |_, drawn| {
        bar.inc(1);
        tell(drawn)
    });
    bar.finish_and_clear();
    let done = done?;
    if done.dropped > 0 {
        let (name, dropped) = (film.video.name(), done.dropped);
        say(&format!("gradcam: {name}: {dropped} frames are left out, because they follow others too closely"));
    }
    Ok((film.video.about(), done, film.video.broken().map(str::to_owned)))
}

/// The first of two passes: maps into a logbook at `kept`. Returns the scale for all of them.
fn explain_only(
    mut video: Video,
    mut maps: Explained,
    plan: &Plan,
    kept: &Path,
    tell: impl Fn(Option<&Drawn>) -> Result<()>,
) -> Result<f32> {
    let bar = bar(&video.about(), "explaining");
    let mut raw = crate::frame::RawFrame::new();
    let mut decoder = crate::decode::Decoder::new();
    let mut frame = crate::frame::Frame::default();
    let mut writer = logbook::Writer::create(kept, &plan.start((0, 0), (frame.width, frame.height)))?;
    let (mut largest, mut floor) = (0f32, f32::INFINITY);
    while video.read(&mut raw)? == crate::source::Event::Frame {
        raw.turn = plan.turn;
        decoder.decode(&raw, &mut frame).map_err(|broken| Error::input(video.name(), broken))?;
        if let Some(drawn) = maps.at(&frame)? {
            tell(Some(&drawn))?;
            (largest, floor) = (largest.max(drawn.map.max()), floor.min(drawn.map.scale));
            writer.explained(&drawn, logbook::Place { frame: frame.number, time: frame.time.as_secs_f64() })?;
            writer.flush()?;
        }
        frame.number += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    // The followed scale is never below the null level.
    Ok(largest.max(floor))
}
