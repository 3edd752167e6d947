//! What is asked of Linux beside nokhwa: which cameras there are, their controls, and pictures that nokhwa has no word for.

use super::*;
use crate::source::controls::INACTIVE;
use crate::source::{no_such_camera, v4l2};
use std::path::Path;

pub fn devices() -> Result<Vec<DeviceInfo>> {
    Ok(v4l2::devices())
}

pub fn find(id: &CameraId) -> Result<DeviceInfo> {
    let name = match id {
        CameraId::Index(index) => format!("/dev/video{index}"),
        CameraId::Path(path) => path.display().to_string(),
    };
    let Some(index) = index_at(id) else {
        return Err(no_such_camera(&name, "there is no such camera", &devices()?));
    };
    match v4l2::device(index) {
        Ok(Some(info)) => Ok(info),
        Ok(None) => Err(no_such_camera(&name, "delivers no pictures", &devices()?)),
        Err(e) => Err(Error::device(name, plain(&e.to_string()))),
    }
}

fn index_at(id: &CameraId) -> Option<u32> {
    match id {
        CameraId::Index(index) => v4l2::index_of(Path::new(&format!("/dev/video{index}"))),
        CameraId::Path(path) => v4l2::index_of(path),
    }
}

/// Plugged in again, a camera may get another number: it is then known by its name and its port, or at another port
/// by the link of its serial number, or where it is the only one of its name.
pub fn find_again(id: &CameraId, before: &DeviceInfo) -> Result<DeviceInfo> {
    let same_port = |info: &DeviceInfo| info.name == before.name && info.bus == before.bus;
    let same_serial = |info: &DeviceInfo| before.link.is_some() && info.link == before.link;
    let at_its_place = find(id);
    if at_its_place.as_ref().is_ok_and(same_port) {
        return at_its_place;
    }
    let mut cameras = v4l2::devices();
    // A camera that knows faces in the dark has a grey twin of the same name, at the same port.
    cameras.retain(|info| info.name == before.name && is_colour(info) == is_colour(before));
    let known = cameras.iter().position(same_port).or_else(|| cameras.iter().position(same_serial));
    match known.or((cameras.len() == 1).then_some(0)) {
        Some(index) => Ok(cameras.swap_remove(index)),
        None if index_at(id).is_none() => Err(Error::device(label(before), "it is not plugged in")),
        None => at_its_place,
    }
}

/// Who has the camera, where that is why it cannot be opened and the system tells: `: cheese (4711)`.
pub fn holders(info: &DeviceInfo, reason: &str) -> String {
    let holders = if reason.contains(IN_USE) { v4l2::holders(info.index) } else { Vec::new() };
    if holders.is_empty() { String::new() } else { format!(": {}", holders.join(", ")) }
}

pub fn controls(info: &DeviceInfo) -> std::result::Result<Vec<ControlInfo>, String> {
    v4l2::controls(info.index).map_err(|reason| plain(&reason))
}

pub fn set_control(info: &DeviceInfo, control: &ControlInfo, value: i64) -> std::result::Result<(), String> {
    v4l2::set_control(info.index, control, value).map_err(|e| match e.raw_os_error() {
        Some(libc::EACCES) if control.state.is_some() => match control.state {
            Some(INACTIVE) => "the camera sets it automatically; another control turns that off".to_owned(),
            _ => "it can only be read".to_owned(),
        },
        Some(libc::EIO | libc::EINVAL | libc::ERANGE | libc::EACCES) => "the camera refuses it".to_owned(),
        _ => plain(&e.to_string()),
    })
}

/// Sets the camera before nokhwa sees it: nokhwa opens none whose present format or rate it does not know, and
/// refuses one that does not take exactly what is asked.
pub fn prepare(index: u32, mode: Mode) -> std::result::Result<Setting, Refused> {
    let (mode, stride) = v4l2::set(index, mode).map_err(refused_by_driver)?;
    Ok(Setting { mode, stride })
}

/// The buffers of a camera in a format that nokhwa cannot open.
pub fn without_nokhwa(index: u32, mode: Mode) -> std::result::Result<Option<Box<dyn Buffers>>, Refused> {
    if mode.format != PixelFormat::Grey {
        return Ok(None);
    }
    let stream = v4l2::Stream::open(index, mode).map_err(refused_by_driver)?;
    Ok(Some(Box::new(stream)))
}

impl Buffers for v4l2::Stream {
    fn next(&mut self) -> std::result::Result<Cow<'_, [u8]>, String> {
        self.next().map(Cow::Borrowed).map_err(|e| e.to_string())
    }
}

fn refused_by_driver(error: std::io::Error) -> Refused {
    let reason = plain(&error.to_string());
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOTTY) | None => Refused::Mode(reason),
        Some(_) => Refused::Camera(reason),
    }
}
