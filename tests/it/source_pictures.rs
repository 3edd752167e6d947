//! Picture files of every kind, good and bad, and folders of them as a live source.

use gradcam::clock::{Clock, SimulatedClock};
use gradcam::error::Error;
use gradcam::frame::{Frame, RawFrame};
use gradcam::shutdown::Shutdown;
use gradcam::source::image::{load, pictures_in};
use gradcam::source::pictures::Pictures;
use gradcam::source::{Event, Source};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn data(name: &str) -> PathBuf {
    Path::new("tests/data/pictures").join(name)
}

fn load_bytes(name: &str, bytes: &[u8]) -> gradcam::Result<Frame> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    load(&path)
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[track_caller]
fn assert_refused(name: &str, bytes: &[u8], words: &str) {
    match load_bytes(name, bytes) {
        Err(Error::Input { name: file, reason }) => {
            assert!(file.ends_with(name), "{file}");
            assert!(reason.contains(words) && !reason.contains('\n'), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn sixteen_bits_grey_and_alpha_come_out_as_rgb8() {
    let rgb16: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_pixel(2, 1, Rgb([0, 0x8080, 0xffff]));
    assert_eq!(load_bytes("a.png", &png(rgb16)).unwrap().rgb, [0, 128, 255, 0, 128, 255]);
    let grey = GrayImage::from_pixel(1, 2, Luma([77]));
    let frame = load_bytes("a.png", &png(grey)).unwrap();
    assert_eq!((frame.width, frame.height, frame.rgb), (1, 2, vec![77; 6]));
    let grey16: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(1, 1, Luma([0x4d4d]));
    assert_eq!(load_bytes("a.png", &png(grey16)).unwrap().rgb, [77; 3]);
    let translucent = ImageBuffer::from_fn(3, 1, |x, _| Rgba([200u8, 100, 0, [0, 255, 51][x as usize]]));
    let want = [255, 255, 255, 200, 100, 0, 244, 224, 204];
    assert_eq!(load_bytes("a.png", &png(translucent)).unwrap().rgb, want);
    let grey_alpha = ImageBuffer::from_pixel(1, 1, LumaA([0u8, 51]));
    assert_eq!(load_bytes("a.png", &png(grey_alpha)).unwrap().rgb, [204; 3]);
    let rgba16: ImageBuffer<Rgba<u16>, Vec<u16>> = ImageBuffer::from_pixel(1, 1, Rgba([0, 0, 0, 0x3333]));
    assert_eq!(load_bytes("a.png", &png(rgba16)).unwrap().rgb, [204; 3]);
}

#[test]
fn palette_and_cmyk_come_out_as_another_decoder_shows_them() {
    assert_eq!(load(&data("palette.png")).unwrap().rgb, load(&data("palette_as_rgb.png")).unwrap().rgb);
    let (got, want) = (load(&data("cmyk.jpg")).unwrap(), load(&data("cmyk_as_rgb.png")).unwrap());
    assert_eq!((got.width, got.height), (want.width, want.height));
    let sum: u64 = got.rgb.iter().zip(&want.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    // Two decoders round the inverse transform and the products differently.
    assert!(sum as f64 / (got.rgb.len() as f64) < 2.0, "mean difference {}", sum as f64 / got.rgb.len() as f64);
}

/// TIFF 6.0 inside APP1: one entry, Orientation (0x0112), SHORT.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut turned = jpeg[..2].to_vec();
    turned.extend([0xff, 0xe1]);
    turned.extend(((exif.len() + 2) as u16).to_be_bytes());
    turned.extend(exif);
    turned.extend(&jpeg[2..]);
    turned
}

#[test]
fn exif_orientation_is_applied() {
    // Red, green / blue, white, in blocks that survive JPEG.
    let corners = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
    let upright = RgbImage::from_fn(64, 32, |x, y| Rgb(corners[(y / 16 * 2 + x / 32) as usize]));
    let mut jpeg = Cursor::new(Vec::new());
    upright.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    // Which stored corner is seen at top left, top right, bottom left, bottom right (Exif 2.32, table 6).
    let seen = [
        [0, 1, 2, 3],
        [1, 0, 3, 2],
        [3, 2, 1, 0],
        [2, 3, 0, 1],
        [0, 2, 1, 3],
        [2, 0, 3, 1],
        [3, 1, 2, 0],
        [1, 3, 0, 2],
    ];
    for (orientation, seen) in (1..=8).zip(seen) {
        let frame = load_bytes("a.jpg", &with_orientation(jpeg.get_ref(), orientation)).unwrap();
        let size = if orientation < 5 { (64, 32) } else { (32, 64) };
        assert_eq!((frame.width, frame.height), size, "orientation {orientation}");
        for (quarter, corner) in seen.into_iter().enumerate() {
            let x = frame.width * (1 + quarter % 2 * 2) / 4;
            let y = frame.height * (1 + quarter / 2 * 2) / 4;
            let pixel = &frame.rgb[(y * frame.width + x) * 3..][..3];
            let near = pixel.iter().zip(corners[corner]).all(|(a, b)| a.abs_diff(b) < 30);
            assert!(near, "orientation {orientation}, quarter {quarter}: {pixel:?}");
        }
    }
}

#[test]
fn what_is_no_picture_is_said_in_one_line() {
    assert_refused("notes.png", b"Just some text.\nAnd more.\n", "is no picture");
    assert_refused("empty.jpg", b"", "is no picture");
    assert_refused("a.png", b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff", "of the kind Gif (PNG, JPEG");
    let error = load(Path::new("no/such/picture.png")).unwrap_err().to_string();
    assert_eq!(error, "no/such/picture.png: no such file or folder");
    let error = load(Path::new("tests")).unwrap_err().to_string();
    assert_eq!(error, "tests: is a folder, not a picture");
}

/// What a decoder makes of half a picture is a picture too, half of it grey.
#[test]
fn a_jpeg_that_breaks_off_is_refused_and_what_follows_a_whole_one_is_not_looked_at() {
    let photograph = fs::read("src/source/demo/chelsea.jpg").unwrap();
    let cmyk = fs::read(data("cmyk.jpg")).unwrap();
    for whole in [&photograph, &cmyk] {
        let picture = load_bytes("a.jpg", whole).unwrap().rgb;
        let behind = [&whole[..], b"\xff\xd8\xffmore"].concat();
        assert!(load_bytes("a.jpg", &behind).unwrap().rgb == picture);
        for part in 1..20 {
            let cut = &whole[..whole.len() * part / 20];
            assert_refused("a.jpg", cut, "the file is damaged");
        }
        assert_refused("a.jpg", &whole[..whole.len() - 1], "breaks off");
    }
    // A thumbnail in a segment has an end of its own.
    let app = [&[0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9], &photograph[2..]].concat();
    assert!(load_bytes("a.jpg", &app).is_ok());
    assert_refused("a.jpg", &app[..app.len() / 2], "breaks off");
}

#[test]
fn a_png_by_another_name_is_a_png() {
    let picture = png(GrayImage::from_pixel(3, 3, Luma([9])));
    assert_eq!(load_bytes("a.jpg", &picture).unwrap().rgb, [9; 27]);
}

/// A BMP header alone, for sizes that no encoder writes.
fn bmp_header(width: i32, height: i32) -> Vec<u8> {
    let mut bmp = b"BM".to_vec();
    bmp.extend([0; 8]);
    bmp.extend(54u32.to_le_bytes());
    bmp.extend(40u32.to_le_bytes());
    bmp.extend(width.to_le_bytes());
    bmp.extend(height.to_le_bytes());
    bmp.extend(1u16.to_le_bytes());
    bmp.extend(24u16.to_le_bytes());
    bmp.extend([0; 24]);
    bmp
}

#[test]
fn sizes_that_cannot_be_are_refused_by_the_header() {
    assert_refused("a.bmp", &bmp_header(60_000, 60_000), "60000x60000 pixels is too large");
    assert_refused("a.bmp", &bmp_header(60_000, 1), "60000x1 pixels is too large");
    assert_refused("a.bmp", &bmp_header(16_000, 16_000), "too large");
    assert_refused("a.bmp", &bmp_header(0, 7), "0x7");
    assert_refused("a.bmp", &bmp_header(7, 7), "damaged");
    let mut jpeg = fs::read(data("cmyk.jpg")).unwrap();
    let header = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[header + 5..header + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert_refused("a.jpg", &jpeg, "60000x60000 pixels is too large");
    jpeg[header + 5..header + 9].copy_from_slice(&[0, 0, 0, 7]);
    assert_refused("a.jpg", &jpeg, "zero");
}

#[test]
fn damaged_files_never_panic() {
    let mut seed = 1u64;
    let mut random = |end: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % end
    };
    let picture = RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8 * 6, y as u8 * 8, (x * y) as u8]));
    let folder = TempDir::new().unwrap();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        let mut whole = Cursor::new(Vec::new());
        picture.write_to(&mut whole, format).unwrap();
        let whole = whole.into_inner();
        for round in 0..300 {
            let mut bytes = whole.clone();
            if round % 3 == 0 {
                bytes.truncate(random(whole.len()));
            }
            for _ in 0..random(6) {
                if !bytes.is_empty() {
                    let end = bytes.len().min([120, usize::MAX][random(2)]);
                    bytes[random(end)] = random(256) as u8;
                }
            }
            let path = folder.path().join("a.png");
            fs::write(&path, &bytes).unwrap();
            if let Ok(frame) = load(&path) {
                assert_eq!(frame.rgb.len(), frame.width * frame.height * 3);
            }
        }
    }
}

fn folder_of(grey_levels: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (i, &level) in grey_levels.iter().enumerate() {
        fs::write(folder.path().join(format!("{i}.png")), png(GrayImage::from_pixel(4, 4, Luma([level])))).unwrap();
    }
    folder
}

#[test]
fn a_folder_is_read_in_the_order_of_names() {
    let folder = folder_of(&[1, 2]);
    for name in ["z.JPG", "b.webp", ".hidden.png", "notes.txt", "README"] {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    fs::create_dir(folder.path().join("sub.png")).unwrap();
    let paths = pictures_in(folder.path()).unwrap();
    let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["0.png", "1.png", "b.webp", "z.JPG"]);

    let empty = TempDir::new().unwrap();
    assert!(pictures_in(empty.path()).unwrap_err().to_string().contains("no picture in this folder"));
    assert!(pictures_in(Path::new("no/such")).unwrap_err().to_string().contains("no such file or folder"));
}

#[test]
fn a_folder_shows_each_picture_for_two_seconds_and_starts_again() {
    let folder = folder_of(&[10, 20, 30]);
    fs::write(folder.path().join("15.png"), b"broken").unwrap();
    let clock = Arc::new(SimulatedClock::default());
    let mut source = Pictures::folder(folder.path(), clock.clone(), Shutdown::new()).unwrap();
    let mut raw = RawFrame::new();
    let mut shown = Vec::new();
    while clock.now() < Duration::from_secs(9) {
        assert_eq!(source.read(&mut raw).unwrap(), Event::Frame);
        if shown.last().is_none_or(|&(level, _)| level != raw.data[0]) {
            shown.push((raw.data[0], raw.time.as_millis() / 100));
        }
    }
    assert_eq!(shown, [(10, 0), (20, 20), (30, 40), (10, 60), (20, 80)]);
    assert!(source.name().ends_with("1.png"), "{}", source.name());
}

#[test]
fn a_single_picture_is_repeated_at_a_cameras_pace_until_shutdown() {
    let folder = folder_of(&[50]);
    let clock = Arc::new(SimulatedClock::default());
    let shutdown = Shutdown::new();
    let mut source = Pictures::one(&folder.path().join("0.png"), clock.clone(), shutdown.clone()).unwrap();
    let mut raw = RawFrame::new();
    for _ in 0..61 {
        assert_eq!(source.read(&mut raw).unwrap(), Event::Frame);
        assert_eq!(raw.data, [50; 48]);
    }
    assert_eq!(clock.now().as_millis(), 1999);
    shutdown.request();
    assert_eq!(source.read(&mut raw).unwrap(), Event::End);
}

#[test]
fn a_large_picture_is_shrunk_for_the_live_view() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large.png");
    fs::write(&path, png(GrayImage::from_pixel(3000, 1500, Luma([90])))).unwrap();
    let mut source = Pictures::one(&path, Arc::new(SimulatedClock::default()), Shutdown::new()).unwrap();
    let mut raw = RawFrame::new();
    source.read(&mut raw).unwrap();
    assert_eq!((raw.width, raw.height, raw.data.len()), (1280, 640, 1280 * 640 * 3));
    assert_eq!(load(&path).unwrap().width, 3000);
}

#[test]
fn a_folder_without_a_readable_picture_is_an_error() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.png"), b"text").unwrap();
    let opened = Pictures::folder(folder.path(), Arc::new(SimulatedClock::default()), Shutdown::new());
    assert!(opened.err().unwrap().to_string().contains("none of its pictures can be read"));
}
