//! Videos as sources, drawn into others, and drawn anew from their maps.

use crate::common::mp4::{decode, probe};
use crate::common::program::{Folder, Run, command, gradcam};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn ffmpeg(arguments: &[&str], to: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .arg(to)
        .status()
        .expect("ffmpeg is installed (`make test` does it)");
    assert!(status.success());
}

/// A cat that the camera pans over, 20 frames at 10 a second.
fn clip(folder: &Folder, name: &str, encoding: &[&str]) -> String {
    let path = folder.path(name);
    let cat = concat!(env!("CARGO_MANIFEST_DIR"), "/src/source/demo/chelsea.jpg");
    let pan = "scale=400:-1,crop=320:240:x='2*n':y='n'";
    let input = ["-loop", "1", "-framerate", "10", "-t", "2", "-i", cat, "-vf", pan];
    ffmpeg(&[&input[..], encoding].concat(), &path);
    path.to_string_lossy().into_owned()
}

const H264: [&str; 4] = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];

fn path(folder: &Folder, name: &str) -> String {
    folder.path(name).to_string_lossy().into_owned()
}

/// Peak signal to noise between two decoded films, of all frames, in dB.
fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (squares / a.len() as f64)).log10()
}

#[test]
fn every_frame_of_a_video_is_in_its_film_at_its_time() {
    let folder = Folder::new();
    for (name, encoding) in [
        ("h264.mp4", &H264[..]),
        ("h265.mkv", &["-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p"]),
        ("vp9.webm", &["-c:v", "libvpx-vp9", "-b:v", "1M"]),
        ("mjpeg.avi", &["-c:v", "mjpeg", "-q:v", "3"]),
        (
            "sub.mp4",
            &[
                "-c:v",
                "libx264",
                "-pix_fmt",
                "yuv420p",
                "-vf",
                "scale=31:17:flags=area,pad=32:18,crop=31:17:exact=1",
                "-pix_fmt",
                "yuv444p",
            ],
        ),
    ] {
        let input = clip(&folder, name, encoding);
        let out = path(&folder, &format!("{name}.film.mp4"));
        let run = gradcam(&["explain", &input, "-o", &out, "--json"]);
        run.succeeds();
        assert_eq!(run.stderr, "", "{name}");
        assert_eq!(run.stdout.lines().count(), 20, "{name}");
        let film = probe(Path::new(&out));
        assert_eq!(film["streams"][0]["nb_read_frames"], "20", "{name}");
        let packets = film["packets"].as_array().expect("a list");
        let times: Vec<f64> = packets
            .iter()
            .map(|packet| packet["pts_time"].as_str().expect("a time").parse().expect("a number"))
            .collect();
        assert!(times.iter().enumerate().all(|(n, time)| (time - n as f64 / 10.0).abs() < 1e-3), "{name}: {times:?}");
        assert_eq!(decode(Path::new(&out)).0, "", "{name}");
    }
}

#[test]
fn a_film_shows_where_the_network_looks_and_says_what_it_is() {
    let folder = Folder::new();
    let input = clip(&folder, "clip.mp4", &H264);
    let out = path(&folder, "out.mp4");
    let run = gradcam(&["explain", &input, "-o", &out, "--json"]);
    run.succeeds();
    for line in run.stdout.lines() {
        let report: Value = serde_json::from_str(line).expect("JSON");
        assert!(report["target"]["label"].as_str().is_some_and(|label| label.contains("cat")), "{line}");
    }
    // What exists stays.
    gradcam(&["explain", &input, "-o", &out]).fails_saying(&["out.mp4", "overwrites nothing"]);
    gradcam(&["explain", &input, &input, "-o", &path(&folder, "two.mp4")]).fails_saying(&["one video"]);
}

#[test]
fn a_recording_drawn_anew_is_the_film_within_the_codec_s_noise_without_the_model() {
    let folder = Folder::new();
    let input = clip(&folder, "clip.mp4", &H264);
    let (film, raw) = (path(&folder, "film.mp4"), path(&folder, "raw.mp4"));
    let rate = ["--bitrate", "8M"];
    // A copy of the model that is not there any more when the recording is drawn anew.
    let model = path(&folder, "model.onnx");
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/models/efficientnet_lite0.onnx");
    std::fs::copy(default, &model).expect("copied");
    gradcam(&[&["explain", &input, "-o", &film, "--model", &model][..], &rate].concat()).succeeds();
    let record = ["--record-view", "raw", "--model", &model];
    gradcam(&[&["explain", &input, "-o", &raw][..], &record, &rate].concat()).succeeds();
    std::fs::remove_file(&model).expect("removed");

    let again = path(&folder, "again.mp4");
    gradcam(&[&["replay", &raw, "-o", &again][..], &rate].concat()).succeeds();
    let (film_pixels, again_pixels) = (decode(Path::new(&film)).1, decode(Path::new(&again)).1);
    // Twice through the codec at 8 Mbit/s; a map that is a frame late or of another colour costs more.
    assert!(psnr(&film_pixels, &again_pixels) > 36.0, "{:.1} dB", psnr(&film_pixels, &again_pixels));

    let inferno = path(&folder, "inferno.mp4");
    gradcam(&[&["replay", &raw, "-o", &inferno, "--colormap", "inferno", "--opacity", "0.9"][..], &rate].concat())
        .succeeds();
    assert!(psnr(&film_pixels, &decode(Path::new(&inferno)).1) < 30.0);
    // Where nothing is hot enough there is only the frame.
    let (cold, plain) = (path(&folder, "cold.mp4"), path(&folder, "none.mp4"));
    gradcam(&[&["replay", &raw, "-o", &cold, "--threshold", "1", "--plain"][..], &rate].concat()).succeeds();
    gradcam(&[&["replay", &raw, "-o", &plain, "--opacity", "0", "--plain"][..], &rate].concat()).succeeds();
    assert!(psnr(&decode(Path::new(&cold)).1, &decode(Path::new(&plain)).1) > 36.0);

    // The overlay cannot be taken off again; with the video that was explained there is no need to.
    gradcam(&["replay", &film, "-o", &path(&folder, "x.mp4")]).fails_saying(&["--source"]);
    let over = path(&folder, "over.mp4");
    gradcam(&[&["replay", &film, "-o", &over, "--source", &input][..], &rate].concat()).succeeds();
    assert!(psnr(&film_pixels, &decode(Path::new(&over)).1) > 36.0);
}

#[test]
fn the_sound_stays() {
    let folder = Folder::new();
    let silent = clip(&folder, "silent.mp4", &H264);
    let input = folder.path("clip.mp4");
    let sound = ["-i", &silent, "-f", "lavfi", "-i", "sine=duration=2", "-c:v", "copy", "-c:a", "aac", "-shortest"];
    ffmpeg(&sound, &input);
    let out = folder.path("out.mp4");
    gradcam(&["explain", &input.to_string_lossy(), "-o", &out.to_string_lossy()]).succeeds();
    let streams = probe(&out)["streams"].as_array().expect("a list").clone();
    let codecs: Vec<&Value> = streams.iter().map(|stream| &stream["codec_name"]).collect();
    assert_eq!(codecs, ["h264", "aac"]);
    assert_eq!(streams[0]["nb_read_frames"], "20");
    assert_eq!(folder.files(), ["clip.mp4", "out.jsonl", "out.maps", "out.mp4", "silent.mp4"]);
}

#[test]
fn one_scale_can_hold_for_the_whole_film() {
    let folder = Folder::new();
    let input = clip(&folder, "clip.mp4", &H264);
    let out = path(&folder, "out.mp4");
    gradcam(&["explain", &input, "-o", &out, "--video-scale", "fixed", "--every", "3"]).succeeds();
    let text = std::fs::read_to_string(folder.path("out.jsonl")).expect("it is there");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let entries: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "explained").collect();
    let frames: Vec<u64> = entries.iter().map(|entry| entry["video"]["frame"].as_u64().expect("a number")).collect();
    assert_eq!(frames, [0, 3, 6, 9, 12, 15, 18]);
    let number = |entry: &Value, key: &str| entry["map"][key].as_f64().expect("a number");
    let largest = entries.iter().map(|entry| number(entry, "max")).fold(0.0, f64::max);
    assert!(entries.iter().all(|entry| number(entry, "scale") == largest.max(number(entries[0], "scale"))));
}

#[test]
fn y4m_comes_through_a_pipe_without_ffmpeg() {
    let folder = Folder::new();
    // Grey of luma 16 + 219/2, which is 127.5.
    let mut bytes = b"YUV4MPEG2 W32 H24 F25:1 C420jpeg\n".to_vec();
    for _ in 0..5 {
        bytes.extend(b"FRAME\n");
        bytes.extend([126; 32 * 24]);
        bytes.extend([128; 32 * 24 / 2]);
    }
    let out = path(&folder, "out.mp4");
    let piped = |bytes: &[u8], arguments: &[&str]| {
        let mut child = command(arguments)
            .env("PATH", "/nowhere")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // It need not read what it refuses.
        let _ = child.stdin.take().expect("it is piped").write_all(bytes);
        Run::of(child.wait_with_output().expect("it ends"))
    };
    piped(&bytes, &["explain", "-", "-o", &out, "--record-view", "raw"]).succeeds();
    let (complaints, pictures) = decode(Path::new(&out));
    assert_eq!((complaints.as_str(), pictures.len()), ("", 5 * 32 * 24 * 3));
    assert!(pictures.iter().all(|value| value.abs_diff(128) <= 2));
    piped(b"no video", &["live", "--headless", "--source", "-"]).fails_saying(&["-: ", "breaks off in a header"]);
    piped(b"no video\n", &["live", "--headless", "--source", "-"]).fails_saying(&["YUV4MPEG2"]);
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    let folder = Folder::new();
    let input = clip(&folder, "clip.mp4", &H264);
    let bytes = std::fs::read(&input).expect("it is there");
    std::fs::write(folder.path("half.mp4"), &bytes[..bytes.len() / 2]).expect("written");
    std::fs::write(folder.path("empty.mp4"), "").expect("written");
    for name in ["half.mp4", "empty.mp4"] {
        let out = path(&folder, "out.mp4");
        gradcam(&["explain", &path(&folder, name), "-o", &out]).fails_saying(&[name]);
        gradcam(&["live", "--headless", "--source", &path(&folder, name)]).fails_saying(&[name]);
    }
    assert!(!folder.path("out.mp4").exists());
    let output = command(&["live", "--headless", "--source", &input]).env("PATH", "/nowhere").output();
    Run::of(output.expect("the program starts")).fails_saying(&["clip.mp4", "ffmpeg", "apt install ffmpeg"]);
}

#[test]
fn a_video_plays_live_at_its_own_pace_and_ends() {
    let folder = Folder::new();
    let input = clip(&folder, "clip.mp4", &H264);
    let run = gradcam(&["live", "--headless", "--source", &input, "--json"]);
    run.succeeds();
    let times: Vec<f64> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["frame"]["time"].as_f64().expect("a number"))
        .collect();
    // Frames may be skipped on a busy machine, but those that are shown are tenths of a second apart.
    let mut tenths = times.iter().map(|time| (time - times[0]) * 10.0);
    assert!(tenths.clone().all(|tenth| (tenth - tenth.round()).abs() < 1e-3), "{times:?}");
    assert!(tenths.next_back().is_some_and(|last| last <= 19.001));
}
