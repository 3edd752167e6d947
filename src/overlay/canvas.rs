//! The shown picture, and the few shapes that the display is made of.

use crate::kernels::Isa;
use crate::kernels::blend::{Tint, wash};

/// A picture as a window wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Canvas {
    pub width: usize,
    pub height: usize,
    /// Row by row, 0x00RRGGBB.
    pub pixels: Vec<u32>,
}

impl Canvas {
    /// Gives the canvas a size. What it shows is undefined until it is drawn.
    pub fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.pixels.resize(width * height, 0);
    }

    /// 3 bytes a pixel: red, green, blue, as the encoders want them.
    pub fn to_rgb(&self) -> Vec<u8> {
        let mut rgb = Vec::new();
        self.write_rgb(&mut rgb);
        rgb
    }

    /// The same, into memory that is used again.
    pub fn write_rgb(&self, rgb: &mut Vec<u8>) {
        rgb.resize(self.pixels.len() * 3, 0);
        for (rgb, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(&self.pixels) {
            let [_, red, green, blue] = pixel.to_be_bytes();
            *rgb = [red, green, blue];
        }
    }

    /// Part of row `y` from `x` to `x + width`; empty where it lies outside. All shapes are clipped here.
    pub(super) fn span(&mut self, x: i32, y: i32, width: i32) -> &mut [u32] {
        let right = (x.saturating_add(width)).clamp(0, self.width as i32) as usize;
        let left = (x.max(0) as usize).min(right);
        if y < 0 || y as usize >= self.height {
            return &mut [];
        }
        let row = y as usize * self.width;
        &mut self.pixels[row + left..row + right]
    }

    pub(super) fn pixel(&mut self, x: i32, y: i32, tint: Tint) {
        for pixel in self.span(x, y, 1) {
            *pixel = tint.over(*pixel);
        }
    }

    pub(super) fn fill(&mut self, area: Area, tint: Tint) {
        for y in area.y..area.y + area.height {
            wash(Isa::best(), tint, self.span(area.x, y, area.width));
        }
    }

    /// A filled rectangle with round corners, antialiased.
    pub(super) fn round(&mut self, area: Area, radius: i32, colour: [u8; 3], opacity: f32) {
        let radius = radius.min(area.width / 2).min(area.height / 2).max(0);
        let full = Tint::new(colour, opacity);
        for row in 0..area.height {
            // How far the row is above or below the centres of the corners; 0 or less is between them.
            let off = (radius - row).max(row + 1 - (area.height - radius)) as f32 - 0.5;
            if off < 0.0 {
                wash(Isa::best(), full, self.span(area.x, area.y + row, area.width));
                continue;
            }
            wash(Isa::best(), full, self.span(area.x + radius, area.y + row, area.width - 2 * radius));
            for column in 0..radius {
                let distance = (radius as f32 - column as f32 - 0.5).hypot(off);
                let tint = Tint::new(colour, opacity * (radius as f32 + 0.5 - distance).clamp(0.0, 1.0));
                self.pixel(area.x + column, area.y + row, tint);
                self.pixel(area.x + area.width - 1 - column, area.y + row, tint);
            }
        }
    }

    /// A frame of the given thickness, growing inwards.
    pub(super) fn outline(&mut self, area: Area, thickness: i32, tint: Tint) {
        let Area { x, y, width, height } = area;
        let side = (height - 2 * thickness).max(0);
        self.fill(Area { x, y, width, height: thickness }, tint);
        self.fill(Area { x, y: y + height - thickness, width, height: thickness }, tint);
        self.fill(Area { x, y: y + thickness, width: thickness, height: side }, tint);
        self.fill(Area { x: x + width - thickness, y: y + thickness, width: thickness, height: side }, tint);
    }
}

/// A rectangle in whole pixels of a canvas; may reach outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

impl Area {
    /// The rectangle without a border of `by` pixels; a negative border is added.
    pub fn shrink(self, by: i32) -> Area {
        Area { x: self.x + by, y: self.y + by, width: self.width - 2 * by, height: self.height - 2 * by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_clipped_to_the_canvas() {
        let mut canvas = Canvas::default();
        canvas.resize(8, 6);
        for x in -20..20 {
            for y in -20..20 {
                let area = Area { x, y, width: 9, height: 7 };
                canvas.round(area, 3, [9, 9, 9], 0.5);
                canvas.outline(area, 2, Tint::new([1, 1, 1], 1.0));
                canvas.pixel(x, y, Tint::CLEAR);
            }
        }
        assert_eq!(canvas.to_rgb().len(), 8 * 6 * 3);
    }

    #[test]
    fn a_round_shape_is_symmetric_and_full_in_the_middle() {
        let mut canvas = Canvas::default();
        canvas.resize(20, 20);
        canvas.round(Area { x: 0, y: 0, width: 20, height: 20 }, 6, [200, 200, 200], 1.0);
        for y in 0..20 {
            for x in 0..20 {
                let here = canvas.pixels[y * 20 + x];
                assert_eq!(here, canvas.pixels[y * 20 + 19 - x]);
                assert_eq!(here, canvas.pixels[(19 - y) * 20 + x]);
                assert_eq!(here, canvas.pixels[x * 20 + y]);
            }
        }
        assert_eq!((canvas.pixels[0], canvas.pixels[10 * 20 + 10]), (0, 0x00C8_C8C8));
    }
}
