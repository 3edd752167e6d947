//! RawFrame → Frame: JPEG and YUV to RGB, upright.
//!
//! A camera's frames are not to be trusted: the first one after start-up is often broken, USB loses packets, and the
//! buffer behind the picture holds what older frames left there. A frame that is not whole is refused, never guessed.

mod mjpeg;
mod turn;
mod yuv;

pub use turn::turn;

use crate::frame::{Frame, MAX_PIXELS, MAX_SIDE, PixelFormat, RawFrame};
use std::borrow::Cow;

/// Why a frame cannot be shown, in plain words. The next frame of the source may be good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broken frame: {reason}")]
pub struct BrokenFrame {
    pub reason: Cow<'static, str>,
}

impl BrokenFrame {
    fn new(reason: impl Into<Cow<'static, str>>) -> BrokenFrame {
        BrokenFrame { reason: reason.into() }
    }
}

/// Decodes the frames of one source. Keeps its buffers, and what it must remember of the last frames, between calls.
#[derive(Default)]
pub struct Decoder {
    mjpeg: mjpeg::Mjpeg,
    /// The picture as it lay before it was turned.
    lying: Vec<u8>,
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Writes the picture of `raw` to `frame`: `width`, `height`, `rgb` (whose memory is used again) and `time`.
    /// `number` is left to the caller. A JPEG has the size that its own header says, any other format that of `raw`; then it
    /// is turned as `raw` says.
    ///
    /// # Errors
    /// [`BrokenFrame`] when the data is short, damaged, completed by an older frame's data, or larger than
    /// [`MAX_SIDE`] and [`MAX_PIXELS`] allow. `frame` then has the size 0 x 0.
    pub fn decode(&mut self, raw: &RawFrame, frame: &mut Frame) -> Result<(), BrokenFrame> {
        frame.time = raw.time;
        frame.width = 0;
        frame.height = 0;
        let (width, height) = match raw.format {
            PixelFormat::Mjpeg => self.mjpeg.decode(&raw.data, raw.stale_from, &mut frame.rgb)?,
            _ => {
                raw_to_rgb(raw, &mut frame.rgb)?;
                (raw.width, raw.height)
            }
        };
        frame.width = width;
        frame.height = height;
        turn(frame, raw.turn, &mut self.lying);
        Ok(())
    }
}

fn raw_to_rgb(raw: &RawFrame, rgb: &mut Vec<u8>) -> Result<(), BrokenFrame> {
    let (width, height) = (raw.width, raw.height);
    check_size(width, height)?;
    let needed = match raw.format {
        PixelFormat::Rgb8 => width * height * 3,
        PixelFormat::Yuyv => width * height * 2,
        PixelFormat::Nv12 => width * height + 2 * width.div_ceil(2) * height.div_ceil(2),
        PixelFormat::Grey | PixelFormat::Luma => width * height,
        PixelFormat::Planar { across, down } => {
            width * height + 2 * width.div_ceil(usize::from(across)) * height.div_ceil(usize::from(down))
        }
        PixelFormat::Mjpeg => unreachable!("JPEG is decoded by its own module"),
    };
    let Some(data) = raw.data.get(..needed) else {
        return Err(BrokenFrame::new(format!("{} of {needed} bytes of a {width}x{height} picture", raw.data.len())));
    };
    rgb.resize(width * height * 3, 0);
    match raw.format {
        PixelFormat::Yuyv => yuv::yuyv(data, width, rgb),
        PixelFormat::Nv12 => yuv::nv12(data, width, height, rgb),
        PixelFormat::Grey => yuv::grey(data, rgb),
        PixelFormat::Luma => yuv::luma(data, rgb),
        PixelFormat::Planar { across, down } => {
            yuv::planar(data, (width, height), (usize::from(across), usize::from(down)), rgb);
        }
        _ => rgb.copy_from_slice(data),
    }
    Ok(())
}

fn check_size(width: usize, height: usize) -> Result<(), BrokenFrame> {
    if width == 0 || height == 0 {
        return Err(BrokenFrame::new(format!("a picture of {width}x{height} pixels")));
    }
    if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
        return Err(BrokenFrame::new(format!("a picture of {width}x{height} pixels is too large")));
    }
    Ok(())
}
