//! Frame → Input: crop, resize, normalise.

use crate::frame::{Frame, Geometry, Rect};
use crate::kernels::Isa;
use crate::kernels::normalize::normalize;
use crate::kernels::resample::Resample;
use crate::model::metadata::{ColourOrder, Preprocessing, Resize};
use ndarray::Array4;

/// What the network is given, and where in the frame it lies.
#[derive(Debug, Clone)]
pub struct Input {
    /// `[1, 3, height, width]`, planes in the network's colour order, `(x − mean) / scale`.
    pub tensor: Array4<f32>,
    pub geometry: Geometry,
}

impl Input {
    /// An input of the network's size, all zeros, that has seen nothing yet.
    pub fn new(preprocessing: &Preprocessing) -> Input {
        let seen = Rect { x: 0.0, y: 0.0, width: 0.0, height: 0.0 };
        Input {
            tensor: Array4::zeros((1, 3, preprocessing.height, preprocessing.width)),
            geometry: Geometry { width: 0, height: 0, seen },
        }
    }
}

/// Brings frames to what one network wants. Allocates only when the size of the frames changes.
pub struct Preprocess {
    wanted: Preprocessing,
    resample: Resample,
    isa: Isa,
}

impl Preprocess {
    pub fn new(preprocessing: &Preprocessing) -> Preprocess {
        Preprocess { wanted: preprocessing.clone(), resample: Resample::default(), isa: Isa::best() }
    }

    /// Fills `input` from `frame`, whose sides are at least 1. A crop that has the network's size already is taken bit
    /// by bit; any other is averaged over the area that a pixel covers (a triangle filter, as Pillow's bilinear).
    pub fn run(&mut self, frame: &Frame, input: &mut Input) {
        assert_eq!(frame.rgb.len(), frame.width * frame.height * 3, "frame {} is not whole", frame.number);
        let (width, height) = (self.wanted.width, self.wanted.height);
        let (x, y, crop_width, crop_height) = match self.wanted.resize {
            Resize::CentreCrop => centre_crop((frame.width, frame.height), (width, height)),
            Resize::Stretch => (0, 0, frame.width, frame.height),
        };
        input.geometry = Geometry {
            width: frame.width,
            height: frame.height,
            seen: Rect { x: x as f32, y: y as f32, width: crop_width as f32, height: crop_height as f32 },
        };
        self.resample.plan((crop_width, crop_height), (width, height));

        let tensor = input.tensor.as_slice_mut().expect("made by Input::new in standard layout");
        let (first, rest) = tensor.split_at_mut(width * height);
        let (second, third) = rest.split_at_mut(width * height);
        let [mut red, mut green, mut blue] = match self.wanted.order {
            ColourOrder::Rgb => [first, second, third],
            ColourOrder::Bgr => [third, second, first],
        };
        let crop = &frame.rgb[(y * frame.width + x) * 3..];
        for row in 0..height {
            let part = row * width..(row + 1) * width;
            let planes = [&mut red[part.clone()], &mut green[part.clone()], &mut blue[part]];
            self.resample.row(self.isa, crop, frame.width * 3, row, planes);
        }
        for (colour, plane) in [&mut red, &mut green, &mut blue].into_iter().enumerate() {
            normalize(self.isa, plane, self.wanted.mean[colour], self.wanted.scale[colour]);
        }
    }
}

/// The largest centred part of `frame` with the aspect ratio of `wanted`, in whole pixels: (x, y, width, height).
fn centre_crop(frame: (usize, usize), wanted: (usize, usize)) -> (usize, usize, usize, usize) {
    let share = |side: usize, part: usize, whole: usize| (side * part + whole / 2) / whole;
    let width = share(frame.1, wanted.0, wanted.1).clamp(1, frame.0);
    let height = share(frame.0, wanted.1, wanted.0).clamp(1, frame.1);
    ((frame.0 - width) / 2, (frame.1 - height) / 2, width, height)
}

#[cfg(test)]
mod tests {
    use super::centre_crop;

    #[test]
    fn the_crop_is_centred_and_has_the_wanted_shape() {
        for (frame, wanted, crop) in [
            ((640, 480), (224, 224), (80, 0, 480, 480)),
            ((480, 640), (224, 224), (0, 80, 480, 480)),
            ((225, 224), (224, 224), (0, 0, 224, 224)),
            ((1920, 1080), (320, 160), (0, 60, 1920, 960)),
            ((1000, 1), (224, 224), (499, 0, 1, 1)),
            ((1, 1), (299, 224), (0, 0, 1, 1)),
        ] {
            assert_eq!(centre_crop(frame, wanted), crop, "{frame:?} for {wanted:?}");
        }
    }
}
