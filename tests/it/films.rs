//! Videos as sources, drawn into others, and drawn anew from their maps.

use crate::common::mp4::{complaints, decode, probe};
use crate::common::program::{Folder, Run, command, gradcam};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
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
    // Frames come after 1, 2, 4, 5, 7 … tenths of a second, and none from 0.8 to 1.1.
    let uneven = "mod(n\\,3)*not(between(n\\,8\\,11))";
    let cat = concat!(env!("CARGO_MANIFEST_DIR"), "/src/source/demo/chelsea.jpg");
    let select = format!("scale=320:240,select='{uneven}'");
    let input = ["-loop", "1", "-framerate", "10", "-t", "2", "-i", cat, "-vf", &select, "-fps_mode", "passthrough"];
    let silent = folder.path("silent.mp4");
    ffmpeg(&[&input[..], &H264].concat(), &silent);
    let silent = silent.to_string_lossy().into_owned();
    let input = folder.path("clip.mp4");
    let sound = ["-i", &silent, "-f", "lavfi", "-i", "sine=duration=2", "-c:v", "copy", "-c:a", "aac", "-shortest"];
    ffmpeg(&sound, &input);
    let (out, without) = (folder.path("out.mp4"), folder.path("without.mp4"));
    gradcam(&["explain", &input.to_string_lossy(), "-o", &out.to_string_lossy()]).succeeds();
    gradcam(&["explain", &silent, "-o", &without.to_string_lossy()]).succeeds();
    assert_eq!(folder.files().iter().filter(|name| name.starts_with('.')).count(), 0, "{:?}", folder.files());

    let (film, silent) = (probe(&out), probe(&without));
    let codecs: Vec<&Value> = (0..2).map(|n| &film["streams"][n]["codec_name"]).collect();
    assert_eq!(codecs, ["h264", "aac"]);
    // The pictures are as without it, at the same times, and so is the rate at which they can be counted.
    let times = |film: &Value| -> Vec<Value> {
        let packets = film["packets"].as_array().expect("a list").iter();
        packets.filter(|packet| packet["codec_type"] == "video").map(|packet| packet["pts"].clone()).collect()
    };
    assert!(times(&film).len() > 8);
    assert_eq!(times(&film), times(&silent));
    for key in ["nb_read_frames", "r_frame_rate", "time_base", "duration"] {
        assert_eq!(film["streams"][0][key], silent["streams"][0][key], "{key}");
    }
    assert_eq!(complaints(&out), "");
    assert!(decode(&out).1 == decode(&without).1, "the pictures are others");
}

#[test]
fn slow_motion_keeps_every_frame_and_what_is_faster_still_is_counted() {
    let folder = Folder::new();
    for (rate, kept) in [(240, 288), (4000, 1000)] {
        let name = format!("{rate}.mp4");
        let source = format!("testsrc2=size=64x48:rate={rate}");
        let frames = format!("{}", rate * 6 / 5);
        let input = ["-f", "lavfi", "-i", &source, "-frames:v", &frames, "-video_track_timescale", "36000"];
        ffmpeg(&[&input[..], &H264].concat(), &folder.path(&name));
        let (clip, out) = (path(&folder, &name), path(&folder, &format!("{rate}.film.mp4")));
        let run = gradcam(&["explain", &clip, "-o", &out, "--every", "5000"]);
        run.succeeds();
        let film = probe(Path::new(&out));
        let packets = film["packets"].as_array().expect("a list");
        let times: Vec<f64> = packets
            .iter()
            .map(|packet| packet["pts_time"].as_str().expect("a time").parse().expect("a number"))
            .collect();
        if rate == 240 {
            assert_eq!((times.len(), run.stderr.as_str()), (kept, ""));
            assert!(times.iter().enumerate().all(|(n, time)| (time - n as f64 / 240.0).abs() < 1e-4), "{times:?}");
        } else {
            // A thousand a second, and a tenth of a second of those that come late.
            assert!(times.len() >= kept && times.len() <= kept * 14 / 10, "{}", times.len());
            let left_out = format!("{} frames are left out", 4800 - times.len());
            assert!(run.stderr.contains(&left_out), "{left_out}: {}", run.stderr);
        }
        assert_eq!(complaints(Path::new(&out)), "", "{rate}");
    }
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
    ffmpeg(&["-f", "lavfi", "-i", "sine=duration=1"], &folder.path("sound.mp3"));
    let sound = path(&folder, "sound.mp3");
    gradcam(&["explain", &sound, "-o", &path(&folder, "out.mp4")]).fails_saying(&["sound.mp3: holds no pictures"]);
    assert!(!folder.path("out.mp4").exists());
    let output = command(&["live", "--headless", "--source", &input]).env("PATH", "/nowhere").output();
    Run::of(output.expect("the program starts")).fails_saying(&["clip.mp4", "ffmpeg", "apt install ffmpeg"]);
}

#[test]
fn whoever_stops_reading_ends_a_film_that_is_whole_and_has_no_sound_beyond_its_pictures() {
    let folder = Folder::new();
    let (cat, input) = (concat!(env!("CARGO_MANIFEST_DIR"), "/src/source/demo/chelsea.jpg"), folder.path("long.mp4"));
    let pictures = ["-loop", "1", "-framerate", "10", "-t", "120", "-i", cat, "-f", "lavfi", "-i", "sine=duration=120"];
    let encoding = ["-vf", "scale=64:48", "-preset", "ultrafast", "-c:a", "aac", "-b:a", "16k"];
    ffmpeg(&[&pictures[..], &H264, &encoding].concat(), &input);
    let out = folder.path("out.mp4");
    let mut child = command(&["explain", &input.to_string_lossy(), "-o", &out.to_string_lossy(), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    assert!(lines.by_ref().take(20).all(|line| line.is_ok()));
    drop(lines);
    let run = Run::of(child.wait_with_output().expect("it ends"));
    run.succeeds();
    assert_eq!(run.stderr, "");
    let film = probe(&out);
    let seconds = |stream: usize| -> f64 {
        let duration = film["streams"][stream]["duration"].as_str().expect("it has one");
        duration.parse().expect("a number")
    };
    assert_eq!(film["streams"][1]["codec_name"], "aac");
    // A packet of sound is 1024 samples of 44100 a second; one may begin before the end, and one comes before the start.
    let sound = seconds(0) + 2.0 * 1024.0 / 44100.0;
    assert!(seconds(0) >= 2.0 && seconds(0) < 119.0 && seconds(1) <= sound, "{} {}", seconds(0), seconds(1));
    assert_eq!(complaints(&out), "");
}

#[cfg(unix)]
#[test]
fn an_interrupt_by_a_terminal_is_no_failure_of_the_video() {
    use std::os::unix::process::CommandExt;
    let folder = Folder::new();
    let (pipe, out) = (path(&folder, "clip.mkv"), path(&folder, "out.mp4"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("it is there").success());
    for arguments in [&["live", "--headless", "--json", "--source", &pipe][..], &["explain", &pipe, "-o", &out]] {
        let child = command(arguments).process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let child = child.expect("the program starts");
        // Opened as soon as ffmpeg reads from it.
        let _pictures = std::fs::File::options().write(true).open(&pipe).expect("it is there");
        // SAFETY: kill takes numbers only, and the child has not been waited for, so its group is its own.
        unsafe { libc::kill(-(child.id() as i32), libc::SIGINT) };
        let run = Run::of(child.wait_with_output().expect("it ends"));
        run.succeeds();
        assert_eq!(run.stderr, "");
    }
    assert_eq!(folder.files(), ["clip.mkv"]);
}

#[test]
fn a_network_camera_that_never_comes_is_told_of_without_what_lets_one_into_it() {
    // Nobody listens where somebody did.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let source = format!("http://me:secret@{address}/");
    let mut child = command(&["live", "--headless", "--json", "--source", &source])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut said = String::new();
    BufReader::new(child.stderr.take().expect("it is piped")).read_line(&mut said).expect("it is text");
    assert!(said.starts_with(&format!("gradcam: no pictures: http://{address}/: ")), "{said}");
    assert!(said.contains("trying again") && !said.contains("secret"), "{said}");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// Writes into an MP4's track that it is to be turned clockwise by a quarter, as phones do: the matrix is the last 36 bytes
/// of `tkhd` before width and height (ISO/IEC 14496-12, 8.3.2).
fn lay_on_its_side(path: &Path) {
    let mut bytes = std::fs::read(path).expect("it is there");
    let tkhd = bytes.windows(4).position(|name| name == b"tkhd").expect("there is one") - 4;
    let size = u32::from_be_bytes(bytes[tkhd..tkhd + 4].try_into().expect("four bytes")) as usize;
    let matrix: [i32; 9] = [0, 0x1_0000, 0, -0x1_0000, 0, 0, 240 << 16, 0, 0x4000_0000];
    let at = tkhd + size - 8 - 36;
    bytes[at..at + 36].copy_from_slice(&matrix.map(i32::to_be_bytes).concat());
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn a_phone_s_clip_is_upright_and_keeps_its_uneven_times() {
    let folder = Folder::new();
    // Frames come after 0, 1, 3, 4, 7 … tenths of a second: every third is missing, and more in the middle.
    let uneven = "scale=400:-1,crop=320:240:x='2*n':y='n',select='mod(n\\,3)*not(between(n\\,8\\,11))'";
    let cat = concat!(env!("CARGO_MANIFEST_DIR"), "/src/source/demo/chelsea.jpg");
    let input = ["-loop", "1", "-framerate", "10", "-t", "2", "-i", cat, "-vf", uneven, "-fps_mode", "passthrough"];
    let phone = folder.path("phone.mp4");
    ffmpeg(&[&input[..], &H264].concat(), &phone);
    lay_on_its_side(&phone);
    let (clip, out) = (phone.to_string_lossy().into_owned(), path(&folder, "out.mp4"));
    let run = gradcam(&["explain", &clip, "-o", &out, "--record-view", "raw"]);
    run.succeeds();
    let times = |path: &Path| -> Vec<f64> {
        let packets = probe(path)["packets"].as_array().expect("a list").clone();
        let mut times: Vec<f64> = packets
            .iter()
            .map(|packet| packet["pts_time"].as_str().expect("a time").parse().expect("a number"))
            .collect();
        times.sort_by(f64::total_cmp);
        times.iter().map(|time| time - times[0]).collect()
    };
    let (wanted, found) = (times(&phone), times(Path::new(&out)));
    assert!(wanted.len() > 8 && wanted.len() == found.len(), "{wanted:?} {found:?}");
    assert!(wanted.iter().zip(&found).all(|(wanted, found)| (wanted - found).abs() < 1e-3), "{wanted:?} {found:?}");
    let film = &probe(Path::new(&out))["streams"][0];
    assert_eq!((&film["width"], &film["height"]), (&240.into(), &320.into()));
    // ffmpeg turns it too when it decodes.
    let (_, upright) = decode(&phone);
    assert!(psnr(&upright, &decode(Path::new(&out)).1) > 30.0);

    // And once more: three quarters clockwise lay it back on its side.
    let back = path(&folder, "back.mp4");
    gradcam(&["explain", &clip, "-o", &back, "--rotate", "270", "--record-view", "raw"]).succeeds();
    let film = &probe(Path::new(&back))["streams"][0];
    assert_eq!((&film["width"], &film["height"]), (&320.into(), &240.into()));
    let lying = folder.path("lying.mp4");
    ffmpeg(&[&input[..], &H264].concat(), &lying);
    assert!(psnr(&decode(&lying).1, &decode(Path::new(&back)).1) > 30.0);
    // Maps of a turned video are drawn anew where they belong.
    let (film, again) = (path(&folder, "film.mp4"), path(&folder, "again.mp4"));
    let rate = ["--bitrate", "8M"];
    gradcam(&[&["explain", &clip, "-o", &film, "--rotate", "270", "--fit", "letterbox", "--flip"][..], &rate].concat())
        .succeeds();
    gradcam(&[&["replay", &film, "-o", &again, "--source", &clip][..], &rate].concat()).succeeds();
    let same = psnr(&decode(Path::new(&film)).1, &decode(Path::new(&again)).1);
    assert!(same > 36.0, "{same:.1} dB");
}

#[test]
fn the_smallest_videos_are_films_and_what_breaks_off_is_one_up_to_there() {
    let folder = Folder::new();
    for (width, height) in [(1, 1), (3, 5), (17, 16)] {
        let size = format!("{width}x{height}");
        let input = folder.path(&format!("{size}.mkv"));
        let (source, cut) = ("testsrc2=size=32x32:rate=10:duration=0.5", format!("format=rgb24,crop={width}:{height}"));
        ffmpeg(&["-f", "lavfi", "-i", source, "-vf", &cut, "-c:v", "ffv1", "-pix_fmt", "bgr0"], &input);
        let out = path(&folder, &format!("{size}.mp4"));
        gradcam(&["explain", &input.to_string_lossy(), "-o", &out]).succeeds();
        assert_eq!(probe(Path::new(&out))["streams"][0]["nb_read_frames"], "5", "{size}");
    }
    // Matroska is read from the front: half a file is half a video.
    let input = clip(&folder, "clip.mkv", &["-c:v", "mjpeg", "-q:v", "3"]);
    let bytes = std::fs::read(&input).expect("it is there");
    std::fs::write(folder.path("half.mkv"), &bytes[..bytes.len() / 2]).expect("written");
    let out = path(&folder, "half.mp4");
    let run = gradcam(&["explain", &path(&folder, "half.mkv"), "-o", &out]);
    assert!([0, 1].contains(&run.code), "{}", run.stderr);
    assert!(run.stderr.lines().count() <= 1, "{}", run.stderr);
    let frames: u64 = probe(Path::new(&out))["streams"][0]["nb_read_frames"]
        .as_str()
        .and_then(|frames| frames.parse().ok())
        .expect("a number");
    assert!((5..=15).contains(&frames), "{frames}");
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

#[test]
fn a_video_that_need_not_keep_its_pace_is_explained_frame_by_frame_and_recorded_so() {
    let folder = Folder::new();
    let input = clip(&folder, "clip.mp4", &H264);
    let out = folder.path("out.mp4");
    let run = gradcam(&[
        "live",
        "--headless",
        "--realtime",
        "false",
        "--source",
        &input,
        "--json",
        "--record",
        &out.to_string_lossy(),
    ]);
    run.succeeds();
    assert!(run.stderr.contains("20 frames, 0 lost"), "{}", run.stderr);
    let frame = |line: &str| {
        let report: Value = serde_json::from_str(line).expect("JSON");
        (report["frame"]["number"].as_u64().expect("a number"), report["frame"]["time"].as_f64().expect("a number"))
    };
    let explained: Vec<(u64, f64)> = run.stdout.lines().map(frame).collect();
    assert!(explained.iter().enumerate().all(|(n, (number, _))| *number == n as u64), "{explained:?}");
    let packets = probe(&out)["packets"].as_array().expect("a list").clone();
    let shown: Vec<f64> =
        packets.iter().map(|packet| packet["pts_time"].as_str().expect("a time").parse().expect("a number")).collect();
    assert_eq!((explained.len(), shown.len()), (20, 20));
    for (n, ((_, explained), shown)) in explained.iter().zip(&shown).enumerate() {
        let time = n as f64 / 10.0;
        assert!((explained - time).abs() < 1e-3 && (shown - time).abs() < 1e-3, "{n}: {explained} {shown}");
    }
    // Each map is on its own frame.
    let text = std::fs::read_to_string(folder.path("out.jsonl")).expect("it is there");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let entries: Vec<Value> = lines.filter(|line| line["kind"] == "explained").collect();
    assert_eq!(entries.len(), 20);
    assert!(entries.iter().all(|entry| entry["video"]["frame"] == entry["frame"]["frame"]), "{text}");
    gradcam(&["live", "--headless", "--source", "demo", "--realtime", "false"]).fails_saying(&["--realtime", "videos"]);
}

#[test]
fn a_video_begins_anew_at_its_end_where_that_is_asked_for() {
    let folder = Folder::new();
    let input = clip(&folder, "clip.mp4", &H264);
    let run = gradcam(&["live", "--headless", "--source", &input, "--loop", "--frames", "25", "--json"]);
    run.succeeds();
    let frame = |line: &str| -> (u64, f64) {
        let report: Value = serde_json::from_str(line).expect("JSON");
        (report["frame"]["number"].as_u64().expect("a number"), report["frame"]["time"].as_f64().expect("a number"))
    };
    let frames: Vec<(u64, f64)> = run.stdout.lines().map(frame).collect();
    // The clip has 20 frames.
    assert!(frames.len() == 25 && frames[24].0 >= 24, "{frames:?}");
    assert!(frames.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{frames:?}");
}

#[test]
fn a_network_camera_that_goes_is_asked_again() {
    let jpeg = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src/source/demo/chelsea.jpg")).expect("it is there");
    let server = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = format!("http://{}/", server.local_addr().expect("it is bound"));
    // Each visitor is sent six pictures, as such cameras send them, and no more.
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            for _ in 0..6 {
                let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
                let _ = stream.write_all(&[head.as_bytes(), &jpeg, b"\r\n"].concat());
                std::thread::sleep(std::time::Duration::from_millis(40));
            }
        }
    });
    // More than one visit gives.
    let run = gradcam(&["live", "--headless", "--source", &address, "--frames", "7", "--json"]);
    run.succeeds();
    assert_eq!(run.stdout.lines().count(), 7);
    let last: Value = serde_json::from_str(run.stdout.lines().last().expect("there are frames")).expect("JSON");
    assert!(last["target"]["label"].as_str().is_some_and(|label| label.contains("cat")), "{last}");
}
