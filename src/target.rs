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

/// A class by its number, or by its place among the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    Class(usize),
    /// 0 is the best class.
    Rank(usize),
}

impl Pick {
    /// `top2`, the second best class, or a class by number or label (see [`Info::class`]).
    ///
    /// # Errors
    /// [`Error::Input`] says what there is instead.
    pub fn named(text: &str, info: &Info) -> Result<Pick> {
        let is_label = info.labels.iter().any(|label| label.eq_ignore_ascii_case(text));
        let rank = text.strip_prefix("top").and_then(|rank| rank.parse::<usize>().ok());
        match rank.filter(|_| !is_label) {
            Some(rank) if (1..=info.classes()).contains(&rank) => Ok(Pick::Rank(rank - 1)),
            Some(_) => {
                Err(Error::input(text, format!("top1 to top{} are the classes from the best on", info.classes())))
            }
            None => info.class(text).map(Pick::Class),
        }
    }
}

/// What is explained where no target is locked: the best class, say, or the best against the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    pub class: Pick,
    pub against: Option<Pick>,
}

impl Default for Followed {
    fn default() -> Followed {
        Followed { class: Pick::Rank(0), against: None }
    }
}

impl Followed {
    /// A [pick](Pick::named), or two with a minus sign between them. Labels may have minus signs of their own.
    ///
    /// # Errors
    /// [`Error::Input`] says what there is instead.
    pub fn named(text: &str, info: &Info) -> Result<Followed> {
        let alone = match Pick::named(text, info) {
            Ok(class) => return Ok(Followed { class, against: None }),
            Err(error) => error,
        };
        let pair = |(at, _)| {
            let (class, against) = (text[..at].trim(), text[at + 1..].trim());
            if class.is_empty() || against.is_empty() {
                return None;
            }
            let against = || Pick::named(against, info).map(Some);
            Some(Pick::named(class, info).and_then(|class| Ok(Followed { class, against: against()? })))
        };
        let mut pairs: Vec<Result<Followed>> = text.match_indices('-').filter_map(pair).collect();
        match pairs.iter().position(Result::is_ok) {
            Some(at) => match pairs.swap_remove(at) {
                Ok(Followed { class, against }) if against == Some(class) => {
                    Err(Error::input(text, "a contrast is between two different classes"))
                }
                found => found,
            },
            // One minus sign: the error is about the class that is not there.
            None if pairs.len() == 1 => pairs.swap_remove(0),
            None => Err(alone),
        }
    }

    /// The target that these are whatever the scores are.
    pub fn fixed(self) -> Option<Target> {
        match self {
            Followed { class: Pick::Class(class), against: None } => Some(Target::class(class)),
            Followed { class: Pick::Class(class), against: Some(Pick::Class(against)) } => {
                Some(Target { class, against: Some(against) })
            }
            _ => None,
        }
    }

    /// Ranks beside a class are among the others: `Class(285)` against `Rank(0)` is 285 against the best of the rest.
    fn target(self, scores: ArrayView1<f32>) -> Target {
        let numbered = |pick: Pick| if let Pick::Class(class) = pick { Some(class) } else { None };
        let apart = numbered(self.class).or(self.against.and_then(numbered));
        let find = |pick: Pick| match pick {
            Pick::Class(class) => class,
            Pick::Rank(rank) => ranked(scores, rank, apart),
        };
        Target { class: find(self.class), against: self.against.map(find) }
    }
}

/// By how much a challenger's score must be higher to be shown at once, in score units.
const MARGIN: f32 = 0.7;
/// How long a challenger must lead to be shown although it leads by less.
const PATIENCE: Duration = Duration::from_millis(600);

/// Follows the best class without flickering between two that are close, or stays with a locked one.
#[derive(Debug, Default)]
pub struct Selector {
    followed: Followed,
    locked: Option<Target>,
    current: Option<Target>,
    /// The target that should take the current one's place, and since when.
    challenger: Option<(Target, Duration)>,
}

impl Selector {
    pub fn new(locked: Option<Target>) -> Selector {
        Selector { locked, ..Selector::default() }
    }

    /// Stays with a target that is fixed, and follows any other.
    pub fn following(followed: Followed) -> Selector {
        match followed.fixed() {
            Some(target) => Selector::new(Some(target)),
            None => Selector { followed, ..Selector::default() },
        }
    }

    /// Explains `target` whatever the scores are; `None` follows again.
    pub fn lock(&mut self, target: Option<Target>) {
        *self = Selector { followed: self.followed, locked: target, current: None, challenger: None };
    }

    pub fn locked(&self) -> Option<Target> {
        self.locked
    }

    /// The next scores have nothing to do with the last ones.
    pub fn forget(&mut self) {
        self.lock(self.locked);
    }

    /// The target for `scores` (`[C]`, at least one) of a frame taken at `now`.
    pub fn choose(&mut self, scores: ArrayView1<f32>, now: Duration) -> Target {
        if let Some(target) = self.locked {
            return target;
        }
        let wanted = self.followed.target(scores);
        let known = |target: &Target| target.class.max(target.against.unwrap_or(0)) < scores.len();
        let current = self.current.filter(known).unwrap_or(wanted);
        let waited = match self.challenger {
            _ if wanted == current => {
                self.challenger = None;
                false
            }
            Some((target, since)) if target == wanted => now.saturating_sub(since) >= PATIENCE,
            _ => {
                self.challenger = Some((wanted, now));
                false
            }
        };
        let apart = |one: usize, other: usize| (scores[one] - scores[other]).abs();
        let against = wanted.against.zip(current.against).map_or(0.0, |(one, other)| apart(one, other));
        let clear = apart(wanted.class, current.class).max(against) >= MARGIN;
        let target = if waited || clear { wanted } else { current };
        if target == wanted {
            self.challenger = None;
        }
        self.current = Some(target);
        target
    }
}

/// The class with so many better ones (the first of equals), leaving one out; the last one where there are not so many.
fn ranked(scores: ArrayView1<f32>, rank: usize, apart: Option<usize>) -> usize {
    let better =
        |one: usize, other: usize| scores[one] > scores[other] || (scores[one] == scores[other] && one < other);
    let mut found: Option<usize> = None;
    for _ in 0..=rank {
        let classes = (0..scores.len()).filter(|class| Some(*class) != apart);
        let behind = classes.filter(|class| found.is_none_or(|last| better(last, *class)));
        let Some(next) = behind.reduce(|one, other| if better(other, one) { other } else { one }) else { break };
        found = Some(next);
    }
    found.unwrap_or(0)
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
    fn classes_are_followed_by_their_rank() {
        let follow = |class, against, scores: [f32; 4]| {
            let mut selector = Selector::following(Followed { class, against });
            let target = selector.choose(ndarray::arr1(&scores).view(), at(0));
            (target.class, target.against)
        };
        let (first, second) = (Pick::Rank(0), Pick::Rank(1));
        assert_eq!(follow(second, None, [1.0, 3.0, 2.0, 0.0]), (2, None));
        assert_eq!(follow(second, None, [3.0, 1.0, 3.0, 0.0]), (2, None));
        assert_eq!(follow(Pick::Rank(9), None, [1.0, 3.0, 2.0, 0.0]), (3, None));
        assert_eq!(follow(first, Some(second), [1.0, 3.0, 2.0, 0.0]), (1, Some(2)));
        // Against the best of the others.
        assert_eq!(follow(Pick::Class(1), Some(first), [1.0, 3.0, 2.0, 0.0]), (1, Some(2)));
        assert_eq!(follow(first, Some(Pick::Class(2)), [1.0, 3.0, 2.0, 0.0]), (1, Some(2)));
    }

    #[test]
    fn a_rank_that_two_classes_change_does_not_flicker() {
        let mut selector = Selector::following(Followed { class: Pick::Rank(1), against: None });
        assert_eq!(selector.choose(array![5.0, 2.0, 1.9].view(), at(0)).class, 1);
        assert_eq!(selector.choose(array![5.0, 1.9, 2.0].view(), at(100)).class, 1);
        assert_eq!(selector.choose(array![5.0, 1.9, 2.0].view(), at(700)).class, 2);
        assert_eq!(selector.choose(array![5.0, 3.0, 2.0].view(), at(733)).class, 1);
    }

    #[test]
    fn what_is_no_longer_locked_is_followed_as_before() {
        let mut selector = Selector::following(Followed { class: Pick::Rank(1), against: None });
        selector.lock(Some(Target::class(0)));
        assert_eq!(selector.choose(array![5.0, 2.0, 1.0].view(), at(0)).class, 0);
        selector.lock(None);
        assert_eq!(selector.choose(array![5.0, 2.0, 1.0].view(), at(33)).class, 1);
    }

    #[test]
    fn a_locked_class_stays() {
        let mut selector = Selector::new(Some(Target::class(1)));
        assert_eq!(selector.choose(array![9.0, 0.0].view(), at(0)).class, 1);
        selector.lock(None);
        assert_eq!(selector.choose(array![9.0, 0.0].view(), at(33)).class, 0);
    }
}
