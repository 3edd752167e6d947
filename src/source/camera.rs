//! Cameras through nokhwa. This file and `camera/` are all that names its types.
//!
//! What nokhwa 0.10.11 does on Linux, and what is done about it: `frame` can block for ever and dropping a stream can
//! panic ([`Watched`]); after an interrupted wait every call fails with EINVAL, after an unplug with ENODEV, and while a
//! dead `Camera` exists its number opens the dead device again (any error drops it and [`Reconnect`] opens a new one);
//! it does not tell how many bytes of a buffer are new ([`Leftovers`] and the decoder find out); it hands out the camera's
//! own time stamp only together with a copy of the buffer, so frames are stamped when they arrive, a millisecond or so
//! later; it has no word for V4L2's `GREY`, whose pictures come through the v4l crate (docs/decisions/grey-cameras.md).

#[cfg(not(target_os = "linux"))]
#[path = "camera/elsewhere.rs"]
mod system;
#[cfg(target_os = "linux")]
#[path = "camera/linux.rs"]
mod system;

use super::devices::{DeviceInfo, Mode, ranked};
use super::leftover::Leftovers;
use super::reconnect::{Device, Reconnect};
use super::watchdog::{Capture, LeftBehind, Watched};
use super::{CameraId, CameraRequest, ControlInfo, Source};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::frame::{PixelFormat, RawFrame};
use crate::shutdown::Shutdown;
use nokhwa::utils::{CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution};
use nokhwa::{Camera, NokhwaError};
use std::borrow::Cow;
use std::sync::{Arc, Mutex};

/// Opens a camera for good: what happens to it later is [`Event::Lost`](super::Event::Lost), not an error.
///
/// # Errors
/// [`Error::Device`] if there is no such camera (the cameras that exist are named), if it may not be opened, or if it
/// offers no format that can be read, or if it has not the controls that are asked (those that it has are named).
pub fn source(
    id: &CameraId,
    request: &CameraRequest,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<Box<dyn Source>> {
    let info = system::find(id)?;
    if !is_usable(&info) {
        let mut formats: Vec<&str> = info.formats.iter().map(|info| info.format.as_str()).collect();
        formats.sort_unstable();
        formats.dedup();
        let reason = format!("offers only what gradcam cannot read ({})", formats.join(", "));
        return Err(Error::device(label(&info), reason));
    }
    let name = label(&info);
    set_controls(&info, request).map_err(|reason| Error::device(&name, reason))?;
    let found = Arc::new(Mutex::new((id.clone(), info)));
    let left_behind = Arc::new(LeftBehind::default());
    let request = request.clone();
    let of_devices = clock.clone();
    let open = move || {
        let (found, request) = (found.clone(), request.clone());
        let open = move || Opened::open(&found, &request);
        let watched = Watched::start(open, of_devices.clone(), left_behind.clone())?;
        Ok(Box::new(watched) as Box<dyn Device>)
    };
    Ok(Box::new(Reconnect::new(name, open, clock, shutdown)))
}

/// All cameras of the system.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    system::devices()
}

/// What can be set of a camera.
pub fn controls(info: &DeviceInfo) -> Result<Vec<ControlInfo>> {
    system::controls(info).map_err(|reason| Error::device(label(info), reason))
}

/// One after the other: a camera that sets something automatically has to be told to leave it first.
fn set_controls(info: &DeviceInfo, request: &CameraRequest) -> std::result::Result<(), String> {
    if request.controls.is_empty() {
        return Ok(());
    }
    let controls = system::controls(info)?;
    let resolved = request.controls.iter().map(|request| Ok((request, request.resolve(&controls)?)));
    for (request, (control, value)) in resolved.collect::<std::result::Result<Vec<_>, String>>()? {
        system::set_control(info, control, value).map_err(|reason| format!("`{request}`: {reason}"))?;
    }
    Ok(())
}

/// Whether a camera offers pictures in a format that can be read.
pub fn is_usable(info: &DeviceInfo) -> bool {
    !ranked(&info.formats, &CameraRequest::default()).is_empty()
}

/// Whether some of them are in colour.
pub fn is_colour(info: &DeviceInfo) -> bool {
    ranked(&info.formats, &CameraRequest::default()).iter().any(|mode| mode.format != PixelFormat::Grey)
}

fn label(info: &DeviceInfo) -> String {
    if info.path.is_empty() { format!("camera {}", info.index) } else { info.path.clone() }
}

/// What a camera is set to, and the bytes from one row of a raw picture to the next.
#[derive(Clone, Copy)]
struct Setting {
    mode: Mode,
    stride: usize,
}

/// The driver's buffers, one after the other.
trait Buffers {
    /// Waits for the next one.
    fn next(&mut self) -> std::result::Result<Cow<'_, [u8]>, String>;
}

impl Buffers for Camera {
    fn next(&mut self) -> std::result::Result<Cow<'_, [u8]>, String> {
        self.frame_raw().map_err(|e| e.to_string())
    }
}

struct Opened {
    buffers: Box<dyn Buffers>,
    label: String,
    setting: Setting,
    leftovers: Leftovers,
}

impl Opened {
    /// How many modes are tried when the camera rejects what it offered.
    const ATTEMPTS: usize = 5;

    fn open(
        found: &Mutex<(CameraId, DeviceInfo)>,
        request: &CameraRequest,
    ) -> std::result::Result<Box<dyn Capture>, String> {
        let (id, before) = found.lock().expect("nothing panics while it holds the camera's name").clone();
        let info = system::find_again(&id, &before).map_err(|e| e.to_string())?;
        let mut reason = "offers no format that gradcam can read".to_string();
        for mode in ranked(&info.formats, request).into_iter().take(Opened::ATTEMPTS) {
            match Opened::open_as(&info, mode) {
                Ok(opened) => {
                    // Cameras forget them without power, and some at the start of a stream. A view with another exposure
                    // is worth more than none, so that a refusal is only said.
                    if let Err(reason) = set_controls(&info, request) {
                        log::warn!("{}: {reason}", label(&info));
                    }
                    found.lock().expect("nothing panics while it holds the camera's name").1 = info;
                    return Ok(Box::new(opened));
                }
                Err(Refused::Mode(why)) => reason = format!("{mode}: {why}"),
                Err(Refused::Camera(why)) => {
                    return Err(format!("{}: {why}{}", label(&info), system::holders(&info, &why)));
                }
            }
        }
        Err(format!("{}: {reason}", label(&info)))
    }

    fn open_as(info: &DeviceInfo, mode: Mode) -> std::result::Result<Opened, Refused> {
        let setting = system::prepare(info.index, mode)?;
        let buffers = match system::without_nokhwa(info.index, setting.mode)? {
            Some(buffers) => buffers,
            None => nokhwa_camera(info.index, setting.mode)?,
        };
        Ok(Opened { buffers, label: label(info), setting, leftovers: Leftovers::default() })
    }
}

fn nokhwa_camera(index: u32, mode: Mode) -> std::result::Result<Box<dyn Buffers>, Refused> {
    let format = frame_format(mode.format).ok_or_else(|| Refused::Mode("nokhwa has no word for it".into()))?;
    let exact = CameraFormat::new(Resolution::new(mode.width, mode.height), format, mode.fps);
    let formats = [format];
    let request = RequestedFormat::with_formats(RequestedFormatType::Exact(exact), &formats);
    let mut camera = Camera::new(CameraIndex::Index(index), request).map_err(refused)?;
    camera.open_stream().map_err(refused)?;
    Ok(Box::new(camera))
}

impl Capture for Opened {
    fn name(&self) -> String {
        format!("{} {}", self.label, self.setting.mode)
    }

    fn grab(&mut self, raw: &mut RawFrame) -> std::result::Result<(), String> {
        let Setting { mode, stride } = self.setting;
        let data = self.buffers.next().map_err(|e| format!("{}: {}", self.label, plain(&e)))?;
        raw.format = mode.format;
        raw.width = mode.width as usize;
        raw.height = mode.height as usize;
        // Raw frames are alike up to their ends wherever nothing moves.
        let compressed = mode.format == PixelFormat::Mjpeg;
        raw.stale_from = if compressed { self.leftovers.stale_from(&data) } else { None };
        raw.data.clear();
        copy_rows(&data, stride, &rows(mode), &mut raw.data);
        Ok(())
    }
}

/// The planes of a raw picture: how many rows each has, of how many bytes. None of a compressed one.
fn rows(mode: Mode) -> Vec<(usize, usize)> {
    let (width, height) = (mode.width as usize, mode.height as usize);
    match mode.format {
        PixelFormat::Yuyv => vec![(height, 2 * width)],
        PixelFormat::Nv12 => vec![(height, width), (height.div_ceil(2), 2 * width.div_ceil(2))],
        PixelFormat::Grey => vec![(height, width)],
        _ => Vec::new(),
    }
}

/// Leaves out what a driver puts behind each row. Data that is too short stays too short.
fn copy_rows(data: &[u8], stride: usize, planes: &[(usize, usize)], to: &mut Vec<u8>) {
    if planes.iter().all(|&(_, bytes)| stride <= bytes) {
        to.extend_from_slice(data);
        return;
    }
    let mut lines = data.chunks(stride);
    for &(rows, bytes) in planes {
        lines.by_ref().take(rows).for_each(|line| to.extend_from_slice(&line[..bytes.min(line.len())]));
    }
}

/// What is wrong when opening fails: this mode, or the camera as a whole.
enum Refused {
    Mode(String),
    Camera(String),
}

fn refused(error: NokhwaError) -> Refused {
    let reason = plain(&error.to_string());
    match error {
        NokhwaError::GetPropertyError { .. } | NokhwaError::SetPropertyError { .. } => Refused::Mode(reason),
        _ => Refused::Camera(reason),
    }
}

fn frame_format(format: PixelFormat) -> Option<FrameFormat> {
    match format {
        PixelFormat::Mjpeg => Some(FrameFormat::MJPEG),
        PixelFormat::Yuyv => Some(FrameFormat::YUYV),
        PixelFormat::Nv12 => Some(FrameFormat::NV12),
        PixelFormat::Grey => Some(FrameFormat::GRAY),
        PixelFormat::Luma | PixelFormat::Planar { .. } | PixelFormat::Rgb8 => None,
    }
}

const IN_USE: &str = "another program is using it";

/// The system's error numbers (Linux) in plain words; anything else as it is.
fn plain(error: &str) -> String {
    let known = [
        (2, "it is not plugged in"),
        (4, "it stopped sending pictures"),
        (5, "its connection failed"),
        (13, "no permission to open it (is the user in the group `video`?)"),
        (16, IN_USE),
        (19, "it was unplugged"),
        (22, "it stopped sending pictures"),
        (28, "the USB bus has no room for its pictures; a smaller size may help"),
    ];
    let number = |&&(number, _): &&(i32, &str)| error.contains(&format!("(os error {number})"));
    known.iter().find(number).map_or_else(|| error.to_string(), |(_, words)| words.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(format: PixelFormat, (width, height): (u32, u32), stride: usize, data: &[u8]) -> Vec<u8> {
        let mut to = Vec::new();
        copy_rows(data, stride, &rows(Mode { format, width, height, fps: 30 }), &mut to);
        to
    }

    #[test]
    fn what_a_driver_puts_behind_rows_is_left_out() {
        let data = [1, 2, 3, 0, 4, 5, 6, 0];
        assert_eq!(copied(PixelFormat::Grey, (3, 2), 4, &data), [1, 2, 3, 4, 5, 6]);
        assert_eq!(copied(PixelFormat::Grey, (3, 2), 4, &data[..7]), [1, 2, 3, 4, 5, 6], "no padding at the end");
        assert_eq!(copied(PixelFormat::Grey, (3, 2), 4, &data[..5]), [1, 2, 3, 4], "too short");
        assert_eq!(copied(PixelFormat::Yuyv, (1, 2), 4, &data), [1, 2, 4, 5]);
        // Two rows of luma, one of chroma of the same stride.
        let planes = [1, 2, 0, 3, 4, 0, 5, 6, 0];
        assert_eq!(copied(PixelFormat::Nv12, (2, 2), 3, &planes), [1, 2, 3, 4, 5, 6]);
        for stride in [0, 3] {
            assert_eq!(copied(PixelFormat::Grey, (3, 2), stride, &data), data, "rows without anything behind them");
        }
        assert_eq!(copied(PixelFormat::Mjpeg, (3, 2), 4, &data), data, "a JPEG has no rows");
    }
}
