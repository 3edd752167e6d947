//! Canvas or frame → JPEG.

use super::hub::{Hub, Jpeg, Picture};
use crate::cam::HeatMap;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::overlay::{Canvas, Look, Overlay};
use axum::body::Bytes;
use jpeg_encoder::ColorType;

/// Draws and encodes pictures. Owns what is needed again for the next one.
pub struct Encoder {
    quality: u8,
    overlay: Overlay,
    canvas: Canvas,
    rgb: Vec<u8>,
}

impl Encoder {
    /// `quality` is 1 to 100.
    pub fn new(quality: u8) -> Encoder {
        Encoder { quality, overlay: Overlay::new(), canvas: Canvas::default(), rgb: Vec::new() }
    }

    /// Shows `frame` with `map` over it, without text, to all who look at the overlay, or the frame alone to those who
    /// look at the raw picture.
    ///
    /// # Errors
    /// [`Error::Device`] where the frame has a size that JPEG does not have.
    pub fn show(
        &mut self,
        hub: &Hub,
        picture: Picture,
        frame: &Frame,
        map: Option<&HeatMap>,
        look: &Look,
    ) -> Result<()> {
        let (rgb, width, height) = match picture {
            Picture::Raw => (&frame.rgb, frame.width, frame.height),
            Picture::Overlay => {
                self.overlay.draw(frame, map, look, None, &mut self.canvas);
                self.canvas.write_rgb(&mut self.rgb);
                (&self.rgb, self.canvas.width, self.canvas.height)
            }
        };
        let bytes = jpeg(rgb, width, height, self.quality)?;
        hub.show(picture, Jpeg { bytes, frame: frame.number, time: frame.time });
        Ok(())
    }
}

/// Of RGB8, row by row.
fn jpeg(rgb: &[u8], width: usize, height: usize, quality: u8) -> Result<Bytes> {
    let size = |side: usize| u16::try_from(side).map_err(|_| Error::device("JPEG", "a side has at most 65535 pixels"));
    let mut bytes = Vec::with_capacity(rgb.len() / 8);
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.encode(rgb, size(width)?, size(height)?, ColorType::Rgb).map_err(|error| Error::device("JPEG", error))?;
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_back_nearly_as_it_was() {
        // A gradient, so that a wrong order of rows, columns or colours shows.
        let (width, height) = (37, 21);
        let rgb: Vec<u8> =
            (0..width * height).flat_map(|at| [(at % width * 6) as u8, (at / width * 11) as u8, 90]).collect();
        let bytes = jpeg(&rgb, width, height, 95).expect("it is a picture");
        let back = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg).expect("it is JPEG").to_rgb8();
        assert_eq!((back.width(), back.height()), (width as u32, height as u32));
        // Quality 95 with half the colours is not far off anywhere on a smooth picture.
        let worst = back.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.is_some_and(|worst| worst <= 12), "{worst:?}");
    }

    #[test]
    fn nothing_is_no_picture() {
        assert!(jpeg(&[], 0, 0, 80).is_err());
        assert!(jpeg(&[0; 3 * 70_000], 70_000, 1, 80).is_err());
    }
}
