//! The strings that name a source.

use gradcam::clock::SystemClock;
use gradcam::shutdown::Shutdown;
use gradcam::source::{self, CameraId, CameraRequest, SourceSpec, demo};
use std::path::PathBuf;
use std::sync::Arc;

fn parse(text: &str) -> SourceSpec {
    text.parse().unwrap()
}

#[test]
fn each_form_is_recognised() {
    assert_eq!(parse("0"), SourceSpec::Camera(CameraId::Index(0)));
    assert_eq!(parse("/dev/video7"), SourceSpec::Camera(CameraId::Path("/dev/video7".into())));
    assert_eq!(parse("demo"), SourceSpec::Demo(demo::Format::Rgb8));
    assert_eq!(parse("demo:mjpeg"), SourceSpec::Demo(demo::Format::Mjpeg));
    assert_eq!(parse("demo:yuyv"), SourceSpec::Demo(demo::Format::Yuyv));
    assert_eq!(parse("tests/data/pictures"), SourceSpec::Folder("tests/data/pictures".into()));
    let picture = PathBuf::from("tests/data/pictures/cmyk.jpg");
    assert_eq!(parse("tests/data/pictures/cmyk.jpg"), SourceSpec::Picture(picture));
}

#[test]
fn what_does_not_exist_is_said_in_one_line() {
    for (text, words) in [
        ("no/such/file.png", "no such file or folder"),
        ("", "no such file or folder"),
        ("demo:h264", "`demo:mjpeg`"),
        ("99999999999999", "no camera has such a number"),
    ] {
        let error = text.parse::<SourceSpec>().unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains('\n'), "{text:?}: {error}");
    }
}

#[test]
fn a_missing_camera_is_an_error_that_names_the_others() {
    for text in ["98765", "/dev/video98765"] {
        let open = source::open(&parse(text), &CameraRequest::default(), Arc::new(SystemClock::new()), Shutdown::new());
        let Err(error) = open else { panic!("{text} was opened") };
        let error = error.to_string();
        assert!(error.contains("there is no such camera"), "{error}");
        assert!(error.contains("; cameras: ") || error.ends_with("and no other camera was found"), "{error}");
    }
}

#[test]
fn the_list_of_cameras_is_no_error_where_there_is_none() {
    let devices = source::devices().unwrap();
    assert!(devices.iter().all(|device| !device.name.is_empty()));
    if devices.is_empty() {
        assert_eq!(source::default_camera(), None);
    }
}

#[test]
fn a_request_is_completed() {
    assert_eq!(CameraRequest::default().size(), (640, 480));
    assert_eq!(CameraRequest { width: Some(1280), ..Default::default() }.size(), (1280, 960));
    assert_eq!(CameraRequest { height: Some(240), ..Default::default() }.size(), (320, 240));
    assert_eq!(CameraRequest { height: Some(u32::MAX), ..Default::default() }.size().0, u32::MAX);
}
