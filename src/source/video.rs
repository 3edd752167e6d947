//! Video from a file or a pipe: at its own pace, as a camera would send it, or as fast as it is read.

use super::feed::{Fed, Feed};
use super::ffmpeg::{About, NO_PICTURES, Stream};
use super::y4m::Y4m;
use super::{Event, Source};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::frame::RawFrame;
use crate::shutdown::Shutdown;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a wait may be before the shutdown is looked at.
const STEP: Duration = Duration::from_millis(100);
/// A reader that is further behind does not try to catch up.
const LATE: Duration = Duration::from_millis(500);

/// When frames are handed out.
pub enum Pace {
    /// At their times in the video, from the first read on; their times are on that clock.
    Real(Arc<dyn Clock>),
    /// At once; their times are those in the video.
    Free,
}

/// What is read.
enum Input {
    Ffmpeg(Stream),
    /// Y4M on standard input. Its thread is left behind where it waits for a writer that sends nothing.
    Pipe(Feed),
}

impl Input {
    fn next(&mut self, raw: &mut RawFrame) -> Fed {
        match self {
            Input::Ffmpeg(stream) => stream.next(raw, STEP),
            Input::Pipe(feed) => feed.next(raw, STEP),
        }
    }
}

/// Frames of a video, in order.
pub struct Video {
    name: String,
    /// Where it can be opened again.
    path: Option<PathBuf>,
    input: Input,
    /// The first frame, which is read when the video is opened.
    first: Option<RawFrame>,
    pace: Pace,
    shutdown: Shutdown,
    again: bool,
    /// When time 0 of the video was, on the clock.
    start: Option<Duration>,
    /// What is added to times because of the rounds before.
    offset: Duration,
    /// Time of the last frame in the video, and how long the one before it was.
    last: Duration,
    step: Duration,
    /// Why it ended, where that was not its regular end.
    broken: Option<String>,
}

impl Video {
    /// Opens a video file and reads its first frame. With `again` it begins anew at its end.
    ///
    /// # Errors
    /// [`Error::Device`] where ffmpeg is missing; [`Error::Input`] where the file holds no pictures that it can read.
    pub fn file(path: &Path, pace: Pace, again: bool, shutdown: Shutdown) -> Result<Video> {
        let name = path.display().to_string();
        let input = Input::Ffmpeg(open(path)?);
        Video { path: Some(path.to_owned()), ..Video::new(name, input, pace, again, shutdown) }.opened()
    }

    /// Y4M on standard input, with its first frame read.
    ///
    /// # Errors
    /// [`Error::Input`] where it is something else.
    pub fn pipe(pace: Pace, shutdown: Shutdown) -> Result<Video> {
        let input = Y4m::new(BufReader::with_capacity(1 << 16, std::io::stdin()));
        let input = Input::Pipe(Feed::start("-", input)?);
        Video::new("-".to_owned(), input, pace, false, shutdown).opened()
    }

    fn new(name: String, input: Input, pace: Pace, again: bool, shutdown: Shutdown) -> Video {
        let zero = Duration::ZERO;
        let (start, offset, last, step) = (None, zero, zero, Duration::from_millis(33));
        Video { name, path: None, input, first: None, pace, shutdown, again, start, offset, last, step, broken: None }
    }

    /// Waits for the first frame, so that what cannot be read is said at once.
    fn opened(mut self) -> Result<Video> {
        let mut raw = RawFrame::new();
        while !self.shutdown.requested() {
            match self.input.next(&mut raw) {
                Fed::Nothing => {}
                Fed::Frame => {
                    self.first = Some(raw);
                    break;
                }
                Fed::End(reason) => {
                    let reason = reason.unwrap_or_else(|| NO_PICTURES.to_owned());
                    let by_ffmpeg = matches!(self.input, Input::Ffmpeg(_)) && reason != NO_PICTURES;
                    let reason = if by_ffmpeg { format!("ffmpeg cannot read it: {reason}") } else { reason };
                    return Err(Error::input(&self.name, reason));
                }
            }
        }
        Ok(self)
    }

    /// What is known of a file.
    pub fn about(&self) -> About {
        match &self.input {
            Input::Ffmpeg(stream) => stream.about(),
            Input::Pipe(_) => About::default(),
        }
    }

    /// Why the video broke off, where it did so before its end.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Waits until it is time for a frame of `time` in the video, and returns that time on the clock.
    fn wait(&mut self, time: Duration) -> Duration {
        let Pace::Real(clock) = &self.pace else { return time };
        let now = clock.now();
        let due = *self.start.get_or_insert(now) + time;
        if due > now {
            clock.sleep(due - now, &self.shutdown);
            return due;
        }
        if now - due > LATE {
            self.start = Some(now.saturating_sub(time));
            return now;
        }
        due
    }
}

fn open(path: &Path) -> Result<Stream> {
    let name = path.to_str().ok_or_else(|| Error::input(path.display(), "its name is not Unicode"))?;
    Stream::start(name)
}

impl Source for Video {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn waits(&self) -> bool {
        matches!(self.pace, Pace::Free)
    }

    fn read(&mut self, raw: &mut RawFrame) -> Result<Event> {
        loop {
            if self.shutdown.requested() {
                return Ok(Event::End);
            }
            let fed = match self.first.take() {
                Some(first) => {
                    *raw = first;
                    Fed::Frame
                }
                None => self.input.next(raw),
            };
            match fed {
                Fed::Nothing => {}
                Fed::Frame => {
                    let time = raw.time + self.offset;
                    if time > self.last {
                        self.step = time - self.last;
                    }
                    self.last = time;
                    raw.time = self.wait(time);
                    return Ok(if self.shutdown.requested() { Event::End } else { Event::Frame });
                }
                Fed::End(reason) => {
                    if let Some(reason) = reason {
                        // Whoever reads it at once asks whether it broke off.
                        if !self.waits() {
                            log::warn!("{}: ends early ({reason})", self.name);
                        }
                        self.broken = Some(reason);
                    }
                    match &self.path {
                        Some(path) if self.again => self.input = Input::Ffmpeg(open(path)?),
                        _ => return Ok(Event::End),
                    }
                    self.offset = self.last + self.step;
                }
            }
        }
    }
}
