//! Text on a canvas, in the one font that is built in.

use super::Canvas;
use crate::kernels::blend::Tint;
use fontdue::{Font, FontSettings};
use std::collections::HashMap;

const FONT: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");
const ELLIPSIS: char = '…';

/// Draws text. A glyph is drawn from its outline once per size and kept.
pub struct Text {
    font: Font,
    /// By index in the font (0 is the box for what it lacks) and size in pixels.
    glyphs: HashMap<(u16, u16), Glyph>,
}

struct Glyph {
    /// From the pen to the bitmap's left, and from the base line up to its top.
    left: i32,
    top: i32,
    width: usize,
    /// 0 = outside, 255 = inside; row by row.
    coverage: Vec<u8>,
    advance: f32,
}

impl Text {
    pub fn new() -> Text {
        let font = Font::from_bytes(FONT, FontSettings { scale: 16.0, ..FontSettings::default() })
            .expect("the font is part of the program and a test reads it");
        Text { font, glyphs: HashMap::new() }
    }

    fn glyph(&mut self, character: char, size: u16) -> &Glyph {
        let index = self.font.lookup_glyph_index(if character.is_control() { ' ' } else { character });
        self.glyphs.entry((index, size)).or_insert_with(|| {
            let (metrics, coverage) = self.font.rasterize_indexed(index, f32::from(size));
            Glyph {
                left: metrics.xmin,
                top: metrics.ymin + metrics.height as i32,
                width: metrics.width,
                coverage,
                advance: metrics.advance_width,
            }
        })
    }

    /// The length of `text` in pixels at `size` pixels per em.
    pub fn width(&mut self, text: &str, size: u16) -> i32 {
        text.chars().map(|character| self.glyph(character, size).advance).sum::<f32>().ceil() as i32
    }

    /// Draws `text` from `x` on the base line `y`; what would pass `room` pixels is cut off and ends in an ellipsis.
    pub fn draw(&mut self, canvas: &mut Canvas, (x, y): (i32, i32), text: &str, size: u16, colour: [u8; 3], room: i32) {
        let whole = self.width(text, size) <= room;
        let room = if whole { room } else { room - self.width("…", size) } as f32;
        let mut pen = 0.0;
        for character in text.chars() {
            let advance = self.glyph(character, size).advance;
            if !whole && pen + advance > room {
                break;
            }
            self.stamp(canvas, (x + pen.round() as i32, y), character, size, colour);
            pen += advance;
        }
        if !whole && room >= 0.0 {
            self.stamp(canvas, (x + pen.round() as i32, y), ELLIPSIS, size, colour);
        }
    }

    fn stamp(&mut self, canvas: &mut Canvas, (x, y): (i32, i32), character: char, size: u16, colour: [u8; 3]) {
        let glyph = self.glyph(character, size);
        for (row, line) in glyph.coverage.chunks_exact(glyph.width.max(1)).enumerate() {
            for (column, &coverage) in line.iter().enumerate().filter(|(_, coverage)| **coverage > 0) {
                let tint = Tint::new(colour, f32::from(coverage) / 255.0);
                canvas.pixel(x + glyph.left + column as i32, y - glyph.top + row as i32, tint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str, room: i32) -> (Canvas, i32) {
        let mut canvas = Canvas::default();
        canvas.resize(300, 30);
        Text::new().draw(&mut canvas, (0, 20), text, 16, [255, 255, 255], room);
        let right = (0..300).rev().find(|x| (0..30).any(|y| canvas.pixels[y * 300 + x] != 0));
        (canvas, right.map_or(0, |x| x as i32 + 1))
    }

    #[test]
    fn a_long_text_ends_within_its_room() {
        let long = "Egyptian cat, on a long name that nobody could read";
        for room in [-5, 0, 3, 17, 40, 100, 200] {
            let (_, right) = drawn(long, room);
            assert!(right <= room.max(0) + 1, "{right} px in a room of {room}");
        }
        assert_eq!(drawn("cat", 300).0, drawn("cat", Text::new().width("cat", 16)).0);
    }

    #[test]
    fn the_font_has_what_the_display_says() {
        let text = Text::new();
        for character in "aZ09 é ß ñ Ω µ · … – − × ≥ → ▸ ●".chars() {
            assert_ne!(text.font.lookup_glyph_index(character), 0, "{character:?}");
        }
        assert_eq!(text.font.lookup_glyph_index('猫'), 0);
        assert!(drawn("猫\n\u{7}", 300).1 > 0, "what the font lacks is a box");
    }
}
