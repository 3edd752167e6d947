//! A camera that fails in every way, on a simulated clock: nothing here waits.

use gradcam::clock::{Clock, SimulatedClock};
use gradcam::frame::RawFrame;
use gradcam::shutdown::Shutdown;
use gradcam::source::reconnect::{Device, Reconnect, Waited};
use gradcam::source::{Event, Source};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the camera does at one read.
#[derive(Clone, Copy)]
enum Act {
    Frame,
    Nothing,
    Fail(&'static str),
    Panic,
}

/// What opening brings: a camera with a script, or an error.
type Opening = Result<Vec<Act>, &'static str>;

struct Fake {
    script: VecDeque<Act>,
    clock: Arc<SimulatedClock>,
    alive: Arc<AtomicUsize>,
    panics_when_dropped: bool,
}

impl Device for Fake {
    fn name(&self) -> String {
        "fake".into()
    }

    fn read(&mut self, raw: &mut RawFrame, timeout: Duration) -> Waited {
        match self.script.pop_front().unwrap_or(Act::Nothing) {
            Act::Frame => {
                self.clock.advance(Duration::from_millis(33));
                raw.time = self.clock.now();
                Waited::Frame
            }
            Act::Nothing => {
                self.clock.advance(timeout);
                Waited::Nothing
            }
            Act::Fail(reason) => Waited::Gone(reason.into()),
            Act::Panic => panic!("the fake camera panics, as it was told"),
        }
    }

    fn dropped(&self) -> u64 {
        2
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
        assert!(!self.panics_when_dropped, "the fake camera panics when dropped, as it was told");
    }
}

struct Stage {
    clock: Arc<SimulatedClock>,
    shutdown: Shutdown,
    opened_at: Arc<Mutex<Vec<Duration>>>,
    source: Box<dyn Source>,
    raw: RawFrame,
}

impl Stage {
    /// The last opening is repeated for ever. No two devices may be open at once.
    fn new(openings: Vec<Opening>, panics_when_dropped: bool) -> Stage {
        let clock = Arc::new(SimulatedClock::default());
        let opened_at = Arc::new(Mutex::new(Vec::new()));
        let alive = Arc::new(AtomicUsize::new(0));
        let shutdown = Shutdown::new();
        let (of_open, times, mut attempt) = (clock.clone(), opened_at.clone(), 0);
        let open = move || {
            times.lock().unwrap().push(of_open.now());
            let opening = openings[attempt.min(openings.len() - 1)].clone();
            attempt += 1;
            let script = opening.map_err(String::from)?.into();
            assert_eq!(alive.fetch_add(1, Ordering::SeqCst), 0, "the dead device is dropped before the next is opened");
            let (clock, alive) = (of_open.clone(), alive.clone());
            Ok(Box::new(Fake { script, clock, alive, panics_when_dropped }) as Box<dyn Device>)
        };
        let source = Box::new(Reconnect::new("camera".into(), open, clock.clone(), shutdown.clone()));
        Stage { clock, shutdown, opened_at, source, raw: RawFrame::new() }
    }

    fn read(&mut self) -> Event {
        self.source.read(&mut self.raw).unwrap()
    }

    /// Reads until a frame comes; returns the reasons for which none came before, repeated ones once.
    fn read_frame(&mut self) -> Vec<String> {
        let mut reasons = Vec::new();
        loop {
            let before = self.clock.now();
            match self.read() {
                Event::Frame => return reasons,
                Event::Lost(reason) => {
                    if reasons.last() != Some(&reason) {
                        reasons.push(reason);
                    }
                }
                Event::End => panic!("nobody asked to stop"),
            }
            assert!(self.clock.now() - before <= Duration::from_secs(4), "a read took too long");
        }
    }

    fn attempts(&self) -> Vec<Duration> {
        self.opened_at.lock().unwrap().clone()
    }

    /// Waiting times between the attempts, in milliseconds.
    fn pauses(&self) -> Vec<u128> {
        self.attempts().windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
    }
}

const UNPLUGGED: Act = Act::Fail("it was unplugged");

#[test]
fn frames_come_as_the_camera_sends_them() {
    let mut stage = Stage::new(vec![Ok(vec![Act::Frame; 5])], false);
    assert_eq!(stage.source.name(), "camera");
    for i in 1..=5 {
        assert_eq!(stage.read(), Event::Frame);
        assert_eq!(stage.raw.time, Duration::from_millis(33) * i);
    }
    assert_eq!(stage.source.name(), "fake");
}

#[test]
fn a_camera_that_comes_back_is_used_again() {
    let mut stage = Stage::new(
        vec![
            Ok(vec![Act::Frame, UNPLUGGED]),
            Err("it is not plugged in"),
            Err("it is not plugged in"),
            Ok(vec![Act::Frame; 9]),
        ],
        false,
    );
    assert!(stage.read_frame().is_empty());
    assert_eq!(stage.read_frame(), ["it was unplugged", "it is not plugged in"]);
    assert_eq!(stage.read_frame(), [""; 0]);
    assert_eq!(stage.source.dropped(), 4, "the frames that both devices dropped");
}

#[test]
fn the_pauses_double_to_four_seconds_and_start_anew_after_a_frame() {
    let mut openings = vec![Err("it is not plugged in"); 7];
    openings.push(Ok(vec![Act::Frame, UNPLUGGED]));
    openings.push(Ok(vec![Act::Frame]));
    let mut stage = Stage::new(openings, false);
    stage.read_frame();
    assert_eq!(stage.pauses(), [250, 500, 1000, 2000, 4000, 4000, 4000]);
    stage.read_frame();
    assert_eq!(*stage.pauses().last().unwrap(), 33 + 250);
}

#[test]
fn a_camera_that_opens_but_never_sends_is_tried_ever_more_slowly_too() {
    let mut openings = vec![Ok(vec![UNPLUGGED]); 4];
    openings.push(Ok(vec![Act::Frame]));
    let mut stage = Stage::new(openings, false);
    stage.read_frame();
    assert_eq!(stage.pauses(), [250, 500, 1000, 2000]);
}

#[test]
fn a_lost_camera_reports_every_quarter_of_a_second() {
    let mut stage = Stage::new(vec![Err("it is not plugged in")], false);
    let mut last = stage.clock.now();
    for _ in 0..100 {
        assert_eq!(stage.read(), Event::Lost("it is not plugged in".into()));
        assert!(stage.clock.now() - last <= Duration::from_millis(250));
        last = stage.clock.now();
    }
}

#[test]
fn a_camera_that_stops_sending_is_opened_again_after_three_seconds() {
    let mut stage = Stage::new(vec![Ok(vec![Act::Frame]), Ok(vec![Act::Frame])], false);
    stage.read_frame();
    let stalled_at = stage.clock.now();
    assert_eq!(stage.read_frame(), ["fake: no picture for 3 s"]);
    let again = *stage.attempts().last().unwrap() - stalled_at;
    assert!((3.0..3.6).contains(&again.as_secs_f64()), "{again:?}");
}

#[test]
fn a_slow_camera_has_not_stalled() {
    let mut script = Vec::new();
    for _ in 0..5 {
        script.extend([Act::Nothing; 11].into_iter().chain([Act::Frame]));
    }
    let mut stage = Stage::new(vec![Ok(script)], false);
    stage.read_frame();
    for _ in 0..4 {
        assert!(stage.read_frame().is_empty(), "2.75 s without a picture are no stall");
    }
    assert_eq!(stage.attempts().len(), 1);
}

#[test]
fn the_first_picture_may_take_longer_and_meanwhile_it_says_so() {
    let mut script = vec![Act::Nothing; 30];
    script.push(Act::Frame);
    let mut stage = Stage::new(vec![Ok(script)], false);
    assert_eq!(stage.read_frame(), ["fake: waiting for its first picture"]);
    assert_eq!(stage.attempts().len(), 1);

    let mut stage = Stage::new(vec![Ok(vec![]), Ok(vec![Act::Frame])], false);
    assert_eq!(stage.read_frame(), ["fake: waiting for its first picture", "fake: no picture for 8 s"]);
}

#[test]
fn a_device_that_panics_is_replaced() {
    let mut stage = Stage::new(vec![Ok(vec![Act::Frame, Act::Panic]), Ok(vec![Act::Frame])], true);
    stage.read_frame();
    assert_eq!(stage.read_frame(), ["the camera library failed"]);
    // The last device panics when it is dropped too; that is the test's affair.
    std::mem::forget(stage.source);
}

#[test]
fn shutdown_ends_the_reading_in_every_state() {
    let mut streaming = Stage::new(vec![Ok(vec![Act::Frame; 3])], false);
    streaming.read_frame();
    streaming.shutdown.request();
    assert_eq!(streaming.read(), Event::End);

    let mut waiting = Stage::new(vec![Err("it is not plugged in")], false);
    waiting.read();
    waiting.read();
    waiting.shutdown.request();
    let before = waiting.clock.now();
    assert_eq!(waiting.read(), Event::End);
    assert_eq!(waiting.clock.now(), before);
}
