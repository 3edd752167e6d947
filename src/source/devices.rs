//! Which cameras there are, what they offer, and which of it to take.

use super::CameraRequest;
use crate::frame::PixelFormat;
use serde::Serialize;

/// A camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceInfo {
    /// What `--source` takes.
    pub index: u32,
    /// E.g. `/dev/video0`; empty where the system has no paths for cameras.
    pub path: String,
    pub name: String,
    /// The port it is plugged into, as the system names it; tells two cameras of one name apart.
    pub bus: String,
    /// The link that names it by maker, model and serial number, wherever it is plugged in (`/dev/v4l/by-id/…`).
    pub link: Option<String>,
    pub formats: Vec<FormatInfo>,
}

/// One pixel format and size of a camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FormatInfo {
    /// `MJPEG`, `YUYV`, `NV12`, `GREY`, or the system's name for one that gradcam cannot read.
    pub format: String,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Frames per second, highest first. Empty if the camera does not say.
    pub fps: Vec<f64>,
}

/// What a camera is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    pub format: PixelFormat,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Frames per second. Whole, for the camera library takes no other.
    pub fps: u32,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{} {} {} fps", self.width, self.height, format_name(self.format), self.fps)
    }
}

/// The word for a pixel format in names and listings.
pub fn format_name(format: PixelFormat) -> &'static str {
    match format {
        PixelFormat::Rgb8 => "RGB8",
        PixelFormat::Mjpeg => "MJPEG",
        PixelFormat::Yuyv => "YUYV",
        PixelFormat::Nv12 => "NV12",
        PixelFormat::Grey => "GREY",
        PixelFormat::Luma => "Y8",
        PixelFormat::Planar { .. } => "planar YUV",
    }
}

/// The formats that a camera can be set to.
pub const READABLE: [PixelFormat; 4] = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Mjpeg, PixelFormat::Grey];

/// Up to this size uncompressed frames are preferred: they cost no decoding and have no artefacts, and USB 2 carries 30
/// of them a second. Larger ones come faster as JPEG.
const RAW_PIXELS: u64 = 640 * 480;

/// All modes that can be used, best first: the requested format before others, colour before grey, then the size closest
/// to the requested one, then a rate that is not below the requested one (or misses it by least), then the preferred
/// format, then the lowest such rate.
pub fn ranked(formats: &[FormatInfo], request: &CameraRequest) -> Vec<Mode> {
    let (width, height) = request.size();
    let fps = request.fps();
    let mut modes: Vec<Mode> = formats.iter().flat_map(|info| modes_of(info, fps)).collect();
    modes.sort_by_key(|mode| {
        let apart = u64::from(mode.width.abs_diff(width)).pow(2) + u64::from(mode.height.abs_diff(height)).pow(2);
        let raw = u64::from(mode.width) * u64::from(mode.height) <= RAW_PIXELS;
        let preference = match mode.format {
            PixelFormat::Yuyv => [2, 0][usize::from(raw)],
            PixelFormat::Nv12 => 1,
            PixelFormat::Mjpeg => [0, 2][usize::from(raw)],
            _ => 3,
        };
        let grey = mode.format == PixelFormat::Grey;
        let other = request.format.is_some_and(|format| format != mode.format);
        (other, grey, apart, fps.saturating_sub(mode.fps), preference, mode.fps)
    });
    modes.dedup();
    modes
}

fn modes_of(info: &FormatInfo, wanted: u32) -> Vec<Mode> {
    let Some(&format) = READABLE.iter().find(|&&format| format_name(format) == info.format) else {
        return Vec::new();
    };
    let mode = |fps| Mode { format, width: info.width, height: info.height, fps };
    if info.fps.is_empty() {
        return vec![mode(wanted)];
    }
    let whole = |fps: &f64| fps.fract() == 0.0 && (1.0..=1000.0).contains(fps);
    info.fps.iter().copied().filter(whole).map(|fps| mode(fps as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(format: &str, width: u32, height: u32, fps: &[f64]) -> FormatInfo {
        FormatInfo { format: format.into(), width, height, fps: fps.into() }
    }

    fn best(formats: &[FormatInfo], width: u32, height: u32, fps: u32) -> String {
        let request =
            CameraRequest { width: Some(width), height: Some(height), fps: Some(fps), ..CameraRequest::default() };
        ranked(formats, &request).first().map(Mode::to_string).unwrap_or_default()
    }

    /// A common USB 2 camera: large raw pictures come slowly.
    fn webcam() -> Vec<FormatInfo> {
        vec![
            info("MJPEG", 1920, 1080, &[30.0, 15.0]),
            info("MJPEG", 1280, 720, &[30.0]),
            info("MJPEG", 640, 480, &[30.0]),
            info("H264", 640, 480, &[60.0]),
            info("YUYV", 1920, 1080, &[5.0]),
            info("YUYV", 1280, 720, &[10.0, 7.5]),
            info("YUYV", 640, 480, &[30.0, 15.0]),
            info("YUYV", 320, 240, &[30.0]),
        ]
    }

    #[test]
    fn small_pictures_are_taken_raw_and_large_ones_as_jpeg() {
        assert_eq!(best(&webcam(), 640, 480, 30), "640x480 YUYV 30 fps");
        assert_eq!(best(&webcam(), 1280, 720, 30), "1280x720 MJPEG 30 fps");
        assert_eq!(best(&webcam(), 1920, 1080, 5), "1920x1080 MJPEG 15 fps");
    }

    #[test]
    fn the_closest_size_wins_and_the_largest_is_never_taken_unasked() {
        assert_eq!(best(&webcam(), 800, 600, 30), "640x480 YUYV 30 fps");
        assert_eq!(best(&webcam(), 9999, 9999, 30), "1920x1080 MJPEG 30 fps");
        assert_eq!(ranked(&webcam(), &CameraRequest::default())[0].to_string(), "640x480 YUYV 30 fps");
    }

    #[test]
    fn an_asked_format_comes_before_size_and_rate_and_is_no_condition() {
        let asked = |formats: &[FormatInfo], format| {
            let request = CameraRequest { format: Some(format), ..CameraRequest::default() };
            ranked(formats, &request).first().map(Mode::to_string).unwrap_or_default()
        };
        assert_eq!(asked(&webcam(), PixelFormat::Mjpeg), "640x480 MJPEG 30 fps");
        assert_eq!(asked(&webcam(), PixelFormat::Nv12), "640x480 YUYV 30 fps");
        let other_sizes = [info("YUYV", 640, 480, &[30.0]), info("GREY", 1280, 800, &[60.0])];
        assert_eq!(asked(&other_sizes, PixelFormat::Grey), "1280x800 GREY 60 fps");
    }

    #[test]
    fn a_rate_below_the_asked_one_is_taken_only_when_there_is_no_other() {
        let slow_raw = [info("YUYV", 640, 480, &[15.0]), info("MJPEG", 640, 480, &[30.0])];
        assert_eq!(best(&slow_raw, 640, 480, 30), "640x480 MJPEG 30 fps");
        assert_eq!(best(&slow_raw, 640, 480, 10), "640x480 YUYV 15 fps");
        assert_eq!(best(&slow_raw, 640, 480, 60), "640x480 MJPEG 30 fps");
    }

    #[test]
    fn rates_that_are_no_whole_number_are_left_out() {
        assert_eq!(best(&[info("YUYV", 640, 480, &[29.97, 15.0])], 640, 480, 30), "640x480 YUYV 15 fps");
        assert_eq!(best(&[info("YUYV", 640, 480, &[29.97])], 640, 480, 30), "");
    }

    #[test]
    fn grey_is_the_last_resort_and_a_camera_without_rates_gets_the_asked_one() {
        let formats = [info("GREY", 640, 480, &[30.0]), info("NV12", 320, 240, &[])];
        assert_eq!(best(&formats, 640, 480, 25), "320x240 NV12 25 fps");
        assert_eq!(best(&formats[..1], 640, 480, 25), "640x480 GREY 30 fps");
    }
}
