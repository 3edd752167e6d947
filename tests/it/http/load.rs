//! Fifty clients, some of them slow and some that read nothing: `make test-http` for a minute, `make bench-http` for the
//! rates against a lone client.

use super::{Board, board};
use crate::common::http::{Parts, connect, request};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

const FAST: usize = 35;
const SLOW: usize = 10;
const STALLED: usize = 5;
/// Bytes a second that a slow client reads.
const SLOW_RATE: usize = 10_000;
/// How much more memory the program may have with fifty clients than with one: what the system holds for their sockets
/// is not in it.
const MEMORY: u64 = 64 << 20;

/// What one client was given.
#[derive(Default)]
struct Given {
    pictures: u64,
    /// The most frames that one picture was older than the newest.
    behind: u64,
}

fn watch(board: &Board, end: &AtomicBool) -> Given {
    let mut given = Given::default();
    for part in Parts::open(board.address, "/stream.mjpg") {
        given.pictures += 1;
        let behind = board.seen.frame.load(Ordering::Relaxed).saturating_sub(part.frame);
        given.behind = given.behind.max(behind);
        if end.load(Ordering::Relaxed) {
            break;
        }
    }
    given
}

fn open(address: SocketAddr) -> std::net::TcpStream {
    let mut stream = connect(address);
    stream.write_all(request("GET", "/stream.mjpg", &[], "").as_bytes()).expect("it is taken");
    stream
}

fn sip(address: SocketAddr, end: &AtomicBool) {
    let mut stream = open(address);
    let mut sip = vec![0; SLOW_RATE / 10];
    while !end.load(Ordering::Relaxed) && stream.read(&mut sip).is_ok_and(|read| read > 0) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What each fast client was given within `time`, with all others beside them or `alone`.
fn crowd(board: &Board, alone: bool, time: Duration) -> (Vec<Given>, u64) {
    let end = AtomicBool::new(false);
    scope(|scope| {
        let (fast, slow, stalled) = if alone { (1, 0, 0) } else { (FAST, SLOW, STALLED) };
        let stalled: Vec<_> = (0..stalled).map(|_| open(board.address)).collect();
        (0..slow).for_each(|_| {
            scope.spawn(|| sip(board.address, &end));
        });
        let clients: Vec<_> = (0..fast).map(|_| scope.spawn(|| watch(board, &end))).collect();
        let start = Instant::now();
        let mut most = 0;
        while start.elapsed() < time {
            std::thread::sleep(Duration::from_millis(100));
            most = most.max(board.metric("gradcam_resident_memory_bytes") as u64);
        }
        end.store(true, Ordering::Relaxed);
        let given = clients.into_iter().map(|client| client.join().expect("it reads")).collect();
        drop(stalled);
        (given, most)
    })
}

#[test]
#[ignore = "a minute: make test-http"]
fn fifty_clients_for_a_minute() {
    let folder = tempfile::tempdir().expect("there is room");
    let board = board(None, folder.path());
    let (lone, before) = crowd(&board, true, Duration::from_secs(5));
    let (given, most) = crowd(&board, false, Duration::from_secs(60));
    let frames = board.seen.frame.load(Ordering::Relaxed);
    let (fewest, behind) =
        (given.iter().map(|given| given.pictures).min(), given.iter().map(|given| given.behind).max());
    let stalled = board.metric("gradcam_http_clients_stalled_total");
    println!(
        "lone {} pictures in 5 s; {FAST} fast clients {fewest:?} at least in 60 s, {behind:?} frames behind at most; \
         {stalled} dropped; memory {} MB, at most {} MB; {frames} frames",
        lone[0].pictures,
        before >> 20,
        most >> 20
    );
    assert_eq!(stalled, STALLED as f64, "those that read nothing are dropped, and no others");
    // Five seconds of frames, where the stalled ones are dropped after fifteen.
    assert!(behind.is_some_and(|behind| behind < 500), "no client waits for another: {behind:?} frames behind");
    assert!(fewest.is_some_and(|fewest| fewest > 60), "each goes on: {fewest:?}");
    assert!(most < before + MEMORY, "{} MB, and before {} MB", most >> 20, before >> 20);
    let start = Instant::now();
    while board.metric("gradcam_http_connections") > 1.0 {
        assert!(start.elapsed() < Duration::from_secs(60), "they are gone");
    }
}

/// A measurement, not a test: it prints.
#[test]
#[ignore = "make bench-http"]
fn rates_against_a_lone_client() {
    let folder = tempfile::tempdir().expect("there is room");
    let board = board(None, folder.path());
    let time = Duration::from_secs(4);
    let mut ratios: Vec<f64> = (0..5)
        .map(|round| {
            let rate = |given: &[Given]| {
                let mut pictures: Vec<u64> = given.iter().map(|given| given.pictures).collect();
                pictures.sort_unstable();
                pictures[pictures.len() / 2] as f64 / time.as_secs_f64()
            };
            let (alone, crowded) = (rate(&crowd(&board, true, time).0), rate(&crowd(&board, false, time).0));
            println!(
                "round {}: alone {alone:.1} pictures a second, the median of {FAST} among {} clients {crowded:.1}",
                round + 1,
                FAST + SLOW + STALLED
            );
            crowded / alone
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("of the lone client's rate: median {:.2}, from {:.2} to {:.2}", ratios[2], ratios[0], ratios[4]);
}
