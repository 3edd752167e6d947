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
    /// From this offset on `data` is what an older frame left in the driver's buffer. None where that is not known.
    pub stale_from: Option<usize>,
    /// When it was captured, on the run's clock.
    pub time: Duration,
    /// How it is turned when it is decoded.
    pub turn: Turn,
}

impl RawFrame {
    pub fn new() -> RawFrame {
        RawFrame {
            format: PixelFormat::Rgb8,
            width: 0,
            height: 0,
            data: Vec::new(),
            stale_from: None,
            time: Duration::ZERO,
            turn: Turn::None,
        }
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

/// By how much a picture is turned, clockwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum Turn {
    #[default]
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

impl From<Turn> for u16 {
    /// Degrees.
    fn from(turn: Turn) -> u16 {
        turn as u16 * 90
    }
}

impl TryFrom<u16> for Turn {
    type Error = &'static str;

    /// # Errors
    /// For other degrees than 0, 90, 180 and 270.
    fn try_from(degrees: u16) -> Result<Turn, &'static str> {
        let turns = [Turn::None, Turn::Quarter, Turn::Half, Turn::ThreeQuarters];
        turns.into_iter().find(|turn| u16::from(*turn) == degrees).ok_or("expected 0, 90, 180 or 270")
    }
}

/// A rectangle in whole pixels of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

impl Region {
    /// All of a frame.
    pub fn whole(frame: &Frame) -> Region {
        Region { x: 0, y: 0, width: frame.width, height: frame.height }
    }

    /// The part of it that lies in a frame, if there is one.
    pub fn within(self, frame: &Frame) -> Option<Region> {
        let inside = |from: usize, length: usize, side: usize| (from < side).then(|| length.min(side - from));
        let (width, height) = (inside(self.x, self.width, frame.width)?, inside(self.y, self.height, frame.height)?);
        (width > 0 && height > 0).then_some(Region { width, height, ..self })
    }
}

/// A rectangle in pixels of a frame; may have fractions.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rect {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// Which part of a frame the network saw. The heat map covers exactly `seen`, which is larger than the frame where bars
/// were put beside it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Geometry {
    /// Size of the whole frame in pixels.
    pub width: usize,
    pub height: usize,
    pub seen: Rect,
}
