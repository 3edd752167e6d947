//! Pictures whose memory is used again, and given back when what needed it is over.

use crate::memory;
use std::sync::Arc;

/// So many pictures are taken, ten seconds of a camera's, before it is known what is not needed.
const LOOK: usize = 300;
/// Pictures beyond those that were needed that are kept, so that need which comes and goes asks the system for nothing.
const SPARE: usize = 1;

/// Hands out pictures that nobody else holds. Where many had to wait for a reader that was held up, there are as many;
/// those that lay idle from one look to the next go back to the system.
pub struct Pool<T> {
    pictures: Vec<Arc<T>>,
    /// Pictures taken since the last look, and how many lay idle at the least.
    taken: usize,
    idle: usize,
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool { pictures: Vec::new(), taken: 0, idle: usize::MAX }
    }
}

impl<T: Default> Pool<T> {
    /// A picture to draw on, with what was on it before. It comes back with [`Pool::keep`].
    pub fn take(&mut self) -> Arc<T> {
        let free = |picture: &Arc<T>| Arc::strong_count(picture) == 1;
        let last = self.pictures.iter().rposition(free);
        let picture = last.map(|at| self.pictures.swap_remove(at)).unwrap_or_default();
        self.taken += 1;
        self.idle = self.idle.min(self.pictures.iter().filter(|picture| free(picture)).count());
        if self.taken == LOOK {
            self.look(free);
        }
        picture
    }

    /// Keeps a picture, to be handed out again as soon as nobody holds it any more.
    pub fn keep(&mut self, picture: Arc<T>) {
        self.pictures.push(picture);
    }

    fn look(&mut self, free: impl Fn(&Arc<T>) -> bool) {
        let mut surplus = self.idle.saturating_sub(SPARE);
        (self.taken, self.idle) = (0, usize::MAX);
        if surplus == 0 {
            return;
        }
        self.pictures.retain(|picture| {
            let goes = surplus > 0 && free(picture);
            surplus -= usize::from(goes);
            !goes
        });
        memory::give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::VecDeque;

    thread_local! {
        /// Pictures that were made, and that are there.
        static MADE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }

    struct Picture;

    impl Default for Picture {
        fn default() -> Picture {
            let (made, there) = MADE.get();
            MADE.set((made + 1, there + 1));
            Picture
        }
    }

    impl Drop for Picture {
        fn drop(&mut self) {
            let (made, there) = MADE.get();
            MADE.set((made, there - 1));
        }
    }

    /// Hands on so many pictures, of which each waits behind `waiting` others for its reader. Returns how many were made
    /// for it.
    fn pass(pool: &mut Pool<Picture>, pictures: usize, waiting: impl Fn(usize) -> usize) -> usize {
        let before = MADE.get().0;
        let mut queue = VecDeque::new();
        for number in 0..pictures {
            let mut picture = pool.take();
            assert!(Arc::get_mut(&mut picture).is_some(), "nobody else holds it");
            queue.push_back(Arc::clone(&picture));
            pool.keep(picture);
            while queue.len() > waiting(number) {
                queue.pop_front();
            }
        }
        MADE.get().0 - before
    }

    #[test]
    fn what_a_jam_needed_is_given_back_and_what_is_needed_stays() {
        let mut pool = Pool::default();
        assert_eq!(pass(&mut pool, 1000, |_| 2), 3, "two wait and one is drawn on");
        assert_eq!(pass(&mut pool, 100, |number| number.min(40)), 38, "forty wait");
        assert_eq!(MADE.get().1, 41);
        assert_eq!(pass(&mut pool, 2 * LOOK, |_| 2), 0);
        assert_eq!(MADE.get().1, 3 + SPARE, "the jam is over");
        drop(pool);
        assert_eq!(MADE.get().1, 0);
    }

    #[test]
    fn need_that_comes_and_goes_makes_no_pictures() {
        let mut pool = Pool::default();
        // A look sees four needed now, and three for as long as it takes until the next.
        let need = |number: usize| if (number / (2 * LOOK)).is_multiple_of(2) { 3 } else { 2 };
        assert_eq!(pass(&mut pool, 4 * LOOK, need), 4);
        assert_eq!(pass(&mut pool, 20 * LOOK, need), 0);
    }

    #[test]
    fn a_jam_that_lasts_keeps_its_pictures() {
        let mut pool = Pool::default();
        assert_eq!(pass(&mut pool, 100, |_| 40), 41);
        assert_eq!(pass(&mut pool, 10 * LOOK, |_| 40), 0);
    }
}
