//! A picture with its time, before and after decoding.

use std::time::Duration;

/// The largest picture side that is accepted, in pixels. A larger one is refused before memory is set aside for it.
pub const MAX_SIDE: usize = 16_384;

/// The largest picture that is accepted, in pixels (width times height).
pub const MAX_PIXELS: usize = 100_000_000;

/// How the bytes of a [`RawFrame`] are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PixelFormat {
    /// 3 bytes a pixel: red, green, blue.
    Rgb8,
    /// A JPEG picture; its own header says the size.
    Mjpeg,
    /// 4:2:2, 4 bytes for two pixels: Y0 U Y1 V.
    Yuyv,
    /// 4:2:0: a plane of Y, then a plane of interleaved U V at half width and height.
    Nv12,
    /// 1 byte a pixel: luma of full range.
    Grey,
    /// Three planes: Y, U, V. One value of U and V for as many pixels `across` and `down` (1 or 2 each).
    Planar { across: u8, down: u8 },
    /// 1 byte a pixel: luma of limited range, as in Y.
    Luma,
}

/// What a source hands out: bytes as they came from the device or file.
#[derive(Debug, Clone)]
pub struct RawFrame {
    pub format: PixelFormat,
    /// Pixels. For MJPEG what the device promised.
    pub width: usize,
    pub height: usize,
    /// May be longer than the picture (stale tail) or shorter (truncated).
    pub data: Vec<u8>,
    /// When it was captured, on the run's clock.
    pub time: Duration,
}

impl RawFrame {
    pub fn new() -> RawFrame {
        RawFrame { format: PixelFormat::Rgb8, width: 0, height: 0, data: Vec::new(), time: Duration::ZERO }
    }
}

impl Default for RawFrame {
    fn default() -> RawFrame {
        RawFrame::new()
    }
}

/// A decoded picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Counts the frames of a source from 0, broken ones included.
    pub number: u64,
    /// When it was captured, on the run's clock.
    pub time: Duration,
    pub width: usize,
    pub height: usize,
    /// Row by row, 3 bytes a pixel: red, green, blue. `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

/// A rectangle in pixels of a frame; may have fractions.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rect {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// Which part of a frame the network saw. The heat map covers exactly `seen`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Geometry {
    /// Size of the whole frame in pixels.
    pub width: usize,
    pub height: usize,
    pub seen: Rect,
}
