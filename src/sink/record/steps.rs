//! In what steps the pictures of a recording can be counted.
//!
//! Each picture has the time of its capture, to 1/90000 s. Readers that count pictures at a steady rate need one at which no
//! two have the same number: ffmpeg does so wherever it is not told otherwise (`-f null -`), and then complains of the
//! second, or leaves it out. It takes the rate from the file's head (`stts`), where that says it with a single entry, and
//! otherwise guesses it from the first twenty pictures. It believes 210 a second at most, or any rate where there are 70
//! pictures a second or more on average (`av_guess_frame_rate` of libavformat). So pictures are kept 1/200 s apart. Only slow
//! motion may be closer; where so much follows more slowly that there are fewer than 70 a second in all, ffmpeg makes up a
//! rate, and complains.

use super::mp4::{Sample, TIMESCALE};

/// Ticks between two pictures at least: 200 a second, more than cameras send.
pub const USUAL: u64 = TIMESCALE as u64 / 200;
/// The same where there are more than 200 a second, as in slow motion.
pub const FINE: u64 = TIMESCALE as u64 / 1000;
/// The lowest rate that a file says. Below it a time may lie so close to the middle between two numbers that two readers
/// round it differently (ffmpeg counts in 2⁻¹⁶ of a number).
const LOWEST: u32 = 3;

/// Whether pictures up to `end` (ticks) are more than 200 a second.
pub fn are_dense(samples: &[Sample], end: u64) -> bool {
    let Some(first) = samples.first() else { return false };
    samples.len() as u64 * USUAL > end.saturating_sub(first.time)
}

/// The rates at which all pictures so far have numbers of their own, each with the number of the last picture.
pub struct Steps(Vec<(u32, Option<u64>)>);

impl Steps {
    /// All rates that are a whole number of ticks.
    pub fn new() -> Steps {
        let finest = TIMESCALE / FINE as u32;
        Steps((LOWEST..=finest).filter(|rate| TIMESCALE.is_multiple_of(*rate)).map(|rate| (rate, None)).collect())
    }

    /// A picture begins at `time` (ticks), later than those before it.
    pub fn add(&mut self, time: u64) {
        self.0.retain_mut(|(rate, last)| {
            let (rate, scale) = (u64::from(*rate), u64::from(TIMESCALE));
            let number = (2 * time * rate + scale) / (2 * scale);
            last.replace(number) != Some(number)
        });
    }

    /// Ticks between two numbers at the lowest rate that is left.
    pub fn widest(&self) -> u64 {
        self.0.first().map_or(FINE, |(rate, _)| u64::from(TIMESCALE / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widest(times: impl IntoIterator<Item = u64>) -> u64 {
        let mut steps = Steps::new();
        times.into_iter().for_each(|time| steps.add(time));
        steps.widest()
    }

    #[test]
    fn an_even_rate_is_found() {
        // 25 a second; 30 whose times are whole milliseconds; 24 of 23.976.
        assert_eq!(widest((0..500).map(|n| n * 3600)), 3600);
        assert_eq!(widest((0..500).map(|n| n * 100 / 3 * 90)), 3000);
        assert_eq!(widest((0..500).map(|n| n * 15015 / 4)), 3750);
    }

    #[test]
    fn one_close_pair_asks_for_a_rate_that_tells_them_apart() {
        // 0.7 s and 0.705 s are 42 and 42.3 at 60 a second, 50.4 and 50.76 at the next whole number of ticks, 72.
        assert_eq!(widest([0, 63_000, 63_450]), 1250);
    }

    #[test]
    fn at_the_least_distance_every_pattern_has_a_rate() {
        for distance in [USUAL, FINE] {
            let mut random = 7u64;
            let times = (0..5000).scan(0, |time, _| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *time += distance + if random >> 62 == 0 { random >> 40 } else { random >> 63 };
                Some(*time)
            });
            let widest = widest(times);
            assert!(widest >= distance && widest <= USUAL, "{widest}");
        }
    }
}
