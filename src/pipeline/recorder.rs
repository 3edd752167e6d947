//! Recording beside the view, on a thread of its own: the view hands over and goes on.

use super::pool::Pool;
use crate::error::{Error, Result};
use crate::frame::{Frame, Turn};
use crate::logbook::{End, Explained, ModelFacts, Recorded, Start};
use crate::memory;
use crate::overlay::{Canvas, Look, Overlay};
use crate::sink::record::fit::{self, Fit};
use crate::sink::record::name::Destination;
use crate::sink::record::{Encoding, Recording, encoder};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Memory for pictures that wait for the recorder, in bytes. At 640×480 that is a second of pauses of a slow card.
const WAITING_BYTES: usize = 48 << 20;
/// How many pictures may wait at least and at most.
const WAITING: (usize, usize) = (4, 40);
/// Maps that wait for a picture; where more come, the recorder has stalled.
const WAITING_MAPS: usize = 64;
/// Without pictures for this long, what waits for its fragment is written; not where the pictures themselves wait for who
/// hands them over, so that a film is the same however long it takes.
const IDLE: Duration = Duration::from_secs(1);

/// How recordings are to be.
#[derive(Clone)]
pub struct Plan {
    pub destination: Destination,
    pub encoding: Encoding,
    pub view: Recorded,
    /// A new file after this much video.
    pub segment: Option<Duration>,
    /// As the user named it.
    pub source: String,
    /// How its frames were turned.
    pub turn: Turn,
    pub model: ModelFacts,
}

impl Plan {
    /// The first line of a logbook, for a video of `size` whose first frame has the size `frame`.
    pub fn start(&self, size: (usize, usize), frame: (usize, usize)) -> Start {
        Start {
            gradcam: env!("CARGO_PKG_VERSION").to_owned(),
            started: jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            view: self.view,
            width: size.0,
            height: size.1,
            frame_width: frame.0,
            frame_height: frame.1,
            source: self.source.clone(),
            rotate: self.turn,
            model: self.model.clone(),
        }
    }
}

/// How a recording gets on.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The present file, or the last.
    pub path: PathBuf,
    /// Video in all files.
    pub elapsed: Duration,
    /// Pictures in all files.
    pub frames: u64,
    /// Pictures that came while too many waited, or faster than any recording's.
    pub dropped: u64,
    /// Why it stopped by itself.
    pub failed: Option<String>,
    /// The last file that was closed.
    pub end: Option<End>,
}

/// A moment of the view.
struct Moment {
    time: Duration,
    picture: Picture,
    look: Look,
    /// Maps that are shown from now on.
    explained: Vec<Explained>,
    waits: bool,
}

/// What is recorded of it. No more than that waits: where a card pauses, it adds up.
enum Picture {
    /// What the view shows, drawn from a frame of that size.
    View(Arc<Canvas>, (usize, usize)),
    Frame(Arc<Frame>),
}

/// Takes moments of the view until it is dropped; dropping waits until the files are closed.
pub struct Recorder {
    sender: Option<SyncSender<Moment>>,
    thread: Option<JoinHandle<()>>,
    view: Recorded,
    progress: Arc<Mutex<Progress>>,
    /// Copies of what the view shows.
    pool: Pool<Canvas>,
    /// Maps since the last picture that was handed over.
    explained: Vec<Explained>,
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().expect("nothing panics while it holds the progress")
}

impl Recorder {
    /// Starts recording; `again` where `plan` has been used before, so that its file is there. `size` is about that of
    /// the canvases.
    ///
    /// # Errors
    /// [`Error::Output`] where the file exists, or no thread can be started.
    pub fn start(plan: Plan, again: bool, size: (usize, usize)) -> Result<Recorder> {
        plan.destination.make()?;
        let path = match again || plan.segment.is_some() {
            true => plan.destination.dated(&date()),
            false => plan.destination.first(&date())?,
        };
        let waiting = (WAITING_BYTES / (size.0 * size.1 * 4).max(1)).clamp(WAITING.0, WAITING.1);
        let (sender, moments) = sync_channel(waiting);
        let progress = Arc::new(Mutex::new(Progress { path: path.clone(), ..Progress::default() }));
        let view = plan.view;
        let worker = Worker {
            plan,
            path,
            progress: Arc::clone(&progress),
            recording: None,
            before: (Duration::ZERO, 0),
            waits: false,
            shown: None,
            overlay: Overlay::new(),
            canvases: Default::default(),
            fit: Fit::default(),
            fitted: Canvas::default(),
        };
        let thread = Builder::new().name("recorder".to_owned()).spawn(move || worker.run(moments));
        let thread = thread.map_err(|error| Error::device("recorder", error))?;
        let (sender, thread, pool) = (Some(sender), Some(thread), Pool::default());
        Ok(Recorder { sender, thread, view, progress, pool, explained: Vec::new() })
    }

    /// A map that is shown from the next picture on.
    pub fn explained(&mut self, explained: Explained) {
        if self.explained.len() == WAITING_MAPS {
            self.explained.remove(0);
        }
        self.explained.push(explained);
    }

    /// Hands over what is shown: `canvas`, drawn from `frame` with `look`, at `time` on the run's clock. Where too many
    /// pictures wait, this one is dropped and counted, unless the caller can `wait`.
    pub fn take(&mut self, canvas: &Canvas, frame: &Arc<Frame>, look: &Look, time: Duration, wait: bool) {
        let Some(sender) = &self.sender else { return };
        let picture = if self.view == Recorded::Overlay {
            let mut copy = self.pool.take();
            let shown = Arc::get_mut(&mut copy).expect("the pool hands out canvases that nobody else holds");
            shown.resize(canvas.width, canvas.height);
            shown.pixels.copy_from_slice(&canvas.pixels);
            self.pool.keep(Arc::clone(&copy));
            Picture::View(copy, (frame.width, frame.height))
        } else {
            Picture::Frame(Arc::clone(frame))
        };
        let explained = std::mem::take(&mut self.explained);
        let moment = Moment { time, picture, look: *look, explained, waits: wait };
        let refused = match wait {
            true => sender.send(moment).err().map(|error| error.0),
            false => match sender.try_send(moment) {
                Ok(()) => None,
                Err(TrySendError::Full(moment)) => {
                    lock(&self.progress).dropped += 1;
                    Some(moment)
                }
                // It has failed; its progress says why.
                Err(TrySendError::Disconnected(moment)) => Some(moment),
            },
        };
        if let Some(moment) = refused {
            self.explained = moment.explained;
        }
    }

    pub fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }

    /// Asks for the end, without waiting for it.
    pub fn close(&mut self) {
        self.sender = None;
    }

    /// Whether everything is closed, or it has failed.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the files are closed.
    pub fn join(mut self) -> Progress {
        self.wait();
        self.progress()
    }

    fn wait(&mut self) {
        self.close();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            lock(&self.progress).failed = Some("the thread failed unexpectedly".to_owned());
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.wait();
        // Nothing that follows is as large as the pictures that waited.
        self.pool = Pool::default();
        memory::give_back();
    }
}

/// The recorder's side.
struct Worker {
    plan: Plan,
    /// Of the first file.
    path: PathBuf,
    progress: Arc<Mutex<Progress>>,
    recording: Option<Recording>,
    /// Video and dropped pictures before the present file.
    before: (Duration, u64),
    /// Whether pictures come when there is time for them, rather than at the time at which they were seen.
    waits: bool,
    /// The map that is shown.
    shown: Option<Explained>,
    overlay: Overlay,
    canvases: [Canvas; 2],
    fit: Fit,
    fitted: Canvas,
}

impl Worker {
    fn run(mut self, moments: Receiver<Moment>) {
        let outcome = loop {
            let step = match moments.recv_timeout(IDLE) {
                Ok(moment) => self.moment(moment),
                Err(RecvTimeoutError::Timeout) if self.waits => Ok(()),
                Err(RecvTimeoutError::Timeout) => self.recording.as_mut().map_or(Ok(()), Recording::flush),
                Err(RecvTimeoutError::Disconnected) => break self.finish(),
            };
            if step.is_err() {
                break step;
            }
        };
        if let Err(error) = outcome {
            // Of a file that was deleted nothing is left.
            let there = |recording: &Recording| recording.path().exists();
            let kept = self.recording.take().filter(there).map_or(Duration::ZERO, Recording::give_up);
            let kept = (self.before.0 + kept).as_secs_f64();
            lock(&self.progress).failed = Some(format!("recording stopped: {error}; {kept:.1} s are kept"));
        }
    }

    fn moment(&mut self, moment: Moment) -> Result<()> {
        let Moment { time, picture, look, mut explained, waits } = moment;
        self.waits = waits;
        let full = |recording: &Recording| self.plan.segment.is_some_and(|segment| recording.duration() >= segment);
        if self.recording.as_ref().is_some_and(full) {
            self.finish()?;
            self.path = self.plan.destination.dated(&date());
        }
        let fresh = self.recording.is_none();
        if let Some(last) = explained.last() {
            self.shown = Some(last.clone());
        } else if fresh {
            // Each file is complete in itself.
            explained.extend(self.shown.clone());
        }
        let recording = match &mut self.recording {
            Some(recording) => recording,
            None => {
                let (size, frame) = match &picture {
                    Picture::View(canvas, frame) => ((canvas.width, canvas.height), *frame),
                    Picture::Frame(frame) => ((frame.width, frame.height), (frame.width, frame.height)),
                };
                let recording = open(&self.plan, &self.path, size, frame)?;
                self.fitted.resize(recording.size().0, recording.size().1);
                self.recording.insert(recording)
            }
        };
        explained.into_iter().for_each(|explained| recording.explained(explained));
        let wanted = recording.wants(time);
        if wanted && !recording.has_place(time) {
            lock(&self.progress).dropped += 1;
        } else if wanted {
            let map = self.shown.as_ref().map(|shown| &shown.map);
            let [left, right] = &mut self.canvases;
            let clear = Look { heat: false, ..look };
            match (&picture, self.plan.view) {
                (Picture::View(canvas, _), _) => self.fit.draw(canvas, &mut self.fitted),
                (Picture::Frame(frame), Recorded::Heat) => {
                    let black = Frame { rgb: vec![0; frame.rgb.len()], ..**frame };
                    self.overlay.draw(&black, map, &Look { opacity: 1.0, ..look }, None, left);
                    self.fit.draw(left, &mut self.fitted);
                }
                (Picture::Frame(frame), Recorded::SideBySide) => {
                    self.overlay.draw(frame, None, &clear, None, left);
                    self.overlay.draw(frame, map, &look, None, right);
                    self.fit.beside(left, right, &mut self.fitted);
                }
                (Picture::Frame(frame), Recorded::Raw | Recorded::Overlay) => {
                    self.overlay.draw(frame, None, &clear, None, left);
                    self.fit.draw(left, &mut self.fitted);
                }
            }
            recording.add(&self.fitted, time)?;
            let mut progress = lock(&self.progress);
            progress.elapsed = self.before.0 + recording.duration();
            progress.frames += 1;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        let dropped = lock(&self.progress).dropped;
        let path = recording.path().to_owned();
        let end = recording.finish(dropped - self.before.1)?;
        self.recording = None;
        self.before = (self.before.0 + Duration::from_secs_f64(end.duration), dropped);
        let mut progress = lock(&self.progress);
        (progress.path, progress.elapsed, progress.end) = (path, self.before.0, Some(end));
        Ok(())
    }
}

fn open(plan: &Plan, path: &std::path::Path, canvas: (usize, usize), frame: (usize, usize)) -> Result<Recording> {
    let across = if plan.view == Recorded::SideBySide { 2 } else { 1 };
    let whole = (canvas.0 * across, canvas.1);
    let (width, height) = fit::size(whole, plan.encoding.size, encoder::SMALLEST, encoder::LARGEST);
    let start = plan.start((width, height), frame);
    Recording::create(path, &start, plan.encoding)
}

fn date() -> String {
    jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string()
}
