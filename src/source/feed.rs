//! Frames that a thread reads from a pipe, for a source that must not block for ever.

use crate::error::{Error, Result};
use crate::frame::RawFrame;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Frames that are read ahead.
const AHEAD: usize = 2;

/// What the thread reads from.
pub trait Reader: Send + 'static {
    /// Waits for the next frame and writes it to `raw`, with its time within the stream; false at the end.
    ///
    /// # Errors
    /// What is wrong with the stream, in words.
    fn next(&mut self, raw: &mut RawFrame) -> std::result::Result<bool, String>;
}

/// What waiting brought.
pub enum Fed {
    Frame,
    Nothing,
    /// The stream has ended, for that reason if it was not its regular end.
    End(Option<String>),
}

/// The reading end.
pub struct Feed {
    frames: Receiver<RawFrame>,
    empty: SyncSender<RawFrame>,
    end: Receiver<Option<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// # Errors
    /// [`Error::Device`] where no thread can be started.
    pub fn start(name: &str, mut reader: impl Reader) -> Result<Feed> {
        let (filled, frames) = sync_channel::<RawFrame>(AHEAD);
        let (empty, back) = sync_channel::<RawFrame>(AHEAD + 1);
        let (ended, end) = sync_channel(1);
        let thread = Builder::new().name("video".to_owned()).spawn(move || {
            let reason = loop {
                let mut raw = back.try_recv().unwrap_or_default();
                match reader.next(&mut raw) {
                    Ok(true) => {}
                    Ok(false) => break None,
                    Err(reason) => break Some(reason),
                }
                if filled.send(raw).is_err() {
                    return;
                }
            };
            // Nobody may be there to hear it.
            let _ = ended.send(reason);
        });
        let thread = thread.map_err(|error| Error::device(name, error))?;
        Ok(Feed { frames, empty, end, thread: Some(thread) })
    }

    /// Waits at most `timeout` for a frame, and swaps it with `raw`.
    pub fn next(&mut self, raw: &mut RawFrame, timeout: Duration) -> Fed {
        match self.frames.recv_timeout(timeout) {
            Ok(frame) => {
                self.take(frame, raw);
                Fed::Frame
            }
            Err(RecvTimeoutError::Timeout) => Fed::Nothing,
            Err(RecvTimeoutError::Disconnected) => {
                Fed::End(self.end.recv().unwrap_or(Some("its reader failed unexpectedly".to_owned())))
            }
        }
    }

    /// A frame behind the one that was handed out, if it is there already.
    pub fn newer(&mut self, raw: &mut RawFrame) -> bool {
        match self.frames.try_recv() {
            Ok(frame) => {
                self.take(frame, raw);
                true
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => false,
        }
    }

    fn take(&self, frame: RawFrame, raw: &mut RawFrame) {
        // Where it does not fit its memory is given up.
        let _ = self.empty.try_send(std::mem::replace(raw, frame));
    }

    /// Waits for the thread, once its stream has been closed.
    pub fn join(mut self) {
        let thread = self.thread.take();
        drop(self);
        // A reader that panicked has been reported as the end of its stream.
        let _ = thread.map(JoinHandle::join);
    }
}
