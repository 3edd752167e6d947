//! Keeps one moment: what was shown, the frame, the map, and the facts.

use super::Shown;
use crate::error::{Error, Result};
use image::ExtendedColorType::Rgb8;
use ndarray_npy::WriteNpyExt;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

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
    write(&path(&stem, "raw.png"), |out| png(out, &frame.rgb, frame.width, frame.height))?;
    if let Some(map) = map {
        write(&path(&stem, "npy"), |out| map.values.write_npy(out).map_err(|error| error.to_string()))?;
    }
    write(&path(&stem, "json"), |out| serde_json::to_writer_pretty(out, json).map_err(|error| error.to_string()))?;
    let shown = path(&stem, "png");
    write(&shown, |out| png(out, &canvas.to_rgb(), canvas.width, canvas.height))?;
    Ok(shown)
}

type Out<'a> = &'a mut BufWriter<tempfile::NamedTempFile>;

fn png(out: Out, rgb: &[u8], width: usize, height: usize) -> std::result::Result<(), String> {
    let encoder = image::codecs::png::PngEncoder::new(out);
    image::ImageEncoder::write_image(encoder, rgb, width as u32, height as u32, Rgb8).map_err(|error| error.to_string())
}

fn write(path: &Path, content: impl FnOnce(Out) -> std::result::Result<(), String>) -> Result<()> {
    let folder = path.parent().expect("made by joining a name to a folder");
    let mut builder = tempfile::Builder::new();
    // A temporary file is private unless told otherwise; a snapshot is as readable as any file of its user.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let beside = builder.prefix(".gradcam-").tempfile_in(folder).map_err(|error| Error::output(path, error))?;
    let mut out = BufWriter::new(beside);
    content(&mut out).map_err(|reason| Error::output(path, reason))?;
    out.flush().map_err(|error| Error::output(path, error))?;
    let beside = out.into_inner().map_err(|error| Error::output(path, error.error()))?;
    beside.persist_noclobber(path).map_err(|error| Error::output(path, error.error))?;
    Ok(())
}
