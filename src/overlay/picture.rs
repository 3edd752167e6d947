//! The rows of a frame as the canvas wants them: enlarged, mirrored, or as they are.

use crate::frame::Frame;
use crate::kernels::Isa;
use crate::kernels::resample::Resample;

/// Rows that a canvas needs for the display to be legible.
const ENOUGH: usize = 480;

/// Canvases are not enlarged beyond this width.
const WIDEST: usize = 2048;

/// The smallest whole factor that gives a frame enough rows, within reason.
pub fn enlargement(width: usize, height: usize) -> usize {
    let widest = (WIDEST / width.max(1)).max(1);
    ENOUGH.div_ceil(height.max(1)).min(8).min(widest)
}

#[derive(Default)]
pub struct Picture {
    factor: usize,
    resample: Resample,
    planes: Vec<f32>,
    rgb: Vec<u8>,
}

impl Picture {
    pub fn plan(&mut self, frame: &Frame, factor: usize) {
        let width = frame.width * factor;
        self.factor = factor;
        self.rgb.resize(width * 3, 0);
        if factor > 1 {
            self.planes.resize(width * 3, 0.0);
            self.resample.plan((frame.width, frame.height), (width, frame.height * factor));
        }
    }

    /// Row `y` of the canvas, 3 bytes a pixel.
    pub fn row<'a>(&'a mut self, isa: Isa, frame: &'a Frame, flip: bool, y: usize) -> &'a [u8] {
        let stride = frame.width * 3;
        if self.factor > 1 {
            let width = frame.width * self.factor;
            let (red, rest) = self.planes.split_at_mut(width);
            let (green, blue) = rest.split_at_mut(width);
            self.resample.row(isa, &frame.rgb, stride, y, [&mut *red, &mut *green, &mut *blue]);
            for (x, pixel) in self.rgb.chunks_exact_mut(3).enumerate() {
                let x = if flip { width - 1 - x } else { x };
                pixel.copy_from_slice(&[red[x], green[x], blue[x]].map(|part| (part + 0.5) as u8));
            }
            return &self.rgb;
        }
        let row = &frame.rgb[y * stride..][..stride];
        if !flip {
            return row;
        }
        for (mirrored, pixel) in self.rgb.chunks_exact_mut(3).zip(row.chunks_exact(3).rev()) {
            mirrored.copy_from_slice(pixel);
        }
        &self.rgb
    }
}

#[cfg(test)]
mod tests {
    use super::enlargement;

    #[test]
    fn small_frames_are_enlarged_until_the_display_has_room() {
        for (width, height, factor) in
            [(640, 480, 1), (320, 240, 2), (640, 360, 2), (160, 120, 4), (1280, 720, 1), (1, 1, 8), (3000, 10, 1)]
        {
            assert_eq!(enlargement(width, height), factor, "{width}x{height}");
        }
    }
}
