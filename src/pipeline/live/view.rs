//! The caller's side of a live run: what it is shown, and what it asks for.

use super::{Capture, Controls, Explained, Shared, lock};
use crate::frame::Frame;
use crate::pipeline::latest::Next;
use crate::pipeline::stats::Stage;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// The caller's side of a run.
pub struct View<'a> {
    pub(super) shared: &'a Shared,
    pub(super) explained: Receiver<Explained>,
    /// Number of the last frame that was handed out.
    pub(super) seen: u64,
    /// Frames that came and went without being shown.
    pub skipped: u64,
}

impl View<'_> {
    /// The newest frame if it was not handed out before; waits for one, at most `timeout`.
    pub fn frame(&mut self, timeout: Duration) -> Option<Arc<Frame>> {
        let Next::Value(number, frame) = self.shared.frames.newer(self.seen, timeout) else { return None };
        self.skipped += number - self.seen - 1;
        self.seen = number;
        Some(frame)
    }

    /// The next explained frame in the order in which they were explained; waits at most `timeout`. The inference waits
    /// for a view that takes none, also at the end of the source.
    pub fn explained(&self, timeout: Duration) -> Option<Explained> {
        self.explained.recv_timeout(timeout).ok()
    }

    /// Whether the run is to end: by the user, a signal, or the failure of a thread.
    pub fn ended(&self) -> bool {
        self.shared.shutdown.requested()
    }

    /// Changes what the inference does from its next frame on.
    pub fn control(&self, change: impl FnOnce(&mut Controls)) {
        let mut controls = lock(&self.shared.controls);
        controls.0 += 1;
        change(&mut controls.1);
    }

    pub fn controls(&self) -> Controls {
        lock(&self.shared.controls).1.clone()
    }

    /// Why the layer that was asked for last could not be loaded; said once.
    pub fn not_loaded(&self) -> Option<String> {
        lock(&self.shared.not_loaded).take()
    }

    /// How many frames have come.
    pub fn frames(&self) -> u64 {
        self.seen
    }

    pub fn capture(&self) -> Capture {
        lock(&self.shared.capture).clone()
    }

    /// Frames per second that the source delivers.
    pub fn camera_fps(&self) -> f32 {
        lock(&self.shared.stats).1.per_second(self.shared.clock.now())
    }

    pub fn record(&self, stage: Stage, duration: Duration) {
        lock(&self.shared.stats).0.record(stage, duration);
    }

    pub fn now(&self) -> Duration {
        self.shared.clock.now()
    }
}
