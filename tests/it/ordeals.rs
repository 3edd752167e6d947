//! Recordings under hardship, for minutes and with tools that a plain test run need not have: `make test-recording`.

#![cfg(target_os = "linux")]

use crate::common::mp4::{complaints, decode, probe, read};
use crate::common::program::{Folder, Run, command, gradcam};
use crate::common::{Noise, seed};
use gradcam::logbook::{Entry, Line};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A recording of the demo in which each map is on its own frame, so that times that are printed are times of the video.
fn recording(path: &Path, more: &[&str]) -> Child {
    let path = path.to_string_lossy();
    let arguments = ["live", "--headless", "--sync", "--json", "--source", "demo", "--record", &path];
    command(&[&arguments[..], more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// The time of the frame that a printed line explains.
fn time(line: &str) -> f64 {
    let report: Value = serde_json::from_str(line).expect("JSON");
    report["frame"]["time"].as_f64().expect("a number")
}

/// The entries of a logbook that may end in half a line, each with its map.
fn entries(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path.with_extension("jsonl")).expect("it is there");
    let maps = std::fs::metadata(path.with_extension("maps")).expect("it is there").len();
    let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
    let mut entries = Vec::new();
    for line in whole.lines() {
        if let Line::Explained(entry) = serde_json::from_str(line).expect("each line but the last is whole") {
            assert!(entry.map.offset + 4 * (entry.map.height * entry.map.width) as u64 <= maps, "its map is there");
            entries.push(entry);
        }
    }
    entries
}

#[test]
#[ignore = "takes two minutes: make test-recording"]
fn twenty_programs_that_are_killed_lose_two_seconds_at_most() {
    let mut random = Noise::new(seed());
    let mut worst = 0f64;
    for round in 0..20 {
        let folder = Folder::new();
        let path = folder.path("film.mp4");
        let mut child = recording(&path, &[]);
        // From 1.2 to 6.2 s of the recording's own time.
        let moment = 1.2 + 5.0 * f64::from(random.uniform());
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let first = time(&lines.next().expect("it explains frames").expect("readable"));
        let mut last = first;
        while last - first < moment {
            last = time(&lines.next().expect("it goes on").expect("readable"));
        }
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        // What it had printed before it was killed.
        for line in lines.map_while(Result::ok) {
            last = serde_json::from_str::<Value>(&line).map_or(last, |_| time(&line));
        }

        let film = read(&std::fs::read(&path).expect("it is there"));
        let pictures = decode(&path).1.len();
        assert_eq!((complaints(&path).as_str(), pictures), ("", film.pictures.len() * 640 * 480 * 3), "round {round}");
        let end = film.pictures.last().map_or(0.0, |picture| (picture.time + u64::from(picture.duration)) as f64 / 9e4);
        let entries = entries(&path);
        let begin = entries.first().map_or(first, |entry| entry.frame.time - entry.video.time);
        let lost = last - (begin + end);
        println!("round {round}: killed after {:.2} s, kept {end:.2} s, lost {lost:.2} s", last - begin);
        assert!(lost <= 2.0, "round {round}: {lost:.2} s are lost");
        worst = worst.max(lost);
    }
    println!("at most {worst:.2} s were lost");
}

#[test]
#[ignore = "mounts a small disk: make test-recording"]
fn a_full_disk_stops_the_recording_and_nothing_else() {
    let folder = Folder::new();
    // In a name space of its own, which needs no rights where the system allows that.
    let script = "mkdir disk && mount -t tmpfs -o size=1500k none disk && \
                  $PROGRAM live --headless --source demo --json --frames 400 --record disk/film.mp4 --bitrate 4M; \
                  status=$?; cp disk/film.* .; exit $status";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .env("PROGRAM", env!("CARGO_BIN_EXE_gradcam"))
        .current_dir(folder.root())
        .output()
        .expect("unshare is there");
    let run = Run::of(output);
    println!("{}", run.stderr);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("recording stopped") && run.stderr.contains("No space left"), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 400, "the view goes on");
    let path = folder.path("film.mp4");
    let film = read(&std::fs::read(&path).expect("it is there"));
    let pictures = decode(&path).1.len();
    assert_eq!((complaints(&path).as_str(), pictures), ("", film.pictures.len() * 640 * 480 * 3));
    assert!(!film.pictures.is_empty());
    // What it says is kept is kept.
    let end = film.pictures.last().map_or(0.0, |picture| (picture.time + u64::from(picture.duration)) as f64 / 9e4);
    assert!(run.stderr.contains(&format!("{end:.1} s are kept")), "{end} {}", run.stderr);
    assert!(!entries(&path).is_empty());
}

#[test]
#[ignore = "mounts a small disk: make test-recording"]
fn results_that_find_no_room_are_named_and_nothing_is_left_of_them() {
    let folder = Folder::new();
    let script = "mkdir disk && mount -t tmpfs -o size=20k none disk && \
                  $PROGRAM explain $PICTURE -o disk; echo $? $(ls -A disk)";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .env("PROGRAM", env!("CARGO_BIN_EXE_gradcam"))
        .env("PICTURE", crate::common::data("lite0/chelsea_224.png"))
        .current_dir(folder.root())
        .output()
        .expect("unshare is there");
    let run = Run::of(output);
    assert_eq!(run.stdout, "2\n", "{}", run.stderr);
    assert!(run.stderr.starts_with("gradcam: disk/chelsea_224.overlay.png: No space left"), "{}", run.stderr);
    assert!(!run.stderr.contains(".gradcam-"), "{}", run.stderr);
}

#[test]
#[ignore = "takes half a minute: make test-recording"]
fn a_folder_that_is_deleted_stops_the_recording_and_nothing_else() {
    let folder = Folder::new();
    let films = folder.path("films");
    std::fs::create_dir(&films).expect("made");
    let mut child = recording(&films.join("film.mp4"), &["--frames", "300"]);
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    assert_eq!(lines.by_ref().take(100).count(), 100);
    std::fs::remove_dir_all(&films).expect("removed");
    assert_eq!(lines.count(), 200, "the view goes on");
    let run = Run::of(child.wait_with_output().expect("it ends"));
    println!("{}", run.stderr);
    assert_eq!(run.code, 2);
    let words = ["recording stopped", "deleted", "0.0 s are kept"];
    assert!(words.iter().all(|word| run.stderr.contains(word)), "{}", run.stderr);
}

#[test]
#[ignore = "takes half a minute and strace: make test-recording"]
fn a_slow_device_costs_pictures_of_the_recording_and_nothing_else() {
    let folder = Folder::new();
    let path = folder.path("film.mp4");
    // Each write takes 40 ms longer, each sync 4 s, as on a card that is worn out.
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", "trace=fdatasync,write"])
        .args(["-P", &path.to_string_lossy()])
        .args(["-e", "inject=fdatasync:delay_enter=4000000", "-e", "inject=write:delay_enter=40000"])
        .arg(env!("CARGO_BIN_EXE_gradcam"))
        .args(["live", "--headless", "--source", "demo", "--json", "--frames", "400", "--record"])
        .arg(&path)
        .output()
        .expect("strace is installed (`make test-recording` does it)");
    let run = Run::of(output);
    println!("{}", run.stderr);
    run.succeeds();
    // The view is not held up: the frames that it explains follow one another as the camera sent them.
    let times: Vec<f64> = run.stdout.lines().map(time).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(longest < 2.0, "{longest} s without a map");
    let film = read(&std::fs::read(&path).expect("it is there"));
    let text = std::fs::read_to_string(path.with_extension("jsonl")).expect("it is there");
    let Ok(Line::End(end)) = serde_json::from_str(text.lines().last().expect("it has lines")) else { panic!("{text}") };
    println!("{} frames, {} left out, longest pause of the view {longest:.2} s", end.frames, end.dropped);
    assert_eq!(end.frames, film.pictures.len() as u64);
    assert!(run.stderr.contains(&format!("{} lost", end.dropped)), "{}", run.stderr);
    let pictures = decode(&path).1.len();
    assert_eq!((complaints(&path).as_str(), pictures), ("", film.pictures.len() * 640 * 480 * 3));
}

/// Each sync of a device that pauses twice takes 6 s.
#[test]
#[ignore = "takes a minute: make test-recording"]
fn what_a_pause_of_the_device_needed_is_given_back() {
    let folder = Folder::new();
    let path = folder.path("film.mp4");
    let mut child = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", "trace=fdatasync", "-P", &path.to_string_lossy()])
        .args(["-e", "inject=fdatasync:delay_enter=6000000:when=6..7"])
        .arg(env!("CARGO_BIN_EXE_gradcam"))
        .args(["live", "--headless", "--source", "demo", "--json", "--record"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("strace is installed (`make test-recording` does it)");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut memory = || {
        let line = lines.next().expect("it goes on").expect("readable");
        let children =
            std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("Linux tells");
        (time(&line), resident(children.trim().parse().expect("one child")))
    };
    // Before the sixth sync, which comes ten seconds after the first; then until forty pictures wait; then long after.
    let mut at = |until: f64| (0..).map(|_| memory()).find(|(time, _)| *time >= until).expect("it goes on").1;
    let (before, most, after) = (at(9.0), at(22.0), at(60.0));
    println!("{before:.1} MB before, {most:.1} MB while pictures wait, {after:.1} MB after it");
    assert!(most > before + 30.0 && after < before + 8.0, "{before:.1} {most:.1} {after:.1}");
    drop(lines);
    assert!(child.wait().expect("it ends").success());
}

/// Resident memory in MB.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    let kilobytes: f64 = kilobytes.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kilobytes / 1024.0
}

/// Resident memory in MB, and the time in s that the thread of the recorder has run.
fn measured(child: &Child) -> (f64, f64) {
    let root = format!("/proc/{}", child.id());
    let mut ran = 0.0;
    for task in std::fs::read_dir(format!("{root}/task")).expect("it runs").flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        if let Some((_, rest)) = stat.split_once("(recorder) ") {
            // User and system time, in hundredths: fields 14 and 15, of which the first two are gone.
            ran = rest.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0).sum();
        }
    }
    (resident(child.id()), ran)
}

/// Minutes of it: GRADCAM_MINUTES, 10 where it is not set. The more there are, the surer the memory's line.
#[test]
#[ignore = "takes ten minutes of a machine that has little else to do: make test-recording"]
fn a_video_at_thirty_frames_a_second_is_recorded_without_a_loss_and_in_level_memory() {
    let minutes: f64 = std::env::var("GRADCAM_MINUTES").map_or(10.0, |text| text.parse().expect("a number"));
    let folder = Folder::new();
    let (clip, path) = (folder.path("clip.mp4"), folder.path("film.mp4"));
    // Twenty seconds of fractal flight and of photographs, again and again.
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "mandelbrot=size=640x480:rate=30", "-t", "20"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0"])
        .arg(folder.path("short.mp4"))
        .status();
    assert!(status.expect("ffmpeg is installed").success());
    let rounds = format!("{}", (minutes * 3.0).ceil() as u32 - 1);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-stream_loop", &rounds, "-i"])
        .arg(folder.path("short.mp4"))
        .args(["-c", "copy"])
        .arg(&clip)
        .status();
    assert!(status.expect("ffmpeg is installed").success());

    let mut arguments = vec!["live", "--headless", "--json", "--source"];
    let (clip, film) = (clip.to_string_lossy(), path.to_string_lossy());
    arguments.extend([&clip, "--record", &film]);
    let model = std::env::var("GRADCAM_MODEL").unwrap_or_default();
    if !model.is_empty() {
        arguments.extend(["--model", &model, "--preprocess", "imagenet"]);
    }
    let mut child =
        command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let begin = Instant::now();
    let mut at = Vec::new();
    while child.try_wait().expect("it can be waited for").is_none() {
        let minute = begin.elapsed().as_secs_f64() / 60.0;
        if minute >= at.len() as f64 + 1.0 && minute < minutes {
            let (memory, ran) = measured(&child);
            println!("after {minute:.1} min: {memory:.1} MB, the recorder ran {ran:.1} s");
            at.push((memory, ran));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let run = Run::of(child.wait_with_output().expect("it ended"));
    println!("{}", run.stderr);
    run.succeeds();
    let film = read(&std::fs::read(&path).expect("it is there"));
    let text = std::fs::read_to_string(path.with_extension("jsonl")).expect("it is there");
    let Ok(Line::End(end)) = serde_json::from_str(text.lines().last().expect("it has lines")) else { panic!("{text}") };
    println!("{} frames, {} left out by the recorder, {:.1} s", end.frames, end.dropped, end.duration);
    assert_eq!((end.dropped, end.frames), (0, film.pictures.len() as u64));
    if let [(first, _), .., (last, ran)] = at[..] {
        let frames = film.pictures.len() as f64 * at.len() as f64 / (begin.elapsed().as_secs_f64() / 60.0);
        println!("memory {first:.1} to {last:.1} MB, {:.2} ms of the recorder for a frame", ran / frames * 1e3);
        assert!((last - first).abs() <= 5.0, "{first} to {last} MB");
    }
}

#[test]
#[ignore = "takes a minute: make test-recording"]
fn every_kind_of_recording_is_read_by_ffprobe_and_mediainfo_alike() {
    for view in ["overlay", "side-by-side", "raw", "heat"] {
        let folder = Folder::new();
        let path = folder.path("film.mp4");
        let name = path.to_string_lossy().into_owned();
        // The demo's pace is a camera's: its times vary.
        let arguments = ["live", "--headless", "--source", "demo", "--frames", "40", "--record-view", view];
        let run = gradcam(&[&arguments[..], &["--record", &name]].concat());
        run.succeeds();
        check(&path, view, &run.stderr);
    }
    for (option, value) in [("--record-fps", "7"), ("--record-size", "321x201"), ("--bitrate", "300k")] {
        let folder = Folder::new();
        let path = folder.path("film.mp4");
        let name = path.to_string_lossy().into_owned();
        let arguments = ["live", "--headless", "--source", "demo", "--frames", "40", option, value];
        let run = gradcam(&[&arguments[..], &["--record", &name]].concat());
        run.succeeds();
        check(&path, option, &run.stderr);
    }
}

/// What others read in a file is what the program said of it.
fn check(path: &Path, kind: &str, said: &str) {
    let text = std::fs::read_to_string(path.with_extension("jsonl")).expect("it is there");
    let Ok(Line::End(end)) = serde_json::from_str(text.lines().last().expect("it has lines")) else { panic!("{text}") };
    let film = read(&std::fs::read(path).expect("it is there"));
    let probe = probe(path);
    let stream = &probe["streams"][0];
    assert_eq!(stream["codec_name"], "h264", "{kind}");
    assert_eq!(stream["nb_read_frames"], end.frames.to_string(), "{kind}");
    assert!(said.contains(&format!("{} frames, {} lost", end.frames, end.dropped)), "{kind}: {said}");
    assert_eq!((&stream["width"], &stream["height"]), (&film.width.into(), &film.height.into()), "{kind}");
    let packets = probe["packets"].as_array().expect("a list");
    let times: Vec<u64> = packets.iter().map(|packet| packet["pts"].as_u64().expect("a time")).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{kind}: {times:?}");
    let (last, before) = (times[times.len() - 1], times[times.len() - 2]);
    assert_eq!(stream["duration_ts"], last + (last - before), "{kind}");
    assert_eq!(complaints(path), "", "{kind}");
    let (said, pictures) = decode(path);
    let size = usize::from(film.width) * usize::from(film.height) * 3;
    assert_eq!((said.as_str(), pictures.len()), ("", end.frames as usize * size), "{kind}");
    let output = Command::new("mediainfo")
        .args(["--Output=Video;%Format%|%FrameCount%|%Width%x%Height%|%Duration%|%FrameRate_Mode%"])
        .arg(path)
        .output();
    let read = Run::of(output.expect("mediainfo is installed")).stdout.trim().to_owned();
    // It rounds either way.
    let ms = (last + (last - before)) / 90;
    let wanted = |ms: u64| format!("AVC|{}|{}x{}|{ms}|", end.frames, film.width, film.height);
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    println!("{kind}: {read}, steps of {:?} to {:?} ticks", steps.iter().min(), steps.iter().max());
    assert!([ms, ms + 1].iter().any(|ms| read.starts_with(&wanted(*ms))), "{kind}: {read} for {}", wanted(ms));
}
