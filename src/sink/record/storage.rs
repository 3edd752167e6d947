//! What a recording is written to.

use crate::error::Result;
use crate::sink::files;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// Takes bytes, and changes a few of them later.
pub trait Storage: Send {
    /// Writes all of `bytes` behind what is there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes `bytes` over those at `offset`.
    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Takes off what is behind `length`.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Waits until everything is on the device.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file. It gets its name with the first sync, so that under that name there is never less than what was brought to
/// the device first.
pub struct Disk {
    file: File,
    path: PathBuf,
    unnamed: Option<TempPath>,
}

impl Disk {
    /// Makes the file. Where one of its name exists, that is said by the first sync.
    ///
    /// # Errors
    /// [`crate::Error::Output`] names the path.
    pub fn create(path: &Path) -> Result<Disk> {
        let (file, unnamed) = files::temporary(path)?.into_parts();
        Ok(Disk { file, path: path.to_owned(), unnamed: Some(unnamed) })
    }

    /// A file that was deleted takes bytes that nobody will ever see.
    fn is_there(&self) -> io::Result<()> {
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&self.file.metadata()?) == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was deleted"));
        }
        Ok(())
    }
}

impl Storage for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_there()?;
        self.file.write_all(bytes)
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if let Some(unnamed) = self.unnamed.take() {
            unnamed.persist_noclobber(&self.path).map_err(|refused| refused.error)?;
            files::sync_folder(&self.path);
        }
        Ok(())
    }
}
