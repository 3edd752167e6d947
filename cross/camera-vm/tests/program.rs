//! The program itself, as a user starts it.

use super::formats::request;
use super::replug::{flat, resident};
use crate::eye::Eye;
use crate::webcam::{BY_ID, SIZES, Webcam, wait};
use gradcam::frame::PixelFormat;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(60);
/// From a signal to the end.
const END: Duration = Duration::from_secs(2);

pub fn gradcam(arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/gradcam");
    command.args(arguments).stdin(Stdio::null());
    command
}

pub fn live(node: &str) -> Command {
    gradcam(&["live", "--headless", "--json", "--model", "/model.onnx", "--source", node])
}

pub fn explains() {
    let camera = Webcam::plug(0);
    let list = gradcam(&["devices"]).output().expect("it starts");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("Webcam") && list.contains("vivid") && list.contains("MJPEG"), "{list}");
    // The driver's node for metadata is no camera.
    assert_eq!(list.matches("/dev/video").count(), 2, "{list}");
    for (format, word) in [("mjpeg", "320x240 MJPEG 30 fps"), ("yuyv", "320x240 YUYV 30 fps")] {
        let start = Instant::now();
        let run = live(&camera.node).args(["--frames", "3", "--size", "320x240", "--format", format]).output();
        let run = run.expect("it starts");
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{err}");
        assert_eq!(out.lines().count(), 3, "{out}");
        for line in out.lines() {
            let report: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
            assert!(report["input"].as_str().is_some_and(|source| source.contains(word)), "{line}");
            assert!(report["map"]["width"].as_u64().is_some_and(|width| width > 1), "{line}");
        }
        println!("  3 frames of {word} explained, {:.1} s with start and end", start.elapsed().as_secs_f64());
    }
}

/// From the moment that a camera is there to the first picture that is explained.
const BACK: Duration = Duration::from_secs(5);

pub fn outlives() {
    let mut camera = Some(Webcam::plug(0));
    let mut program = live(BY_ID).stdout(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(program.stdout.take().expect("it is piped")).lines();
    let explained = Arc::new(AtomicU64::new(0));
    let count = explained.clone();
    std::thread::spawn(move || lines.for_each(|_| _ = count.fetch_add(1, Ordering::Relaxed)));
    let seen = || explained.load(Ordering::Relaxed);
    let more = |limit| {
        let before = seen();
        let start = Instant::now();
        wait(limit, || (seen() > before).then(|| start.elapsed())).expect("pictures are explained")
    };
    // What was on its way is through when nothing comes for a second.
    let silent = || {
        let mut before = seen();
        while wait(Duration::from_secs(1), || (seen() > before).then_some(())).is_some() {
            before = seen();
        }
    };
    more(START);
    let (mut memory, mut slowest) = (Vec::new(), Duration::ZERO);
    let process = program.id().to_string();
    for _ in 0..10 {
        drop(camera.take());
        silent();
        camera = Some(Webcam::plug(0));
        slowest = slowest.max(more(BACK));
        memory.push(resident(&process));
        assert!(program.try_wait().expect("it can be waited for").is_none(), "it has ended");
    }
    println!("  explained again within {slowest:.1?}, memory {memory:?} kB");
    flat(&memory);
    let tell = |frozen| camera.iter().for_each(|camera| camera.tell(|controls| controls.frozen = frozen));
    tell(true);
    silent();
    // Longer than it takes to give the camera up.
    std::thread::sleep(Duration::from_secs(5));
    tell(false);
    println!("  frozen for 6 s: explained again after {:.1?}", more(2 * BACK));
    assert_eq!(terminate(program).1.code(), Some(0));
}

/// The time from SIGTERM to the end.
fn terminate(mut program: Child) -> (Duration, ExitStatus) {
    let start = Instant::now();
    // SAFETY: the child has not been waited for, so its number is still its own.
    unsafe { libc::kill(program.id() as libc::pid_t, libc::SIGTERM) };
    let ended = wait(Duration::from_secs(10), || program.try_wait().expect("it can be waited for"));
    let took = start.elapsed();
    let Some(status) = ended else {
        let _ = program.kill();
        panic!("it did not end within 10 s");
    };
    (took, status)
}

pub fn ends() {
    for state in ["sending", "frozen", "unplugged", "back"] {
        let mut camera = Some(Webcam::plug(0));
        let node = camera.as_ref().expect("it was just plugged in").node.clone();
        let mut program = live(&node).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(program.stdout.take().expect("it is piped")).lines();
        lines.next().expect("it explains").expect("its output can be read");
        match state {
            "frozen" => camera.iter().for_each(|camera| camera.tell(|controls| controls.frozen = true)),
            "unplugged" => camera = None,
            "back" => {
                drop(camera.take());
                camera = Some(Webcam::plug(0));
                // What was explained before the camera went may still be in the pipe; this is more than it holds.
                let end = Instant::now() + START;
                (0..40).for_each(|_| assert!(lines.next().is_some() && Instant::now() < end, "it does not go on"));
            }
            _ => {}
        }
        std::thread::spawn(move || lines.for_each(drop));
        let (took, status) = terminate(program);
        println!("  {state}: ended after {took:.1?}");
        assert!(took < END, "{state}: {took:?}");
        assert_eq!((status.code(), status.signal()), (Some(0), None), "{state}");
        drop(camera);
    }
    // Before the first picture: of a camera that sends none, and of one that another program has.
    for state in ["silent", "busy"] {
        let camera = Webcam::plug(0);
        camera.tell(|controls| controls.frozen = state == "silent");
        let holder = (state == "busy").then(|| {
            let mut eye = Eye::open(&camera.node, &request(PixelFormat::Mjpeg, SIZES[0], 30));
            eye.picture(START, |_| {});
            eye
        });
        let program = live(&camera.node).stdout(Stdio::null()).spawn().expect("it starts");
        // The thread that waits for pictures, and where the camera lets itself be opened the one that opens it.
        let waiting = if state == "silent" { "camera" } else { "capture" };
        let threads = format!("/proc/{}/task", program.id());
        let there = || {
            let tasks = std::fs::read_dir(&threads).into_iter().flatten().flatten();
            let mut names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            names.any(|name| name.trim() == waiting).then_some(())
        };
        wait(START, there).expect("it waits for pictures");
        let (took, status) = terminate(program);
        println!("  {state}: ended after {took:.1?}");
        assert!(took < END, "{state}: {took:?}");
        assert_eq!((status.code(), status.signal()), (Some(0), None), "{state}");
        drop(holder);
    }
}

pub fn permission() {
    let camera = Webcam::plug(0);
    let run = gradcam(&["live", "--headless", "--model", "/model.onnx", "--source", &camera.node])
        .uid(1000)
        .gid(1000)
        .output()
        .expect("it starts");
    let err = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(2), "{err}");
    assert!(err.contains(&camera.node) && err.contains("no permission") && err.contains("group `video`"), "{err}");
}
