//! The cameras of a Linux system, asked directly: nokhwa lists metadata nodes as cameras, changes a camera's format when
//! it is asked for the list, and opens none that another program left in a format or rate that it does not know.

use super::controls::{ControlInfo, ControlKind, INACTIVE, READ_ONLY, plain};
use super::devices::{DeviceInfo, FormatInfo, Mode, format_name};
use crate::error::guarded;
use crate::frame::PixelFormat;
use std::collections::BTreeMap;
use std::io;
use std::panic::catch_unwind;
use std::path::Path;
use v4l::buffer::Type as Buffer;
use v4l::capability::Flags;
use v4l::control::{self, Control, Description, MenuItem, Type, Value};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::{FrameSizeEnum, Stepwise};
use v4l::io::mmap;
use v4l::io::traits::CaptureStream;
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
    Ok(Some(DeviceInfo { index, path, name: caps.card, bus: caps.bus, link: link_to(index), formats }))
}

/// The link that udev made for the camera's serial number.
fn link_to(index: u32) -> Option<String> {
    let links = std::fs::read_dir("/dev/v4l/by-id").ok()?.flatten().map(|link| link.path());
    let link = links.into_iter().find(|link| index_of(link) == Some(index))?;
    Some(link.display().to_string())
}

/// The programs that have the node open, as `name (process id)`, as far as this user may see them.
pub fn holders(index: u32) -> Vec<String> {
    let node = Path::new("/dev").join(format!("video{index}"));
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let holds = |process: &Path| {
        let open = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        open.into_iter().any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target == node))
    };
    processes
        .filter_map(|process| {
            let id: u32 = process.file_name().to_str()?.parse().ok()?;
            let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
            holds(&process.path()).then(|| format!("{} ({id})", name.trim()))
        })
        .collect()
}

fn name(fourcc: FourCC) -> String {
    match &fourcc.repr {
        b"MJPG" => format_name(PixelFormat::Mjpeg).into(),
        repr => String::from_utf8_lossy(repr).trim_end().into(),
    }
}

/// None where no camera can be set to it.
fn fourcc(format: PixelFormat) -> Option<FourCC> {
    match format {
        PixelFormat::Mjpeg => Some(FourCC::new(b"MJPG")),
        PixelFormat::Yuyv => Some(FourCC::new(b"YUYV")),
        PixelFormat::Nv12 => Some(FourCC::new(b"NV12")),
        PixelFormat::Grey => Some(FourCC::new(b"GREY")),
        PixelFormat::Luma | PixelFormat::Planar { .. } | PixelFormat::Rgb8 => None,
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

/// Sets the camera and returns what it was really set to, which may differ in size and rate, and the bytes from one row
/// of a raw picture to the next.
pub fn set(index: u32, mode: Mode) -> io::Result<(Mode, usize)> {
    let fourcc = fourcc(mode.format).ok_or_else(|| io::Error::other("no camera has this format"))?;
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
    let fps = interval.denominator;
    Ok((Mode { format: mode.format, width: format.width, height: format.height, fps }, format.stride as usize))
}

/// The pictures of a camera that is already set, without nokhwa.
pub struct Stream(mmap::Stream<'static>);

impl Stream {
    /// As many as nokhwa has.
    const BUFFERS: u32 = 4;

    /// # Errors
    /// The system's, among them EBUSY where another program has the camera; or it is no longer set to `mode`.
    pub fn open(index: u32, mode: Mode) -> io::Result<Stream> {
        let device = Device::new(index as usize)?;
        let stream = mmap::Stream::with_buffers(&device, Buffer::VideoCapture, Stream::BUFFERS)?;
        // From here on, as long as there are buffers, no program can set it to another.
        let format = device.format()?;
        if (Some(format.fourcc), format.width, format.height) != (fourcc(mode.format), mode.width, mode.height) {
            return Err(io::Error::other("another program has set it to another format"));
        }
        Ok(Stream(stream))
    }

    /// Waits for a picture, and hands out as many bytes as came: fewer than it has pixels where it is not whole.
    pub fn next(&mut self) -> io::Result<&[u8]> {
        let (data, about) = CaptureStream::next(&mut self.0)?;
        let damaged = about.flags.contains(v4l::buffer::Flags::ERROR);
        Ok(if damaged { &[] } else { &data[..data.len().min(about.bytesused as usize)] })
    }
}

/// What can be set of a camera; what is no number, switch, menu or button is left out.
pub fn controls(index: u32) -> Result<Vec<ControlInfo>, String> {
    let list = || -> io::Result<Vec<ControlInfo>> {
        let device = Device::new(index as usize)?;
        match device.query_controls() {
            Ok(controls) => Ok(controls.into_iter().filter_map(|it| control(&device, it)).collect()),
            // That is how a driver says that there is none.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOTTY)) => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    };
    // The v4l crate panics on kinds of controls that it does not know.
    guarded(list)
}

fn control(device: &Device, it: Description) -> Option<ControlInfo> {
    use control::Flags;
    if it.flags.intersects(Flags::DISABLED | Flags::HAS_PAYLOAD) {
        return None;
    }
    let kind = match it.typ {
        Type::Integer | Type::Integer64 | Type::Bitmask => ControlKind::Number,
        Type::Boolean => ControlKind::Switch,
        Type::Menu | Type::IntegerMenu => ControlKind::Menu,
        Type::Button => ControlKind::Button,
        _ => return None,
    };
    let entry = |(value, item): (u32, MenuItem)| (i64::from(value), item.to_string());
    let state = match it.flags {
        flags if flags.contains(Flags::READ_ONLY) => Some(READ_ONLY),
        flags if flags.contains(Flags::INACTIVE) => Some(INACTIVE),
        _ => None,
    };
    Some(ControlInfo {
        id: it.id,
        name: plain(&it.name),
        kind,
        minimum: it.minimum,
        maximum: it.maximum,
        step: i64::try_from(it.step).unwrap_or(i64::MAX),
        default: it.default,
        value: value(device, &it),
        menu: it.items.into_iter().flatten().map(entry).collect(),
        state,
    })
}

/// None where there is none to read (buttons), and of kinds that the v4l crate does not read.
fn value(device: &Device, it: &Description) -> Option<i64> {
    match device.control(it.id).ok()?.value {
        Value::Integer(value) => Some(value),
        Value::Boolean(on) => Some(i64::from(on)),
        _ => None,
    }
}

pub fn set_control(index: u32, control: &ControlInfo, value: i64) -> io::Result<()> {
    Device::new(index as usize)?.set_control(Control { id: control.id, value: Value::Integer(value) })
}
