//! Where a video is written.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

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

/// A file.
pub struct Disk(File);

impl Disk {
    /// Makes the file, which must not exist.
    ///
    /// # Errors
    /// [`Error::Output`] names the path.
    pub fn create(path: &Path) -> Result<Disk> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| Error::output(path, error))?;
        // The name must be on the device too; a folder cannot be synced everywhere, and then the system does it later.
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(Disk(file))
    }

    /// A file that was deleted takes bytes that nobody will ever see.
    fn is_there(&self) -> io::Result<()> {
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&self.0.metadata()?) == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was deleted"));
        }
        Ok(())
    }
}

impl Storage for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_there()?;
        self.0.write_all(bytes)
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.write_all(bytes)?;
        self.0.seek(SeekFrom::End(0))?;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.seek(SeekFrom::Start(length))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
