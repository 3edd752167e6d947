//! The window and its keys. The only file that knows minifb; for the main thread only.

use super::{Shown, Sink};
use crate::error::{Error, Result};
use minifb::{InputCallback, ScaleMode, WindowOptions};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The largest window that is opened, in pixels; the user may enlarge it. (minifb does not tell the screen's size.)
const LARGEST: (usize, usize) = (1280, 720);

/// Updates a second at most; waiting for the next one takes no more than 8 ms.
const RATE: usize = 120;

/// What a user can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `q`, Escape.
    Quit,
    /// `h`: the list of keys.
    Help,
    /// Space.
    Freeze,
    /// `1` to `3`: lock the class of that rank, 0 to 2.
    Lock(usize),
    /// `0`.
    Unlock,
    /// `m`: the next method.
    Method,
    /// `c`: the next colour map.
    Colormap,
    /// `+`, also `=` where it shares the key.
    MoreOpaque,
    /// `-`, also `_`.
    LessOpaque,
    /// `o`: heat on and off.
    Heat,
    /// `n`: what speaks against the class too, or no longer.
    Signed,
    /// `s`.
    Snapshot,
    /// `f`: left and right swapped.
    Flip,
    /// `r`: recording begins or ends.
    Record,
}

impl Key {
    fn typed(character: char) -> Option<Key> {
        Some(match character.to_ascii_lowercase() {
            'q' => Key::Quit,
            'h' | '?' => Key::Help,
            ' ' => Key::Freeze,
            digit @ '1'..='3' => Key::Lock(digit as usize - '1' as usize),
            '0' => Key::Unlock,
            'm' => Key::Method,
            'c' => Key::Colormap,
            '+' | '=' => Key::MoreOpaque,
            '-' | '_' => Key::LessOpaque,
            'o' => Key::Heat,
            'n' => Key::Signed,
            's' => Key::Snapshot,
            'f' => Key::Flip,
            'r' => Key::Record,
            _ => return None,
        })
    }

    fn repeats(self) -> bool {
        matches!(self, Key::MoreOpaque | Key::LessOpaque)
    }
}

/// Receives every key event, so that a tap shorter than one update is not lost: characters as the user's layout makes
/// them (so `+` is `+` on any keyboard and keypad), and presses to tell a tap from a key that is held.
struct Keyboard {
    keys: Rc<RefCell<Vec<Key>>>,
    /// The key that is down and when it was last heard of. A release can be missed (the focus went elsewhere), so a key
    /// counts as held only while its repetitions keep coming.
    down: Option<(minifb::Key, Instant)>,
    held: bool,
}

/// Longer than the time that keyboards wait before they repeat.
const SILENCE: Duration = Duration::from_secs(1);

impl InputCallback for Keyboard {
    fn add_char(&mut self, character: u32) {
        let key = char::from_u32(character).and_then(Key::typed);
        self.keys.borrow_mut().extend(key.filter(|key| key.repeats() || !self.held));
    }

    fn set_key_state(&mut self, key: minifb::Key, pressed: bool) {
        let now = Instant::now();
        let before = self.down.take_if(|(down, _)| pressed || *down == key);
        self.held = pressed && before.is_some_and(|(down, heard)| down == key && now - heard < SILENCE);
        if pressed {
            self.down = Some((key, now));
            if key == minifb::Key::Escape && !self.held {
                self.keys.borrow_mut().push(Key::Quit);
            }
        }
    }
}

/// A window that shows canvases undistorted at any size that the user gives it.
pub struct Window {
    window: minifb::Window,
    keys: Rc<RefCell<Vec<Key>>>,
}

impl Window {
    /// Opens a window for canvases of `width` × `height` pixels, smaller where they are large.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no display to open it on.
    pub fn open(title: &str, width: usize, height: usize) -> Result<Window> {
        let (width, height) = fit(width, height);
        let options =
            WindowOptions { resize: true, scale_mode: ScaleMode::AspectRatioStretch, ..WindowOptions::default() };
        let mut window = minifb::Window::new(title, width, height, options)
            .map_err(|error| Error::device("window", format!("there is no display to open it on ({error})")))?;
        window.set_target_fps(RATE);
        let keys = Rc::new(RefCell::new(Vec::new()));
        window.set_input_callback(Box::new(Keyboard { keys: keys.clone(), down: None, held: false }));
        Ok(Window { window, keys })
    }

    /// False once the user has closed it.
    pub fn is_open(&self) -> bool {
        self.window.is_open()
    }

    /// The keys since the last call, in the order in which they were pressed.
    pub fn keys(&mut self) -> Vec<Key> {
        std::mem::take(&mut *self.keys.borrow_mut())
    }

    /// Handles what the user did without showing anything new. For times without frames; waits up to 8 ms.
    pub fn poll(&mut self) {
        self.window.update();
    }
}

impl Sink for Window {
    /// Shows the canvas and handles what the user did. Waits where calls come faster than 120 a second.
    fn show(&mut self, shown: &Shown) -> Result<()> {
        let canvas = shown.canvas;
        self.window
            .update_with_buffer(&canvas.pixels, canvas.width, canvas.height)
            .map_err(|error| Error::device("window", error))
    }
}

/// The size of a window for a canvas: the canvas' own or the largest of its shape that is sensible.
fn fit(width: usize, height: usize) -> (usize, usize) {
    let (width, height) = (width.max(1) as f64, height.max(1) as f64);
    let scale = (LARGEST.0 as f64 / width).min(LARGEST.1 as f64 / height).min(1.0);
    ((width * scale).round().max(1.0) as usize, (height * scale).round().max(1.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyboard() -> Keyboard {
        Keyboard { keys: Rc::default(), down: None, held: false }
    }

    fn press(keyboard: &mut Keyboard, key: minifb::Key, character: char) {
        keyboard.set_key_state(key, true);
        keyboard.add_char(u32::from(character));
    }

    #[test]
    fn taps_within_one_update_all_count() {
        let mut keyboard = keyboard();
        for _ in 0..3 {
            press(&mut keyboard, minifb::Key::C, 'c');
            keyboard.set_key_state(minifb::Key::C, false);
        }
        assert_eq!(*keyboard.keys.borrow(), [Key::Colormap; 3]);
    }

    #[test]
    fn a_held_key_repeats_only_where_that_helps() {
        let mut keyboard = keyboard();
        for _ in 0..3 {
            press(&mut keyboard, minifb::Key::F, 'f');
        }
        for _ in 0..3 {
            press(&mut keyboard, minifb::Key::NumPadPlus, '+');
        }
        assert_eq!(*keyboard.keys.borrow(), [Key::Flip, Key::MoreOpaque, Key::MoreOpaque, Key::MoreOpaque]);
    }

    #[test]
    fn a_key_that_is_not_known_by_place_counts_by_its_character() {
        let mut keyboard = keyboard();
        for character in "1Q é0\u{1b}".chars() {
            keyboard.add_char(u32::from(character));
        }
        assert_eq!(*keyboard.keys.borrow(), [Key::Lock(0), Key::Quit, Key::Freeze, Key::Unlock]);
    }

    #[test]
    fn large_pictures_open_in_a_window_of_their_shape() {
        for (canvas, window) in [
            ((640, 480), (640, 480)),
            ((1920, 1080), (1280, 720)),
            ((3000, 4000), (540, 720)),
            ((9000, 1), (1280, 1)),
            ((0, 0), (1, 1)),
        ] {
            assert_eq!(fit(canvas.0, canvas.1), window);
        }
    }
}
