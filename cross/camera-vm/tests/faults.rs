//! Pictures that are not whole, and none at all.

use super::formats::{request, whole};
use crate::eye::{Eye, Seen};
use crate::webcam::{self, Fault, Random, SIZES, Webcam, wait};
use gradcam::frame::PixelFormat;
use gradcam::source::CameraRequest;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

fn mjpeg() -> CameraRequest {
    request(PixelFormat::Mjpeg, SIZES[0], 30)
}

/// How the pictures were that came since.
#[derive(Debug, Default)]
struct Tally {
    whole: usize,
    refused: usize,
    /// Shown although not whole: what random bytes do within a block, no decoder can tell.
    damaged: usize,
    mixed: usize,
    lost: usize,
}

impl Tally {
    /// Looks until all faults are sent and `after` whole pictures have come in a row.
    fn of(camera: &Webcam, eye: &mut Eye, after: usize) -> Tally {
        let mut tally = Tally::default();
        let mut row = 0;
        let mut progress = Instant::now();
        while camera.faults_left() > 0 || row < after {
            assert!(progress.elapsed() < PATIENCE, "no whole picture for {PATIENCE:?}: {tally:?}");
            match eye.look() {
                Seen::Picture => match webcam::check(&eye.frame.rgb, eye.frame.width, eye.frame.height) {
                    Ok(_) => {
                        tally.whole += 1;
                        row += usize::from(camera.faults_left() == 0);
                        progress = Instant::now();
                    }
                    Err(reason) => {
                        row = 0;
                        match reason.contains("goes over") {
                            true => tally.mixed += 1,
                            false => tally.damaged += 1,
                        }
                    }
                },
                Seen::Broken(_) => tally.refused += 1,
                Seen::Lost(_) => tally.lost += 1,
            }
        }
        tally
    }
}

pub fn each() {
    let camera = Webcam::plug(0);
    for format in [PixelFormat::Mjpeg, PixelFormat::Yuyv] {
        let mut eye = Eye::open(&camera.node, &request(format, SIZES[0], 30));
        eye.picture(PATIENCE, whole);
        let faults = [
            Fault::Truncated(0.5),
            Fault::Garbage { bytes: 40, seed: 1 },
            Fault::Empty,
            Fault::HeaderLess,
            Fault::ErrorBit,
            Fault::OtherSize,
        ];
        for fault in faults {
            camera.tell(|controls| controls.faults.push(fault));
            let tally = Tally::of(&camera, &mut eye, 8);
            println!("  {format:?} {fault:?}: {tally:?}");
            assert_eq!(tally.mixed, 0, "{fault:?}");
            assert_eq!(tally.lost, 0, "{fault:?}");
            if !matches!(fault, Fault::Garbage { .. }) {
                assert_eq!(tally.damaged, 0, "{fault:?}");
            }
        }
    }
}

/// Half of the pictures of a stretch are cut or damaged, at places that a fixed seed chooses.
pub fn many() {
    let camera = Webcam::plug(0);
    let mut eye = Eye::open(&camera.node, &mjpeg());
    eye.picture(PATIENCE, whole);
    let mut random = Random::new(3);
    let faults = (0..100).map(|number| match number % 4 {
        0 => Fault::Garbage { bytes: 1 + random.next() as usize % 50, seed: random.next() },
        _ => Fault::Truncated((random.next() % 1000) as f64 / 1000.0),
    });
    let faults: Vec<Fault> = faults.collect();
    camera.tell(|controls| controls.faults.extend(faults));
    let tally = Tally::of(&camera, &mut eye, 8);
    println!("  {tally:?}");
    assert_eq!((tally.mixed, tally.lost), (0, 0), "{tally:?}");
    assert!(tally.refused > 30, "the faults arrived: {tally:?}");
}

/// Walls and lens caps: pictures whose coded data repeats itself, so that ends look alike.
pub fn flat() {
    let camera = Webcam::plug(0);
    camera.tell(|controls| controls.flat = true);
    let mut eye = Eye::open(&camera.node, &mjpeg());
    eye.picture(PATIENCE, whole);
    let mut random = Random::new(5);
    for _ in 0..30 {
        let share = (200 + random.next() % 780) as f64 / 1000.0;
        camera.tell(|controls| controls.faults.push(Fault::Truncated(share)));
    }
    let tally = Tally::of(&camera, &mut eye, 8);
    println!("  {tally:?}");
    assert_eq!((tally.mixed, tally.damaged, tally.lost), (0, 0, 0), "{tally:?}");
}

pub fn stall() {
    let camera = Webcam::plug(0);
    let mut eye = Eye::open(&camera.node, &mjpeg());
    eye.picture(PATIENCE, whole);
    camera.tell(|controls| controls.frozen = true);
    let noticed = eye.lost(Duration::from_secs(6), &["no picture for 3 s"]);
    camera.tell(|controls| controls.frozen = false);
    let back = eye.picture(PATIENCE, whole);
    println!("  noticed after {noticed:.1?}, recovered after {back:.1?}");
    // A camera that is silent from the start, and one that goes on while it is being watched.
    drop(eye);
    camera.tell(|controls| controls.frozen = true);
    let mut eye = Eye::open(&camera.node, &mjpeg());
    eye.lost(Duration::from_secs(20), &["no picture for 8 s"]);
    camera.tell(|controls| controls.frozen = false);
    eye.picture(Duration::from_secs(15), whole);
    let sent = camera.sent();
    wait(PATIENCE, || (camera.sent() > sent).then_some(())).expect("the camera goes on");
}
