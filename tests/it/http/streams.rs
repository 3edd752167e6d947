//! Pictures and events: the newest for each client, at its own rate.

use super::board;
use crate::common::http::{LONG, Parts, connect, get, request, send};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

fn nowhere() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

/// Asks until it is so.
#[track_caller]
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn both_streams_show_the_newest_frames() {
    let folder = nowhere();
    let board = board(None, folder.path());
    for path in ["/stream.mjpg", "/raw.mjpg"] {
        let mut last = None;
        for part in Parts::open(board.address, path).take(5) {
            let picture =
                image::load_from_memory_with_format(&part.jpeg, image::ImageFormat::Jpeg).expect("it is JPEG");
            let picture = picture.to_rgb8();
            assert_eq!((picture.width(), picture.height()), (640, 480));
            // The board's greys say which frame it is; the noise on them is 0 to 15.
            let grey = f64::from(picture.get_pixel(320, 240)[1]);
            let expected = (part.frame % 200) as f64 + 7.5;
            assert!((grey - expected).abs() <= 16.0, "frame {}: {grey}", part.frame);
            assert!(last.is_none_or(|last| last < part.frame), "{path} goes on");
            last = Some(part.frame);
        }
    }
    let one = get(board.address, "/frame.jpg");
    assert_eq!((one.status, one.field("content-type")), (200, Some("image/jpeg")));
    assert_eq!(one.field("content-length"), Some(one.body.len().to_string().as_str()));
    assert!(one.field("x-frame").is_some());
}

#[test]
fn nothing_is_encoded_while_nobody_looks() {
    let folder = nowhere();
    let board = board(None, folder.path());
    soon("frames come", || board.seen.frame.load(Ordering::Relaxed) > 10);
    assert_eq!(board.metric("gradcam_http_pictures_encoded_total"), 0.0);
    let mut parts = Parts::open(board.address, "/raw.mjpg");
    assert!(parts.next().is_some());
    assert_eq!(board.metric("gradcam_http_viewers{picture=\"raw\"}"), 1.0);
    drop(parts);
    soon("the viewer is gone", || board.metric("gradcam_http_viewers{picture=\"raw\"}") == 0.0);
    let encoded = board.metric("gradcam_http_pictures_encoded_total");
    assert!(encoded >= 1.0);
    let frame = board.seen.frame.load(Ordering::Relaxed);
    soon("frames come", || board.seen.frame.load(Ordering::Relaxed) > frame + 20);
    // One may have been on its way.
    assert!(board.metric("gradcam_http_pictures_encoded_total") <= encoded + 1.0);
}

#[test]
fn one_picture_is_encoded_once_for_all() {
    let folder = nowhere();
    let board = board(None, folder.path());
    let mut clients: Vec<Parts> = (0..8).map(|_| Parts::open(board.address, "/raw.mjpg")).collect();
    for _ in 0..10 {
        clients.iter_mut().for_each(|client| assert!(client.next().is_some()));
    }
    let (encoded, frames) =
        (board.metric("gradcam_http_pictures_encoded_total"), board.seen.frame.load(Ordering::Relaxed));
    assert!(encoded <= frames as f64 + 1.0, "{encoded} pictures of {frames} frames");
}

#[test]
fn a_client_that_reads_nothing_delays_nobody_and_is_dropped() {
    let folder = nowhere();
    let board = board(None, folder.path());
    let open = |address: SocketAddr| {
        let mut stream = connect(address);
        stream.write_all(request("GET", "/raw.mjpg", &[], "").as_bytes()).expect("it is taken");
        stream
    };
    let stalled: Vec<_> = (0..5).map(|_| open(board.address)).collect();
    let mut fast = Parts::open(board.address, "/raw.mjpg");
    let mut parts = 0;
    // Until the stalled ones are dropped the fast one goes on: what it gets is the newest, not what was waiting.
    soon("the stalled clients are dropped", || {
        let part = fast.next().expect("the fast client goes on");
        let behind = board.seen.frame.load(Ordering::Relaxed).saturating_sub(part.frame);
        // Five seconds of frames: more than a busy machine takes, less than until the stalled ones are dropped.
        assert!(behind < 500, "it is {behind} frames behind");
        parts += 1;
        parts % 20 == 0 && board.metric("gradcam_http_clients_stalled_total") == 5.0
    });
    drop(stalled);
    drop(fast);
    soon("all are gone", || board.metric("gradcam_http_connections") == 1.0);
}

#[test]
fn events_tell_the_status_again_and_again() {
    let folder = nowhere();
    let board = board(None, folder.path());
    let mut stream = connect(board.address);
    stream.write_all(request("GET", "/events", &[], "").as_bytes()).expect("it is taken");
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    // The first may come before the first frame.
    let starting = |line: &String| line.contains(r#""state":"starting""#);
    let told = lines.filter(|line| line.starts_with("data: "));
    let events: Vec<String> = told.skip_while(starting).take(3).collect();
    assert_eq!(events.len(), 3);
    let told = get(board.address, "/status.json").json();
    for event in events {
        let event: serde_json::Value = serde_json::from_str(&event["data: ".len()..]).expect("it is JSON");
        assert_eq!((&event["state"], &event["source"], &event["run"]), (&"live".into(), &"test".into(), &told["run"]));
    }
    let model = get(board.address, "/model.json").json();
    assert_eq!((&model["labels"][1], &model["run"]), (&"dog".into(), &told["run"]));
    assert_eq!(get(board.address, "/map.json").status, 503, "there is no map");
}

#[test]
fn who_comes_when_it_is_full_is_told_so() {
    let folder = nowhere();
    let board = board(None, folder.path());
    let streams: Vec<Parts> = (0..96).map(|_| Parts::open(board.address, "/raw.mjpg")).collect();
    let refused = send(board.address, request("GET", "/raw.mjpg", &[], "").as_bytes()).expect("an answer");
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("5")));
    assert_eq!(get(board.address, "/status.json").status, 200, "there is room for the rest");
    let idle: Vec<_> = (0..32).map(|_| connect(board.address)).collect();
    soon("it is full", || {
        let reply = send(board.address, request("GET", "/status.json", &[], "").as_bytes());
        reply.is_some_and(|reply| reply.status == 503 && reply.json()["error"].is_string())
    });
    drop(idle);
    drop(streams);
    soon("there is room again", || get(board.address, "/status.json").status == 200);
}

/// Threads and open files of this process whose names or addresses say that they are the server's.
#[cfg(target_os = "linux")]
fn left(address: SocketAddr) -> (usize, usize) {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux tells");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let threads = names.filter(|name| name.trim() == "http" || name.trim() == "encoder").count();
    // Sockets of the port that are open still (01) or listening (0A).
    let port = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("Linux tells");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let sockets = rows.filter(|row| row[1].ends_with(&port) && (row[3] == "01" || row[3] == "0A")).count();
    (threads, sockets)
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_running() {
    let folder = nowhere();
    let board = board(None, folder.path());
    let address = board.address;
    let clients: Vec<Parts> = (0..5).map(|_| Parts::open(address, "/stream.mjpg")).collect();
    let (threads, sockets) = left(address);
    assert!(threads >= 2 && sockets >= 6, "{threads} threads, {sockets} sockets");
    // With clients that are still there.
    drop(board);
    assert!(clients.into_iter().all(|client| client.count() < 1000), "each stream ends");
    soon("sockets are closed", || left(address).1 == 0);
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}
