//! A scale and a gate that stay calm over a video. The map itself is not smoothed: it stays exact.

use super::HeatMap;
use std::time::Duration;

/// How fast the scale rises to a higher maximum, and the gate opens and closes.
const ATTACK: Duration = Duration::from_millis(300);
/// How fast the scale falls to a lower one.
const RELEASE: Duration = Duration::from_secs(5);

/// Follows the maxima of one method's maps of one target.
#[derive(Debug, Default)]
pub struct Follower {
    last: Option<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    time: Duration,
    /// The class, and the one it is held against.
    target: (usize, Option<usize>),
    method: &'static str,
    scale: f32,
    gate: f32,
}

impl Follower {
    /// Replaces the scale and the gate of `map`, which has those of a still picture, by the followed ones.
    pub fn follow(&mut self, map: &mut HeatMap) {
        let target = (map.target.class, map.against.as_ref().map(|against| against.class));
        if let Some(last) = self.last {
            let elapsed = map.time.saturating_sub(last.time);
            map.gate = approach(last.gate, map.gate, elapsed, ATTACK);
            // Maps of another class or method have a scale of their own.
            if (last.target, last.method) == (target, map.method) {
                let pace = if map.scale > last.scale { ATTACK } else { RELEASE };
                map.scale = approach(last.scale, map.scale, elapsed, pace);
            }
        }
        let HeatMap { time, method, scale, gate, .. } = *map;
        self.last = Some(State { time, target, method, scale, gate });
    }
}

/// Exponential approach: after `pace`, 63 % of the way.
fn approach(from: f32, to: f32, elapsed: Duration, pace: Duration) -> f32 {
    to + (from - to) * (-elapsed.as_secs_f32() / pace.as_secs_f32()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cam::{Ranked, Unit};
    use crate::frame::{Geometry, Rect};

    fn map(ms: u64, scale: f32, gate: f32) -> HeatMap {
        let seen = Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        HeatMap {
            values: ndarray::Array2::zeros((1, 1)),
            unit: Unit::Score,
            method: "grad-cam",
            signed: true,
            target: Ranked { class: 1, label: String::new(), logit: 0.0, probability: 0.0 },
            against: None,
            top: Vec::new(),
            scale,
            gate,
            evidence: 0.0,
            contrast: 0.0,
            drop_test: None,
            geometry: Geometry { width: 1, height: 1, seen },
            number: 0,
            time: Duration::from_millis(ms),
        }
    }

    fn followed(steps: &[(u64, f32, f32)]) -> HeatMap {
        let mut follower = Follower::default();
        let mut last = None;
        for (ms, scale, gate) in steps {
            let mut map = map(*ms, *scale, *gate);
            follower.follow(&mut map);
            last = Some(map);
        }
        last.expect("there is at least one step")
    }

    #[test]
    fn the_scale_rises_fast_and_falls_slowly() {
        // After one time constant 1 − 1/e = 0.632 of the way is gone.
        assert!((followed(&[(0, 1.0, 1.0), (300, 2.0, 1.0)]).scale - 1.632).abs() < 1e-3);
        assert!((followed(&[(0, 2.0, 1.0), (300, 1.0, 1.0)]).scale - (1.0 + (-0.06f32).exp())).abs() < 1e-3);
        assert!((followed(&[(0, 2.0, 1.0), (5000, 1.0, 1.0)]).scale - 1.368).abs() < 1e-3);
    }

    #[test]
    fn the_gate_closes_within_a_second() {
        assert!(followed(&[(0, 1.0, 1.0), (1000, 1.0, 0.0)]).gate < 0.05);
    }

    #[test]
    fn another_target_starts_with_its_own_scale() {
        let mut follower = Follower::default();
        follower.follow(&mut map(0, 9.0, 1.0));
        let mut other = map(33, 1.0, 1.0);
        other.target.class = 2;
        follower.follow(&mut other);
        assert_eq!(other.scale, 1.0);
        let mut contrast = map(66, 3.0, 1.0);
        contrast.target.class = 2;
        contrast.against = Some(contrast.target.clone());
        follower.follow(&mut contrast);
        assert_eq!(contrast.scale, 3.0);
    }
}
