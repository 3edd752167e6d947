//! Recordings: that every frame is in them at its time, and that they play whatever ended them.

use crate::common::mp4::{complaints, decode, probe, read};
use crate::common::program::{Folder, Run, command, gradcam};
use crate::common::recording::{Memory, canvas, recording};
use crate::common::{Noise, seed};
use gradcam::frame::{Frame, Turn};
use gradcam::logbook::{Line, Recorded};
use gradcam::overlay::{Canvas, Look};
use gradcam::pipeline::recorder::{Plan, Recorder};
use gradcam::sink::record::name::Destination;
use gradcam::sink::record::{Encoding, Recording};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Times of a camera that is not quite regular, with a gap.
fn times(count: usize) -> Vec<Duration> {
    let jitter = [0, 3, 1, 7, 2, 5];
    let time =
        |n: usize| MS * (n as u32 * 33 + jitter[n % 6] + if n > 50 { 1700 } else { 0 }) + Duration::from_secs(77);
    (0..count).map(time).collect()
}

/// The bytes of a recording.
fn recorded(count: usize) -> Vec<u8> {
    let memory = Memory::new(1 << 26);
    let mut recording = recording(memory.clone(), (64, 48));
    for (number, time) in times(count).into_iter().enumerate() {
        recording.add(&canvas(64, 48, number), time).expect("there is room");
    }
    recording.finish(0).expect("there is room");
    memory.bytes()
}

#[test]
fn every_frame_is_in_it_at_its_capture_time() {
    let folder = Folder::new();
    let path = folder.path("film.mp4");
    let bytes = recorded(100);
    std::fs::write(&path, &bytes).expect("written");
    let film = read(&bytes);
    let times = times(100);
    // 1/90000 s is the unit, rounded.
    let ticks = |time: Duration| ((time - times[0]).as_nanos() as f64 * 9e-5).round() as u64;
    let wanted: Vec<u64> = times.iter().map(|time| ticks(*time)).collect();
    assert_eq!(film.pictures.iter().map(|picture| picture.time).collect::<Vec<_>>(), wanted);
    // Last minus first, and the last frame lasts as long as the one before it.
    let duration = wanted[99] + (wanted[99] - wanted[98]);
    assert_eq!(film.durations, [duration; 4]);
    // Each fragment can be decoded alone, and holds a second at most before its last picture.
    let starts: Vec<u64> = film.fragments.iter().map(|(time, _)| *time).collect();
    let keys = film.pictures.iter().filter(|picture| picture.key);
    assert!(starts.iter().all(|start| keys.clone().any(|picture| picture.time == *start)));
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= 90_000), "{starts:?}");
    assert_eq!(film.index, Some(film.fragments.clone()));

    // ffprobe and ffmpeg read the same.
    let probe = probe(&path);
    let stream = &probe["streams"][0];
    assert_eq!((&stream["codec_name"], &stream["nb_read_frames"]), (&"h264".into(), &"100".into()));
    assert_eq!((&stream["width"], &stream["height"]), (&64.into(), &48.into()));
    let packets = probe["packets"].as_array().expect("a list");
    let pts: Vec<u64> = packets.iter().map(|packet| packet["pts"].as_u64().expect("a time")).collect();
    assert_eq!(pts, wanted);
    assert_eq!(stream["duration_ts"], duration);
    assert_eq!((complaints(&path).as_str(), decode(&path).1.len()), ("", 100 * 64 * 48 * 3));
}

#[test]
fn what_is_seen_is_what_was_recorded() {
    let folder = Folder::new();
    let path = folder.path("film.mp4");
    let memory = Memory::new(1 << 26);
    let encoding = Encoding { bitrate: Some(8_000_000), ..Encoding::default() };
    let mut recording = Recording::on(&path, memory.clone(), None, (320, 240), encoding).expect("the encoder starts");
    for (number, time) in times(12).into_iter().enumerate() {
        recording.add(&canvas(320, 240, number), time).expect("there is room");
    }
    recording.finish(0).expect("there is room");
    std::fs::write(&path, memory.bytes()).expect("written");
    let (_, pictures) = decode(&path);
    for (number, decoded) in pictures.chunks(320 * 240 * 3).enumerate() {
        let shown = canvas(320, 240, number).to_rgb();
        let squares: f64 = shown.iter().zip(decoded).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        let psnr = 10.0 * (255.0 * 255.0 / (squares / shown.len() as f64)).log10();
        // The square's edges lose chroma to 4:2:0; a wrong matrix or range alone would cost more than 30 dB leaves.
        assert!(psnr > 34.0, "picture {number}: {psnr:.1} dB");
    }
}

#[test]
fn whatever_moment_it_ends_at_the_whole_fragments_play() {
    let memory = Memory::new(1 << 26);
    let mut recording = recording(memory.clone(), (64, 48));
    for (number, time) in times(120).into_iter().enumerate() {
        recording.add(&canvas(64, 48, number), time).expect("there is room");
    }
    let pieces = memory.pieces.lock().expect("nobody panics").clone();
    let folder = Folder::new();
    let path = folder.path("cut.mp4");
    let mut random = Noise::new(seed());
    for (before, piece) in &pieces[pieces.len() - 2..] {
        let whole = read(before);
        let state = |cut: usize| [before, &piece[..cut]].concat();
        // In process: after every byte.
        for cut in 0..=piece.len() {
            let film = read(&state(cut));
            assert_eq!((&film.fragments, &film.pictures), (&whole.fragments, &whole.pictures), "cut at {cut}");
        }
        // With ffmpeg: around the edges of boxes, and at 50 random places.
        let moof = 8 + piece.windows(4).position(|name| name == b"mdat").expect("there is one") - 12;
        let edges = [0, 8, moof, moof + 8, piece.len() - 1].map(|edge: usize| [edge.saturating_sub(1), edge, edge + 1]);
        let places = (0..50).map(|_| (random.uniform() * piece.len() as f32) as usize);
        for cut in edges.into_iter().flatten().chain(places.collect::<Vec<_>>()) {
            std::fs::write(&path, state(cut)).expect("written");
            let (said, pictures) = decode(&path);
            assert_eq!((said.as_str(), pictures.len()), ("", whole.pictures.len() * 64 * 48 * 3), "cut at {cut}");
        }
    }
    // What is written in place is the head of one box: before it the fragment is not there, after it all of it is.
    let film = read(&memory.bytes());
    let (before, _) = pieces.last().expect("there are pieces");
    assert_eq!(film.fragments.len(), read(before).fragments.len() + 1);
}

#[test]
fn a_full_disk_leaves_a_film_that_plays() {
    let whole = recorded(100).len();
    for room in [whole / 2, whole * 2 / 3, whole * 9 / 10] {
        let memory = Memory::new(room);
        let mut recording = recording(memory.clone(), (64, 48));
        let failed = times(100)
            .into_iter()
            .enumerate()
            .find_map(|(number, time)| recording.add(&canvas(64, 48, number), time).err())
            .or_else(|| recording.finish(0).err())
            .expect("the disk fills up");
        assert!(failed.to_string().contains("film.mp4"), "{failed}");
        let kept = recording.give_up();
        let bytes = memory.bytes();
        let film = read(&bytes);
        assert_eq!(film.whole, bytes.len(), "nothing in part is left");
        let last = film.pictures.last().expect("there are pictures");
        assert_eq!(last.time + u64::from(last.duration), (kept.as_secs_f64() * 9e4).round() as u64);
        assert_eq!(film.durations[0], last.time + u64::from(last.duration));
        let folder = Folder::new();
        std::fs::write(folder.path("film.mp4"), &bytes).expect("written");
        let (path, size) = (folder.path("film.mp4"), film.pictures.len() * 64 * 48 * 3);
        assert_eq!((complaints(&path).as_str(), decode(&path).1.len()), ("", size));
    }
}

#[test]
fn one_frame_is_a_film_too() {
    let film = read(&recorded(1));
    // A thirtieth of a second, for want of anything better.
    assert_eq!((film.pictures.len(), film.durations), (1, [3000; 4]));
}

fn plan(path: &Path, view: Recorded) -> Plan {
    let model = gradcam::model::Model::default_model().expect("the default model loads");
    let info = model.info;
    Plan {
        destination: Destination::at(path).expect("it can be written"),
        encoding: Encoding::default(),
        view,
        segment: None,
        source: "test".to_owned(),
        turn: Turn::None,
        model: gradcam::logbook::ModelFacts {
            file: info.file,
            sha256: String::new(),
            layer: info.layer.wire,
            preprocessing: info.preprocessing,
            probabilities: info.probabilities,
            coinciding: Vec::new(),
        },
    }
}

#[test]
fn a_view_that_is_faster_than_the_recorder_is_not_held_up_and_what_is_lost_is_counted() {
    let folder = Folder::new();
    let mut recorder =
        Recorder::start(plan(&folder.path("film.mp4"), Recorded::Overlay), false, (1280, 720)).expect("it starts");
    let frame = Arc::new(Frame { width: 1280, height: 720, rgb: vec![0; 1280 * 720 * 3], ..Frame::default() });
    let canvas = canvas(1280, 720, 1);
    for n in 0..200 {
        recorder.take(&canvas, &frame, &Look::default(), MS * 10 * n, false);
    }
    let progress = recorder.join();
    assert_eq!(progress.failed, None);
    assert!(progress.dropped > 0);
    assert_eq!(progress.frames + progress.dropped, 200);
    let film = read(&std::fs::read(folder.path("film.mp4")).expect("it is there"));
    assert_eq!(film.pictures.len() as u64, progress.frames);
    assert_eq!(progress.end.map(|end| (end.frames, end.dropped)), Some((progress.frames, progress.dropped)));
}

#[test]
fn a_recording_goes_on_in_new_files_that_are_complete_in_themselves() {
    let folder = Folder::new();
    let plan = Plan { segment: Some(Duration::from_secs(2)), ..plan(&folder.path("film.mp4"), Recorded::Raw) };
    let mut recorder = Recorder::start(plan, false, (64, 48)).expect("it starts");
    let frame = Arc::new(Frame { width: 64, height: 48, rgb: vec![90; 64 * 48 * 3], ..Frame::default() });
    for n in 0..150u32 {
        recorder.take(&Canvas::default(), &frame, &Look::default(), MS * 40 * n, true);
    }
    let progress = recorder.join();
    assert_eq!((progress.failed, progress.frames, progress.dropped), (None, 150, 0));
    let films: Vec<String> = folder.files().into_iter().filter(|name| name.ends_with(".mp4")).collect();
    // 2 s at 25 frames a second: 51 frames, the last of them at 2.0 s; 150 = 51 + 51 + 48.
    let counts: Vec<usize> =
        films.iter().map(|name| read(&std::fs::read(folder.path(name)).expect("readable")).pictures.len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 150);
    assert!(counts.iter().all(|count| [51, 48].contains(count)), "{counts:?}");
}

#[test]
fn small_and_odd_frames_are_recorded() {
    for (size, recorded) in [((1, 1), (16, 16)), ((641, 479), (642, 480)), ((33, 17), (34, 18))] {
        let folder = Folder::new();
        let plan = plan(&folder.path("film.mp4"), Recorded::Raw);
        let mut recorder = Recorder::start(plan, false, size).expect("it starts");
        let rgb = vec![200; size.0 * size.1 * 3];
        let frame = Arc::new(Frame { width: size.0, height: size.1, rgb, ..Frame::default() });
        (0..3).for_each(|n| recorder.take(&Canvas::default(), &frame, &Look::default(), MS * 40 * n, true));
        assert_eq!(recorder.join().failed, None, "{size:?}");
        let (said, pictures) = decode(&folder.path("film.mp4"));
        assert_eq!((said.as_str(), pictures.len()), ("", recorded.0 * recorded.1 * 9), "{size:?}");
        assert!(pictures.iter().all(|value| value.abs_diff(200) <= 10), "{size:?}"); // the codec rings at the edge
    }
}

/// The whole lines of a logbook.
fn lines(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is whole")).collect()
}

#[test]
fn the_program_records_what_it_shows_with_every_map() {
    let folder = Folder::new();
    let path = folder.path("film.mp4");
    let arguments =
        ["live", "--headless", "--source", "demo", "--frames", "20", "--json", "--record", &path.to_string_lossy()];
    let run = gradcam(&arguments);
    run.succeeds();
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    let film = read(&std::fs::read(&path).expect("it is there"));
    assert_eq!((film.width, film.height), (640, 480));

    let lines = lines(&std::fs::read_to_string(folder.path("film.jsonl")).expect("it is there"));
    let [Line::Recording(start), explained @ .., Line::End(end)] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(end.frames, film.pictures.len() as u64);
    assert!(run.stderr.contains(&format!("{} frames, {} lost", end.frames, end.dropped)), "{}", run.stderr);
    assert_eq!(start.model.sha256.len(), 64);
    let maps = std::fs::read(folder.path("film.maps")).expect("it is there");
    assert_eq!(maps.len(), explained.len() * 49 * 4);
    // The same numbers that --json printed, in the same order, but for those that came after the last picture.
    let printed: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!((1..=20).contains(&explained.len()) && printed.len() == 20, "{} {}", explained.len(), printed.len());
    for (line, printed) in explained.iter().zip(&printed) {
        let Line::Explained(entry) = line else { panic!("{line:?}") };
        assert_eq!(printed["frame"]["number"], entry.frame.frame);
        assert_eq!(printed["target"]["class"], entry.target.class);
        let map = &maps[entry.map.offset as usize..][..49 * 4];
        let max = map.chunks(4).map(|b| f32::from_le_bytes(b.try_into().expect("four"))).fold(0.0, f32::max);
        assert_eq!(max, entry.map.max);
        assert_eq!(film.pictures[entry.video.frame as usize].time, (entry.video.time * 9e4).round() as u64);
    }
    gradcam(&arguments).fails_saying(&["film.mp4", "overwrites nothing"]);
}

#[cfg(unix)]
#[test]
fn a_program_that_is_killed_leaves_a_film_and_its_numbers() {
    let folder = Folder::new();
    for round in 0..3 {
        let path = folder.path(&format!("film{round}.mp4"));
        let mut child = command(&["live", "--headless", "--source", "demo", "--record", &path.to_string_lossy()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // Two fragments and a part of one: the moment differs with the machine's load.
        crate::common::display::wait_for(|| {
            let bytes = std::fs::read(&path).ok()?;
            (read(&bytes).fragments.len() >= 2).then_some(())
        });
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        let film = read(&std::fs::read(&path).expect("it is there"));
        let (_, pictures) = decode(&path);
        assert!(pictures.len() >= film.pictures.len() * 640 * 480 * 3);
        let text = std::fs::read_to_string(path.with_extension("jsonl")).expect("it is there");
        let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
        let maps = std::fs::metadata(path.with_extension("maps")).expect("it is there").len();
        for line in lines(whole) {
            if let Line::Explained(entry) = line {
                assert!(entry.map.offset + 49 * 4 <= maps);
            }
        }
    }
}

#[test]
fn a_second_reader_agrees() {
    let folder = Folder::new();
    let path = folder.path("film.mp4");
    std::fs::write(&path, recorded(100)).expect("written");
    let output = Command::new("mediainfo")
        .args(["--Output=Video;%Format%|%FrameCount%|%Width%x%Height%|%Duration%"])
        .arg(&path)
        .output()
        .expect("mediainfo is installed (`make test` does it)");
    let run = Run::of(output);
    let times = times(100);
    let ms = (times[99] - times[0] + (times[99] - times[98])).as_millis();
    assert_eq!(run.stdout.trim(), format!("AVC|100|64x48|{ms}"));
}
