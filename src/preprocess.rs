//! Frame → Input: fit, resize, normalise.

use crate::frame::{Frame, Geometry, Rect, Region};
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

    /// Fills `input` from all of `frame`, whose sides are at least 1.
    pub fn run(&mut self, frame: &Frame, input: &mut Input) {
        self.run_on(frame, Region::whole(frame), input);
    }

    /// Fills `input` from `region`, which lies in `frame` and whose sides are at least 1, as if it were all of it. What
    /// has the network's size already is taken bit by bit; anything else is averaged over the area that a pixel covers (a
    /// triangle filter, as Pillow's bilinear).
    pub fn run_on(&mut self, frame: &Frame, region: Region, input: &mut Input) {
        assert_eq!(frame.rgb.len(), frame.width * frame.height * 3, "frame {} is not whole", frame.number);
        assert_eq!(region.within(frame), Some(region), "{region:?} lies in frame {}", frame.number);
        let (width, height) = (self.wanted.width, self.wanted.height);
        let (crop, place) = fit(self.wanted.resize, (region.width, region.height), (width, height));
        let crop = Region { x: region.x + crop.x, y: region.y + crop.y, ..crop };
        let seen = |from: usize, crop: usize, before: usize, place: usize, whole: usize| {
            let step = crop as f64 / place as f64;
            ((from as f64 - before as f64 * step) as f32, (whole as f64 * step) as f32)
        };
        let (x, seen_width) = seen(crop.x, crop.width, place.x, place.width, width);
        let (y, seen_height) = seen(crop.y, crop.height, place.y, place.height, height);
        input.geometry = Geometry {
            width: frame.width,
            height: frame.height,
            seen: Rect { x, y, width: seen_width, height: seen_height },
        };
        self.resample.plan((crop.width, crop.height), (place.width, place.height));

        let tensor = input.tensor.as_slice_mut().expect("made by Input::new in standard layout");
        let (first, rest) = tensor.split_at_mut(width * height);
        let (second, third) = rest.split_at_mut(width * height);
        let [mut red, mut green, mut blue] = match self.wanted.order {
            ColourOrder::Rgb => [first, second, third],
            ColourOrder::Bgr => [third, second, first],
        };
        if (place.width, place.height) != (width, height) {
            let planes = [&mut red, &mut green, &mut blue].into_iter().zip(self.wanted.mean);
            planes.for_each(|(plane, mean)| plane.fill(mean));
        }
        let rgb = &frame.rgb[(crop.y * frame.width + crop.x) * 3..];
        for row in 0..place.height {
            let start = (place.y + row) * width + place.x;
            let part = start..start + place.width;
            let planes = [&mut red[part.clone()], &mut green[part.clone()], &mut blue[part]];
            self.resample.row(self.isa, rgb, frame.width * 3, row, planes);
        }
        for (colour, plane) in [&mut red, &mut green, &mut blue].into_iter().enumerate() {
            normalize(self.isa, plane, self.wanted.mean[colour], self.wanted.scale[colour]);
        }
    }
}

/// Which part of a picture of size `from` is used, and where it lies in the network's picture of size `to`.
fn fit(resize: Resize, from: (usize, usize), to: (usize, usize)) -> (Region, Region) {
    let (all, filled) = (middle(from, from), middle(to, to));
    match resize {
        Resize::CentreCrop => (middle(largest(to, from), from), filled),
        Resize::Letterbox => (all, middle(largest(from, to), to)),
        Resize::Stretch => (all, filled),
    }
}

/// The largest size with the aspect ratio of `shape` that fits into `room`, in whole pixels.
fn largest(shape: (usize, usize), room: (usize, usize)) -> (usize, usize) {
    let share = |side: usize, part: usize, whole: usize| (side * part + whole / 2) / whole;
    let width = share(room.1, shape.0, shape.1).clamp(1, room.0);
    let height = share(room.0, shape.1, shape.0).clamp(1, room.1);
    (width, height)
}

/// The middle of `room` of that size.
fn middle((width, height): (usize, usize), room: (usize, usize)) -> Region {
    Region { x: (room.0 - width) / 2, y: (room.1 - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crop_is_centred_and_has_the_wanted_shape() {
        for (frame, wanted, (x, y, width, height)) in [
            ((640, 480), (224, 224), (80, 0, 480, 480)),
            ((480, 640), (224, 224), (0, 80, 480, 480)),
            ((225, 224), (224, 224), (0, 0, 224, 224)),
            ((1920, 1080), (320, 160), (0, 60, 1920, 960)),
            ((1000, 1), (224, 224), (499, 0, 1, 1)),
            ((1, 1), (299, 224), (0, 0, 1, 1)),
        ] {
            let (crop, place) = fit(Resize::CentreCrop, frame, wanted);
            assert_eq!(crop, Region { x, y, width, height }, "{frame:?} for {wanted:?}");
            assert_eq!(place, Region { x: 0, y: 0, width: wanted.0, height: wanted.1 });
        }
    }

    #[test]
    fn a_letterbox_holds_all_of_the_frame_in_its_shape() {
        for (frame, wanted, (x, y, width, height)) in [
            ((640, 480), (224, 224), (0, 28, 224, 168)),
            ((480, 640), (224, 224), (28, 0, 168, 224)),
            ((224, 224), (224, 224), (0, 0, 224, 224)),
            ((1000, 1), (224, 224), (0, 111, 224, 1)),
            ((1, 1), (299, 224), (37, 0, 224, 224)),
        ] {
            let (crop, place) = fit(Resize::Letterbox, frame, wanted);
            assert_eq!(place, Region { x, y, width, height }, "{frame:?} for {wanted:?}");
            assert_eq!(crop, Region { x: 0, y: 0, width: frame.0, height: frame.1 });
        }
    }
}
