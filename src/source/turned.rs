//! A source whose pictures lie on their side or upside down.

use super::{Event, Source};
use crate::error::Result;
use crate::frame::{RawFrame, Turn};

/// Says of each frame how it is turned when it is decoded.
pub struct Turned {
    pub source: Box<dyn Source>,
    pub turn: Turn,
}

impl Source for Turned {
    fn name(&self) -> String {
        self.source.name()
    }

    fn read(&mut self, raw: &mut RawFrame) -> Result<Event> {
        let event = self.source.read(raw)?;
        raw.turn = self.turn;
        Ok(event)
    }

    fn dropped(&self) -> u64 {
        self.source.dropped()
    }

    fn waits(&self) -> bool {
        self.source.waits()
    }
}
