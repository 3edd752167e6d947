//! Still pictures as a live source: one for ever, or those of a folder in turn, again and again.

use super::{Event, Source, image};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat, RawFrame};
use crate::shutdown::Shutdown;
use ::image::{RgbImage, imageops};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Delivers its present picture 30 times a second.
pub struct Pictures {
    /// What the user named.
    origin: PathBuf,
    paths: Vec<PathBuf>,
    at: usize,
    picture: Frame,
    shown_since: Duration,
    next_frame: Duration,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
}

impl Pictures {
    /// How long each picture of a folder is shown.
    pub const EACH: Duration = Duration::from_secs(2);
    /// A larger picture is shrunk to this many pixels on its longer side: the live view works at a camera's size.
    pub const LIVE_SIDE: u32 = 1280;
    const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 30);

    /// # Errors
    /// Those of [`image::load`].
    pub fn one(path: &Path, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Result<Pictures> {
        let picture = load(path)?;
        Ok(Pictures::new(path, vec![path.into()], picture, clock, shutdown))
    }

    /// Files that cannot be read are left out, with a warning in the log.
    ///
    /// # Errors
    /// Those of [`image::pictures_in`]; [`Error::Input`] if none of the pictures can be read.
    pub fn folder(folder: &Path, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Result<Pictures> {
        let paths = image::pictures_in(folder)?;
        let mut pictures = Pictures::new(folder, paths, Frame::default(), clock, shutdown);
        pictures.load_from(0)?;
        Ok(pictures)
    }

    fn new(origin: &Path, paths: Vec<PathBuf>, picture: Frame, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Pictures {
        let now = clock.now();
        let origin = origin.into();
        Pictures { origin, paths, at: 0, picture, shown_since: now, next_frame: now, clock, shutdown }
    }

    fn load_from(&mut self, at: usize) -> Result<()> {
        self.at = at;
        while !self.paths.is_empty() {
            self.at %= self.paths.len();
            match load(&self.paths[self.at]) {
                Ok(picture) => {
                    self.picture = picture;
                    return Ok(());
                }
                Err(e) => {
                    log::warn!("{e}; left out");
                    self.paths.remove(self.at);
                }
            }
        }
        Err(Error::input(self.origin.display(), "none of its pictures can be read"))
    }
}

impl Source for Pictures {
    fn name(&self) -> String {
        self.paths.get(self.at).unwrap_or(&self.origin).display().to_string()
    }

    fn read(&mut self, raw: &mut RawFrame) -> Result<Event> {
        let wait = self.next_frame.saturating_sub(self.clock.now());
        if !wait.is_zero() {
            self.clock.sleep(wait, &self.shutdown);
        }
        if self.shutdown.requested() {
            return Ok(Event::End);
        }
        let now = self.clock.now();
        self.next_frame = (self.next_frame + Pictures::FRAME).max(now);
        if self.paths.len() > 1 && now - self.shown_since >= Pictures::EACH {
            self.shown_since = (self.shown_since + Pictures::EACH).max(now.saturating_sub(Pictures::EACH));
            self.load_from(self.at + 1)?;
        }
        raw.format = PixelFormat::Rgb8;
        raw.width = self.picture.width;
        raw.height = self.picture.height;
        raw.time = now;
        raw.data.clear();
        raw.data.extend_from_slice(&self.picture.rgb);
        Ok(Event::Frame)
    }
}

fn load(path: &Path) -> Result<Frame> {
    let frame = image::load(path)?;
    let (width, height) = (frame.width as u32, frame.height as u32);
    let longer = width.max(height);
    if longer <= Pictures::LIVE_SIDE {
        return Ok(frame);
    }
    let shrunk = |side: u32| (u64::from(side) * u64::from(Pictures::LIVE_SIDE) / u64::from(longer)).max(1) as u32;
    let full = RgbImage::from_raw(width, height, frame.rgb).expect("a frame has three bytes for each pixel");
    let small = imageops::thumbnail(&full, shrunk(width), shrunk(height));
    let (width, height) = (small.width() as usize, small.height() as usize);
    Ok(Frame { width, height, rgb: small.into_raw(), ..Frame::default() })
}
