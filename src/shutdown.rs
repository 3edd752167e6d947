//! The wish to stop, as a value that every loop looks at.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Shared by all threads of one run. Once requested it stays requested.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Default)]
struct State {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Shutdown {
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// Asks every loop to end. Returns false if it had been asked before.
    pub fn request(&self) -> bool {
        let mut requested = self.0.requested.lock().expect("nothing panics while it holds the flag");
        let first = !*requested;
        *requested = true;
        self.0.changed.notify_all();
        first
    }

    pub fn requested(&self) -> bool {
        *self.0.requested.lock().expect("nothing panics while it holds the flag")
    }

    /// Waits for the request, at most `timeout`; returns whether it came.
    pub fn wait(&self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        let mut requested = self.0.requested.lock().expect("nothing panics while it holds the flag");
        while !*requested {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            requested = self.0.changed.wait_timeout(requested, left).expect("nothing panics while it holds the flag").0;
        }
        *requested
    }
}
