//! How long the stages take, and how many frames pass.

use serde::Serialize;
use std::collections::VecDeque;
use std::time::Duration;

/// How many of the last durations of a stage are kept.
const KEPT: usize = 2048;

/// The stages whose time is told, in the order of a frame's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Decode,
    Preprocess,
    Forward,
    /// Gradients, method, scale and gate.
    HeatMap,
    Overlay,
    /// Handing the canvas to the window.
    Show,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

/// The percentiles of each stage that has run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stages {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heatmap: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show: Option<Percentiles>,
}

/// Collects the durations of all stages.
#[derive(Debug, Default)]
pub struct Stats {
    durations: [VecDeque<Duration>; 6],
}

impl Stats {
    pub fn record(&mut self, stage: Stage, duration: Duration) {
        let durations = &mut self.durations[stage as usize];
        if durations.len() == KEPT {
            durations.pop_front();
        }
        durations.push_back(duration);
    }

    pub fn stages(&self) -> Stages {
        let of = |stage: Stage| percentiles(self.durations[stage as usize].iter().copied().collect());
        Stages {
            decode: of(Stage::Decode),
            preprocess: of(Stage::Preprocess),
            forward: of(Stage::Forward),
            heatmap: of(Stage::HeatMap),
            overlay: of(Stage::Overlay),
            show: of(Stage::Show),
        }
    }
}

/// Nearest-rank percentiles; `None` of nothing.
fn percentiles(mut durations: Vec<Duration>) -> Option<Percentiles> {
    durations.sort_unstable();
    let rank = |percent: usize| {
        let at = (durations.len() * percent).div_ceil(100).max(1) - 1;
        durations.get(at).map(|duration| duration.as_secs_f64() * 1e3)
    };
    Some(Percentiles { p50: rank(50)?, p95: rank(95)?, p99: rank(99)? })
}

/// Events per second over the last two seconds.
#[derive(Debug, Default)]
pub struct Rate {
    times: VecDeque<Duration>,
}

impl Rate {
    const WINDOW: Duration = Duration::from_secs(2);

    pub fn tick(&mut self, now: Duration) {
        self.times.push_back(now);
        self.forget(now);
    }

    /// Whether nothing was counted yet.
    pub fn is_new(&self) -> bool {
        self.times.is_empty()
    }

    /// 0 until two events lie within the window.
    pub fn per_second(&mut self, now: Duration) -> f32 {
        self.forget(now);
        match (self.times.front(), self.times.back()) {
            (Some(first), Some(last)) if last > first => (self.times.len() - 1) as f32 / (*last - *first).as_secs_f32(),
            _ => 0.0,
        }
    }

    fn forget(&mut self, now: Duration) {
        while self.times.front().is_some_and(|first| now.saturating_sub(*first) > Self::WINDOW) {
            self.times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut stats = Stats::default();
        (1..=100).rev().for_each(|ms| stats.record(Stage::Forward, Duration::from_millis(ms)));
        assert_eq!(stats.stages().forward, Some(Percentiles { p50: 50.0, p95: 95.0, p99: 99.0 }));
        assert_eq!(stats.stages().decode, None);
    }

    #[test]
    fn the_rate_forgets_what_is_long_ago() {
        let mut rate = Rate::default();
        (0..=60).for_each(|tick| rate.tick(Duration::from_millis(tick * 50)));
        assert!((rate.per_second(Duration::from_secs(3)) - 20.0).abs() < 1e-3);
        assert_eq!(rate.per_second(Duration::from_secs(60)), 0.0);
    }
}
