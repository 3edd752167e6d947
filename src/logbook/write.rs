//! Writing a logbook beside a video.

use super::{End, Entry, Explained, Line, Place, Start, beside};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the files beside one video. Lines and maps wait in memory until they are flushed: maps first, then whole
/// lines that speak of them.
pub struct Writer {
    numbers: Kept,
    maps: Kept,
}

/// A file with what waits for it.
struct Kept {
    path: PathBuf,
    file: File,
    waiting: Vec<u8>,
    /// Bytes of the file with what waits.
    length: u64,
}

impl Kept {
    fn new(path: PathBuf) -> Result<Kept> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| Error::output(&path, error))?;
        Ok(Kept { path, file, waiting: Vec::new(), length: 0 })
    }

    fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        self.length += bytes.len() as u64;
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.waiting).map_err(|error| Error::output(&self.path, error))?;
        self.waiting.clear();
        Ok(())
    }
}

impl Writer {
    /// Makes the files, which must not exist.
    ///
    /// # Errors
    /// [`Error::Output`] names the path.
    pub fn create(video: &Path, start: &Start) -> Result<Writer> {
        let (numbers, maps) = beside(video);
        let mut writer = Writer { numbers: Kept::new(numbers)?, maps: Kept::new(maps)? };
        writer.line(&Line::Recording(start.clone()))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Adds a map that the video shows from `video` on.
    ///
    /// # Errors
    /// [`Error::Output`] where a number cannot be written as JSON.
    pub fn explained(&mut self, explained: &Explained, video: Place) -> Result<()> {
        let entry = Entry::new(explained, video, self.maps.length);
        for value in &explained.map.values {
            self.maps.add(&value.to_le_bytes());
        }
        self.line(&Line::Explained(entry))
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// [`Error::Output`] names the path.
    pub fn flush(&mut self) -> Result<()> {
        self.maps.flush()?;
        self.numbers.flush()
    }

    /// Has the system bring everything to the device.
    ///
    /// # Errors
    /// [`Error::Output`] names the path.
    pub fn sync(&self) -> Result<()> {
        for Kept { path, file, .. } in [&self.maps, &self.numbers] {
            file.sync_data().map_err(|error| Error::output(path, error))?;
        }
        Ok(())
    }

    /// Writes the last line.
    ///
    /// # Errors
    /// [`Error::Output`] names the path.
    pub fn finish(mut self, end: End) -> Result<()> {
        self.line(&Line::End(end))?;
        self.flush()?;
        self.sync()
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|error| Error::output(&self.numbers.path, error))?;
        text.push(b'\n');
        self.numbers.add(&text);
        Ok(())
    }
}
