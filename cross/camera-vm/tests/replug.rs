//! Cameras that go and come back, and one that somebody else has.

use super::formats::{request, whole};
use crate::eye::Eye;
use crate::webcam::{BY_ID, SIZES, Webcam};
use gradcam::frame::PixelFormat;
use gradcam::source::CameraRequest;
use std::time::Duration;

/// Noticing, and coming back once the camera is there again.
const GONE: Duration = Duration::from_secs(3);
const BACK: Duration = Duration::from_secs(8);
/// Memory that may be used more after ten times than after three: what allocators keep, not what piles up.
const GROWTH_KB: u64 = 2048;

fn mjpeg() -> CameraRequest {
    request(PixelFormat::Mjpeg, SIZES[0], 30)
}

/// Resident memory of a process, kB.
pub fn resident(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("the kernel tells");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("it is a number of kB")
}

pub fn ten_times() {
    let mut camera = Some(Webcam::plug(0));
    let mut eye = Eye::open(BY_ID, &mjpeg());
    eye.picture(BACK, whole);
    let mut memory = Vec::new();
    let mut slowest = (Duration::ZERO, Duration::ZERO);
    for _ in 0..10 {
        drop(camera.take());
        let gone = eye.lost(GONE, &[]);
        camera = Some(Webcam::plug(0));
        let back = eye.picture(BACK, whole);
        slowest = (slowest.0.max(gone), slowest.1.max(back));
        // (The simulated cameras live in this process too; they are dropped as often.)
        memory.push(resident("self"));
    }
    drop(camera);
    println!("  noticed within {:.1?}, back within {:.1?}, memory {memory:?} kB", slowest.0, slowest.1);
    flat(&memory);
}

pub fn flat(memory: &[u64]) {
    assert!(memory[9] < memory[2] + GROWTH_KB, "{memory:?}");
}

/// Another port gives it another place in the system, and perhaps another number; its serial number stays.
pub fn elsewhere() {
    for by in ["the link", "the number"] {
        let mut camera = Webcam::plug(0);
        let name = if by == "the link" { BY_ID.to_owned() } else { camera.node.clone() };
        let mut eye = Eye::open(&name, &mjpeg());
        eye.picture(BACK, whole);
        for port in [1, 2, 0] {
            let before = camera.node.clone();
            // Whoever still has the old node open keeps its number from being given again.
            let held = std::fs::File::open(&before).expect("a camera can be opened twice");
            drop(camera);
            eye.lost(GONE, &[]);
            camera = Webcam::plug(port);
            let back = eye.picture(BACK, whole);
            println!("  by {by}: from {before} to {} at port {port}, back after {back:.1?}", camera.node);
            drop(held);
        }
    }
}

pub fn busy() {
    let camera = Webcam::plug(0);
    let mut first = Eye::open(&camera.node, &mjpeg());
    first.picture(BACK, whole);
    let mut second = Eye::open(&camera.node, &mjpeg());
    let own = format!("({})", std::process::id());
    second.lost(GONE, &["another program is using it", "init", &own]);
    drop(first);
    second.picture(BACK, whole);
}
