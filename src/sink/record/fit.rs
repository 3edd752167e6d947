//! A canvas of any size → a canvas of the recording's size.

use crate::kernels::Isa;
use crate::kernels::resample::Resample;
use crate::overlay::Canvas;
use std::ops::Range;

/// The size of a recording of canvases of `size`: `wanted` where it is given, otherwise their own, enlarged by a whole
/// factor to `smallest` and reduced to `largest` (long and short side) where it must be. Sides become even.
pub fn size(
    size: (usize, usize),
    wanted: Option<(usize, usize)>,
    smallest: usize,
    largest: (usize, usize),
) -> (usize, usize) {
    let (width, height) = wanted.unwrap_or_else(|| {
        let factor = smallest.div_ceil(size.0.min(size.1).max(1));
        (size.0 * factor, size.1 * factor)
    });
    let (long, short) = (width.max(height) as f64, width.min(height) as f64);
    let scale = (largest.0 as f64 / long).min(largest.1 as f64 / short).min(1.0);
    let even = |side: usize| {
        let side = if scale < 1.0 { (side as f64 * scale).floor() as usize } else { side };
        side.max(smallest).next_multiple_of(2)
    };
    (even(width), even(height))
}

/// Fits canvases into one size, undistorted, with black beside or above where the shapes differ. Owns what is needed
/// again.
#[derive(Default)]
pub struct Fit {
    resample: Resample,
    rgb: Vec<u8>,
    planes: Vec<f32>,
}

impl Fit {
    /// Draws `canvas` on the whole of `fitted`, which has its size. A canvas that is a row or column short of it is
    /// taken pixel by pixel, and its last row or column again.
    pub fn draw(&mut self, canvas: &Canvas, fitted: &mut Canvas) {
        self.place(canvas, fitted, 0, fitted.width);
    }

    /// Two canvases of one size, each on half of `fitted`.
    pub fn beside(&mut self, left: &Canvas, right: &Canvas, fitted: &mut Canvas) {
        let half = fitted.width / 2;
        self.place(left, fitted, 0, half);
        self.place(right, fitted, half, fitted.width - half);
    }

    fn place(&mut self, canvas: &Canvas, fitted: &mut Canvas, left: usize, width: usize) {
        let (from, room) = ((canvas.width, canvas.height), (width, fitted.height));
        if is_short(from, room) {
            for y in 0..room.1 {
                let row = &canvas.pixels[y.min(from.1 - 1) * from.0..][..from.0];
                let out = &mut fitted.pixels[y * fitted.width + left..][..width];
                out[..from.0].copy_from_slice(row);
                out[from.0..].fill(row[from.0 - 1]);
            }
            return;
        }
        let (columns, rows) = inside(from, room);
        self.resample.plan(from, (columns.len(), rows.len()));
        canvas.write_rgb(&mut self.rgb);
        self.planes.resize(columns.len() * 3, 0.0);
        for y in 0..room.1 {
            let out = &mut fitted.pixels[y * fitted.width + left..][..width];
            out.fill(0);
            if !rows.contains(&y) {
                continue;
            }
            let (red, rest) = self.planes.split_at_mut(columns.len());
            let (green, blue) = rest.split_at_mut(columns.len());
            let planes = [&mut *red, &mut *green, &mut *blue];
            self.resample.row(Isa::best(), &self.rgb, from.0 * 3, y - rows.start, planes);
            for (at, pixel) in out[columns.clone()].iter_mut().enumerate() {
                *pixel = [red[at], green[at], blue[at]].iter().fold(0, |all, part| all << 8 | (part + 0.5) as u32);
            }
        }
    }
}

/// Where [`Fit::draw`] puts a canvas of size `from` on one of size `room`: columns and rows.
pub fn place(from: (usize, usize), room: (usize, usize)) -> (Range<usize>, Range<usize>) {
    if is_short(from, room) { (0..from.0, 0..from.1) } else { inside(from, room) }
}

/// Whether a canvas lacks no more than a column and a row.
fn is_short(from: (usize, usize), room: (usize, usize)) -> bool {
    let short = |from: usize, room: usize| from <= room && room - from <= 1;
    short(from.0, room.0) && short(from.1, room.1)
}

/// The largest part of `room` with the shape of `from`, in the middle.
fn inside(from: (usize, usize), room: (usize, usize)) -> (Range<usize>, Range<usize>) {
    let share = |side: usize, of: usize, by: usize| ((side * of + by / 2) / by.max(1)).max(1);
    let width = share(from.0, room.1, from.1).min(room.0);
    let height = share(from.1, room.0, from.0).min(room.1);
    let middle = |part: usize, whole: usize| (whole - part) / 2..(whole - part) / 2 + part;
    (middle(width, room.0), middle(height, room.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(width: usize, height: usize, pixel: impl Fn(usize, usize) -> u32) -> Canvas {
        let pixels = (0..width * height).map(|at| pixel(at % width, at / width)).collect();
        Canvas { width, height, pixels }
    }

    #[test]
    fn the_size_is_even_and_within_what_the_encoder_takes() {
        let largest = (3840, 2160);
        for (canvas, wanted, recorded) in [
            ((640, 480), None, (640, 480)),
            ((641, 479), None, (642, 480)),
            ((1, 1), None, (16, 16)),
            ((3, 50), None, (18, 300)),
            ((7680, 4320), None, (3840, 2160)),
            ((4000, 6000), None, (2160, 3240)),
            ((640, 480), Some((321, 100)), (322, 100)),
            ((640, 480), Some((1, 1)), (16, 16)),
        ] {
            let found = size(canvas, wanted, 16, largest);
            assert_eq!(found, recorded, "{canvas:?} as {wanted:?}");
        }
    }

    #[test]
    fn an_odd_canvas_keeps_its_pixels() {
        let odd = canvas(3, 3, |x, y| (10 * y + x) as u32);
        let mut fitted = canvas(4, 4, |_, _| 99);
        Fit::default().draw(&odd, &mut fitted);
        assert_eq!(fitted.pixels, [0, 1, 2, 2, 10, 11, 12, 12, 20, 21, 22, 22, 20, 21, 22, 22]);
    }

    #[test]
    fn another_shape_is_fitted_into_the_middle() {
        // 8×2 of white in 4×4: 4×1, with 1 row of black above (rounded down) and 2 below.
        let wide = canvas(8, 2, |_, _| 0x00FF_FFFF);
        let mut fitted = canvas(4, 4, |_, _| 99);
        Fit::default().draw(&wide, &mut fitted);
        let rows: Vec<u32> = fitted.pixels.chunks(4).map(|row| row[0]).collect();
        assert_eq!(rows, [0, 0x00FF_FFFF, 0, 0]);
        assert!(fitted.pixels.chunks(4).all(|row| row.iter().all(|pixel| *pixel == row[0])));
    }

    #[test]
    fn two_stand_side_by_side() {
        let (left, right) = (canvas(2, 2, |_, _| 1), canvas(2, 2, |_, _| 2));
        let mut fitted = canvas(4, 2, |_, _| 99);
        Fit::default().beside(&left, &right, &mut fitted);
        assert_eq!(fitted.pixels, [1, 1, 2, 2, 1, 1, 2, 2]);
    }
}
