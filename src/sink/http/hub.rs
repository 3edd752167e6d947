//! Where the view and the clients meet: newest-wins places for what is shown, and the way back for what is asked.

use super::control::Control;
use super::files::{Entry, Kind};
use super::status::{ModelInfo, Status};
use axum::body::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Wishes that wait for the view.
const WAITING: usize = 32;
/// How long a client waits for the view to do what it asks for. A snapshot on a slow card takes a while.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a stream shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// The frame with the heat over it.
    Overlay,
    /// The frame.
    Raw,
}

impl Picture {
    pub const ALL: [Picture; 2] = [Picture::Overlay, Picture::Raw];
}

/// A picture as it is sent.
#[derive(Debug, Clone)]
pub struct Jpeg {
    pub bytes: Bytes,
    /// Number of the frame, and when it was captured, on the run's clock.
    pub frame: u64,
    pub time: Duration,
}

/// Why a wish is not fulfilled, with the status that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub reason: String,
}

impl Refusal {
    pub fn new(status: u16, reason: impl Into<String>) -> Refusal {
        Refusal { status, reason: reason.into() }
    }
}

/// What became of a wish.
#[derive(Debug)]
pub struct Answer {
    pub status: Arc<Status>,
    /// The picture of the snapshot that was taken.
    pub saved: Option<PathBuf>,
}

/// What a client asks for, and where the answer goes.
pub struct Wish {
    pub control: Control,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
}

impl Wish {
    /// Tells the client, if it is still there.
    pub fn answer(self, answer: Result<Answer, Refusal>) {
        let _ = self.reply.send(answer);
    }
}

/// Ends a server when it is told so, or dropped.
pub struct Stopper(#[allow(dead_code, reason = "it is its end that is heard")] oneshot::Sender<()>);

/// What a server listens to for its end.
pub struct Stop(pub(super) oneshot::Receiver<()>);

/// The two ends of the word to stop.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = oneshot::channel();
    (Stopper(sender), Stop(receiver))
}

/// Counters of the server.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub requests: AtomicU64,
    pub refused: AtomicU64,
    pub stalled: AtomicU64,
    pub turned_away: AtomicU64,
    pub sent_bytes: AtomicU64,
    pub encoded: AtomicU64,
    pub connections: AtomicU64,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What is published, for any number of clients.
pub struct Hub {
    pub(super) status: watch::Sender<Arc<Status>>,
    pictures: [watch::Sender<Option<Arc<Jpeg>>>; 2],
    pub(super) model: ModelInfo,
    /// Another one in each run.
    pub(super) run: String,
    wishes: SyncSender<Wish>,
    pub(super) counts: Counts,
    pub(super) start: Instant,
}

impl Hub {
    /// A place for the view of `model`, and the wishes that come in.
    pub fn new(model: ModelInfo, status: Status) -> (Arc<Hub>, Receiver<Wish>) {
        let (sender, wishes) = sync_channel(WAITING);
        let hub = Hub {
            status: watch::Sender::new(Arc::new(status)),
            pictures: [watch::Sender::new(None), watch::Sender::new(None)],
            model,
            run: super::door::random_name(),
            wishes: sender,
            counts: Counts::default(),
            start: Instant::now(),
        };
        (Arc::new(hub), wishes)
    }

    /// Replaces what is told.
    pub fn tell(&self, status: Arc<Status>) {
        self.status.send_replace(status);
    }

    /// Replaces a picture for all who look.
    pub fn show(&self, picture: Picture, jpeg: Jpeg) {
        count(&self.counts.encoded);
        self.pictures[picture as usize].send_replace(Some(Arc::new(jpeg)));
    }

    /// Whether anybody looks. Where nobody does, what was shown is forgotten: nobody is to be shown it later.
    pub fn is_watched(&self, picture: Picture) -> bool {
        let place = &self.pictures[picture as usize];
        let watched = place.receiver_count() > 0;
        if !watched {
            place.send_if_modified(|jpeg| jpeg.take().is_some());
        }
        watched
    }

    /// A client's own place.
    pub(super) fn watch(&self, picture: Picture) -> watch::Receiver<Option<Arc<Jpeg>>> {
        self.pictures[picture as usize].subscribe()
    }

    pub(super) fn viewers(&self, picture: Picture) -> usize {
        self.pictures[picture as usize].receiver_count()
    }

    /// Asks the view, and waits for what becomes of it.
    pub(super) async fn ask(&self, control: Control) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.wishes.try_send(Wish { control, reply }).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::new(503, "too many wishes at once; try again"),
            TrySendError::Disconnected(_) => Refusal::new(503, "the view is ending"),
        })?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refusal::new(503, "the view is ending")),
            Err(_) => Err(Refusal::new(503, "the view does not answer")),
        }
    }

    /// Of the files, whether one is being written.
    pub(super) fn is_open(&self, entry: &Entry) -> bool {
        entry.kind == Kind::Recording
            && self.status.borrow().recording.as_ref().is_some_and(|recording| {
                let stem = |name: &str| name.rsplit_once('.').map_or(name.to_owned(), |(stem, _)| stem.to_owned());
                stem(&recording.name) == stem(&entry.name)
            })
    }
}
