//! A camera library that blocks in a system call, panics, or cannot be woken; played with pipes.

use gradcam::clock::{Clock, SystemClock};
use gradcam::frame::{PixelFormat, RawFrame};
use gradcam::source::reconnect::{Device, Waited};
use gradcam::source::watchdog::{Capture, LeftBehind, Watched};
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// Each byte that is written to the pipe is a frame. Reading it blocks; a signal ends it with EINTR.
struct Pipe {
    reader: PipeReader,
    dropped: Sender<&'static str>,
}

impl Capture for Pipe {
    fn name(&self) -> String {
        "pipe".into()
    }

    fn grab(&mut self, raw: &mut RawFrame) -> Result<(), String> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(1) => {
                raw.format = PixelFormat::Grey;
                raw.data.clear();
                raw.data.push(byte[0]);
                Ok(())
            }
            Ok(_) => Err("it was unplugged".into()),
            Err(e) if e.kind() == ErrorKind::Interrupted => Err("interrupted".into()),
            Err(e) => Err(e.to_string()),
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.dropped.send("dropped");
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn start(left_behind: Arc<LeftBehind>) -> (Watched, PipeWriter, Receiver<&'static str>) {
    let (reader, writer) = pipe().unwrap();
    let (dropped, was_dropped) = channel();
    let open = move || Ok(Box::new(Pipe { reader, dropped }) as Box<dyn Capture>);
    (Watched::start(open, clock(), left_behind).unwrap(), writer, was_dropped)
}

#[test]
fn frames_pass_and_an_end_is_reported() {
    let (mut watched, mut writer, was_dropped) = start(Arc::default());
    let mut raw = RawFrame::new();
    for i in 1..=3 {
        writer.write_all(&[i]).unwrap();
        assert_eq!(watched.read(&mut raw, LONG), Waited::Frame);
        assert_eq!((raw.format, raw.data.as_slice()), (PixelFormat::Grey, &[i][..]));
    }
    assert_eq!(watched.name(), "pipe");
    assert_eq!(watched.read(&mut raw, Duration::from_millis(1)), Waited::Nothing);
    drop(writer);
    assert_eq!(watched.read(&mut raw, LONG), Waited::Gone("it was unplugged".into()));
    was_dropped.recv_timeout(LONG).unwrap();
}

#[test]
fn the_newest_frame_wins_and_the_others_are_counted() {
    let (mut watched, mut writer, _) = start(Arc::default());
    writer.write_all(&[1, 2, 3, 4, 5]).unwrap();
    let deadline = Instant::now() + LONG;
    while watched.dropped() < 4 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let mut raw = RawFrame::new();
    assert_eq!(watched.read(&mut raw, LONG), Waited::Frame);
    assert_eq!((raw.data.as_slice(), watched.dropped()), (&[5][..], 4));
}

/// The stall: nothing comes, the library waits without end. It must be woken, not abandoned, and drop its device.
#[test]
#[cfg(unix)]
fn a_thread_that_blocks_is_woken_and_drops_its_device() {
    let left_behind = Arc::<LeftBehind>::default();
    for _ in 0..20 {
        let (mut watched, writer, was_dropped) = start(left_behind.clone());
        assert_eq!(watched.read(&mut RawFrame::new(), Duration::from_millis(2)), Waited::Nothing);
        drop(watched);
        was_dropped.try_recv().expect("the device was dropped before the next one may be opened");
        drop(writer);
    }
}

/// Closing it waits in a system call, whose end it tells.
#[cfg(unix)]
struct SlowToClose {
    pipe: Pipe,
    closed: Sender<ErrorKind>,
}

#[cfg(unix)]
impl Capture for SlowToClose {
    fn name(&self) -> String {
        self.pipe.name()
    }

    fn grab(&mut self, raw: &mut RawFrame) -> Result<(), String> {
        self.pipe.grab(raw)
    }
}

#[cfg(unix)]
impl Drop for SlowToClose {
    fn drop(&mut self) {
        let (mut here, _there) = std::os::unix::net::UnixStream::pair().unwrap();
        here.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let _ = self.closed.send(here.read(&mut [0]).expect_err("nobody writes").kind());
    }
}

/// A stream that was not stopped, because a signal came, cannot be given back: the library panics twice, which would end
/// the program.
#[test]
#[cfg(unix)]
fn a_device_that_is_being_closed_is_not_woken() {
    let (reader, writer) = pipe().unwrap();
    let (dropped, _) = channel();
    let (closed, how) = channel();
    let open = move || Ok(Box::new(SlowToClose { pipe: Pipe { reader, dropped }, closed }) as Box<dyn Capture>);
    let mut watched = Watched::start(open, clock(), Arc::default()).unwrap();
    assert_eq!(watched.read(&mut RawFrame::new(), Duration::from_millis(20)), Waited::Nothing);
    drop(watched);
    drop(writer);
    assert_eq!(how.recv_timeout(LONG).unwrap(), ErrorKind::WouldBlock);
}

struct Stuck(Arc<AtomicBool>);

impl Capture for Stuck {
    fn name(&self) -> String {
        "stuck".into()
    }

    fn grab(&mut self, _raw: &mut RawFrame) -> Result<(), String> {
        while !self.0.load(Ordering::Acquire) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Err("at last".into())
    }
}

#[test]
fn a_thread_that_cannot_be_woken_is_left_behind_and_no_second_one_started() {
    let release = Arc::new(AtomicBool::new(false));
    let left_behind = Arc::<LeftBehind>::default();
    let of_stuck = release.clone();
    let open = move || Ok(Box::new(Stuck(of_stuck)) as Box<dyn Capture>);
    let mut watched = Watched::start(open, clock(), left_behind.clone()).unwrap();
    assert_eq!(watched.read(&mut RawFrame::new(), Duration::from_millis(20)), Waited::Nothing);
    // This does not wait for the thread, which is released below.
    drop(watched);
    let nothing = || Err("opened".into());
    let refused = Watched::start(nothing, clock(), left_behind.clone()).err().unwrap();
    assert!(refused.contains("does not answer"), "{refused}");
    release.store(true, Ordering::Release);
    let deadline = Instant::now() + LONG;
    while Watched::start(nothing, clock(), left_behind.clone()).is_err() {
        assert!(Instant::now() < deadline, "the thread ended, but a new one is refused");
        std::thread::yield_now();
    }
}

#[test]
fn an_opening_that_fails_says_why() {
    let mut watched = Watched::start(|| Err("another program is using it".into()), clock(), Arc::default()).unwrap();
    let mut raw = RawFrame::new();
    assert_eq!(watched.read(&mut raw, LONG), Waited::Gone("another program is using it".into()));
}

struct Panics(Arc<Mutex<u32>>);

impl Capture for Panics {
    fn name(&self) -> String {
        "panics".into()
    }

    fn grab(&mut self, _raw: &mut RawFrame) -> Result<(), String> {
        panic!("the fake library panics, as it was told");
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
        panic!("and again when dropped");
    }
}

/// Without care the second panic, during the unwinding of the first, would end the program.
#[test]
fn a_library_that_panics_and_panics_again_when_dropped_is_contained() {
    let drops = Arc::new(Mutex::new(0));
    let of_device = drops.clone();
    let open = move || Ok(Box::new(Panics(of_device)) as Box<dyn Capture>);
    let mut watched = Watched::start(open, clock(), Arc::default()).unwrap();
    let mut raw = RawFrame::new();
    assert_eq!(watched.read(&mut raw, LONG), Waited::Gone("the camera library failed".into()));
    drop(watched);
    assert_eq!(*drops.lock().unwrap_or_else(|poisoned| poisoned.into_inner()), 1);
}
