//! Recordings of the view: begun, fed with what was drawn, and ended.

use super::{IDLE, Screen};
use crate::logbook;
use crate::overlay::{Look, State};
use crate::pipeline::live::{Explained, View};
use crate::pipeline::recorder::Recorder;
use crate::pipeline::report::TimesReport;
use std::time::Duration;

impl Screen {
    /// Begins the recording that was asked for from the start.
    ///
    /// # Errors
    /// [`crate::Error::Output`]
    pub fn begin(&mut self) -> crate::Result<()> {
        if self.settings.recording { self.start_recording() } else { Ok(()) }
    }

    /// Hands what was drawn to the recorder: each frame once, and while none comes the canvas now and then.
    pub(super) fn record(&mut self, view: &View) {
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
    pub(super) fn record_or_end(&mut self, on: bool) -> Result<(), String> {
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
    pub(super) fn closed(&mut self, recorder: Recorder) -> String {
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
}

/// What a logbook says of an explained frame.
pub(super) fn logged(explained: &Explained, look: &Look) -> logbook::Explained {
    let mut times = TimesReport::default();
    explained.times.iter().for_each(|(stage, duration)| times.add(*stage, *duration));
    logbook::Explained { map: explained.map.clone(), look: *look, times_ms: times.named() }
}
