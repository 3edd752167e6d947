//! JPEG frames as cameras send them, compared with what the `image` crate makes of the whole picture.

use gradcam::decode::{BrokenFrame, Decoder};
use gradcam::frame::{Frame, PixelFormat, RawFrame};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};

const WIDTH: usize = 160;
const HEIGHT: usize = 120;

/// Deterministic noise (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// A busy picture; another one for each seed.
fn picture(seed: u64) -> Vec<u8> {
    let mut random = Random(seed * 2 + 1);
    let (a, b) = (random.below(7) + 3, random.below(5) + 2);
    (0..WIDTH * HEIGHT * 3)
        .map(|i| {
            let (x, y, channel) = (i / 3 % WIDTH, i / 3 / WIDTH, i % 3);
            (x * a + y * b * (channel + 1) + random.below(40)) as u8
        })
        .collect()
}

fn jpeg_of(rgb: &[u8], quality: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
    encoder.write_image(rgb, WIDTH as u32, HEIGHT as u32, ExtendedColorType::Rgb8).unwrap();
    jpeg
}

fn jpeg(seed: u64) -> Vec<u8> {
    jpeg_of(&picture(seed), 80)
}

fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut bare = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        match jpeg[at + 1] {
            0xc4 => {}
            0xda => break,
            _ => bare.extend_from_slice(&jpeg[at..end]),
        }
        at = end;
    }
    bare.extend_from_slice(&jpeg[at..]);
    bare
}

fn decode_with(decoder: &mut Decoder, data: Vec<u8>) -> Result<Frame, BrokenFrame> {
    let raw = RawFrame { format: PixelFormat::Mjpeg, width: WIDTH, height: HEIGHT, data, ..RawFrame::new() };
    let mut frame = Frame::default();
    decoder.decode(&raw, &mut frame).map(|()| frame)
}

fn decode(data: Vec<u8>) -> Result<Frame, BrokenFrame> {
    decode_with(&mut Decoder::new(), data)
}

fn assert_is(frame: &Frame, jpeg: &[u8]) {
    let want = image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap().into_rgb8();
    assert_eq!((frame.width, frame.height), (want.width() as usize, want.height() as usize));
    // The reference decodes the same coefficients; another rounding of the colour conversion may differ by one.
    assert!(frame.rgb.iter().zip(want.as_raw()).all(|(a, b)| a.abs_diff(*b) <= 1));
}

#[test]
fn a_whole_picture_comes_out_as_any_decoder_shows_it() {
    for seed in 0..4 {
        let jpeg = jpeg(seed);
        assert_is(&decode(jpeg.clone()).unwrap(), &jpeg);
    }
}

#[test]
fn missing_huffman_tables_are_the_standard_ones() {
    let jpeg = jpeg(1);
    let bare = without_tables(&jpeg);
    assert!(bare.len() + 400 < jpeg.len());
    assert_is(&decode(bare).unwrap(), &jpeg);
}

#[test]
fn the_tail_of_an_older_longer_frame_is_cut_off() {
    let (new, old) = (jpeg_of(&picture(1), 40), jpeg_of(&picture(2), 95));
    assert!(new.len() < old.len());
    let mut buffer = old.clone();
    buffer[..new.len()].copy_from_slice(&new);
    assert_is(&decode(buffer).unwrap(), &new);
}

#[test]
fn a_thumbnail_with_its_own_end_does_not_end_the_picture() {
    let (whole, thumbnail) = (jpeg(1), jpeg_of(&picture(2), 5));
    let mut data = whole[..2].to_vec();
    data.extend([0xff, 0xe1]);
    data.extend(((thumbnail.len() + 2) as u16).to_be_bytes());
    data.extend(&thumbnail);
    data.extend(&whole[2..]);
    assert_is(&decode(data).unwrap(), &whole);
}

#[test]
fn a_truncated_picture_is_refused_wherever_it_ends() {
    let jpeg = jpeg(3);
    for i in 0..100 {
        let end = jpeg.len() * i / 100;
        assert!(decode(jpeg[..end].to_vec()).is_err(), "cut at {end} of {}", jpeg.len());
        let mut padded = jpeg[..end].to_vec();
        padded.resize(jpeg.len() + 5000, 0);
        assert!(decode(padded).is_err(), "cut at {end}, then zeros");
    }
}

/// The way of a driver: four buffers in turn, and a frame whose end is lost leaves the older bytes in place.
#[test]
fn a_truncated_picture_completed_by_an_older_one_is_refused() {
    let mut random = Random(7);
    let mut buffers = vec![vec![0; 40_000]; 4];
    let mut decoder = Decoder::new();
    let (mut refused, mut lost) = (0, 0);
    for number in 0..200 {
        let jpeg = jpeg_of(&picture(number), 60 + (number % 30) as u8);
        let buffer = &mut buffers[number as usize % 4];
        let truncated = number >= 8 && number % 3 == 0;
        let received = if truncated { 700 + random.below(jpeg.len() - 900) } else { jpeg.len() };
        buffer[..received].copy_from_slice(&jpeg[..received]);
        match decode_with(&mut decoder, buffer.clone()) {
            Ok(frame) => {
                assert!(!truncated, "frame {number}: {received} of {} bytes pass for a whole picture", jpeg.len());
                assert_is(&frame, &jpeg);
            }
            Err(e) => {
                assert!(truncated, "frame {number}: {e}");
                refused += 1;
            }
        }
        lost += usize::from(truncated);
    }
    assert_eq!(refused, lost);
}

/// Ends of flat pictures look alike whether they are whole or not: only the buffer tells.
#[test]
fn a_picture_is_refused_whose_end_was_not_written() {
    let flat = |level: u8| jpeg_of(&vec![level; WIDTH * HEIGHT * 3], 85);
    let (old, new) = (flat(100), flat(140));
    assert_eq!(old.len(), new.len(), "both have a first block and repeats");
    let mut decoder = Decoder::new();
    let mut frame = Frame::default();
    for cut in [700, new.len() - 8] {
        let data = [&new[..cut], &old[cut..]].concat();
        let raw = RawFrame { format: PixelFormat::Mjpeg, data, stale_from: Some(cut), ..RawFrame::new() };
        assert!(decoder.decode(&raw, &mut frame).is_err(), "cut at {cut}");
    }
    let length = new.len();
    let raw = RawFrame { format: PixelFormat::Mjpeg, data: new, stale_from: Some(length - 2), ..RawFrame::new() };
    decoder.decode(&raw, &mut frame).expect("every picture ends with the same marker");
    let again = RawFrame { stale_from: Some(700), ..raw };
    decoder.decode(&again, &mut frame).expect("a picture that was whole before is whole");
}

#[test]
fn the_same_picture_again_and_again_is_no_damage() {
    let mut decoder = Decoder::new();
    let (a, b) = (jpeg(1), jpeg(2));
    for _ in 0..50 {
        assert_is(&decode_with(&mut decoder, a.clone()).unwrap(), &a);
        assert_is(&decode_with(&mut decoder, b.clone()).unwrap(), &b);
    }
}

#[test]
fn dark_frames_that_end_alike_are_no_damage() {
    let mut decoder = Decoder::new();
    let mut random = Random(5);
    for number in 0..200 {
        let mut rgb = vec![16; WIDTH * HEIGHT * 3];
        for _ in 0..20 {
            let at = random.below(rgb.len() / 4);
            rgb[at] = 60;
        }
        let result = decode_with(&mut decoder, jpeg_of(&rgb, 80));
        assert!(result.is_ok(), "frame {number}: {result:?}");
    }
}

#[test]
fn a_grey_picture_becomes_rgb() {
    let grey: Vec<u8> = picture(1).chunks(3).map(|pixel| pixel[0]).collect();
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, 90);
    encoder.write_image(&grey, WIDTH as u32, HEIGHT as u32, ExtendedColorType::L8).unwrap();
    let frame = decode(jpeg.clone()).unwrap();
    assert!(frame.rgb.chunks(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
    assert_is(&frame, &jpeg);
}

#[test]
fn the_header_decides_about_the_size() {
    let raw = RawFrame { format: PixelFormat::Mjpeg, width: 640, height: 480, data: jpeg(1), ..RawFrame::new() };
    let mut frame = Frame::default();
    Decoder::new().decode(&raw, &mut frame).unwrap();
    assert_eq!((frame.width, frame.height), (WIDTH, HEIGHT));
}

#[test]
fn a_size_beyond_the_limits_is_refused_before_memory_is_taken() {
    let mut data = jpeg(1);
    let header = data.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    for (height, width) in [(60_000u16, 60_000u16), (65_535, 1), (16_384, 16_384), (0, 160), (120, 0)] {
        data[header + 5..header + 7].copy_from_slice(&height.to_be_bytes());
        data[header + 7..header + 9].copy_from_slice(&width.to_be_bytes());
        let raw = RawFrame { format: PixelFormat::Mjpeg, data: data.clone(), ..RawFrame::new() };
        let mut frame = Frame::default();
        assert!(Decoder::new().decode(&raw, &mut frame).is_err(), "{width}x{height}");
        assert_eq!((frame.width, frame.height, frame.rgb.capacity()), (0, 0, 0));
    }
}

#[test]
fn damage_of_any_kind_never_panics_and_leaves_the_decoder_usable() {
    let mut random = Random(42);
    let mut decoder = Decoder::new();
    let (whole, bare) = (jpeg(1), without_tables(&jpeg(1)));
    for round in 0..3000 {
        let mut data = if round % 2 == 0 { whole.clone() } else { bare.clone() };
        for _ in 0..=random.below(8) {
            // Half of the hits go to the headers.
            let end = if random.below(2) == 0 { 700.min(data.len()) } else { data.len() };
            let at = random.below(end);
            match random.below(4) {
                0 => data[at] = random.next() as u8,
                1 => data[at] ^= 1 << random.below(8),
                2 => drop(data.drain(at..(at + random.below(50)).min(end))),
                _ => data.insert(at, 0xff),
            }
        }
        if let Ok(frame) = decode_with(&mut decoder, data) {
            assert_eq!(frame.rgb.len(), frame.width * frame.height * 3);
        }
    }
    let another = jpeg(9);
    assert_is(&decode_with(&mut decoder, another.clone()).unwrap(), &another);
}

#[test]
fn random_bytes_are_refused() {
    let mut random = Random(3);
    for _ in 0..200 {
        let mut data: Vec<u8> = (0..random.below(5000)).map(|_| random.next() as u8).collect();
        assert!(decode(data.clone()).is_err());
        data.splice(0..0, [0xff, 0xd8, 0xff, 0xdb]);
        assert!(decode(data).is_err());
    }
}
