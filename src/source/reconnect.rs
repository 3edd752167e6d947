//! A source that outlives its device: whatever goes wrong, the device is dropped and opened again, ever more slowly.

use super::{Event, Source};
use crate::clock::Clock;
use crate::error::Result;
use crate::frame::RawFrame;
use crate::shutdown::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What waiting for a device brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// `raw` holds a new frame.
    Frame,
    /// The time is over; the device may still deliver.
    Nothing,
    /// The device will deliver nothing any more, for this reason.
    Gone(String),
}

/// Something that delivers frames until it fails.
pub trait Device: Send {
    /// What the display calls it, e.g. `/dev/video0 640x480 MJPEG 30 fps`.
    fn name(&self) -> String;

    /// Waits for a frame, at most for about `timeout`, and writes it to `raw`.
    fn read(&mut self, raw: &mut RawFrame, timeout: Duration) -> Waited;

    /// Frames that came but were replaced by newer ones before anybody read them.
    fn dropped(&self) -> u64 {
        0
    }
}

/// A [`Source`] over devices that `open` provides, one after the other.
///
/// `open` starts the device and returns quickly; when it fails it says why in plain words.
pub struct Reconnect<F> {
    name: String,
    open: F,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    state: State,
    backoff: Duration,
    /// Why the last device was lost; empty before the first.
    reason: String,
    /// Of the devices before the present one.
    dropped: u64,
}

enum State {
    Closed { retry_at: Duration },
    Open { device: Box<dyn Device>, last_frame: Option<Duration>, opened: Duration },
}

impl<F> Reconnect<F>
where
    F: FnMut() -> std::result::Result<Box<dyn Device>, String> + Send,
{
    /// A camera that has sent nothing for this long has stalled.
    pub const STALL: Duration = Duration::from_secs(3);
    /// Until its first frame a camera may take longer: it is being found, set up and started.
    pub const START: Duration = Duration::from_secs(8);
    /// Waiting time before the second attempt; it doubles from attempt to attempt.
    pub const FIRST_BACKOFF: Duration = Duration::from_millis(250);
    pub const LONGEST_BACKOFF: Duration = Duration::from_secs(4);
    /// The longest single wait, so that shutdown and time-outs are seen.
    const STEP: Duration = Duration::from_millis(250);

    /// `name` is what the display calls the source until a device is open.
    pub fn new(name: String, open: F, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Reconnect<F> {
        let state = State::Closed { retry_at: clock.now() };
        let backoff = Self::FIRST_BACKOFF;
        Reconnect { name, open, clock, shutdown, state, backoff, reason: String::new(), dropped: 0 }
    }

    fn run_once(&mut self, raw: &mut RawFrame) -> Option<Event> {
        match &mut self.state {
            State::Closed { retry_at } => {
                let left = retry_at.saturating_sub(self.clock.now());
                if !left.is_zero() {
                    self.clock.sleep(left.min(Self::STEP), &self.shutdown);
                    return Some(Event::Lost(self.reason.clone()));
                }
                match contained(|| (self.open)()).unwrap_or_else(|| Err(LIBRARY_FAILED.into())) {
                    Ok(device) => {
                        self.state = State::Open { device, last_frame: None, opened: self.clock.now() };
                        None
                    }
                    Err(reason) => Some(self.lose(reason)),
                }
            }
            State::Open { device, last_frame, opened } => {
                let waited = contained(|| device.read(raw, Self::STEP));
                let now = self.clock.now();
                let (since, patience) = match *last_frame {
                    Some(time) => (time, Self::STALL),
                    None => (*opened, Self::START),
                };
                match waited {
                    Some(Waited::Frame) => {
                        *last_frame = Some(now);
                        self.backoff = Self::FIRST_BACKOFF;
                        Some(Event::Frame)
                    }
                    Some(Waited::Nothing) if now.saturating_sub(since) < patience => {
                        let starting = last_frame.is_none();
                        starting.then(|| Event::Lost(format!("{}: waiting for its first picture", device.name())))
                    }
                    Some(Waited::Nothing) => {
                        let reason = format!("{}: no picture for {} s", device.name(), patience.as_secs());
                        Some(self.lose(reason))
                    }
                    Some(Waited::Gone(reason)) => Some(self.lose(reason)),
                    None => Some(self.lose(LIBRARY_FAILED.into())),
                }
            }
        }
    }

    fn lose(&mut self, reason: String) -> Event {
        if reason != self.reason {
            log::info!("{reason}; trying again until it comes back");
            self.reason = reason.clone();
        }
        let retry_at = self.clock.now() + self.backoff;
        self.backoff = (self.backoff * 2).min(Self::LONGEST_BACKOFF);
        if let State::Open { device, .. } = std::mem::replace(&mut self.state, State::Closed { retry_at }) {
            self.dropped += contained(|| device.dropped()).unwrap_or(0);
            contained(|| drop(device));
        }
        Event::Lost(reason)
    }
}

/// What is said after a panic, whose own words are in the log of the program's errors.
pub(super) const LIBRARY_FAILED: &str = "the camera library failed";

/// Runs `f`; None if it panicked. Camera libraries do, and a device is dropped after it happened.
pub(super) fn contained<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

impl<F> Source for Reconnect<F>
where
    F: FnMut() -> std::result::Result<Box<dyn Device>, String> + Send,
{
    fn name(&self) -> String {
        match &self.state {
            State::Open { device, .. } => device.name(),
            State::Closed { .. } => self.name.clone(),
        }
    }

    fn read(&mut self, raw: &mut RawFrame) -> Result<Event> {
        while !self.shutdown.requested() {
            if let Some(event) = self.run_once(raw) {
                return Ok(event);
            }
        }
        Ok(Event::End)
    }

    fn dropped(&self) -> u64 {
        match &self.state {
            State::Open { device, .. } => self.dropped + device.dropped(),
            State::Closed { .. } => self.dropped,
        }
    }
}
