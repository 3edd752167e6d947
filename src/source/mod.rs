//! Where frames come from. A source is named by one string: `0` or `/dev/video0` (camera), `photo.jpg`, `folder/`,
//! `clip.mp4`, `rtsp://…` or `http://…`, `-` (Y4M on standard input), `demo` (a simulated camera; `demo:mjpeg` and
//! `demo:yuyv` deliver what such a camera would).
//!
//! A camera is three layers, each tested without one: `camera` (nokhwa, which blocks) inside `watchdog` (a thread that
//! can be woken) inside `reconnect` (lost and found again).

mod camera;
pub mod controls;
pub mod demo;
mod devices;
pub mod feed;
pub mod ffmpeg;
pub mod image;
mod leftover;
pub mod pictures;
pub mod reconnect;
mod turned;
#[cfg(target_os = "linux")]
mod v4l2;
pub mod video;
pub mod watchdog;
pub mod y4m;

pub use controls::{ControlInfo, ControlRequest};
pub use devices::{DeviceInfo, FormatInfo, Mode, READABLE, format_name};
pub use ffmpeg::shown;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::frame::{PixelFormat, RawFrame, Turn};
use crate::shutdown::Shutdown;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// What a read brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `raw` holds a new frame.
    Frame,
    /// Nothing came, for this reason; reading again may bring frames. Comes at least every few hundred milliseconds
    /// while the source is lost, so that the caller can look at its shutdown.
    Lost(String),
    /// The source has no more frames, or shutdown was requested.
    End,
}

/// Delivers frames one after another.
pub trait Source: Send {
    /// What the display calls it, e.g. `/dev/video0 640x480 MJPEG 30 fps` or `demo`.
    fn name(&self) -> String;

    /// Waits for the next frame and writes it to `raw`, whose buffer is used again. Returns within one second of a
    /// requested shutdown. An error is final (a camera that comes back is `Lost`, not an error).
    fn read(&mut self, raw: &mut RawFrame) -> Result<Event>;

    /// Frames that the source replaced by newer ones because they were not read in time.
    fn dropped(&self) -> u64 {
        0
    }

    /// Whether its frames can wait until they are explained, so that each of them is; those of a camera cannot.
    fn waits(&self) -> bool {
        false
    }
}

/// What a source string names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    Camera(CameraId),
    Picture(PathBuf),
    Folder(PathBuf),
    Video(PathBuf),
    /// An address.
    Network(String),
    /// Y4M on standard input.
    Pipe,
    Demo(demo::Format),
}

/// Which camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraId {
    /// The system's number: N of `/dev/videoN`.
    Index(u32),
    /// A device node or a link to one, such as those in `/dev/v4l/by-id`.
    Path(PathBuf),
}

/// What is asked of a camera, and of a video. It gets what is closest among what the camera offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CameraRequest {
    /// Pixels; 640 x 480 unless asked otherwise.
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// Frames per second, 30 unless asked otherwise.
    pub fps: Option<u32>,
    /// A video begins anew at its end.
    pub again: bool,
    /// A video's frames come as fast as they are explained, each of them, and not at its own pace.
    pub fast: bool,
    /// How its pictures are turned.
    pub turn: Turn,
    /// Taken in any size that the camera has it in, rather than another format in the very size that was asked for.
    pub format: Option<PixelFormat>,
    /// What a camera is set to, in this order, whenever it is opened.
    pub controls: Vec<ControlRequest>,
}

impl CameraRequest {
    /// Width and height in pixels. One alone is completed to 4:3.
    pub fn size(&self) -> (u32, u32) {
        match (self.width, self.height) {
            (Some(width), Some(height)) => (width, height),
            (Some(width), None) => (width, (u64::from(width) * 3 / 4) as u32),
            (None, Some(height)) => ((u64::from(height) * 4 / 3).min(u64::from(u32::MAX)) as u32, height),
            (None, None) => (640, 480),
        }
    }

    pub fn fps(&self) -> u32 {
        self.fps.unwrap_or(30)
    }
}

impl FromStr for SourceSpec {
    type Err = Error;

    /// # Errors
    /// [`Error::Input`] if the string is none of the forms, or names a file that does not exist. Whether a camera
    /// exists is seen when it is opened.
    fn from_str(text: &str) -> Result<SourceSpec> {
        let path = Path::new(text);
        if let Some(format) = text.strip_prefix("demo:") {
            let format = match format {
                "mjpeg" => demo::Format::Mjpeg,
                "yuyv" => demo::Format::Yuyv,
                _ => return Err(Error::input(text, "the demo comes as `demo`, `demo:mjpeg` or `demo:yuyv`")),
            };
            Ok(SourceSpec::Demo(format))
        } else if text == "demo" {
            Ok(SourceSpec::Demo(demo::Format::Rgb8))
        } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let index = text.parse().map_err(|_| Error::input(text, "no camera has such a number"))?;
            Ok(SourceSpec::Camera(CameraId::Index(index)))
        } else if path.starts_with("/dev") && !path.is_dir() {
            Ok(SourceSpec::Camera(CameraId::Path(path.into())))
        } else if path.is_dir() {
            Ok(SourceSpec::Folder(path.into()))
        } else if text == "-" {
            Ok(SourceSpec::Pipe)
        } else if ffmpeg::is_network(text) {
            Ok(SourceSpec::Network(text.to_owned()))
        } else if path.exists() {
            Ok(if image::is_picture(path) { SourceSpec::Picture(path.into()) } else { SourceSpec::Video(path.into()) })
        } else {
            Err(Error::input(
                text,
                "no such file or folder (a source is a camera such as `0` or `/dev/video0`, a picture, a folder of \
                 pictures, a video, an address such as rtsp://…, `-` for Y4M on standard input, or `demo`)",
            ))
        }
    }
}

/// Opens a source.
///
/// # Errors
/// [`Error::Device`] for a camera that does not exist (the message lists those that do) or cannot be used;
/// [`Error::Input`] for a picture or folder that cannot be read, or where controls are asked of what is no camera, or haste
/// of what is no video.
pub fn open(
    spec: &SourceSpec,
    request: &CameraRequest,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<Box<dyn Source>> {
    if let (Some(control), false) = (request.controls.first(), matches!(spec, SourceSpec::Camera(_))) {
        return Err(Error::input(control.to_string(), "the source is no camera, and only cameras have controls"));
    }
    if request.fast && !matches!(spec, SourceSpec::Video(_) | SourceSpec::Pipe) {
        return Err(Error::input(
            "--realtime",
            "false is for videos and standard input; other sources wait for nobody",
        ));
    }
    let source = open_lying(spec, request, clock, shutdown)?;
    Ok(if request.turn == Turn::None { source } else { Box::new(turned::Turned { source, turn: request.turn }) })
}

fn open_lying(
    spec: &SourceSpec,
    request: &CameraRequest,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<Box<dyn Source>> {
    let pace = |clock| if request.fast { video::Pace::Free } else { video::Pace::Real(clock) };
    match spec {
        SourceSpec::Camera(id) => camera::source(id, request, clock, shutdown),
        SourceSpec::Picture(path) => Ok(Box::new(pictures::Pictures::one(path, clock, shutdown)?)),
        SourceSpec::Folder(path) => Ok(Box::new(pictures::Pictures::folder(path, clock, shutdown)?)),
        SourceSpec::Video(path) => Ok(Box::new(video::Video::file(path, pace(clock), request.again, shutdown)?)),
        SourceSpec::Pipe => Ok(Box::new(video::Video::pipe(pace(clock), shutdown)?)),
        SourceSpec::Network(address) => {
            let (name, address, of_streams) = (shown(address), address.clone(), clock.clone());
            let open = move || {
                let stream = ffmpeg::Stream::start(&address).map_err(|error| error.to_string())?;
                Ok(Box::new(ffmpeg::Live { stream, clock: of_streams.clone() }) as Box<dyn reconnect::Device>)
            };
            Ok(Box::new(reconnect::Reconnect::new(name, open, clock, shutdown)))
        }
        SourceSpec::Demo(format) => Ok(Box::new(demo::Demo::new(*format, demo::Pace::Camera { clock, shutdown }))),
    }
}

/// The cameras of the system, by number. Nodes that deliver no pictures are left out; without a camera the list is
/// empty.
///
/// # Errors
/// [`Error::Device`] if the system cannot be asked.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    camera::devices()
}

/// What can be set of a camera.
///
/// # Errors
/// [`Error::Device`] if there is no such camera, or if it cannot be asked.
pub fn controls(device: &DeviceInfo) -> Result<Vec<ControlInfo>> {
    camera::controls(device)
}

/// The first camera that delivers pictures in a format that can be read; in colour, if there is one.
pub fn default_camera() -> Option<SourceSpec> {
    let cameras = devices().ok()?;
    let colour = cameras.iter().find(|info| camera::is_colour(info));
    let first = colour.or_else(|| cameras.iter().find(|info| camera::is_usable(info)))?;
    Some(SourceSpec::Camera(CameraId::Index(first.index)))
}

fn no_such_camera(name: &str, reason: &str, existing: &[DeviceInfo]) -> Error {
    if existing.is_empty() {
        return Error::device(name, format!("{reason}, and no other camera was found"));
    }
    let list: Vec<String> = existing.iter().map(|info| format!("{} ({})", info.index, info.name)).collect();
    Error::device(name, format!("{reason}; cameras: {}", list.join(", ")))
}
