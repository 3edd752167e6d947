//! Time as a value that is passed, so that tests simulate it.

use crate::shutdown::Shutdown;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Tells the time since the program started, and waits.
pub trait Clock: Send + Sync {
    /// Time since the clock was made. Never goes backwards.
    fn now(&self) -> Duration;

    /// Waits for `duration`, or less if `shutdown` is requested meanwhile.
    fn sleep(&self, duration: Duration, shutdown: &Shutdown);
}

/// The clock of the machine (monotonic).
pub struct SystemClock(Instant);

impl SystemClock {
    #[allow(clippy::new_without_default)]
    pub fn new() -> SystemClock {
        SystemClock(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration, shutdown: &Shutdown) {
        shutdown.wait(duration);
    }
}

/// A clock for tests: `sleep` only moves its hands.
#[derive(Default)]
pub struct SimulatedClock(Mutex<Duration>);

impl SimulatedClock {
    pub fn advance(&self, duration: Duration) {
        *self.0.lock().expect("nothing panics while it holds the hands") += duration;
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Duration {
        *self.0.lock().expect("nothing panics while it holds the hands")
    }

    fn sleep(&self, duration: Duration, _shutdown: &Shutdown) {
        self.advance(duration);
    }
}
