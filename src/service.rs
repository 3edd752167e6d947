//! What a service manager is told: that the program has begun, that it lives, that it ends (systemd's `sd_notify`).
//! Without one, and on other systems than Linux, nothing is said.

use std::time::Duration;

/// Tells that the program lives, as often as the service manager wants to hear it, but only as long as all its work goes on.
pub struct Heartbeat {
    /// Half of the time after which the service manager takes the program for dead; none where it does not watch.
    every: Option<Duration>,
    last: Duration,
    /// The work of the other thread when it was last told.
    turns: u64,
}

impl Heartbeat {
    /// Tells that the program has begun its work.
    pub fn start(now: Duration) -> Heartbeat {
        system::tell(system::State::Ready);
        Heartbeat { every: system::watchdog().map(|time| time / 2), last: now, turns: 0 }
    }

    /// Called at every turn of one thread, with the number of turns of another: a thread that hangs is silent itself, or
    /// does not count on.
    pub fn beat(&mut self, now: Duration, turns: u64) {
        if self.is_due(now, turns) {
            (self.last, self.turns) = (now, turns);
            system::tell(system::State::Watchdog);
        }
    }

    fn is_due(&self, now: Duration, turns: u64) -> bool {
        turns > self.turns && self.every.is_some_and(|every| now.saturating_sub(self.last) >= every)
    }
}

impl Drop for Heartbeat {
    /// Tells that the program is about to end: files may still have to be closed.
    fn drop(&mut self) {
        system::tell(system::State::Stopping);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    pub enum State {
        Ready,
        Watchdog,
        Stopping,
    }

    pub fn tell(state: State) {
        let state = match state {
            State::Ready => sd_notify::NotifyState::Ready,
            State::Watchdog => sd_notify::NotifyState::Watchdog,
            State::Stopping => sd_notify::NotifyState::Stopping,
        };
        if let Err(error) = sd_notify::notify(&[state]) {
            log::warn!("the service manager cannot be told: {error}");
        }
    }

    pub fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    pub enum State {
        Ready,
        Watchdog,
        Stopping,
    }

    pub fn tell(_state: State) {}

    pub fn watchdog() -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_beats_in_time_and_only_while_both_threads_work() {
        let seconds = Duration::from_secs;
        let mut heart = Heartbeat { every: Some(seconds(5)), last: seconds(10), turns: 3 };
        assert!(!heart.is_due(seconds(14), 9), "too early");
        assert!(!heart.is_due(seconds(60), 3), "the other thread hangs");
        assert!(heart.is_due(seconds(15), 4));
        heart.beat(seconds(15), 4);
        assert!(!heart.is_due(seconds(19), 9) && heart.is_due(seconds(20), 9));
        heart.every = None;
        assert!(!heart.is_due(seconds(99), 99), "nobody listens");
    }
}
