//! The live view: the newest frame with the newest map, and what the user does with it.

mod commands;
mod recording;
#[cfg(feature = "serve")]
mod serving;
#[cfg(not(feature = "serve"))]
#[path = "screen/not_serving.rs"]
mod serving;
mod snapshots;

pub use commands::Command;
pub use serving::Serving;

use super::live::{Explained, View};
use super::recorder::{Plan, Recorder};
use super::stats::{Rate, Stage};
use super::watch::{Rule, Watch};
use crate::frame::{Frame, Rect};
use crate::model::Info;
use crate::overlay::{Canvas, Hud, Look, Overlay, State};
use crate::sink::window::{Key, Window};
use crate::sink::{Shown, Sink};
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
            recorder.explained(recording::logged(&explained, &self.settings.look));
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
            let shown = map.filter(|_| !capture.waits);
            hud.map_age = shown.map_or(Duration::ZERO, |map| view.now().saturating_sub(map.time));
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

    fn show(&mut self, window: &mut Window, view: &View) -> anyhow::Result<()> {
        let frame = self.frame.as_deref().unwrap_or(&self.nothing);
        let map = self.explained.as_ref().map(|explained| &explained.map);
        let start = Instant::now();
        window.show(&Shown { frame, map, canvas: &self.canvas })?;
        view.record(Stage::Show, start.elapsed());
        Ok(())
    }

    fn note(&mut self, text: &str, view: &View) {
        self.hud.note = Some(text.to_owned());
        self.note_until = view.now() + NOTE;
    }
}
