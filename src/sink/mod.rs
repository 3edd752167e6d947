//! Where what is shown goes.

pub mod files;
pub mod window;
pub mod snapshot;
pub mod record;
#[cfg(feature = "serve")]
pub mod http;

use crate::cam::HeatMap;
use crate::error::Result;
use crate::frame::Frame;
use crate::overlay::Canvas;

/// A canvas with what it was drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub frame: &'a Frame,
    pub map: Option<&'a HeatMap>,
    pub canvas: &'a Canvas,
}

/// Takes canvases one after another.
pub trait Sink {
    /// Takes one canvas. An error is final for this sink.
    fn show(&mut self, shown: &Shown) -> Result<()>;
}
