//! The live view: the newest frame with the newest map, and what the user does with it.

mod commands;
#[cfg(feature = "serve")]
mod serving;
#[cfg(not(feature = "serve"))]
#[path = "screen/not_serving.rs"]
mod serving;

pub use commands::Command;
pub use serving::Serving;

use super::live::{Explained, View};
use super::recorder::{Plan, Recorder};
use super::report::{Report, TimesReport};
use super::stats::{Rate, Stage};
use super::watch::{Rule, Watch};
use crate::cam::HeatMap;
use crate::frame::{Frame, Rect};
use crate::logbook;
use crate::model::Info;
use crate::overlay::{Canvas, Hud, Look, Overlay, State};
use crate::sink::window::{Key, Window};
use crate::sink::{Shown, Sink, snapshot};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a message stays.
const NOTE: Duration = Duration::from_secs(4);
/// How often the view is drawn although nothing new came: its numbers change.
const IDLE: Duration = Duration::from_millis(250);
/// How long the window waits for a frame to take its size from.
const FIRST_FRAME: Duration = Duration::from_millis(500);

/// How the live view is to be.
pub struct Settings {
    pub look: Look,
    /// Each map is shown on the very frame that it explains.
    pub sync: bool,
    /// Where snapshots go.
    pub snapshots: PathBuf,
    /// Reports of snapshots say what share of the heat lies in it.
    pub heat_share: Option<Rect>,
    /// When snapshots are taken without a key.
    pub watch: Option<Rule>,
    /// Groups of methods that give the same map, by name.
    pub coinciding: Vec<Vec<&'static str>>,
    /// When the program started: the log tells how long the first map took.
    pub start: Instant,
    /// How recordings are to be, and whether one begins at once.
    pub recordings: Plan,
    pub recording: bool,
    /// Shows the view to browsers too.
    pub serving: Option<Serving>,
    /// Tells the user a line.
    pub say: fn(&str),
}

/// What the view shows and has been told.
pub struct Screen {
    /// With the wire of the layer at which the newest map was made.
    info: Info,
    settings: Settings,
    frame: Option<Arc<Frame>>,
    /// What is shown before the first frame: black.
    nothing: Frame,
    explained: Option<Explained>,
    overlay: Overlay,
    canvas: Canvas,
    hud: Hud,
    network: Rate,
    note_until: Duration,
    recorder: Option<Recorder>,
    /// One that writes its end while the view goes on.
    closing: Option<Recorder>,
    watch: Option<Watch>,
    /// Whether a recording was begun before.
    recorded_before: bool,
    /// Number of the last frame that was recorded, and when it was.
    recorded: Option<(u64, Duration)>,
    /// Whether a recording broke off.
    broken_off: bool,
    /// Why the last snapshot could not be written.
    trouble: Option<String>,
    /// Whether frames wait until they are explained: their times are a video's then, and not those of the run.
    waits: bool,
    /// Something changed that is not on the canvas yet.
    stale: bool,
    drawn: Duration,
}

impl Screen {
    pub fn new(info: Info, settings: Settings) -> Screen {
        let coinciding = settings.coinciding.clone();
        let hud = Hud { layer: info.layer.wire.clone(), coinciding, ..Hud::default() };
        Screen {
            info,
            watch: settings.watch.map(Watch::new),
            settings,
            frame: None,
            nothing: Frame { width: 640, height: 480, rgb: vec![0; 640 * 480 * 3], ..Frame::default() },
            explained: None,
            overlay: Overlay::new(),
            canvas: Canvas::default(),
            hud,
            network: Rate::default(),
            note_until: Duration::ZERO,
            recorder: None,
            closing: None,
            recorded_before: false,
            recorded: None,
            broken_off: false,
            trouble: None,
            waits: false,
            stale: true,
            drawn: Duration::ZERO,
        }
    }

    /// Shows the run until the user or the run ends it. Returns whether all recordings are whole.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where there is no display; [`crate::Error::Output`] where a recording that was asked for
    /// cannot begin.
    pub fn run(mut self, mut view: View, title: &str) -> anyhow::Result<bool> {
        // A camera may take its time; the demo and pictures are there at once.
        self.frame = view.frame(FIRST_FRAME);
        self.draw(&view);
        let mut window = Window::open(title, self.canvas.width, self.canvas.height)?;
        self.begin()?;
        while window.is_open() {
            // What was explained before the end is shown too.
            let (ended, mut came) = (view.ended(), false);
            while let Some(explained) = view.explained(Duration::ZERO) {
                self.take(explained, &view);
                came = true;
                if self.waits {
                    break;
                }
            }
            self.update(&mut view, Duration::from_millis(5));
            let now = view.now();
            if self.stale || now.saturating_sub(self.drawn) >= IDLE {
                self.draw(&view);
                self.record(&view);
                self.show(&mut window, &view)?;
                self.drawn = now;
                self.stale = false;
            } else {
                window.poll();
            }
            for key in window.keys() {
                if key == Key::Quit {
                    return Ok(self.end());
                }
                if let Err(reason) = self.asked(key, &view).and_then(|command| self.obey(command, &view)) {
                    self.note(&reason, &view);
                }
            }
            self.serve(&view);
            if ended && !came {
                break;
            }
        }
        Ok(self.end())
    }

    /// Begins the recording that was asked for from the start.
    ///
    /// # Errors
    /// [`crate::Error::Output`]
    pub fn begin(&mut self) -> crate::Result<()> {
        if self.settings.recording { self.start_recording() } else { Ok(()) }
    }

    /// Without a window: records and serves the newest frame, for which it waits at most `timeout`.
    pub fn step(&mut self, view: &mut View, timeout: Duration) {
        self.update(view, timeout);
        let now = view.now();
        if self.frame.is_some() && (self.stale || now.saturating_sub(self.drawn) >= IDLE) {
            // Nobody sees the canvas but a recorder.
            if self.recorder.is_some() || self.closing.is_some() {
                self.draw(view);
                self.record(view);
            }
            self.drawn = now;
            self.stale = false;
        }
        self.serve(view);
    }

    /// Closes recordings and finishes snapshots. Returns whether all are whole.
    pub fn end(&mut self) -> bool {
        for recorder in [self.closing.take(), self.recorder.take()].into_iter().flatten() {
            self.closed(recorder);
        }
        if let Some(kept) = self.watch.as_mut().and_then(Watch::end) {
            self.kept(kept);
        }
        !self.broken_off
    }

    /// Takes the newest frame, for which it waits at most `timeout`.
    fn update(&mut self, view: &mut View, timeout: Duration) {
        let newest = view.frame(timeout);
        if let Some(reason) = view.not_loaded() {
            self.note(&reason, view);
        }
        if !self.settings.sync && self.hud.state != State::Frozen && newest.is_some() {
            self.frame = newest;
            self.stale = true;
        }
        if self.hud.note.is_some() && view.now() >= self.note_until {
            self.hud.note = None;
            self.stale = true;
        }
    }

    /// Takes an explained frame.
    pub fn take(&mut self, explained: Explained, view: &View) {
        if self.network.is_new() {
            log::info!("first map {} ms after the start", self.settings.start.elapsed().as_millis());
        }
        self.network.tick(view.now());
        // The inference may have been at work on another frame when the picture was frozen.
        let frozen = self.hud.state == State::Frozen;
        if frozen && !self.frame.as_ref().is_some_and(|frame| Arc::ptr_eq(frame, &explained.frame)) {
            return;
        }
        if explained.layer.wire != self.info.layer.wire {
            self.info.layer.wire.clone_from(&explained.layer.wire);
            self.hud.layer.clone_from(&explained.layer.wire);
            self.hud.coinciding.clone_from(&explained.layer.coinciding);
        }
        self.hud.describe(&explained.map);
        self.explained_to_clients(&explained);
        if self.settings.sync {
            self.frame = Some(Arc::clone(&explained.frame));
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.explained(logged(&explained, &self.settings.look));
        }
        let wanted = !frozen && self.watch.as_ref().is_some_and(|watch| watch.wants(&explained));
        self.explained = Some(explained);
        if wanted {
            self.keep(view);
        }
        if let Some(kept) = self.watch.as_mut().and_then(Watch::kept) {
            let said = self.kept(kept);
            self.note(&said, view);
        }
        self.stale = true;
    }

    /// Takes a snapshot of the map that is new, on the very frame that it explains.
    fn keep(&mut self, view: &View) {
        let Some(Explained { frame, map, .. }) = &self.explained else { return };
        let (frame, map) = (Arc::clone(frame), map.clone());
        let live = self.frame.replace(Arc::clone(&frame));
        self.draw(view);
        self.frame = live;
        let (json, canvas) = (self.report(view, &frame, Some(&map)), self.canvas.clone());
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch.keep(&self.settings.snapshots, &frame, &map, canvas, json)
        {
            self.kept(Err(error));
        }
    }

    /// Says what became of a snapshot, unless it is the same trouble again.
    fn kept(&mut self, kept: crate::Result<PathBuf>) -> String {
        let trouble = kept.as_ref().err().map(ToString::to_string);
        let said = kept.map_or_else(|error| error.to_string(), |path| format!("saved {}", path.display()));
        if trouble.is_none() || trouble != self.trouble {
            (self.settings.say)(&format!("gradcam: {said}"));
        }
        self.files_changed(0, u64::from(trouble.is_none()));
        self.trouble = trouble;
        said
    }

    /// Brings what the display says up to now.
    fn refresh(&mut self, view: &View) {
        let capture = view.capture();
        let map = self.explained.as_ref().map(|explained| &explained.map);
        let hud = &mut self.hud;
        hud.camera_fps = view.camera_fps();
        hud.network_fps = self.network.per_second(view.now());
        hud.dropped = capture.dropped + capture.broken + view.skipped;
        let controls = view.controls();
        hud.locked = controls.locked.is_some();
        (hud.max_camera_fps, hud.max_network_fps) = (controls.limits.video, controls.limits.inference);
        if map.is_some_and(|map| map.method != controls.method.name()) {
            // Its first map may have to wait for its null level.
            hud.method = format!("{} …", controls.method.about().title);
        }
        hud.camera = capture.source;
        if hud.state != State::Frozen {
            hud.state = capture.lost.map_or(State::Live, |reason| State::Lost { reason });
            let age = |map: &HeatMap| view.now().saturating_sub(map.time);
            hud.map_age = map.filter(|_| !capture.waits).map_or(Duration::ZERO, age);
        }
        self.waits = capture.waits;
    }

    fn draw(&mut self, view: &View) {
        self.refresh(view);
        let map = self.explained.as_ref().map(|explained| &explained.map);
        let frame = self.frame.as_deref().unwrap_or(&self.nothing);
        let start = Instant::now();
        self.overlay.draw(frame, map, &self.settings.look, Some(&self.hud), &mut self.canvas);
        view.record(Stage::Overlay, start.elapsed());
    }

    /// Hands what was drawn to the recorder: each frame once, and while none comes the canvas now and then.
    fn record(&mut self, view: &View) {
        if self.closing.as_ref().is_some_and(Recorder::has_ended)
            && let Some(recorder) = self.closing.take()
        {
            let said = self.closed(recorder);
            self.note(&said, view);
        }
        if self.recorder.as_ref().is_some_and(Recorder::has_ended)
            && let Some(recorder) = self.recorder.take()
        {
            let said = self.closed(recorder);
            self.note(&said, view);
        }
        let (Some(recorder), Some(frame)) = (&mut self.recorder, &self.frame) else { return };
        let (last, at) = self.recorded.unwrap_or((u64::MAX, Duration::ZERO));
        let moves = self.hud.state == State::Live;
        let time = if moves || self.waits { frame.time } else { view.now() };
        if (moves && last != frame.number) || (!moves && time.saturating_sub(at) >= IDLE) || self.recorded.is_none() {
            recorder.take(&self.canvas, frame, &self.settings.look, time, self.waits);
            self.recorded = Some((frame.number, time));
        }
        let progress = recorder.progress();
        self.overlay.mark_recorded(progress.elapsed, progress.dropped, &mut self.canvas);
    }

    fn start_recording(&mut self) -> crate::Result<()> {
        let plan = self.settings.recordings.clone();
        let frame = self.frame.as_deref().unwrap_or(&self.nothing);
        let size = (self.canvas.width.max(frame.width), self.canvas.height.max(frame.height));
        let mut recorder = Recorder::start(plan, self.recorded_before, size)?;
        // The map that is on the view belongs to the first picture.
        if let Some(explained) = &self.explained {
            recorder.explained(logged(explained, &self.settings.look));
        }
        self.recorder = Some(recorder);
        self.files_changed(1, 0);
        self.recorded_before = true;
        self.recorded = None;
        Ok(())
    }

    /// Begins a recording, or ends it without waiting for the files to be closed.
    fn record_or_end(&mut self, on: bool) -> Result<(), String> {
        match (on, self.recorder.take()) {
            (false, Some(mut recorder)) => {
                recorder.close();
                self.closing = Some(recorder);
            }
            // Two at a time would share the disk and the processor for nothing.
            (true, None) if self.closing.is_some() => return Err("the last recording is still being closed".to_owned()),
            (true, None) => self.start_recording().map_err(|error| error.to_string())?,
            (_, as_before) => self.recorder = as_before,
        }
        Ok(())
    }

    /// Waits for a recorder and says how it went.
    fn closed(&mut self, recorder: Recorder) -> String {
        let progress = recorder.join();
        let said = match progress.failed {
            Some(reason) => {
                self.broken_off = true;
                reason
            }
            None => format!(
                "recorded {}: {:.1} s, {} frames, {} lost",
                progress.path.display(),
                progress.elapsed.as_secs_f64(),
                progress.frames,
                progress.dropped
            ),
        };
        (self.settings.say)(&format!("gradcam: {said}"));
        self.files_changed(0, 0);
        said
    }

    fn show(&mut self, window: &mut Window, view: &View) -> anyhow::Result<()> {
        let frame = self.frame.as_deref().unwrap_or(&self.nothing);
        let map = self.explained.as_ref().map(|explained| &explained.map);
        let start = Instant::now();
        window.show(&Shown { frame, map, canvas: &self.canvas })?;
        view.record(Stage::Show, start.elapsed());
        Ok(())
    }

    fn snapshot(&mut self, view: &View) -> Result<PathBuf, String> {
        let Some(frame) = self.frame.clone() else { return Err("there is no frame yet".to_owned()) };
        // What other keys have just changed belongs into the picture too.
        self.draw(view);
        let map = self.explained.as_ref().map(|explained| &explained.map);
        let json = self.report(view, &frame, map);
        let shown = Shown { frame: &frame, map, canvas: &self.canvas };
        let saved = snapshot::save(&self.settings.snapshots, &snapshot::stem(), &shown, &json);
        let path = saved.map_err(|error| error.to_string())?;
        self.note(&format!("saved {}", path.display()), view);
        self.files_changed(0, 1);
        Ok(path)
    }

    fn report(&self, view: &View, frame: &Frame, map: Option<&HeatMap>) -> serde_json::Value {
        let mut times = TimesReport::default();
        if let Some(explained) = &self.explained {
            explained.times.iter().for_each(|(stage, duration)| times.add(*stage, *duration));
        }
        let source = view.capture().source;
        let report =
            map.map(|map| Report::new(&source, &self.info, map, self.settings.heat_share, times).of_frame(map));
        // The map is the newest one; it may explain a frame before the one that is shown.
        serde_json::json!({
            "shown_frame": { "number": frame.number, "time": frame.time.as_secs_f64() },
            "explanation": report,
        })
    }

    fn note(&mut self, text: &str, view: &View) {
        self.hud.note = Some(text.to_owned());
        self.note_until = view.now() + NOTE;
    }
}

/// What a logbook says of an explained frame.
fn logged(explained: &Explained, look: &Look) -> logbook::Explained {
    let mut times = TimesReport::default();
    explained.times.iter().for_each(|(stage, duration)| times.add(*stage, *duration));
    logbook::Explained { map: explained.map.clone(), look: *look, times_ms: times.named() }
}
