//! One recording: canvases → H.264 in fragmented MP4, with its logbook beside it.
//!
//! A fragment holds a second of video and is written in one piece, then the maps and lines that belong to it. Whatever
//! ends the program, what was written plays. The head, the first fragment and from then on every second one are brought
//! to the device at once.

pub mod encoder;
pub mod fit;
pub mod mp4;
pub mod name;
pub mod sounded;
mod steps;
mod storage;

pub use storage::{Disk, Storage};

use crate::error::{Error, Result};
use crate::logbook::{End, Explained, Place, Start, Writer};
use crate::overlay::Canvas;
use encoder::Encoder;
use mp4::{Head, Index, Sample, TIMESCALE, Track};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use steps::Steps;

/// A fragment is closed by the first picture this long after its own first.
const FRAGMENT: Duration = Duration::from_secs(1);
/// How much video may be written that the device does not have yet, beside the fragment that sees to it.
const SYNC: Duration = Duration::from_secs(2);
/// So much later than it was captured a picture may be placed, in ticks, because others before it came too fast.
const LATE: u64 = TIMESCALE as u64 / 10;
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
    /// Bytes of the file that are whole, and ticks at which the last picture in them ends.
    whole: u64,
    kept: u64,
    /// Capture time of the first picture.
    start: Option<Duration>,
    /// Ticks at which the last picture begins, and how long the one before it was, which is how long the last one is
    /// shown where nothing else is known.
    last: u64,
    length: u64,
    /// Ticks at which the next picture begins at the earliest.
    next: u64,
    /// Ticks between two pictures at least.
    closest: u64,
    steps: Steps,
    frames: u64,
    /// Capture time up to which the device has everything.
    synced: Duration,
    /// Maps that wait for the picture that shows them.
    explained: Vec<Explained>,
}

/// Pictures that are not written yet.
#[derive(Default)]
struct Fragment {
    samples: Vec<Sample>,
    data: Vec<u8>,
    /// Maps with the number of the first picture of the video that shows them.
    explained: Vec<(u64, Explained)>,
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
            kept: 0,
            start: None,
            last: 0,
            length: u64::from(TIMESCALE) / USUAL_FPS as u64,
            next: 0,
            closest: steps::FINE,
            steps: Steps::new(),
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

    /// Whether there is a place for a picture of that time. There is none where too many came before it in too short a
    /// time: at most 200 a second in the long run, or 1000 where the recording began with more than 200.
    pub fn has_place(&self, time: Duration) -> bool {
        self.start.is_none_or(|start| self.next <= ticks(time.saturating_sub(start)) + LATE)
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
        let captured = ticks(time.saturating_sub(start));
        if let Some(first) = self.fragment.samples.first()
            && captured.max(self.next) - first.time >= ticks(FRAGMENT)
        {
            self.spread(captured.max(self.next));
            self.write(captured.max(self.next))?;
        }
        let now = captured.max(self.next);
        let first = self.fragment.samples.is_empty();
        let coded = self.encoder.encode(canvas, seconds(now), first);
        let coded = coded.map_err(|reason| Error::output(&self.path, reason))?;
        let (size, key) = (coded.data.len() as u32, coded.key);
        self.fragment.data.extend_from_slice(coded.data);
        if self.head.is_none() {
            let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let (width, height) = (self.width as u16, self.height as u16);
            let track = Track { width, height, sps: coded.sps, pps: coded.pps, created };
            let head = Head::new(&track, steps::USUAL as u32);
            put(&mut self.storage, &self.path, &head.bytes)?;
            self.whole = head.bytes.len() as u64;
            self.head = Some(head);
            // Where the video is, its logbook is.
            self.logbook.as_ref().map_or(Ok(()), Writer::sync)?;
            self.storage.sync().map_err(|error| Error::output(&self.path, error))?;
        }
        self.fragment.samples.push(Sample { time: now, size, key });
        let number = self.frames;
        self.fragment.explained.extend(self.explained.drain(..).map(|explained| (number, explained)));
        if self.frames > 0 {
            self.length = now - self.last;
        }
        (self.last, self.next) = (now, now + self.closest);
        self.frames += 1;
        Ok(())
    }

    /// Writes what waits, for times without pictures.
    ///
    /// # Errors
    /// Those of [`Recording::add`].
    pub fn flush(&mut self) -> Result<()> {
        if self.fragment.samples.is_empty() {
            return Ok(());
        }
        self.spread(u64::MAX);
        // What comes next may come before as much time has gone as between the last two.
        self.write(self.last + self.length.min(ticks(FRAGMENT)))?;
        // Nobody knows when there will be more.
        self.sync()
    }

    /// Settles how close to each other pictures may be once the first second is known, up to `end` (ticks), and moves
    /// those that are closer.
    fn spread(&mut self, end: u64) {
        let Fragment { samples, .. } = &mut self.fragment;
        if self.fragments > 0 || steps::are_dense(samples, end) {
            return;
        }
        self.closest = steps::USUAL;
        for at in 1..samples.len() {
            samples[at].time = samples[at].time.max(samples[at - 1].time + self.closest);
        }
        if let [.., before, last] = samples[..] {
            self.length = last.time - before.time;
            self.last = last.time;
        }
        self.next = self.last + self.closest;
    }

    /// Writes the fragment, whose last picture is shown until `end` (ticks).
    fn write(&mut self, end: u64) -> Result<()> {
        let Fragment { samples, data, explained } = &mut self.fragment;
        let Some(first) = samples.first().map(|first| first.time) else { return Ok(()) };
        samples.iter().for_each(|sample| self.steps.add(sample.time));
        let number = self.frames - samples.len() as u64;
        let mut bytes = mp4::fragment(self.fragments + 1, samples, end, data);
        // A file that ends within a moof is refused by ffmpeg as a whole, one that ends within free space is not. So the
        // fragment is free space until all of it is there.
        let visible = mp4::hide(&mut bytes);
        put(&mut self.storage, &self.path, &bytes)?;
        if let (0, steps::FINE, Some(head)) = (self.fragments, self.closest, &self.head) {
            patch(&mut self.storage, &self.path, head.step(steps::FINE as u32))?;
        }
        patch(&mut self.storage, &self.path, (self.whole, visible))?;
        self.index.add(first, self.whole);
        (self.whole, self.kept) = (self.whole + bytes.len() as u64, end);
        self.fragments += 1;
        data.clear();
        let times: Vec<u64> = samples.drain(..).map(|sample| sample.time).collect();
        let explained = std::mem::take(explained);
        if let Some(logbook) = &mut self.logbook {
            for (frame, explained) in explained {
                let time = seconds(times[(frame - number) as usize]).as_secs_f64();
                logbook.explained(&explained, Place { frame, time })?;
            }
            logbook.flush()?;
        }
        if self.fragments == 1 || seconds(end).saturating_sub(self.synced) >= SYNC {
            self.synced = seconds(end);
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
        // The last picture is shown as long as the one before it.
        self.spread(self.last + self.length);
        self.write(self.last + self.length)?;
        let duration = if self.frames > 0 { self.last + self.length } else { 0 };
        if let Some(head) = &self.head {
            put(&mut self.storage, &self.path, &self.index.bytes())?;
            patch(&mut self.storage, &self.path, head.step(self.steps.widest() as u32))?;
            for (at, bytes) in head.patches(duration) {
                patch(&mut self.storage, &self.path, (at, &bytes))?;
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
        let kept = seconds(self.fragment.samples.first().map_or(self.kept, |first| first.time));
        // The place it stands on has failed already; that this fails too is no news.
        let _ = self.storage.truncate(self.whole);
        if let Some(head) = &self.head {
            let (at, bytes) = head.step(self.steps.widest() as u32);
            let _ = self.storage.patch(at, &bytes);
            let _ = head.patches(ticks(kept)).try_for_each(|(at, bytes)| self.storage.patch(at, &bytes));
        }
        kept
    }
}

fn put(storage: &mut impl Storage, path: &Path, bytes: &[u8]) -> Result<()> {
    storage.append(bytes).map_err(|error| Error::output(path, error))
}

fn patch(storage: &mut impl Storage, path: &Path, (at, bytes): (u64, impl AsRef<[u8]>)) -> Result<()> {
    storage.patch(at, bytes.as_ref()).map_err(|error| Error::output(path, error))
}

fn ticks(time: Duration) -> u64 {
    ((time.as_nanos() * u128::from(TIMESCALE) + 500_000_000) / 1_000_000_000) as u64
}

fn seconds(ticks: u64) -> Duration {
    Duration::from_nanos((u128::from(ticks) * 1_000_000_000 / u128::from(TIMESCALE)) as u64)
}
