//! A newest-wins slot: whoever is slow skips to the newest value instead of falling behind.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Holds the newest value for any number of readers. Each value has a number, from 1; a reader that saw number `n` and
/// is handed `m` has skipped `m − n − 1` values.
pub struct Latest<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    value: Option<Arc<T>>,
    number: u64,
    /// Of the value that the reader whom others wait for took last.
    taken: u64,
    closed: bool,
}

/// What waiting brought.
pub enum Next<T> {
    /// A newer value, with its number.
    Value(u64, Arc<T>),
    /// Nothing newer within the time.
    Nothing,
    /// Nothing newer, and there will be none.
    Closed,
}

impl<T> Latest<T> {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Latest<T> {
        Latest { state: Mutex::new(State { value: None, number: 0, taken: 0, closed: false }), changed: Condvar::new() }
    }

    /// Replaces the value.
    pub fn put(&self, value: Arc<T>) {
        let mut state = self.lock();
        state.value = Some(value);
        state.number += 1;
        self.changed.notify_all();
    }

    /// Says that value `number` is dealt with, for whoever waits for that.
    pub fn take(&self, number: u64) {
        self.lock().taken = number;
        self.changed.notify_all();
    }

    /// Waits until the newest value is dealt with, at most `timeout`. Returns whether it is.
    pub fn taken(&self, timeout: Duration) -> bool {
        let open = |state: &mut State<T>| state.taken < state.number;
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, open);
        !waited.expect("nothing panics while it holds the slot").1.timed_out()
    }

    /// Says that no more values come. The last one stays.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Whether no more values come.
    pub fn closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits for a value with a number above `seen`, at most `timeout`.
    pub fn newer(&self, seen: u64, timeout: Duration) -> Next<T> {
        let end = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(value) = state.value.as_ref().filter(|_| state.number > seen) {
                return Next::Value(state.number, Arc::clone(value));
            }
            if state.closed {
                return Next::Closed;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Nothing;
            }
            state = self.changed.wait_timeout(state, left).expect("nothing panics while it holds the slot").0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics while it holds the slot")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_gets_the_newest_and_knows_what_it_skipped() {
        let slot = Latest::new();
        (1..=5).for_each(|value| slot.put(Arc::new(value)));
        let Next::Value(number, value) = slot.newer(1, Duration::ZERO) else { panic!("there is a value") };
        assert_eq!((number, *value), (5, 5));
        assert!(matches!(slot.newer(number, Duration::ZERO), Next::Nothing));
    }

    #[test]
    fn the_last_value_can_be_read_after_closing() {
        let slot = Latest::new();
        slot.put(Arc::new(1));
        slot.close();
        assert!(matches!(slot.newer(0, Duration::ZERO), Next::Value(1, _)));
        assert!(matches!(slot.newer(1, Duration::from_secs(60)), Next::Closed));
    }

    #[test]
    fn a_waiting_reader_is_handed_the_value() {
        let slot = Arc::new(Latest::new());
        let reader = std::thread::spawn({
            let slot = Arc::clone(&slot);
            move || matches!(slot.newer(0, Duration::from_secs(60)), Next::Value(1, value) if *value == 7)
        });
        slot.put(Arc::new(7));
        assert!(reader.join().expect("the reader does not panic"));
    }
}
