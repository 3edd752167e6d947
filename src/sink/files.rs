//! Files that are whole or not there: written beside, then renamed into place.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Writes a file, in place of an older one. While it is written its folder holds a temporary file.
///
/// # Errors
/// [`Error::Output`] names the path; an older file stays as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let refuse = |error: std::io::Error| Error::output(path, format!("cannot be written: {error}"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(refuse)?;
    file.write_all(bytes).map_err(refuse)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is for its owner only; a result is like any file that a program makes.
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(refuse)?;
    }
    file.persist(path).map_err(|error| refuse(error.error))?;
    Ok(())
}
