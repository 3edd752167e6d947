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

    /// The longest that one turn of the other thread may take where it prepares something: as long as `gradcam.service`
    /// gives the program to start.
    const PREPARING: Duration = Duration::from_secs(300);

    /// Called at every turn of one thread, with the number of turns of another: a thread that hangs is silent itself, or
    /// does not count on. `preparing` is since when the other has been at what takes longer than turns do.
    pub fn beat(&mut self, now: Duration, turns: u64, preparing: Option<Duration>) {
        if self.is_due(now, turns, preparing) {
            (self.last, self.turns) = (now, turns);
            system::tell(system::State::Watchdog);
        }
    }

    fn is_due(&self, now: Duration, turns: u64, preparing: Option<Duration>) -> bool {
        let prepares = preparing.is_some_and(|since| now.saturating_sub(since) < Heartbeat::PREPARING);
        let lives = turns > self.turns || prepares;
        lives && self.every.is_some_and(|every| now.saturating_sub(self.last) >= every)
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
        assert!(!heart.is_due(seconds(14), 9, None), "too early");
        assert!(!heart.is_due(seconds(60), 3, None), "the other thread hangs");
        assert!(heart.is_due(seconds(15), 4, None));
        heart.beat(seconds(15), 4, None);
        assert!(!heart.is_due(seconds(19), 9, None) && heart.is_due(seconds(20), 9, None));
        heart.every = None;
        assert!(!heart.is_due(seconds(99), 99, None), "nobody listens");
    }

    #[test]
    fn what_takes_longer_than_a_turn_is_given_its_time_and_no_more() {
        let seconds = Duration::from_secs;
        let mut heart = Heartbeat { every: Some(seconds(30)), last: seconds(100), turns: 7 };
        // A layer is loaded from second 110 on: it beats at 130, 160, …, as long as that may take.
        let beats: Vec<u64> = (110..600)
            .filter(|&now| {
                let due = heart.is_due(seconds(now), 7, Some(seconds(110)));
                heart.beat(seconds(now), 7, Some(seconds(110)));
                due
            })
            .collect();
        assert_eq!(beats, [130, 160, 190, 220, 250, 280, 310, 340, 370, 400]);
        assert!(heart.is_due(seconds(600), 8, Some(seconds(110))), "it is done after all");
    }
}
