//! Cameras of systems other than Linux, as far as nokhwa knows them.

use super::*;
use crate::source::devices::FormatInfo;
use crate::source::{devices::format_name, no_such_camera};
use nokhwa::utils::ApiBackend;

pub fn devices() -> Result<Vec<DeviceInfo>> {
    let cameras = nokhwa::query(ApiBackend::Auto).map_err(|e| Error::device("cameras", e))?;
    let indices = cameras.iter().filter_map(|camera| Some((camera.index().as_index().ok()?, camera.human_name())));
    Ok(indices.map(|(index, name)| describe(index, name)).collect())
}

/// A camera that cannot be asked is listed without formats.
fn describe(index: u32, name: String) -> DeviceInfo {
    let all = [FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::MJPEG, FrameFormat::GRAY];
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &all);
    let offered = Camera::new(CameraIndex::Index(index), any)
        .and_then(|mut camera| camera.compatible_camera_formats())
        .unwrap_or_default();
    let formats = offered.into_iter().map(|it| FormatInfo {
        format: match it.format() {
            FrameFormat::YUYV => format_name(PixelFormat::Yuyv).into(),
            FrameFormat::NV12 => format_name(PixelFormat::Nv12).into(),
            FrameFormat::MJPEG => format_name(PixelFormat::Mjpeg).into(),
            FrameFormat::GRAY => format_name(PixelFormat::Grey).into(),
            other => other.to_string(),
        },
        width: it.width(),
        height: it.height(),
        fps: vec![f64::from(it.frame_rate())],
    });
    DeviceInfo { index, path: String::new(), name, bus: String::new(), link: None, formats: formats.collect() }
}

pub fn find(id: &CameraId) -> Result<DeviceInfo> {
    let devices = devices()?;
    match id {
        CameraId::Index(index) if devices.iter().any(|info| info.index == *index) => {
            Ok(devices.into_iter().find(|info| info.index == *index).expect("it was just seen"))
        }
        CameraId::Index(index) => Err(no_such_camera(&format!("camera {index}"), "there is no such camera", &devices)),
        CameraId::Path(path) => Err(no_such_camera(&path.display().to_string(), "is no camera", &devices)),
    }
}

pub fn find_again(id: &CameraId, _before: &DeviceInfo) -> Result<DeviceInfo> {
    find(id)
}

pub fn holders(_info: &DeviceInfo, _reason: &str) -> String {
    String::new()
}

pub fn controls(_info: &DeviceInfo) -> std::result::Result<Vec<ControlInfo>, String> {
    Err("controls are known on Linux only".to_owned())
}

pub fn set_control(_info: &DeviceInfo, _control: &ControlInfo, _value: i64) -> std::result::Result<(), String> {
    Err("controls are known on Linux only".to_owned())
}

pub fn prepare(_index: u32, mode: Mode) -> std::result::Result<Setting, Refused> {
    Ok(Setting { mode, stride: 0 })
}

pub fn without_nokhwa(_index: u32, _mode: Mode) -> std::result::Result<Option<Box<dyn Buffers>>, Refused> {
    Ok(None)
}
