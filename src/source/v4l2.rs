//! The cameras of a Linux system, asked directly: nokhwa lists metadata nodes as cameras, changes a camera's format when
//! it is asked for the list, and opens none that another program left in a format or rate that it does not know.

use super::devices::{DeviceInfo, FormatInfo, Mode, format_name};
use crate::frame::PixelFormat;
use std::collections::BTreeMap;
use std::io;
use std::panic::catch_unwind;
use std::path::Path;
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::{FrameSizeEnum, Stepwise};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC};

/// Image processors of Raspberry Pi boards: they have capture nodes but are no cameras by themselves.
const NOT_CAMERAS: [&str; 4] = ["bcm2835-isp", "bcm2835-codec", "rp1-cfe", "pispbe"];

/// Sizes that are listed for a camera that takes any size within a range.
const COMMON_SIZES: [(u32, u32); 8] =
    [(320, 240), (640, 360), (640, 480), (800, 600), (1024, 768), (1280, 720), (1920, 1080), (3840, 2160)];

/// The nodes that deliver pictures, by number.
pub fn devices() -> Vec<DeviceInfo> {
    let mut indices: Vec<u32> = std::fs::read_dir("/dev")
        .map(|nodes| nodes.flatten().filter_map(|node| index_of(&node.path())).collect())
        .unwrap_or_default();
    indices.sort_unstable();
    indices.into_iter().filter_map(|index| device(index).ok().flatten()).collect()
}

/// The number of a video node, links such as those in `/dev/v4l/by-id` followed.
pub fn index_of(path: &Path) -> Option<u32> {
    let node = path.canonicalize().ok()?;
    node.strip_prefix("/dev").ok()?.to_str()?.strip_prefix("video")?.parse().ok()
}

/// None if the node is there but is no camera.
pub fn device(index: u32) -> io::Result<Option<DeviceInfo>> {
    // The v4l crate panics on names that are not UTF-8.
    catch_unwind(|| describe(index)).unwrap_or_else(|_| Err(io::Error::other("the camera's name cannot be read")))
}

fn describe(index: u32) -> io::Result<Option<DeviceInfo>> {
    let device = Device::new(index as usize)?;
    let caps = device.query_caps()?;
    let both = Flags::VIDEO_CAPTURE | Flags::STREAMING;
    let is_camera = caps.capabilities.contains(both)
        && !caps.capabilities.intersects(Flags::VIDEO_M2M | Flags::VIDEO_OUTPUT)
        && !NOT_CAMERAS.contains(&caps.driver.as_str());
    if !is_camera {
        return Ok(None);
    }
    let mut formats = Vec::new();
    for description in device.enum_formats()? {
        for (width, height) in sizes(&device, description.fourcc) {
            let fps = rates(&device, description.fourcc, width, height);
            formats.push(FormatInfo { format: name(description.fourcc), width, height, fps });
        }
    }
    let path = format!("/dev/video{index}");
    Ok(Some(DeviceInfo { index, path, name: caps.card, bus: caps.bus, formats }))
}

fn name(fourcc: FourCC) -> String {
    match &fourcc.repr {
        b"MJPG" => format_name(PixelFormat::Mjpeg).into(),
        repr => String::from_utf8_lossy(repr).trim_end().into(),
    }
}

/// None where nokhwa has no word for the format; its `GRAY` is none of V4L2's.
fn fourcc(format: PixelFormat) -> Option<FourCC> {
    match format {
        PixelFormat::Mjpeg => Some(FourCC::new(b"MJPG")),
        PixelFormat::Yuyv => Some(FourCC::new(b"YUYV")),
        PixelFormat::Nv12 => Some(FourCC::new(b"NV12")),
        PixelFormat::Grey | PixelFormat::Luma | PixelFormat::Planar { .. } | PixelFormat::Rgb8 => None,
    }
}

fn sizes(device: &Device, fourcc: FourCC) -> Vec<(u32, u32)> {
    let mut sizes: Vec<(u32, u32)> = device
        .enum_framesizes(fourcc)
        .unwrap_or_default()
        .into_iter()
        .flat_map(|size| match size.size {
            FrameSizeEnum::Discrete(size) => vec![(size.width, size.height)],
            FrameSizeEnum::Stepwise(range) => within(&range),
        })
        .collect();
    if sizes.is_empty()
        && let Ok(present) = device.format()
        && present.fourcc == fourcc
    {
        sizes.push((present.width, present.height));
    }
    sizes
}

fn within(range: &Stepwise) -> Vec<(u32, u32)> {
    let fits = |value: u32, min: u32, max: u32, step: u32| {
        (min..=max).contains(&value) && (value - min).is_multiple_of(step.max(1))
    };
    COMMON_SIZES
        .into_iter()
        .filter(|&(width, height)| {
            fits(width, range.min_width, range.max_width, range.step_width)
                && fits(height, range.min_height, range.max_height, range.step_height)
        })
        .chain([(range.max_width, range.max_height)])
        .collect()
}

fn rates(device: &Device, fourcc: FourCC, width: u32, height: u32) -> Vec<f64> {
    // Keyed by thousandths, so that equal rates of a range and a list are one.
    let mut rates = BTreeMap::new();
    let mut add = |seconds: u32, parts: u32| {
        if seconds > 0 {
            let fps = (f64::from(parts) / f64::from(seconds) * 1000.0).round() / 1000.0;
            rates.insert((fps * 1000.0) as u64, fps);
        }
    };
    for interval in device.enum_frameintervals(fourcc, width, height).unwrap_or_default() {
        match interval.interval {
            FrameIntervalEnum::Discrete(it) => add(it.numerator, it.denominator),
            FrameIntervalEnum::Stepwise(range) => {
                let fps = |it: v4l::Fraction| f64::from(it.denominator) / f64::from(it.numerator.max(1));
                let (slowest, fastest) = (fps(range.max), fps(range.min));
                for common in [5, 10, 15, 20, 25, 30, 50, 60] {
                    if (slowest..=fastest).contains(&f64::from(common)) {
                        add(1, common);
                    }
                }
            }
        }
    }
    rates.into_values().rev().collect()
}

/// Sets the camera and returns what it was really set to, which may differ in size and rate.
pub fn set(index: u32, mode: Mode) -> io::Result<Mode> {
    let fourcc = fourcc(mode.format).ok_or_else(|| io::Error::other("nokhwa cannot read this format"))?;
    let device = Device::new(index as usize)?;
    let format = device.set_format(&Format::new(mode.width, mode.height, fourcc))?;
    if format.fourcc != fourcc {
        return Err(io::Error::other(format!("the camera refuses {}", format_name(mode.format))));
    }
    let interval = device.set_params(&Parameters::with_fps(mode.fps))?.interval;
    if interval.numerator != 1 {
        return Err(io::Error::other(format!(
            "the camera insists on {}/{} frames per second, and nokhwa takes whole rates only",
            interval.denominator, interval.numerator
        )));
    }
    Ok(Mode { format: mode.format, width: format.width, height: format.height, fps: interval.denominator })
}
