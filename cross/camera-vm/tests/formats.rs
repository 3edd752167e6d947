//! Pictures of known content, in every format that a camera can be set to.

use crate::eye::{Eye, Seen};
use crate::webcam::{self, Format, SIZES, Webcam};
use gradcam::frame::{Frame, PixelFormat};
use gradcam::source::CameraRequest;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(20);
/// Pictures of each format and size.
const PICTURES: usize = 300;

pub fn request(format: PixelFormat, (width, height): (u16, u16), fps: u32) -> CameraRequest {
    CameraRequest {
        width: Some(width.into()),
        height: Some(height.into()),
        fps: Some(fps),
        format: Some(format),
        ..CameraRequest::default()
    }
}

/// The node of the kernel's test camera.
pub fn vivid() -> String {
    let devices = gradcam::source::devices().expect("the system can be asked");
    let found = devices.into_iter().find(|device| device.name.contains("vivid"));
    found.expect("the module is loaded").path
}

/// The test picture is eight upright bars, at 75 % of full intensity: 0.75 · 255 = 191. Grey is their luma by
/// ITU-R BT.709, of full range (`drivers/media/common/v4l2-tpg/v4l2-tpg-core.c` in the kernel's source).
fn bars(frame: &Frame, format: PixelFormat) {
    const BARS: [[u8; 3]; 8] = [
        [191, 191, 191],
        [191, 191, 0],
        [0, 191, 191],
        [0, 191, 0],
        [191, 0, 191],
        [191, 0, 0],
        [0, 0, 191],
        [0, 0, 0],
    ];
    // Limited-range 8-bit YUV and back.
    const TOLERANCE: u8 = 4;
    let luma = |[red, green, blue]: [u8; 3]| {
        [(0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue)).round() as u8; 3]
    };
    for (bar, colour) in BARS.into_iter().enumerate() {
        let colour = if format == PixelFormat::Grey { luma(colour) } else { colour };
        // The lowest rows: the driver writes its settings over the others, down to row 176.
        for y in [frame.height - 3, frame.height - 1] {
            let x = (2 * bar + 1) * frame.width / 16;
            let at = (y * frame.width + x) * 3;
            let seen = &frame.rgb[at..at + 3];
            let close = seen.iter().zip(colour).all(|(seen, colour)| seen.abs_diff(colour) <= TOLERANCE);
            assert!(close, "bar {bar} at {x},{y} is {seen:?}, not {colour:?}");
        }
    }
}

pub fn vivid_bars() {
    for format in [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Grey] {
        for size in [(320, 180), (640, 480)] {
            let mut eye = Eye::open(&vivid(), &request(format, size, 50));
            let check = |frame: &Frame| {
                assert_eq!((frame.width, frame.height), (size.0.into(), size.1.into()));
                bars(frame, format);
            };
            series(&mut eye, check);
        }
    }
}

/// Shows `check` a series of pictures; none may be lost or broken once the first has come.
fn series(eye: &mut Eye, check: impl Fn(&Frame)) {
    eye.picture(START, &check);
    let start = Instant::now();
    for _ in 0..PICTURES {
        match eye.look() {
            Seen::Picture => check(&eye.frame),
            Seen::Broken(reason) | Seen::Lost(reason) => panic!("{}: {reason}", eye.name()),
        }
    }
    let fps = PICTURES as f64 / start.elapsed().as_secs_f64();
    println!("  {}: {PICTURES} pictures right, {fps:.1} fps", eye.name());
}

/// Whole and of one piece.
pub fn whole(frame: &Frame) {
    if let Err(reason) = webcam::check(&frame.rgb, frame.width, frame.height) {
        panic!("{reason}");
    }
}

pub fn webcam() {
    let camera = Webcam::plug(0);
    for (format, pixels) in [(Format::Mjpeg, PixelFormat::Mjpeg), (Format::Yuyv, PixelFormat::Yuyv)] {
        for (index, size) in SIZES.into_iter().enumerate() {
            webcam::prepare(format, index);
            let mut eye = Eye::open(&camera.node, &request(pixels, size, 30));
            series(&mut eye, |frame| {
                assert_eq!((frame.width, frame.height), (size.0.into(), size.1.into()));
                whole(frame);
            });
        }
    }
}

/// Nothing but grey: nokhwa opens no such camera. It is chosen without being asked for grey, and comes back.
pub fn infrared() {
    let camera = Webcam::plug_infrared(0);
    let whole = |frame: &Frame| {
        if let Err(reason) = webcam::check_grey(&frame.rgb, frame.width, frame.height) {
            panic!("{reason}");
        }
    };
    for (index, size) in SIZES.into_iter().enumerate() {
        webcam::prepare(Format::Grey, index);
        let request = CameraRequest { format: None, ..request(PixelFormat::Grey, size, 30) };
        let mut eye = Eye::open(&camera.node, &request);
        series(&mut eye, |frame| {
            assert_eq!((frame.width, frame.height), (size.0.into(), size.1.into()));
            whole(frame);
        });
    }
    let mut eye = Eye::open(&camera.node, &request(PixelFormat::Mjpeg, SIZES[0], 30));
    eye.picture(START, whole);
    drop(camera);
    eye.lost(START, &[]);
    let _camera = Webcam::plug_infrared(1);
    eye.picture(START, whole);
}

pub fn bare_jpegs() {
    let camera = Webcam::plug(0);
    camera.tell(|controls| controls.bare = true);
    let mut eye = Eye::open(&camera.node, &request(PixelFormat::Mjpeg, SIZES[0], 30));
    series(&mut eye, whole);
}
