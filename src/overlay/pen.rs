//! Panels and lines of text in units that follow the canvas.

use super::Canvas;
use super::canvas::Area;
use super::text::Text;
use crate::kernels::blend::Tint;

pub const WHITE: [u8; 3] = [244, 246, 248];
pub const GREY: [u8; 3] = [190, 197, 207];
pub const AMBER: [u8; 3] = [255, 184, 76];
pub const GREEN: [u8; 3] = [92, 214, 132];
pub const RED: [u8; 3] = [255, 120, 120];
pub const SLATE: [u8; 3] = [104, 128, 160];
const NIGHT: [u8; 3] = [12, 15, 20];

/// Opacity of what lies behind text: white walls become dark enough for it.
const PANEL: f32 = 0.74;

/// Text sizes in units.
pub const BODY: f32 = 13.0;
pub const SMALL: f32 = 11.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Middle,
    Right,
}

/// Draws on one canvas. A unit is a pixel on 640 × 480 and grows with the canvas.
pub struct Pen<'a> {
    pub text: &'a mut Text,
    pub canvas: &'a mut Canvas,
    unit: f32,
}

impl Pen<'_> {
    pub fn new<'a>(text: &'a mut Text, canvas: &'a mut Canvas) -> Pen<'a> {
        let unit = (canvas.height as f32 / 480.0).min(canvas.width as f32 / 560.0).max(0.75);
        Pen { text, canvas, unit }
    }

    pub fn px(&self, units: f32) -> i32 {
        (units * self.unit).round() as i32
    }

    fn size(&self, units: f32) -> u16 {
        (units * self.unit).round() as u16
    }

    /// The length of a text in pixels.
    pub fn width(&mut self, text: &str, size: f32) -> i32 {
        let size = self.size(size);
        self.text.width(text, size)
    }

    pub fn panel(&mut self, area: Area) {
        let radius = self.px(6.0);
        self.canvas.round(area, radius, NIGHT, PANEL);
    }

    /// A panel that hides what is below it.
    pub fn cover(&mut self, area: Area) {
        let radius = self.px(6.0);
        self.canvas.round(area, radius, NIGHT, 0.92);
    }

    /// A panel from edge to edge.
    pub fn strip(&mut self, area: Area) {
        self.canvas.fill(area, Tint::new(NIGHT, PANEL));
    }

    /// An area of this size in the middle of the canvas.
    pub fn centred(&self, width: i32, height: i32) -> Area {
        let (x, y) = ((self.canvas.width as i32 - width) / 2, (self.canvas.height as i32 - height) / 2);
        Area { x, y, width, height }
    }

    /// One line of text within `area`, in the middle of its height.
    pub fn line(&mut self, area: Area, text: &str, size: f32, colour: [u8; 3], align: Align) {
        let size = self.size(size);
        let free = (area.width - self.text.width(text, size)).max(0);
        let x = area.x
            + match align {
                Align::Left => 0,
                Align::Middle => free / 2,
                Align::Right => free,
            };
        // Capitals of the font are 0.729 em high.
        let base = area.y + (area.height as f32 / 2.0 + f32::from(size) * 0.729 / 2.0).round() as i32;
        self.text.draw(self.canvas, (x, base), text, size, colour, area.width);
    }

    /// A word on a coloured ground at the right end of `area`. Returns its width.
    pub fn badge(&mut self, area: Area, text: &str, colour: [u8; 3]) -> i32 {
        let width = self.width(text, SMALL) + self.px(12.0);
        let badge = Area { x: area.x + area.width - width, width, ..area };
        let radius = self.px(4.0);
        self.canvas.round(badge, radius, colour, 0.9);
        self.line(badge, text, SMALL, NIGHT, Align::Middle);
        width
    }
}
