//! One live run: capture and inference on threads of their own, the view on the caller's.

mod view;

pub use view::View;

use super::explainer::{AtLayer, Explainer, Times};
use super::latest::{Latest, Next};
use super::pace::Pace;
use super::pool::Pool;
use super::stats::{Rate, Stage, Stages, Stats};
use crate::cam::methods::Method;
use crate::cam::{HeatMap, Ranked};
use crate::clock::Clock;
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::frame::{Frame, RawFrame};
use crate::service::Heartbeat;
use crate::shutdown::Shutdown;
use crate::source::{Event, Source};
use crate::target::Target;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// How long a thread waits before it looks at the shutdown again.
const PATIENCE: Duration = Duration::from_millis(100);
/// Explained frames that wait for the view. A view that is this far behind slows the inference, and nothing else.
const WAITING: usize = 4;

/// A frame with its explanation.
pub struct Explained {
    pub frame: Arc<Frame>,
    pub map: HeatMap,
    pub times: Times,
    /// Where it was explained.
    pub layer: Arc<AtLayer>,
    /// The classes that the explainer looks for.
    pub found: Vec<Ranked>,
}

/// What the view asks of the capture and the inference.
#[derive(Clone)]
pub struct Controls {
    pub method: &'static dyn Method,
    /// What is explained whatever the scores are.
    pub locked: Option<Target>,
    /// The frame that is explained again and again instead of the newest.
    pub frozen: Option<Arc<Frame>>,
    /// The layer that is moved to, by a name that the explainer's loader knows; none where it stays as it was at the start.
    pub layer: Option<String>,
    pub limits: Limits,
}

/// Frames per second at most, for a processor that has other things to do. Whatever comes earlier is passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// That are decoded and shown.
    pub video: Option<f32>,
    /// That are explained.
    pub inference: Option<f32>,
}

/// What is known of the capture.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// What the source calls itself.
    pub source: String,
    /// Why no frames come; nothing while they come.
    pub lost: Option<String>,
    /// Frames that could not be decoded, and why the last one could not.
    pub broken: u64,
    pub last_broken: String,
    /// Frames that the source itself lost.
    pub dropped: u64,
    /// Whether each frame waits until it is explained.
    pub waits: bool,
}

struct Shared {
    frames: Latest<Frame>,
    controls: Mutex<(u64, Controls)>,
    capture: Mutex<Capture>,
    stats: Mutex<(Stats, Rate)>,
    /// Why the layer that was asked for last could not be loaded.
    not_loaded: Mutex<Option<String>>,
    /// Turns of the inference, with a frame or without.
    turns: AtomicU64,
    /// Since when the inference has been at a turn that may take longer than others: a layer is loaded, or the null level
    /// of a method measured.
    preparing: Mutex<Option<Duration>>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a value of the run")
}

/// Runs `view` on the caller's thread while frames of `source` are captured and explained. Everything has ended when
/// this returns: after the view, or after a failure of a thread, which the view learns by the shutdown. Returns how long
/// the stages took.
///
/// # Errors
/// The view's error, or that of the thread that failed first.
pub fn run(
    source: Box<dyn Source>,
    explainer: Explainer,
    controls: Controls,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    view: impl FnOnce(View) -> anyhow::Result<()>,
) -> anyhow::Result<Stages> {
    let shared = Shared {
        frames: Latest::new(),
        controls: Mutex::new((0, controls)),
        capture: Mutex::new(Capture { source: source.name(), waits: source.waits(), ..Capture::default() }),
        stats: Mutex::default(),
        not_loaded: Mutex::default(),
        turns: AtomicU64::new(0),
        preparing: Mutex::default(),
        clock,
        shutdown,
    };
    let (sender, explained) = sync_channel(WAITING);
    std::thread::scope(|scope| {
        let shared = &shared;
        let capturing = Builder::new().name("capture".to_owned()).spawn_scoped(scope, move || capture(source, shared));
        let capturing = capturing.map_err(|error| Error::device("capture", error))?;
        let inferring = Builder::new()
            .name("inference".to_owned())
            .spawn_scoped(scope, move || infer(explainer, sender, shared))
            .map_err(|error| {
                shared.shutdown.request();
                Error::device("inference", error)
            })?;
        let _however_the_view_ends = AtEnd(|| {
            shared.shutdown.request();
        });
        let outcome = view(View { shared, explained, seen: 0, skipped: 0 });
        shared.shutdown.request();
        join(inferring)?;
        join(capturing)?;
        outcome
    })?;
    let stats = shared.stats.into_inner().expect("nothing panics while it holds a value of the run");
    Ok(stats.0.stages())
}

/// Does its work when a thread ends, however it ends: a failure of one must reach the others.
struct AtEnd<F: Fn()>(F);

impl<F: Fn()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn join(thread: ScopedJoinHandle<Result<()>>) -> Result<()> {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    thread.join().unwrap_or_else(|_| Err(Error::device(name, "the thread failed unexpectedly")))
}

/// Reads, decodes and publishes frames until the source ends.
fn capture(mut source: Box<dyn Source>, shared: &Shared) -> Result<()> {
    let _no_more_frames = AtEnd(|| shared.frames.close());
    let mut raw = RawFrame::new();
    let mut decoder = Decoder::new();
    let mut pool = Pool::default();
    let mut number = 0;
    // A camera knows its mode only when it sends, which may be before it was ever said to be lost.
    let mut named = false;
    let mut pace = Pace::default();
    let mut heart = Heartbeat::start(shared.clock.now());
    let mut beat = || heart.beat(shared.clock.now(), shared.turns.load(Ordering::Relaxed), *lock(&shared.preparing));
    while !shared.shutdown.requested() {
        beat();
        match source.read(&mut raw)? {
            Event::Frame => {}
            Event::Lost(reason) => {
                lock(&shared.capture).lost = Some(reason);
                // The first frame that comes again is shown at once.
                pace = Pace::default();
                continue;
            }
            Event::End => break,
        }
        let (limit, arrived) = (lock(&shared.controls).1.limits.video, shared.clock.now());
        if !pace.wait(arrived, limit).is_zero() {
            number += 1;
            continue;
        }
        pace.pass(arrived, limit);
        let mut frame = pool.take();
        let target = Arc::get_mut(&mut frame).expect("the pool hands out frames that nobody else holds");
        let start = Instant::now();
        let decoded = decoder.decode(&raw, target);
        target.number = number;
        number += 1;
        let now = shared.clock.now();
        let mut capture = lock(&shared.capture);
        capture.dropped = source.dropped();
        match decoded {
            Ok(()) => {
                if capture.lost.take().is_some() || !named {
                    capture.source = source.name();
                    named = true;
                }
                drop(capture);
                let mut stats = lock(&shared.stats);
                stats.0.record(Stage::Decode, start.elapsed());
                stats.1.tick(now);
                drop(stats);
                shared.frames.put(Arc::clone(&frame));
                while source.waits() && !shared.shutdown.requested() && !shared.frames.taken(PATIENCE) {
                    beat();
                }
            }
            Err(broken) => {
                log::info!("{}: {broken}", capture.source);
                capture.broken += 1;
                capture.last_broken = broken.to_string();
            }
        }
        pool.keep(frame);
    }
    Ok(())
}

/// Explains the newest frame, or the frozen one whenever the controls change, and then with a drop test.
fn infer(mut explainer: Explainer, explained: SyncSender<Explained>, shared: &Shared) -> Result<()> {
    let _the_run_ends = AtEnd(|| {
        shared.shutdown.request();
    });
    let mut seen = 0;
    let mut obeyed = None;
    let (mut layer, mut at) = (None, Arc::new(explainer.at_layer()));
    let mut pace = Pace::default();
    while !shared.shutdown.requested() {
        shared.turns.fetch_add(1, Ordering::Relaxed);
        let (revision, controls) = lock(&shared.controls).clone();
        let changed = obeyed != Some(revision);
        if changed {
            *lock(&shared.preparing) = Some(shared.clock.now());
        }
        let _prepared = AtEnd(|| *lock(&shared.preparing) = None);
        if changed && explainer.selector.locked() != controls.locked {
            explainer.selector.lock(controls.locked);
        }
        if changed && layer != controls.layer {
            let name = controls.layer.as_deref().unwrap_or_default();
            match explainer.move_to(name) {
                Ok(()) => (layer, at) = (controls.layer, Arc::new(explainer.at_layer())),
                Err(error) => {
                    *lock(&shared.not_loaded) = Some(error.to_string());
                    // The view is told, and what it asked for is taken back, unless it asks for another by now.
                    let asked = &mut lock(&shared.controls).1.layer;
                    if *asked == controls.layer {
                        asked.clone_from(&layer);
                    }
                }
            }
        }
        let frame = match &controls.frozen {
            Some(frame) if changed => Arc::clone(frame),
            Some(_) => {
                shared.shutdown.wait(Duration::from_millis(20));
                continue;
            }
            None => {
                let limit = controls.limits.inference;
                let left = pace.wait(shared.clock.now(), limit);
                if !left.is_zero() {
                    // What comes before its turn is passed over, at the end of the source too.
                    if shared.frames.closed() {
                        break;
                    }
                    shared.shutdown.wait(left.min(PATIENCE));
                    continue;
                }
                match shared.frames.newer(seen, PATIENCE) {
                    Next::Value(number, frame) => {
                        seen = number;
                        shared.frames.take(number);
                        pace.pass(shared.clock.now(), limit);
                        frame
                    }
                    Next::Nothing => continue,
                    Next::Closed => break,
                }
            }
        };
        obeyed = Some(revision);
        let (mut map, times) = explainer.explain(&frame, controls.method)?;
        let mut stats = lock(&shared.stats);
        times.iter().for_each(|(stage, duration)| stats.0.record(*stage, *duration));
        drop(stats);
        let told = |frame: &Arc<Frame>, map, found: &[Ranked]| {
            let (frame, layer) = (Arc::clone(frame), Arc::clone(&at));
            Explained { frame, map, times, layer, found: found.to_vec() }
        };
        if explained.send(told(&frame, map.clone(), explainer.found())).is_err() {
            break;
        }
        if controls.frozen.is_none() {
            continue;
        }
        // The drop test takes nine forward passes: the map does not wait for it, and other wishes do not either.
        let unchanged = || {
            shared.turns.fetch_add(1, Ordering::Relaxed);
            lock(&shared.controls).0 == revision && !shared.shutdown.requested()
        };
        map.drop_test = explainer.drop_test(&map, unchanged)?;
        if map.drop_test.is_some() && explained.send(told(&frame, map, explainer.found())).is_err() {
            break;
        }
    }
    Ok(())
}
