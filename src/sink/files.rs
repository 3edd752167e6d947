//! Files that are whole or not there: written beside, then renamed into place.

use crate::error::{Error, Result};
use image::ExtendedColorType::Rgb8;
use ndarray::Array2;
use ndarray_npy::WriteNpyExt;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Bytes of a file's name that all usual file systems take.
const LONGEST_NAME: usize = 255;

/// What a file's content is written to. A failure is a reason in words.
pub type Out<'a> = &'a mut BufWriter<File>;
pub type Written = std::result::Result<(), String>;

/// Writes a file, in place of an older one.
///
/// # Errors
/// [`Error::Output`] names the path; an older file stays as it was.
pub fn write(path: &Path, content: impl FnOnce(Out) -> Written) -> Result<()> {
    beside(path, content)?.persist(path).map_err(|error| Error::output(path, error.error))?;
    Ok(())
}

/// Writes a file that must not exist.
///
/// # Errors
/// [`Error::Output`] names the path.
pub fn write_new(path: &Path, content: impl FnOnce(Out) -> Written) -> Result<()> {
    beside(path, content)?.persist_noclobber(path).map_err(|error| Error::output(path, error.error))?;
    Ok(())
}

fn beside(path: &Path, content: impl FnOnce(Out) -> Written) -> Result<NamedTempFile> {
    let unnamed = temporary(path)?;
    // By its own handle: the errors of the other would name the temporary file.
    let mut out = BufWriter::new(unnamed.as_file().try_clone().map_err(|error| Error::output(path, error))?);
    content(&mut out).map_err(|reason| Error::output(path, reason))?;
    out.flush().map_err(|error| Error::output(path, error))?;
    Ok(unnamed)
}

/// An empty file beside `path`, to be renamed to it.
///
/// # Errors
/// [`Error::Output`] or [`Error::Input`] names `path`.
pub fn temporary(path: &Path) -> Result<NamedTempFile> {
    if path.file_name().is_some_and(|name| name.len() > LONGEST_NAME) {
        return Err(Error::input(path.display(), "its name is too long for a file"));
    }
    let mut builder = tempfile::Builder::new();
    // A temporary file is private unless told otherwise; a result is as readable as any file of its user.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".gradcam-").tempfile_in(folder(path)).map_err(|error| {
        // The system's words name the temporary file, which tells the user nothing.
        let reason = match error.kind() {
            ErrorKind::NotFound => "its folder does not exist".to_owned(),
            ErrorKind::PermissionDenied => "its folder cannot be written to (permission denied)".to_owned(),
            _ => error.to_string(),
        };
        Error::output(path, reason)
    })
}

/// Waits until the name of a file is on the device. A folder cannot be synced everywhere; then the system does it later.
pub fn sync_folder(path: &Path) {
    #[cfg(unix)]
    let _ = std::fs::File::open(folder(path)).and_then(|folder| folder.sync_all());
    #[cfg(not(unix))]
    let _ = path;
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// RGB8, row by row.
pub fn png(out: Out, rgb: &[u8], width: usize, height: usize) -> Written {
    let encoder = image::codecs::png::PngEncoder::new(out);
    image::ImageEncoder::write_image(encoder, rgb, width as u32, height as u32, Rgb8).map_err(|error| error.to_string())
}

/// f32 `[h, w]`.
pub fn npy(out: Out, values: &Array2<f32>) -> Written {
    values.write_npy(out).map_err(|error| error.to_string())
}

/// One object over several lines.
pub fn json(out: Out, value: &impl serde::Serialize) -> Written {
    serde_json::to_writer_pretty(&mut *out, value).map_err(|error| error.to_string())?;
    writeln!(out).map_err(|error| error.to_string())
}
