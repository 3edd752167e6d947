//! The simulated camera.

use gradcam::clock::{Clock, SimulatedClock};
use gradcam::decode::Decoder;
use gradcam::frame::{Frame, PixelFormat, RawFrame};
use gradcam::shutdown::Shutdown;
use gradcam::source::demo::{CYCLE_FRAMES, Demo, Format, HEIGHT, Pace, WIDTH};
use gradcam::source::{Event, Source};
use std::sync::Arc;
use std::time::Duration;

fn free(format: Format) -> Demo {
    Demo::new(format, Pace::Free { clock: Arc::new(SimulatedClock::default()) })
}

fn next(demo: &mut Demo) -> Frame {
    let (mut raw, mut frame) = (RawFrame::new(), Frame::default());
    assert_eq!(demo.read(&mut raw).unwrap(), Event::Frame);
    Decoder::new().decode(&raw, &mut frame).unwrap();
    assert_eq!((frame.width, frame.height), (WIDTH, HEIGHT));
    frame
}

/// Mean absolute difference of two pictures, in grey levels.
fn difference(a: &Frame, b: &Frame) -> f64 {
    let sum: u64 = a.rgb.iter().zip(&b.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.rgb.len() as f64
}

/// Standard deviation of the green channel.
fn contrast(frame: &Frame) -> f64 {
    let green: Vec<f64> = frame.rgb.iter().skip(1).step_by(3).map(|&value| f64::from(value)).collect();
    let mean = green.iter().sum::<f64>() / green.len() as f64;
    (green.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / green.len() as f64).sqrt()
}

#[test]
fn the_cycle_shows_cat_wall_cup_wall_and_moves_smoothly() {
    let mut demo = free(Format::Rgb8);
    let frames: Vec<Frame> = (0..CYCLE_FRAMES + 1).map(|_| next(&mut demo)).collect();
    for (number, wall) in [(0, false), (120, false), (300, true), (420, false), (599, false), (660, true)] {
        // The two tones are twenty levels apart, the photographs' tones far more.
        assert_eq!(contrast(&frames[number]) < 15.0, wall, "frame {number}: {}", contrast(&frames[number]));
    }
    for (number, pair) in frames.windows(2).enumerate() {
        let step = difference(&pair[0], &pair[1]);
        // Noise alone makes two, panning over fine texture some more; a cut would make fifty.
        assert!((1.0..16.0).contains(&step), "frame {number}: {step}");
    }
}

#[test]
fn the_same_frame_has_always_the_same_bytes() {
    let (mut a, mut b) = (free(Format::Rgb8), free(Format::Rgb8));
    for _ in 0..3 {
        assert_eq!(next(&mut a).rgb, next(&mut b).rgb);
    }
}

#[test]
fn the_other_formats_show_the_same_pictures() {
    let (mut rgb, mut yuyv, mut mjpeg) = (free(Format::Rgb8), free(Format::Yuyv), free(Format::Mjpeg));
    let (rgb, yuyv, mjpeg) = (next(&mut rgb), next(&mut yuyv), next(&mut mjpeg));
    // Half of the chroma is gone, and with JPEG some of the noise.
    assert!(difference(&rgb, &yuyv) < 1.5, "{}", difference(&rgb, &yuyv));
    assert!(difference(&rgb, &mjpeg) < 4.0, "{}", difference(&rgb, &mjpeg));
}

#[test]
fn a_cycle_of_jpeg_frames_is_accepted_frame_by_frame() {
    let mut demo = free(Format::Mjpeg);
    let (mut decoder, mut raw, mut frame) = (Decoder::new(), RawFrame::new(), Frame::default());
    for number in 0..CYCLE_FRAMES + 30 {
        demo.read(&mut raw).unwrap();
        assert_eq!(raw.format, PixelFormat::Mjpeg);
        if number % 6 == 0 {
            decoder.decode(&raw, &mut frame).unwrap();
        }
    }
}

#[test]
fn the_pace_is_that_of_a_camera_and_a_late_reader_loses_frames() {
    let clock = Arc::new(SimulatedClock::default());
    let shutdown = Shutdown::new();
    let mut demo = Demo::new(Format::Rgb8, Pace::Camera { clock: clock.clone(), shutdown: shutdown.clone() });
    let mut raw = RawFrame::new();
    for _ in 0..31 {
        assert_eq!(demo.read(&mut raw).unwrap(), Event::Frame);
    }
    assert_eq!(raw.time, Duration::from_secs(1));
    assert_eq!(demo.dropped(), 0);
    clock.advance(Duration::from_millis(340));
    demo.read(&mut raw).unwrap();
    assert_eq!(demo.dropped(), 9, "frames 31 to 39; the fortieth is due at 1.333 s");
    demo.read(&mut raw).unwrap();
    assert_eq!(raw.time.as_millis(), 1366);
    shutdown.request();
    assert_eq!(demo.read(&mut raw).unwrap(), Event::End);
    assert_eq!(clock.now().as_millis(), 1400);
}
