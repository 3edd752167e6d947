//! Uncompressed frames, compared with the definition of BT.601 in f64.

use gradcam::decode::Decoder;
use gradcam::frame::{Frame, MAX_SIDE, PixelFormat, RawFrame};
use std::time::Duration;

fn raw(format: PixelFormat, width: usize, height: usize, data: Vec<u8>) -> RawFrame {
    RawFrame { format, width, height, data, time: Duration::from_millis(5), ..RawFrame::new() }
}

fn decode(raw: &RawFrame) -> Result<Frame, gradcam::decode::BrokenFrame> {
    let mut frame = Frame::default();
    Decoder::new().decode(raw, &mut frame).map(|()| frame)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn reference(y: u8, u: u8, v: u8) -> [u8; 3] {
    let y = 255.0 / 219.0 * (f64::from(y) - 16.0);
    let u = 255.0 / 224.0 * (f64::from(u) - 128.0);
    let v = 255.0 / 224.0 * (f64::from(v) - 128.0);
    let green = y - 0.114 * 1.772 / 0.587 * u - 0.299 * 1.402 / 0.587 * v;
    [y + 1.402 * v, green, y + 1.772 * u].map(|x| x.round().clamp(0.0, 255.0) as u8)
}

#[track_caller]
fn assert_near(got: &[u8], want: [u8; 3]) {
    assert!(got.iter().zip(want).all(|(a, b)| a.abs_diff(b) <= 1), "{got:?}, not {want:?}");
}

#[test]
fn yuyv_takes_exactly_its_bytes_and_ignores_the_rest() {
    let (width, height) = (34, 7);
    let data = bytes(width * height * 2 + 999);
    let frame = decode(&raw(PixelFormat::Yuyv, width, height, data.clone())).unwrap();
    assert_eq!((frame.width, frame.height, frame.rgb.len()), (width, height, width * height * 3));
    assert_eq!(frame.time, Duration::from_millis(5));
    for i in 0..width * height {
        let pair = &data[i / 2 * 4..];
        assert_near(&frame.rgb[i * 3..i * 3 + 3], reference(pair[i % 2 * 2], pair[1], pair[3]));
    }
}

#[test]
fn short_data_is_a_broken_frame() {
    for (format, needed) in [
        (PixelFormat::Yuyv, 2 * 5 * 3),
        (PixelFormat::Nv12, 5 * 3 + 2 * 3 * 2),
        (PixelFormat::Grey, 5 * 3),
        (PixelFormat::Rgb8, 5 * 3 * 3),
    ] {
        assert!(decode(&raw(format, 5, 3, bytes(needed))).is_ok(), "{format:?}");
        let error = decode(&raw(format, 5, 3, bytes(needed - 1))).unwrap_err().to_string();
        assert_eq!(error, format!("broken frame: {} of {needed} bytes of a 5x3 picture", needed - 1));
        assert!(decode(&raw(format, 5, 3, Vec::new())).is_err(), "{format:?}");
    }
}

#[test]
fn odd_and_tiny_sizes_are_decoded() {
    for width in 1..9 {
        for height in 1..6 {
            for format in [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Grey, PixelFormat::Rgb8] {
                let frame = decode(&raw(format, width, height, bytes(1000))).unwrap();
                assert_eq!(frame.rgb.len(), width * height * 3);
            }
        }
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    for (width, height) in [(0, 10), (10, 0), (MAX_SIDE + 1, 1), (usize::MAX, 2), (16_000, 16_000)] {
        assert!(decode(&raw(PixelFormat::Yuyv, width, height, bytes(100))).is_err(), "{width}x{height}");
    }
}

#[test]
fn grey_and_rgb_are_taken_as_they_are() {
    let frame = decode(&raw(PixelFormat::Grey, 3, 1, vec![0, 77, 255])).unwrap();
    assert_eq!(frame.rgb, [0, 0, 0, 77, 77, 77, 255, 255, 255]);
    let frame = decode(&raw(PixelFormat::Rgb8, 1, 2, vec![1, 2, 3, 4, 5, 6, 7])).unwrap();
    assert_eq!(frame.rgb, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_frame_keeps_its_memory() {
    let mut decoder = Decoder::new();
    let mut frame = Frame::default();
    let raw = raw(PixelFormat::Yuyv, 64, 48, bytes(64 * 48 * 2));
    decoder.decode(&raw, &mut frame).unwrap();
    let before = (frame.rgb.as_ptr(), frame.rgb.capacity());
    decoder.decode(&raw, &mut frame).unwrap();
    assert_eq!((frame.rgb.as_ptr(), frame.rgb.capacity()), before);
}
