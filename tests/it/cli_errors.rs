//! Bad input: one clear line, exit code 2, nothing half-written.

use crate::common::data;
use crate::common::program::{Folder, command, gradcam};
use gradcam::model::DEFAULT_MODEL;

fn photograph() -> String {
    data("lite0/chelsea_224.png").to_string_lossy().into_owned()
}

#[test]
fn models_that_cannot_be_used() {
    let (folder, out) = (Folder::new(), Folder::new());
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path(name), bytes).expect("written");
        folder.path(name).to_string_lossy().into_owned()
    };
    let explain = |model: &str| gradcam(&["explain", &photograph(), "-o", &out.name(), "--model", model]);
    explain("nowhere.onnx").fails_saying(&["nowhere.onnx", "cannot be read"]);
    explain(&folder.name()).fails_saying(&["is not a file"]);
    explain(&write("text.onnx", b"hello\n")).fails_saying(&["text.onnx", "not an ONNX"]);
    explain(&write("cut.onnx", &DEFAULT_MODEL[..1_000_000])).fails_saying(&["cut.onnx", "cut short"]);
    assert!(out.files().is_empty(), "{:?}", out.files());
}

#[test]
fn labels_that_do_not_match_the_model() {
    let (folder, out) = (Folder::new(), Folder::new());
    std::fs::write(folder.path("labels.txt"), "cat\ndog\n").expect("written");
    let labels = folder.path("labels.txt").to_string_lossy().into_owned();
    let run = gradcam(&["explain", &photograph(), "-o", &out.name(), "--labels", &labels]);
    run.fails_saying(&["2 labels", "1000 classes", "another model"]);
}

#[test]
fn pictures_that_cannot_be_used() {
    let (folder, out) = (Folder::new(), Folder::new());
    let explain = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.path(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).expect("written");
        }
        gradcam(&["explain", &path.to_string_lossy(), "-o", &out.name()])
    };
    explain("missing.png", None).fails_saying(&["missing.png"]);
    explain("text.png", Some(b"no picture at all\n")).fails_saying(&["text.png"]);
    explain("empty.png", Some(b"")).fails_saying(&["empty.png"]);
    explain("clip.mp4", Some(b"\0\0\0\x18ftypisom")).fails_saying(&["clip.mp4", "is no picture", "-o OUT.mp4"]);
    // A PNG header that declares 60000 × 60000 pixels, and one that declares none.
    explain("vast.png", Some(&png_header(60_000, 60_000))).fails_saying(&["vast.png", "60000"]);
    explain("nothing.png", Some(&png_header(0, 0))).fails_saying(&["nothing.png"]);
    assert!(out.files().is_empty(), "{:?}", out.files());
}

/// Signature and IHDR of an RGB8 picture, with a right checksum, and a start of pixels.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    // CRC-32 (ISO 3309), bit by bit.
    let mut crc = u32::MAX;
    for byte in &header {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\r".to_vec();
    png.extend(header);
    png.extend((!crc).to_be_bytes());
    // Pixels begin, and end at once.
    png.extend(b"\0\0\0\x10IDAT");
    png.extend([0; 20]);
    png
}

#[test]
fn a_folder_that_cannot_be_written() {
    let folder = Folder::new();
    std::fs::write(folder.path("file"), "in the way").expect("written");
    let inside = folder.path("file/results").to_string_lossy().into_owned();
    gradcam(&["explain", &photograph(), "-o", &inside]).fails_saying(&["file/results"]);
    let file = folder.path("file").to_string_lossy().into_owned();
    gradcam(&["explain", &photograph(), "-o", &file]).fails_saying(&["file: is no folder", ".mp4"]);
    let model = folder.path("nowhere/model.onnx").to_string_lossy().into_owned();
    let classifier = data("zoo/mobilenet_v2/model.onnx");
    let run = gradcam(&["export", &classifier.to_string_lossy(), "-o", &model, "--preprocess", "raw"]);
    run.fails_saying(&["nowhere/model.onnx", "folder does not exist"]);
    assert_eq!(folder.files(), ["file"]);
}

#[test]
fn a_source_that_does_not_exist() {
    gradcam(&["live", "--headless", "--source", "nowhere.jpg"]).fails_saying(&["nowhere.jpg"]);
    gradcam(&["live", "--headless", "--source", "77"]).fails_saying(&["77", "camera"]);
    gradcam(&["live", "--headless", "--source", "/dev/video77"]).fails_saying(&["/dev/video77", "camera"]);
}

#[test]
fn without_a_display_the_way_out_is_named() {
    let output = command(&["live", "--source", "demo"])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts");
    crate::common::program::Run::of(output).fails_saying(&["display", "--headless"]);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_named() {
    let out = Folder::new();
    let (picture, full) =
        (photograph(), || std::fs::File::options().write(true).open("/dev/full").expect("Linux has it"));
    for arguments in [
        &["inspect"][..],
        &["devices"],
        &["completions", "bash"],
        &["live", "--headless", "--json", "--source", "demo"],
        &["explain", &picture, "-o", &out.name(), "--json"],
    ] {
        let output = command(arguments).stdout(full()).output().expect("the program starts");
        crate::common::program::Run::of(output).fails_saying(&["gradcam: standard output: ", "No space"]);
    }
}

#[test]
fn the_commands_are_not_lost_among_the_options_of_one() {
    let help = |arguments: &[&str]| {
        let run = gradcam(arguments);
        run.succeeds();
        run.stdout
    };
    let first = help(&["--help"]);
    assert!(first.contains("explain") && first.contains("gradcam live") && !first.contains("--source"), "{first}");
    assert!(first.lines().count() < 30, "{first}");
    let live = help(&["live", "--help"]);
    let at = |part: &str| live.find(part).unwrap_or_else(|| panic!("{part}: {live}"));
    let parts = ["Options:", "--headless", "--help", "Source:", "--size", "Model:", "--labels", "View:", "--flip"];
    let parts = [&parts[..], &["Snapshots:", "--snapshot-on", "Recording:", "--record-view"]].concat();
    assert!(parts.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{live}");
    // They are options all the same.
    gradcam(&["--headless", "--source", "nowhere.jpg"]).fails_saying(&["nowhere.jpg"]);
}

#[test]
fn a_folder_whose_pictures_cannot_all_be_read_says_so() {
    let folder = Folder::new();
    std::fs::write(folder.path("a.png"), "text").expect("written");
    std::fs::copy(photograph(), folder.path("b.png")).expect("copied");
    let run = gradcam(&["live", "--headless", "--json", "--frames", "1", "--source", &folder.name()]);
    run.succeeds();
    assert!(run.stderr.starts_with("gradcam: ") && run.stderr.contains("a.png: is no picture"), "{}", run.stderr);
    assert_eq!((run.stderr.lines().count(), run.stdout.lines().count()), (1, 1), "{}", run.stderr);
}

#[test]
fn whoever_stops_reading_messages_stops_nothing() {
    use std::process::Stdio;
    let mut child = command(&["live", "--headless", "--frames", "90", "--source", "demo", "--stats"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stderr.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn whoever_stops_reading_ends_the_program_without_a_word() {
    use std::process::Stdio;
    let mut child = command(&["live", "--headless", "--json", "--source", "demo"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
