//! What can be set of a camera: listed, set by name, and set again when the camera comes back.

use super::formats::{request, vivid};
use super::program::{gradcam, live};
use crate::eye::Eye;
use crate::webcam::{SIZES, Settings, Webcam, wait};
use gradcam::frame::PixelFormat;
use gradcam::source::{CameraRequest, ControlRequest};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A control of the camera at a node, as `gradcam devices` lists it.
fn listed(node: &str, name: &str) -> Value {
    let run = gradcam(&["devices", "--controls", "--json"]).output().expect("it starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let devices: Vec<Value> = serde_json::from_slice(&run.stdout).expect("it is JSON");
    let device = devices.into_iter().find(|device| device["path"] == node).expect("the camera is listed");
    let controls = device["controls"].as_array().expect("it has controls").clone();
    controls.into_iter().find(|control| control["name"] == name).unwrap_or_else(|| panic!("{name} is listed"))
}

fn asked(controls: &[&str]) -> CameraRequest {
    let controls = controls.iter().map(|text| text.parse::<ControlRequest>().expect("it is NAME=VALUE")).collect();
    CameraRequest { controls, ..request(PixelFormat::Yuyv, (320, 180), 25) }
}

/// The kernel's test camera has controls that show in the picture.
pub fn brightness() {
    let node = vivid();
    let control = listed(&node, "brightness");
    for (field, value) in [("minimum", 0), ("maximum", 255), ("default", 128), ("value", 128)] {
        assert_eq!(control[field], value, "{control}");
    }
    let text = gradcam(&["devices", "--controls"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let line = text.lines().find(|line| line.trim_start().starts_with("brightness "));
    assert!(line.is_some_and(|line| line.contains("128 (default 128; 0 to 255)")), "{text}");
    // The last bar is black, unless the camera is brighter.
    let black = |level: fn(u8) -> bool| {
        move |frame: &gradcam::frame::Frame| {
            let seen = frame.rgb[frame.rgb.len() - 3];
            assert!(level(seen), "the black bar is {seen}");
        }
    };
    Eye::open(&node, &asked(&["brightness=200"])).picture(PATIENCE, black(|seen| seen > 40));
    assert_eq!(listed(&node, "brightness")["value"], 200);
    Eye::open(&node, &asked(&["Brightness=default"])).picture(PATIENCE, black(|seen| seen < 8));
    let wrong = |control| {
        let run = live(&node).args(["--control", control]).output().expect("it starts");
        let err = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!((run.status.code(), err.lines().count()), (Some(2), 1), "{err}");
        err
    };
    let err = wrong("glare=3");
    assert!(err.contains(&node) && err.contains("`glare`") && err.contains("brightness, contrast"), "{err}");
    let err = wrong("brightness=256");
    assert!(err.contains("0 to 255"), "{err}");
}

/// What the user asked for reaches the camera, again after it was without power.
pub fn again() {
    let mut camera = Webcam::plug(0);
    assert_eq!(listed(&camera.node, "auto_exposure")["value"], 3);
    assert_eq!(listed(&camera.node, "exposure_time_absolute")["state"], "inactive");
    let run = live(&camera.node).args(["--control", "exposure_time_absolute=500"]).output().expect("it starts");
    let err = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(err.contains("the camera sets it automatically"), "{err}");
    assert_eq!(camera.settings(), Settings::default());

    let controls = ["auto_exposure=manual_mode", "exposure_time_absolute=500", "gain=77", "brightness=-10"];
    let request = CameraRequest { controls: asked(&controls).controls, ..request(PixelFormat::Mjpeg, SIZES[0], 30) };
    let expected = Settings { auto_exposure: 1, exposure: 500, brightness: -10, gain: 77 };
    let mut eye = Eye::open(&camera.node, &request);
    eye.picture(PATIENCE, |_| {});
    assert_eq!(camera.settings(), expected);
    drop(camera);
    eye.lost(PATIENCE, &[]);
    camera = Webcam::plug(0);
    eye.picture(PATIENCE, |_| {});
    wait(PATIENCE, || (camera.settings() == expected).then_some(()))
        .unwrap_or_else(|| panic!("after it was plugged in again it has {:?}", camera.settings()));
}
