//! Letting no more than so many a second through.

use std::time::Duration;

/// Lets through at most so many a second in the long run, evenly spaced as far as what comes allows it.
#[derive(Debug, Default)]
pub struct Pace {
    /// When the next one is due.
    due: Duration,
}

impl Pace {
    /// What comes so much too early is let through, or a quarter of an interval where that is less: a camera of 30 fps
    /// that may give 30 is not halved by its jitter.
    const EARLY: Duration = Duration::from_millis(20);

    /// How long it still is until one may pass; zero without a limit (per second).
    pub fn wait(&self, now: Duration, limit: Option<f32>) -> Duration {
        limit.map_or(Duration::ZERO, |limit| self.due.saturating_sub(now + Pace::EARLY.min(interval(limit) / 4)))
    }

    /// One passes now.
    pub fn pass(&mut self, now: Duration, limit: Option<f32>) {
        // Whoever comes late is not made up for: two at once are no pace.
        self.due = limit.map_or(now, |limit| match self.due + interval(limit) {
            due if due > now => due,
            _ => now + interval(limit),
        });
    }
}

fn interval(limit: f32) -> Duration {
    Duration::try_from_secs_f32(limit.recip()).unwrap_or(Duration::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of those that come at these times, in milliseconds, pass.
    fn passed(times: impl Iterator<Item = u64>, limit: f32) -> Vec<u64> {
        let mut pace = Pace::default();
        times
            .filter(|&time| {
                let now = Duration::from_millis(time);
                let passes = pace.wait(now, Some(limit)).is_zero();
                passes.then(|| pace.pass(now, Some(limit)));
                passes
            })
            .collect()
    }

    #[test]
    fn the_rate_is_the_asked_one_though_it_divides_nothing() {
        // Ten seconds of 30 a second.
        let camera = || (0..300).map(|frame| frame * 100 / 3);
        assert_eq!(passed(camera(), 20.0).len(), 200);
        assert_eq!(passed(camera(), 7.0).len(), 70);
        assert_eq!(passed(camera(), 0.5).len(), 5);
        assert_eq!(passed(camera(), 60.0).len(), 300);
    }

    #[test]
    fn jitter_does_not_halve_it() {
        let jittering = (0..300).map(|frame| frame * 100 / 3 + if frame % 2 == 0 { 0 } else { 6 });
        assert_eq!(passed(jittering, 30.0).len(), 300);
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let gap = (0..10).chain(5000..5100).map(|time| time * 10);
        let late: Vec<u64> = passed(gap, 10.0).into_iter().filter(|&time| time >= 50_000).collect();
        assert!(late.len() <= 10, "{late:?}");
    }

    #[test]
    fn without_a_limit_all_pass() {
        let mut pace = Pace::default();
        pace.pass(Duration::from_secs(5), None);
        assert_eq!(pace.wait(Duration::from_secs(5), None), Duration::ZERO);
    }
}
