//! Snapshots that are taken without a key, when a class is seen.

use super::live::Explained;
use crate::cam::HeatMap;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::overlay::Canvas;
use crate::sink::{Shown, snapshot};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// When a snapshot is taken: when one of the classes that the explainer looks for has at least that probability, and not
/// again for a while.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// 0 to 1.
    pub min_probability: f32,
    pub every: Duration,
}

/// Takes snapshots by a rule, and writes them on a thread: encoding pictures takes longer than a frame.
pub struct Watch {
    rule: Rule,
    /// When the last snapshot was taken, on the run's clock.
    last: Option<Duration>,
    writing: Option<JoinHandle<Result<PathBuf>>>,
}

impl Watch {
    pub fn new(rule: Rule) -> Watch {
        Watch { rule, last: None, writing: None }
    }

    /// Whether an explained frame is to be kept.
    pub fn wants(&self, explained: &Explained) -> bool {
        let seen = explained.found.iter().any(|found| found.probability >= self.rule.min_probability);
        let waited = self.last.is_none_or(|last| explained.map.time.saturating_sub(last) >= self.rule.every);
        seen && waited && self.writing.is_none()
    }

    /// Begins to write a snapshot.
    ///
    /// # Errors
    /// [`Error::Device`] where no thread can be started.
    pub fn keep(
        &mut self,
        folder: &Path,
        frame: &Arc<Frame>,
        map: &HeatMap,
        canvas: Canvas,
        json: Value,
    ) -> Result<()> {
        self.last = Some(map.time);
        let (folder, stem, frame, map) = (folder.to_owned(), snapshot::stem(), Arc::clone(frame), map.clone());
        let write = move || {
            let shown = Shown { frame: &frame, map: Some(&map), canvas: &canvas };
            snapshot::save(&folder, &stem, &shown, &json)
        };
        let thread = Builder::new().name("snapshot".to_owned()).spawn(write);
        self.writing = Some(thread.map_err(|error| Error::device("snapshot", error))?);
        Ok(())
    }

    /// What became of a snapshot, once.
    pub fn kept(&mut self) -> Option<Result<PathBuf>> {
        let done = self.writing.take_if(|thread| thread.is_finished())?;
        Some(join(done))
    }

    /// Waits for the snapshot that is being written.
    pub fn end(&mut self) -> Option<Result<PathBuf>> {
        self.writing.take().map(join)
    }
}

fn join(thread: JoinHandle<Result<PathBuf>>) -> Result<PathBuf> {
    thread.join().unwrap_or_else(|_| Err(Error::device("snapshot", "the thread failed unexpectedly")))
}
