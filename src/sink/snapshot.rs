//! Keeps one moment: what was shown, the frame, the map, and the facts.

use super::{Shown, files};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// What the names of snapshots begin with, before date and time.
pub const STEM: &str = "gradcam";

/// What the files of a snapshot that is taken now are called.
pub fn stem() -> String {
    format!("{STEM}-{}", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S"))
}

/// Writes into `folder`, which is made if it is missing:
///
/// | file | what |
/// |---|---|
/// | `STEM.png` | the canvas, as it was shown |
/// | `STEM.raw.png` | the frame |
/// | `STEM.npy` | the map before the ReLU, f32 `[h, w]`, where there is one |
/// | `STEM.json` | `json` |
///
/// STEM is `stem`, with `-2`, `-3` … behind it where any of these exists: nothing is overwritten. Each file is written
/// beside and renamed, so that none is ever there in part. Returns the path of `STEM.png`.
///
/// # Errors
/// [`Error::Output`] with the path that could not be written.
pub fn save(folder: &Path, stem: &str, shown: &Shown, json: &serde_json::Value) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| Error::output(folder, error))?;
    let path = |stem: &str, kind: &str| folder.join(format!("{stem}.{kind}"));
    let taken = |stem: &String| ["png", "raw.png", "npy", "json"].iter().any(|kind| path(stem, kind).exists());
    let stem = std::iter::once(stem.to_owned())
        .chain((2u32..).map(|n| format!("{stem}-{n}")))
        .find(|stem| !taken(stem))
        .expect("a folder does not hold four billion snapshots");

    let Shown { frame, map, canvas } = shown;
    files::write_new(&path(&stem, "raw.png"), |out| files::png(out, &frame.rgb, frame.width, frame.height))?;
    if let Some(map) = map {
        files::write_new(&path(&stem, "npy"), |out| files::npy(out, &map.values))?;
    }
    files::write_new(&path(&stem, "json"), |out| files::json(out, json))?;
    let shown = path(&stem, "png");
    files::write_new(&shown, |out| files::png(out, &canvas.to_rgb(), canvas.width, canvas.height))?;
    Ok(shown)
}
