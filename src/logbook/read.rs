//! Reading a logbook, that of a recording that broke off too.

use super::{Entry, Line, Start, beside};
use crate::cam::HeatMap;
use crate::error::{Error, Result};
use ndarray::Array2;
use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Cells of a map beyond this are no map: a file that says so is refused before memory is set aside.
const MOST_CELLS: usize = 1 << 20;

/// The logbook of a video.
pub struct Reader {
    pub start: Start,
    pub entries: Entries,
}

/// The explained frames, one after another.
pub struct Entries {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
    maps_path: PathBuf,
    maps: File,
    /// Of the line that was read last, from 1.
    line: usize,
}

impl Reader {
    /// Opens the files beside `video`.
    ///
    /// # Errors
    /// [`Error::Input`] names the file that is missing or not understood.
    pub fn open(video: &Path) -> Result<Reader> {
        let (path, maps_path) = beside(video);
        let open = |path: &Path| {
            File::open(path).map_err(|error| {
                Error::input(path.display(), format!("cannot be read ({error}); it belongs to {}", video.display()))
            })
        };
        let (numbers, maps) = (open(&path)?, open(&maps_path)?);
        let mut entries = Entries { path, lines: BufReader::new(numbers).lines(), maps_path, maps, line: 0 };
        match entries.line()? {
            Some(Line::Recording(start)) => Ok(Reader { start, entries }),
            _ => Err(entries.refused("does not begin with the line of a recording")),
        }
    }
}

impl Entries {
    fn refused(&self, reason: &str) -> Error {
        Error::input(format!("{}:{}", self.path.display(), self.line), reason)
    }

    /// The next whole line. A last one that is cut, because the recording broke off, counts as none.
    fn line(&mut self) -> Result<Option<Line>> {
        let Some(text) = self.lines.next() else { return Ok(None) };
        self.line += 1;
        let text = text.map_err(|error| self.refused(&error.to_string()))?;
        match serde_json::from_str(&text) {
            Ok(line) => Ok(Some(line)),
            Err(error) if error.is_eof() && self.lines.next().is_none() => Ok(None),
            Err(error) => Err(self.refused(&format!("is not understood ({error})"))),
        }
    }

    fn values(&mut self, entry: &Entry) -> Result<Array2<f32>> {
        let (height, width) = (entry.map.height, entry.map.width);
        let cells = height.checked_mul(width).filter(|cells| *cells <= MOST_CELLS);
        let cells = cells.ok_or_else(|| self.refused("speaks of a map that is too large"))?;
        let mut bytes = vec![0; cells * 4];
        let read = self.maps.seek(SeekFrom::Start(entry.map.offset)).and_then(|_| self.maps.read_exact(&mut bytes));
        read.map_err(|error| {
            Error::input(self.maps_path.display(), format!("has no map at byte {} ({error})", entry.map.offset))
        })?;
        let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(Array2::from_shape_vec((height, width), values).expect("as many cells were read"))
    }
}

impl Iterator for Entries {
    type Item = Result<(Entry, HeatMap)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.line() {
            Ok(Some(Line::Explained(entry))) => {
                let map = self.values(&entry).and_then(|values| entry.heat_map(values));
                Some(map.map(|map| (entry, map)))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
