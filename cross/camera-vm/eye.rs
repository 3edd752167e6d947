//! Looking through gradcam's own camera source and decoder.

use gradcam::clock::SystemClock;
use gradcam::decode::Decoder;
use gradcam::frame::{Frame, RawFrame};
use gradcam::shutdown::Shutdown;
use gradcam::source::{self, CameraRequest, Event, Source, SourceSpec};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one read brought.
pub enum Seen {
    /// `frame` holds it.
    Picture,
    Broken(String),
    Lost(String),
}

pub struct Eye {
    source: Box<dyn Source>,
    decoder: Decoder,
    raw: RawFrame,
    pub frame: Frame,
}

impl Eye {
    pub fn open(camera: &str, request: &CameraRequest) -> Eye {
        let spec: SourceSpec = camera.parse().expect("it names a camera");
        let source = source::open(&spec, request, Arc::new(SystemClock::new()), Shutdown::new());
        let source = source.unwrap_or_else(|e| panic!("{e}"));
        Eye { source, decoder: Decoder::new(), raw: RawFrame::new(), frame: Frame::default() }
    }

    pub fn name(&self) -> String {
        self.source.name()
    }

    pub fn look(&mut self) -> Seen {
        match self.source.read(&mut self.raw).expect("a camera's errors are not final") {
            Event::Frame => match self.decoder.decode(&self.raw, &mut self.frame) {
                Ok(()) => Seen::Picture,
                Err(broken) => Seen::Broken(broken.to_string()),
            },
            Event::Lost(reason) => Seen::Lost(reason),
            Event::End => panic!("the camera's source ended"),
        }
    }

    /// Looks until a picture has come, which `check` is shown; returns how long it took.
    pub fn picture(&mut self, limit: Duration, check: impl Fn(&Frame)) -> Duration {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < limit {
            match self.look() {
                Seen::Picture => {
                    check(&self.frame);
                    return start.elapsed();
                }
                Seen::Broken(reason) | Seen::Lost(reason) => last = reason,
            }
        }
        panic!("no picture for {} s; the last that was said: {last}", limit.as_secs());
    }

    /// Looks until the camera is lost, for a reason that has all `words`; returns how long it took.
    pub fn lost(&mut self, limit: Duration, words: &[&str]) -> Duration {
        let start = Instant::now();
        let mut last = "pictures".to_owned();
        while start.elapsed() < limit {
            if let Seen::Lost(reason) = self.look() {
                if words.iter().all(|word| reason.contains(word)) {
                    return start.elapsed();
                }
                last = reason;
            }
        }
        panic!("not lost for {words:?} within {} s, but: {last}", limit.as_secs());
    }
}
