//! Scores → what to explain.

use crate::error::{Error, Result};
use crate::model::Info;
use ndarray::ArrayView1;
use std::time::Duration;

/// What is explained: one class's score, or by how much it is above another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    pub class: usize,
    /// The class whose score is taken off: a contrast.
    pub against: Option<usize>,
}

impl Target {
    /// The score of one class.
    pub fn class(class: usize) -> Target {
        Target { class, against: None }
    }

    /// A class (see [`Info::class`]), or two with a minus sign between them. Labels may have minus signs of their own.
    ///
    /// # Errors
    /// [`Error::Input`] says what there is instead.
    pub fn named(text: &str, info: &Info) -> Result<Target> {
        let alone = match info.class(text) {
            Ok(class) => return Ok(Target::class(class)),
            Err(error) => error,
        };
        let pair = |(at, _)| {
            let (class, against) = (text[..at].trim(), text[at + 1..].trim());
            if class.is_empty() || against.is_empty() {
                return None;
            }
            Some(info.class(class).and_then(|class| Ok(Target { class, against: Some(info.class(against)?) })))
        };
        let mut pairs: Vec<Result<Target>> = text.match_indices('-').filter_map(pair).collect();
        match pairs.iter().position(Result::is_ok) {
            Some(at) => match pairs.swap_remove(at) {
                Ok(Target { class, against }) if against == Some(class) => {
                    Err(Error::input(text, "a contrast is between two different classes"))
                }
                found => found,
            },
            // One minus sign: the error is about the class that is not there.
            None if pairs.len() == 1 => pairs.swap_remove(0),
            None => Err(alone),
        }
    }

    /// The explained number, of the scores `[C]`.
    pub fn score(self, scores: ArrayView1<f32>) -> f32 {
        scores[self.class] - self.against.map_or(0.0, |against| scores[against])
    }

    /// The weights of the scores, `[C]`, that the gradient head takes: 1 for the class, −1 for the one that is taken off.
    pub fn weights(self, classes: usize) -> Vec<f32> {
        let mut weights = vec![0.0; classes];
        weights[self.class] += 1.0;
        if let Some(against) = self.against {
            weights[against] -= 1.0;
        }
        weights
    }
}

/// By how much a challenger's score must be higher to be shown at once, in score units.
const MARGIN: f32 = 0.7;
/// How long a challenger must lead to be shown although it leads by less.
const PATIENCE: Duration = Duration::from_millis(600);

/// Follows the best class without flickering between two that are close, or stays with a locked one.
#[derive(Debug, Default)]
pub struct Selector {
    locked: Option<Target>,
    current: Option<usize>,
    /// The class that leads the current one, and since when.
    challenger: Option<(usize, Duration)>,
}

impl Selector {
    pub fn new(locked: Option<Target>) -> Selector {
        Selector { locked, ..Selector::default() }
    }

    /// Explains `target` whatever the scores are; `None` follows the best class again.
    pub fn lock(&mut self, target: Option<Target>) {
        *self = Selector::new(target);
    }

    pub fn locked(&self) -> Option<Target> {
        self.locked
    }

    /// The target for `scores` (`[C]`, at least one) of a frame taken at `now`.
    pub fn choose(&mut self, scores: ArrayView1<f32>, now: Duration) -> Target {
        if let Some(target) = self.locked {
            return target;
        }
        let best = best(scores);
        let current = self.current.filter(|class| *class < scores.len()).unwrap_or(best);
        let waited = match self.challenger {
            _ if best == current => {
                self.challenger = None;
                false
            }
            Some((class, since)) if class == best => now.saturating_sub(since) >= PATIENCE,
            _ => {
                self.challenger = Some((best, now));
                false
            }
        };
        let class = if waited || scores[best] - scores[current] >= MARGIN { best } else { current };
        if class == best {
            self.challenger = None;
        }
        self.current = Some(class);
        Target::class(class)
    }
}

/// The class with the highest score; the first of equals.
pub fn best(scores: ArrayView1<f32>) -> usize {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = class;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_narrow_lead_must_last_before_it_is_shown() {
        let mut selector = Selector::default();
        assert_eq!(selector.choose(array![2.0, 1.9].view(), at(0)).class, 0);
        assert_eq!(selector.choose(array![1.9, 2.0].view(), at(100)).class, 0);
        assert_eq!(selector.choose(array![1.9, 2.0].view(), at(600)).class, 0);
        assert_eq!(selector.choose(array![1.9, 2.0].view(), at(700)).class, 1);
    }

    #[test]
    fn a_lead_that_breaks_off_starts_again() {
        let mut selector = Selector::default();
        selector.choose(array![2.0, 1.9].view(), at(0));
        selector.choose(array![1.9, 2.0].view(), at(100));
        selector.choose(array![2.0, 1.9].view(), at(400));
        assert_eq!(selector.choose(array![1.9, 2.0].view(), at(800)).class, 0);
    }

    #[test]
    fn a_wide_lead_is_shown_at_once() {
        let mut selector = Selector::default();
        selector.choose(array![2.0, 1.9].view(), at(0));
        assert_eq!(selector.choose(array![1.0, 3.0].view(), at(33)).class, 1);
    }

    #[test]
    fn a_locked_class_stays() {
        let mut selector = Selector::new(Some(Target::class(1)));
        assert_eq!(selector.choose(array![9.0, 0.0].view(), at(0)).class, 1);
        selector.lock(None);
        assert_eq!(selector.choose(array![9.0, 0.0].view(), at(33)).class, 0);
    }
}
