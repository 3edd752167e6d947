//! One recording: canvases → H.264 in fragmented MP4, with its logbook beside it.
//!
//! A fragment holds a second of video and is written in one piece, then the maps and lines that belong to it. Whatever
//! ends the program, what was written plays. Every few seconds the system is asked to bring it to the device.

pub mod encoder;
pub mod fit;
pub mod mp4;
pub mod name;
mod sps;
mod storage;

pub use storage::{Disk, Storage};

use crate::error::{Error, Result};
use crate::logbook::{End, Explained, Place, Start, Writer};
use crate::overlay::Canvas;
use encoder::Encoder;
use mp4::{Head, Index, Sample, TIMESCALE, Track};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A fragment is closed by the first picture this long after its own first.
const FRAGMENT: Duration = Duration::from_secs(1);
/// How much video may be lost where the power fails.
const SYNC: Duration = Duration::from_secs(3);
/// Bits for a pixel of a frame where the user says nothing: at 640×480 and 30 frames a second 2 Mbit/s.
const BITS: f64 = 0.22;
/// Frames a second that the encoder's rate control reckons with at first.
pub const USUAL_FPS: f32 = 30.0;

/// How a recording is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Encoding {
    /// Pixels; that of the first canvas where it is not given.
    pub size: Option<(usize, usize)>,
    /// Frames a second at most; all that come where it is not given.
    pub fps: Option<f32>,
    /// Bits a second; by size where it is not given.
    pub bitrate: Option<u32>,
}

impl Encoding {
    fn bitrate(&self, width: usize, height: usize) -> u32 {
        let fps = f64::from(self.fps.unwrap_or(USUAL_FPS).min(USUAL_FPS));
        self.bitrate.unwrap_or_else(|| (width as f64 * height as f64 * fps * BITS).max(100_000.0) as u32)
    }
}

/// A recording that is being made.
pub struct Recording<S: Storage = Disk> {
    path: PathBuf,
    storage: S,
    logbook: Option<Writer>,
    encoder: Encoder,
    encoding: Encoding,
    width: usize,
    height: usize,
    /// Once the first picture is encoded.
    head: Option<Head>,
    index: Index,
    fragment: Fragment,
    /// Fragments written.
    fragments: u32,
    /// Bytes of the file that are whole.
    whole: u64,
    /// Capture time of the first picture.
    start: Option<Duration>,
    /// Ticks at which the last picture begins, and how long the one before it was.
    last: u64,
    step: u32,
    frames: u64,
    /// Capture time up to which the device has everything.
    synced: Duration,
    /// Maps that wait for the picture that shows them.
    explained: Vec<Explained>,
}

/// Pictures that are not written yet.
#[derive(Default)]
struct Fragment {
    /// Ticks.
    time: u64,
    samples: Vec<Sample>,
    data: Vec<u8>,
}

impl Recording {
    /// Makes the files at `path` and beside it, none of which may exist, for canvases of `width` × `height` (even). The
    /// first canvas comes next.
    ///
    /// # Errors
    /// [`Error::Output`] names the path.
    pub fn create(path: &Path, start: &Start, encoding: Encoding) -> Result<Recording> {
        let logbook = Writer::create(path, start)?;
        let storage = Disk::create(path)?;
        Recording::on(path, storage, Some(logbook), (start.width, start.height), encoding)
    }
}

impl<S: Storage> Recording<S> {
    /// A recording on any storage, with the logbook if there is one.
    ///
    /// # Errors
    /// [`Error::Output`] where the encoder cannot be started.
    pub fn on(
        path: &Path,
        storage: S,
        logbook: Option<Writer>,
        (width, height): (usize, usize),
        encoding: Encoding,
    ) -> Result<Recording<S>> {
        let encoder = Encoder::new(width, height, encoding.fps.unwrap_or(USUAL_FPS), encoding.bitrate(width, height));
        Ok(Recording {
            path: path.to_owned(),
            storage,
            logbook,
            encoder: encoder.map_err(|reason| Error::output(path, reason))?,
            encoding,
            width,
            height,
            head: None,
            index: Index::default(),
            fragment: Fragment::default(),
            fragments: 0,
            whole: 0,
            start: None,
            last: 0,
            step: 0,
            frames: 0,
            synced: Duration::ZERO,
            explained: Vec::new(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Of the video, in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Video so far.
    pub fn duration(&self) -> Duration {
        seconds(self.last)
    }

    /// Whether a picture of that capture time is wanted at the rate that was asked for.
    pub fn wants(&self, time: Duration) -> bool {
        let (Some(fps), Some(start)) = (self.encoding.fps, self.start) else { return true };
        // A camera's frames come a little early or late.
        let slot = |ticks: u64| (ticks as f64 / f64::from(TIMESCALE) * f64::from(fps) + 0.25).floor();
        slot(ticks(time.saturating_sub(start))) > slot(self.last)
    }

    /// A map that the next picture shows.
    pub fn explained(&mut self, explained: Explained) {
        self.explained.push(explained);
    }

    /// Adds a picture of the recording's size, captured at `time`. Writes the pictures before it where a fragment is
    /// full.
    ///
    /// # Errors
    /// [`Error::Output`]; the file stays whole up to the last fragment, and nothing more can be added.
    pub fn add(&mut self, canvas: &Canvas, time: Duration) -> Result<()> {
        let start = *self.start.get_or_insert(time);
        // Times rise, whatever the clock of the source does.
        let mut now = ticks(time.saturating_sub(start));
        if self.frames > 0 {
            now = now.max(self.last + 1);
            self.step = (now - self.last).min(u64::from(u32::MAX)) as u32;
            if let Some(last) = self.fragment.samples.last_mut() {
                last.duration = self.step;
            }
        }
        let full = !self.fragment.samples.is_empty() && now - self.fragment.time >= ticks(FRAGMENT);
        if full {
            self.write()?;
        }
        let first = self.fragment.samples.is_empty();
        let at = seconds(now);
        let coded = self.encoder.encode(canvas, at, first).map_err(|reason| Error::output(&self.path, reason))?;
        if self.head.is_none() {
            let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let (width, height) = (self.width as u16, self.height as u16);
            let head = Head::new(&Track { width, height, sps: coded.sps, pps: coded.pps, created });
            put(&mut self.storage, &self.path, &head.bytes)?;
            self.whole = head.bytes.len() as u64;
            self.head = Some(head);
        }
        if first {
            self.fragment.time = now;
        }
        let size = coded.data.len() as u32;
        self.fragment.samples.push(Sample { duration: self.step, size, key: coded.key });
        self.fragment.data.extend_from_slice(coded.data);
        let place = Place { frame: self.frames, time: at.as_secs_f64() };
        for explained in self.explained.drain(..) {
            if let Some(logbook) = &mut self.logbook {
                logbook.explained(&explained, place)?;
            }
        }
        self.last = now;
        self.frames += 1;
        Ok(())
    }

    /// Writes what waits, for times without pictures.
    ///
    /// # Errors
    /// Those of [`Recording::add`].
    pub fn flush(&mut self) -> Result<()> {
        let Some(last) = self.fragment.samples.last_mut() else { return Ok(()) };
        if last.duration == 0 {
            last.duration = TIMESCALE / USUAL_FPS as u32;
        }
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        let Fragment { time, samples, data } = &self.fragment;
        let mut bytes = mp4::fragment(self.fragments + 1, *time, samples, data);
        // A file that ends within a moof is refused by ffmpeg as a whole, one that ends within free space is not. So the
        // fragment is free space until all of it is there.
        let head = mp4::hide(&mut bytes);
        put(&mut self.storage, &self.path, &bytes)?;
        self.storage.patch(self.whole, &head).map_err(|error| Error::output(&self.path, error))?;
        self.index.add(*time, self.whole);
        self.whole += bytes.len() as u64;
        self.fragments += 1;
        self.fragment.samples.clear();
        self.fragment.data.clear();
        if let Some(logbook) = &mut self.logbook {
            logbook.flush()?;
        }
        let now = seconds(self.last);
        if self.fragments == 1 || now.saturating_sub(self.synced) >= SYNC {
            self.synced = now;
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.storage.sync().map_err(|error| Error::output(&self.path, error))?;
        self.logbook.as_ref().map_or(Ok(()), Writer::sync)
    }

    /// Writes what waits, the index, and the durations; nothing can be added after it. `dropped` is how many pictures
    /// never came here.
    ///
    /// # Errors
    /// Those of [`Recording::add`].
    pub fn finish(&mut self, dropped: u64) -> Result<End> {
        if let Some(last) = self.fragment.samples.last_mut() {
            // The last picture is shown as long as the one before it.
            self.step = if self.step > 0 { self.step } else { TIMESCALE / USUAL_FPS as u32 };
            last.duration = self.step;
        }
        self.flush()?;
        let duration = if self.frames > 0 { self.last + u64::from(self.step) } else { 0 };
        if let Some(head) = &self.head {
            put(&mut self.storage, &self.path, &self.index.bytes())?;
            for (at, bytes) in head.patches(duration) {
                self.storage.patch(at, &bytes).map_err(|error| Error::output(&self.path, error))?;
            }
        }
        self.storage.sync().map_err(|error| Error::output(&self.path, error))?;
        let end = End { frames: self.frames, duration: seconds(duration).as_secs_f64(), dropped };
        if let Some(logbook) = self.logbook.take() {
            logbook.finish(end)?;
        }
        Ok(end)
    }

    /// After an error: takes off what is not whole, as far as that still works. Returns how much video is kept.
    pub fn give_up(mut self) -> Duration {
        let kept = seconds(if self.fragment.samples.is_empty() { self.last } else { self.fragment.time });
        // The place it stands on has failed already; that this fails too is no news.
        let _ = self.storage.truncate(self.whole);
        if let Some(head) = &self.head {
            let _ = head.patches(ticks(kept)).try_for_each(|(at, bytes)| self.storage.patch(at, &bytes));
        }
        kept
    }
}

fn put(storage: &mut impl Storage, path: &Path, bytes: &[u8]) -> Result<()> {
    storage.append(bytes).map_err(|error| Error::output(path, error))
}

fn ticks(time: Duration) -> u64 {
    ((time.as_nanos() * u128::from(TIMESCALE) + 500_000_000) / 1_000_000_000) as u64
}

fn seconds(ticks: u64) -> Duration {
    Duration::from_nanos((u128::from(ticks) * 1_000_000_000 / u128::from(TIMESCALE)) as u64)
}
