//! Picture files: any colour type, any orientation, as 8-bit RGB.

use crate::error::{Error, Result};
use crate::frame::{Frame, MAX_PIXELS, MAX_SIDE};
use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Endings of the names of files that can be read.
const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

/// What can be read, in words.
const READABLE: &str = "PNG, JPEG, BMP, TIFF and WebP can be read";

/// Memory that decoding one picture may take: the largest accepted one with four channels of 16 bits.
const MAX_ALLOC: u64 = MAX_PIXELS as u64 * 8 + (64 << 20);

/// Reads a PNG, JPEG, BMP, TIFF or WebP picture (recognised by its content, not its name) as a viewer shows it: turned
/// as its EXIF orientation says, 16 bits rounded to 8, grey and CMYK as RGB, what is transparent over white. Colour
/// profiles and gamma are not applied. `number` and `time` of the frame are 0.
///
/// # Errors
/// [`Error::Input`] if the file cannot be read, is no picture, is damaged, has no pixels, or is larger than
/// [`MAX_SIDE`] and [`MAX_PIXELS`] allow (seen in its header, before memory is set aside).
pub fn load(path: &Path) -> Result<Frame> {
    // A named pipe, say, would be waited for.
    if path.exists() && !path.is_file() && !path.is_dir() {
        return Err(Error::input(path.display(), "is not a file"));
    }
    let damaged = || Err("the file is damaged (the decoder gave up)".into());
    let picture = catch_unwind(|| decode(path)).unwrap_or_else(|_| damaged());
    let picture = picture.map_err(|reason| Error::input(path.display(), reason))?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Ok(Frame { width, height, rgb: picture.into_raw(), ..Frame::default() })
}

/// Whether a file is to be read as a picture: by its content, or else by its name.
pub fn is_picture(path: &Path) -> bool {
    let named = path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
    let format = || ImageReader::open(path).ok()?.with_guessed_format().ok()?.format();
    named || (path.is_file() && format().is_some_and(is_readable))
}

/// The pictures of a folder by the endings of their names, sorted by name; hidden files and sub-folders are left out.
///
/// # Errors
/// [`Error::Input`] if the folder cannot be read or has no picture.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| Error::input(folder.display(), plain(&e));
    let mut pictures = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        if !hidden && ENDINGS.iter().any(|&known| ending == known) && path.is_file() {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        return Err(Error::input(folder.display(), format!("no picture in this folder ({})", ENDINGS.join(", "))));
    }
    pictures.sort();
    Ok(pictures)
}

fn is_readable(format: ImageFormat) -> bool {
    format.extensions_str().first().is_some_and(|ending| ENDINGS.contains(ending))
}

fn decode(path: &Path) -> std::result::Result<RgbImage, String> {
    if path.is_dir() {
        return Err("is a folder, not a picture".into());
    }
    let mut file = BufReader::new(File::open(path).map_err(|e| plain(&e))?);
    let format = ImageReader::new(&mut file).with_guessed_format().map_err(|e| plain(&e))?.format();
    let format = format.ok_or_else(|| format!("is no picture ({READABLE})"))?;
    if !is_readable(format) {
        return Err(format!("is a picture of the kind {format:?} ({READABLE})"));
    }
    if format == ImageFormat::Jpeg {
        file.rewind().and_then(|()| to_the_end(&mut file)).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => "the file is damaged (it breaks off before the picture ends)".to_owned(),
            _ => plain(&e),
        })?;
    }
    file.rewind().map_err(|e| plain(&e))?;
    let mut reader = ImageReader::with_format(file, format);
    let damaged = |e: ImageError| match e {
        ImageError::Unsupported(_) => format!("this kind of {format:?} picture cannot be read ({})", one_line(&e)),
        ImageError::Limits(_) => format!("the picture is too large ({})", one_line(&e)),
        _ => format!("the file is damaged ({})", one_line(&e)),
    };
    reader.no_limits();
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width as usize, height as usize)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOC);
    decoder.set_limits(limits).map_err(damaged)?;
    // A picture whose orientation cannot be read is shown as it is stored.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(if picture.color().has_alpha() { over_white(&picture) } else { picture.into_rgb8() })
}

/// Reads a JPEG to its end marker (ITU-T T.81, B.1.1), and fails where the file ends before it: the decoder makes grey of
/// what is missing, and the network would be shown that.
fn to_the_end(jpeg: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        // Over coded data, and over whatever else is between two markers.
        jpeg.skip_until(0xff)?;
        let mut marker = [0xff];
        while marker == [0xff] {
            jpeg.read_exact(&mut marker)?;
        }
        match marker[0] {
            0xd9 => return Ok(()),
            // A byte of coded data (F.1.2.3), a restart or the beginning, which have no length.
            0 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let mut length = [0; 2];
                jpeg.read_exact(&mut length)?;
                let rest = u64::from(u16::from_be_bytes(length)).saturating_sub(2);
                std::io::copy(&mut jpeg.by_ref().take(rest), &mut std::io::sink())?;
            }
        }
    }
}

fn check_size(width: usize, height: usize) -> std::result::Result<(), String> {
    if width == 0 || height == 0 {
        return Err(format!("a picture of {width}x{height} pixels"));
    }
    if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(format!(
            "a picture of {width}x{height} pixels is too large (at most {MAX_SIDE} a side and {} million in all)",
            MAX_PIXELS / 1_000_000
        ));
    }
    Ok(())
}

fn over_white(picture: &DynamicImage) -> RgbImage {
    let picture = picture.to_rgba8();
    let (width, height) = picture.dimensions();
    let mut rgb = Vec::with_capacity(picture.len() / 4 * 3);
    for &[r, g, b, alpha] in picture.as_chunks::<4>().0 {
        let alpha = u32::from(alpha);
        rgb.extend([r, g, b].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8));
    }
    RgbImage::from_raw(width, height, rgb).expect("three bytes were written for each pixel")
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or folder".into(),
        ErrorKind::PermissionDenied => "no permission to read it".into(),
        _ => one_line(error),
    }
}

fn one_line(error: &impl ToString) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
