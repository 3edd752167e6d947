//! The names of the classes.

use crate::error::{Error, Result};
use std::path::Path;

/// Reads one label a line.
///
/// # Errors
/// [`Error::Input`] where the file cannot be read or is not UTF-8 text.
pub fn read(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::input(path.display(), format!("cannot read the labels: {error}")))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}

/// Checks that there is one label for each class.
///
/// # Errors
/// A sentence with both numbers and a likely cause.
pub fn check(labels: &[String], classes: usize) -> std::result::Result<(), String> {
    if labels.len() == classes {
        return Ok(());
    }
    let cause = match labels.len() as i64 - classes as i64 {
        1 => "the file has a heading, an empty last line, or a background class that the model does not know",
        -1 => "the model has a background class that the labels leave out, or the last line is missing",
        _ => "the labels belong to another model",
    };
    Err(format!("there are {} labels but the model has {classes} classes; likely {cause}", labels.len()))
}
