//! Where frames come from. A source is named by one string: `0` or `/dev/video0` (camera), `photo.jpg`, `folder/`,
//! `demo` (a simulated camera; `demo:mjpeg` and `demo:yuyv` deliver what such a camera would).

use crate::error::Result;
use crate::frame::RawFrame;

/// What a read brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `raw` holds a new frame.
    Frame,
    /// Nothing came, for this reason; reading again may bring frames. Comes at least every few hundred milliseconds
    /// while the source is lost, so that the caller can look at its shutdown.
    Lost(String),
    /// The source has no more frames, or shutdown was requested.
    End,
}

/// Delivers frames one after another.
pub trait Source: Send {
    /// What the display calls it, e.g. `/dev/video0 640x480 MJPEG 30 fps` or `demo`.
    fn name(&self) -> String;

    /// Waits for the next frame and writes it to `raw`, whose buffer is used again. Returns within one second of a
    /// requested shutdown. An error is final (a camera that comes back is `Lost`, not an error).
    fn read(&mut self, raw: &mut RawFrame) -> Result<Event>;
}
