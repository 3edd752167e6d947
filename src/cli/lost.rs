//! A source that is lost, told in lines where there is no picture that would show it.

use crate::pipeline::live::Capture;
use std::time::Duration;

/// A camera that starts, or that is back at once, is no news.
const LASTS: Duration = Duration::from_secs(2);

/// What the user was told.
#[derive(Default)]
pub struct Lost {
    since: Option<Duration>,
    told: Option<String>,
}

impl Lost {
    /// What is to be told now, if anything is: why no frames come, once for each reason that lasts, and that they come again.
    pub fn line(&mut self, capture: &Capture, now: Duration) -> Option<String> {
        let Some(reason) = &capture.lost else {
            self.since = None;
            return self.told.take().map(|_| format!("gradcam: {}: pictures come again", capture.source));
        };
        let lasts = now.saturating_sub(*self.since.get_or_insert(now)) >= LASTS;
        if !lasts || self.told.as_ref() == Some(reason) {
            return None;
        }
        self.told = Some(reason.clone());
        Some(format!("gradcam: no pictures: {reason}; trying again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_lasts_is_told_once_with_each_reason_and_so_is_its_end() {
        let capture = |lost: Option<&str>| Capture {
            source: "cam".to_owned(),
            lost: lost.map(str::to_owned),
            ..Capture::default()
        };
        let mut lost = Lost::default();
        let mut at = |tenths: u64, reason| lost.line(&capture(reason), Duration::from_millis(100 * tenths));
        assert_eq!((at(0, Some("cam: starts")), at(9, None), at(10, Some("cam: gone"))), (None, None, None));
        assert_eq!(at(29, Some("cam: gone")), None);
        assert_eq!(at(30, Some("cam: gone")).as_deref(), Some("gradcam: no pictures: cam: gone; trying again"));
        assert_eq!(at(99, Some("cam: gone")), None);
        assert_eq!(at(100, Some("cam: busy")).as_deref(), Some("gradcam: no pictures: cam: busy; trying again"));
        assert_eq!(at(110, None).as_deref(), Some("gradcam: cam: pictures come again"));
        assert_eq!(at(111, None), None);
    }
}
