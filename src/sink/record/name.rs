//! What the files of a recording are called.

use crate::error::{Error, Result};
use crate::logbook::beside;
use std::path::{Path, PathBuf};

/// The ending of a video.
const ENDING: &str = "mp4";
/// What names in a folder begin with, before date and time.
const STEM: &str = "gradcam";

/// Where recordings go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The first recording; those after it get date and time behind the name.
    File(PathBuf),
    /// Recordings are called `gradcam-` and date and time.
    Folder(PathBuf),
}

impl Destination {
    /// A name that ends in `.mp4` is a file, one without an ending or of a folder is a folder, which is made.
    ///
    /// # Errors
    /// [`Error::Input`] for other endings; [`Error::Output`] for a folder that is missing or cannot be made.
    pub fn at(path: &Path) -> Result<Destination> {
        if path.extension().is_none() || path.is_dir() {
            let destination = Destination::Folder(path.to_owned());
            destination.make()?;
            return Ok(destination);
        }
        if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING)) {
            return Err(Error::input(path.display(), "a recording is an .mp4 file, or a folder for such files"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Error::output(path, "its folder does not exist"));
        }
        Ok(Destination::File(path.to_owned()))
    }

    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// [`Error::Output`] where it cannot be made.
    pub fn make(&self) -> Result<()> {
        match self {
            Destination::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| Error::output(folder, error))
            }
            Destination::File(_) => Ok(()),
        }
    }

    /// The first path. One that is taken is refused: nothing is overwritten.
    ///
    /// # Errors
    /// [`Error::Output`] names the file that exists.
    pub fn first(&self, now: &str) -> Result<PathBuf> {
        let Destination::File(path) = self else { return Ok(self.dated(now)) };
        let (numbers, maps) = beside(path);
        match [path, &numbers, &maps].into_iter().find(|path| path.exists()) {
            Some(taken) => Err(Error::output(taken, "exists; a recording overwrites nothing")),
            None => Ok(path.clone()),
        }
    }

    /// The folder, and what the names of all files in it begin with.
    pub fn parts(&self) -> (PathBuf, String) {
        match self {
            Destination::File(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                (folder.to_owned(), path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
            }
            Destination::Folder(folder) => (folder.clone(), STEM.to_owned()),
        }
    }

    /// A path with `now`, a date and time such as `20261124-001530`, in its name; with `-2`, `-3` … where it is taken.
    pub fn dated(&self, now: &str) -> PathBuf {
        let (folder, stem) = self.parts();
        let path = |more: String| folder.join(format!("{stem}-{now}{more}.{ENDING}"));
        let free = |path: &PathBuf| {
            let (numbers, maps) = beside(path);
            ![path, &numbers, &maps].into_iter().any(|path| path.exists())
        };
        std::iter::once(path(String::new()))
            .chain((2u32..).map(|number| path(format!("-{number}"))))
            .find(free)
            .expect("a folder does not hold four billion recordings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("out.mp4");
        let destination = Destination::at(&path).expect("it is a file in a folder");
        assert_eq!(destination.first("20261124-001530").expect("nothing is there"), path);
        std::fs::write(folder.path().join("out.jsonl"), "").expect("written");
        assert!(destination.first("20261124-001530").is_err());
        let dated = folder.path().join("out-20261124-001530.mp4");
        assert_eq!(destination.dated("20261124-001530"), dated);
        std::fs::write(dated, "").expect("written");
        assert_eq!(destination.dated("20261124-001530"), folder.path().join("out-20261124-001530-2.mp4"));
    }

    #[test]
    fn a_name_without_an_ending_is_a_folder() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("films");
        let destination = Destination::at(&path).expect("it is made");
        assert!(path.is_dir());
        assert_eq!(
            destination.first("20261124-001530").expect("it is empty"),
            path.join("gradcam-20261124-001530.mp4")
        );
        assert!(Destination::at(&folder.path().join("film.avi")).is_err());
        assert!(Destination::at(&folder.path().join("missing/film.mp4")).is_err());
    }
}
