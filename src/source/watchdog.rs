//! A device whose library can block for ever, on a thread of its own that can be woken and, if need be, left behind.

use super::reconnect::{Device, LIBRARY_FAILED, Waited, contained};
use crate::clock::Clock;
use crate::frame::RawFrame;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A device as its library has it: `grab` may block without end, and anything may panic. It is made, used and dropped
/// on one thread.
pub trait Capture {
    /// What the display calls it, e.g. `/dev/video0 640x480 MJPEG 30 fps`.
    fn name(&self) -> String;

    /// Waits for a frame and writes its format, size and data to `raw`. After an error the device is dropped. When the
    /// thread is woken by a signal, a system call that blocks must return.
    fn grab(&mut self, raw: &mut RawFrame) -> Result<(), String>;
}

/// A [`Device`] around a [`Capture`]: frames come through a slot that holds the newest one.
pub struct Watched {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    left_behind: Arc<LeftBehind>,
}

/// The thread that could not be woken, if there is one. No second one is started beside it: it still holds the device.
#[derive(Default)]
pub struct LeftBehind(Mutex<Weak<Shared>>);

impl LeftBehind {
    fn still_there(&self) -> bool {
        self.0.lock().expect("nothing panics while it holds the reference").strong_count() > 0
    }
}

struct Shared {
    stop: AtomicBool,
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    name: Option<String>,
    /// Meaningful when `full`; otherwise its memory is used again.
    frame: RawFrame,
    full: bool,
    dropped: u64,
    /// Set as the last act of the thread.
    ended: Option<String>,
}

impl Shared {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().expect("nothing panics while it holds the slot")
    }
}

impl Watched {
    /// The longest that dropping waits for the thread.
    pub const WAKING: Duration = Duration::from_millis(700);

    /// Starts a thread that opens the device and reads it.
    ///
    /// # Errors
    /// A thread of an earlier device is stuck, or none can be started.
    pub fn start<O>(open: O, clock: Arc<dyn Clock>, left_behind: Arc<LeftBehind>) -> Result<Watched, String>
    where
        O: FnOnce() -> Result<Box<dyn Capture>, String> + Send + 'static,
    {
        if left_behind.still_there() {
            return Err("the driver does not answer and cannot be woken; unplugging the camera may help".into());
        }
        wake::install();
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), slot: Mutex::default(), changed: Condvar::new() });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("camera".into())
            .spawn(move || {
                let reason = run(open, &of_thread, &*clock);
                of_thread.slot().ended = Some(reason);
                of_thread.changed.notify_all();
            })
            .map_err(|e| format!("no thread for the camera: {e}"))?;
        Ok(Watched { shared, thread: Some(thread), left_behind })
    }
}

/// Opens, reads until it is told to stop or the device fails, and drops; says why it ended. A device that panicked
/// panics again when it is dropped: apart from each other both are contained, together they would end the program.
/// So would a closing that is woken: what cannot stop its stream panics, and panics again over the buffers in it.
fn run<O>(open: O, shared: &Shared, clock: &dyn Clock) -> String
where
    O: FnOnce() -> Result<Box<dyn Capture>, String>,
{
    wake::hold_back();
    let mut capture = match contained(open).unwrap_or_else(|| Err(LIBRARY_FAILED.into())) {
        Ok(capture) => capture,
        Err(reason) => return reason,
    };
    wake::let_through();
    let result = contained(|| pump(&mut *capture, shared, clock));
    wake::hold_back();
    contained(|| drop(capture));
    match result {
        Some(Ok(())) => "closed".into(),
        Some(Err(reason)) => reason,
        None => LIBRARY_FAILED.into(),
    }
}

fn pump(capture: &mut dyn Capture, shared: &Shared, clock: &dyn Clock) -> Result<(), String> {
    let name = capture.name();
    shared.slot().name = Some(name);
    let mut raw = RawFrame::new();
    while !shared.stop.load(Ordering::Acquire) {
        capture.grab(&mut raw)?;
        raw.time = clock.now();
        let mut slot = shared.slot();
        std::mem::swap(&mut slot.frame, &mut raw);
        slot.dropped += u64::from(slot.full);
        slot.full = true;
        shared.changed.notify_all();
    }
    Ok(())
}

impl Device for Watched {
    fn name(&self) -> String {
        self.shared.slot().name.clone().unwrap_or_else(|| "camera".into())
    }

    fn read(&mut self, raw: &mut RawFrame, timeout: Duration) -> Waited {
        let waiting = |slot: &mut Slot| !slot.full && slot.ended.is_none();
        let (mut slot, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.slot(), timeout, waiting)
            .expect("nothing panics while it holds the slot");
        if slot.full {
            slot.full = false;
            std::mem::swap(&mut slot.frame, raw);
            return Waited::Frame;
        }
        match &slot.ended {
            Some(reason) => Waited::Gone(reason.clone()),
            None => Waited::Nothing,
        }
    }

    fn dropped(&self) -> u64 {
        self.shared.slot().dropped
    }
}

impl Drop for Watched {
    /// Wakes the thread until it has dropped the device. One signal is not enough: it may come just before the thread
    /// blocks.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        let end = Instant::now() + Watched::WAKING;
        while !thread.is_finished() && Instant::now() < end {
            wake::wake(&thread);
            let pause = Duration::from_millis(10);
            drop(self.shared.changed.wait_timeout_while(self.shared.slot(), pause, |slot| slot.ended.is_none()));
        }
        if thread.is_finished() {
            if thread.join().is_err() {
                log::warn!("{}: the camera thread ended in a panic", self.name());
            }
        } else {
            log::warn!("{}: the driver does not answer; its thread is left behind", self.name());
            *self.left_behind.0.lock().expect("nothing panics while it holds the reference") =
                Arc::downgrade(&self.shared);
        }
    }
}

#[cfg(unix)]
mod wake {
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::Once;
    use std::thread::JoinHandle;

    const SIGNAL: libc::c_int = libc::SIGUSR2;

    extern "C" fn nothing(_signal: libc::c_int) {}

    /// Gives the signal a handler that does nothing, without SA_RESTART: a system call that blocks returns EINTR.
    /// A handler that somebody else installed is left alone.
    pub fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: sigaction is plain data for which all zeros is valid (no flags, default handler); both pointers
            // are valid for the calls; `nothing` only returns, which is safe at any moment.
            unsafe {
                let mut present: libc::sigaction = std::mem::zeroed();
                let known = libc::sigaction(SIGNAL, std::ptr::null(), &mut present) == 0;
                if known && matches!(present.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) {
                    let mut action: libc::sigaction = std::mem::zeroed();
                    let handler: extern "C" fn(libc::c_int) = nothing;
                    action.sa_sigaction = handler as libc::sighandler_t;
                    libc::sigemptyset(&mut action.sa_mask);
                    libc::sigaction(SIGNAL, &action, std::ptr::null_mut());
                }
            }
        });
    }

    /// From here on the calling thread is not woken.
    pub fn hold_back() {
        mask(libc::SIG_BLOCK);
    }

    /// It is again; at once, if it was to be in between.
    pub fn let_through() {
        mask(libc::SIG_UNBLOCK);
    }

    fn mask(how: libc::c_int) {
        // SAFETY: a signal set is plain data; the pointers are valid for the calls, the old set is not asked for.
        unsafe {
            let mut signals: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut signals);
            libc::sigaddset(&mut signals, SIGNAL);
            libc::pthread_sigmask(how, &signals, std::ptr::null_mut());
        }
    }

    pub fn wake(thread: &JoinHandle<()>) {
        // SAFETY: the thread has been neither joined nor detached (we hold its handle), so its id is valid even if it
        // has ended. The signal has a handler (`install` ran before the thread was started), so it ends nothing.
        unsafe {
            libc::pthread_kill(thread.as_pthread_t(), SIGNAL);
        }
    }
}

#[cfg(not(unix))]
mod wake {
    use std::thread::JoinHandle;

    pub fn install() {}

    pub fn hold_back() {}

    pub fn let_through() {}

    pub fn wake(_thread: &JoinHandle<()>) {}
}
