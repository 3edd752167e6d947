use crate::overlay_scene::patterned;
use gradcam::frame::{Frame, Rect};
use gradcam::model::metadata::{ColourOrder, Preprocessing, Resize};
use gradcam::preprocess::{Input, Preprocess};

fn wanted(width: usize, height: usize) -> Preprocessing {
    Preprocessing {
        width,
        height,
        order: ColourOrder::Rgb,
        mean: [127.0; 3],
        scale: [128.0; 3],
        resize: Resize::CentreCrop,
    }
}

fn run(frame: &Frame, wanted: &Preprocessing) -> Input {
    let mut input = Input::new(wanted);
    Preprocess::new(wanted).run(frame, &mut input);
    input
}

/// The mean of a crop's pixels, weighted by a triangle around the centre of output pixel (x, y), in f64 and in one step.
fn reference(frame: &Frame, seen: Rect, size: (usize, usize), x: usize, y: usize, colour: usize) -> f64 {
    let weights = |first: f32, length: f32, to: usize, i: usize| -> Vec<(usize, f64)> {
        let step = f64::from(length) / to as f64;
        let centre = (i as f64 + 0.5) * step;
        let weight = |p: usize| (1.0 - ((p as f64 + 0.5 - centre) / step.max(1.0)).abs()).max(0.0);
        (0..length as usize).map(|p| (first as usize + p, weight(p))).collect()
    };
    let across = weights(seen.x, seen.width, size.0, x);
    let down = weights(seen.y, seen.height, size.1, y);
    let (mut sum, mut total) = (0.0, 0.0);
    for &(row, down) in &down {
        for &(column, across) in &across {
            sum += down * across * f64::from(frame.rgb[(row * frame.width + column) * 3 + colour]);
            total += down * across;
        }
    }
    sum / total
}

#[test]
fn a_picture_of_the_networks_size_is_taken_bit_by_bit() {
    let picture = image::open("tests/data/lite0/chelsea_224.png").unwrap().to_rgb8();
    let frame = Frame { width: 224, height: 224, rgb: picture.into_raw(), ..Frame::default() };
    let input = run(&frame, &wanted(224, 224));
    for ((_, colour, y, x), &value) in input.tensor.indexed_iter() {
        assert_eq!(value, (f32::from(frame.rgb[(y * 224 + x) * 3 + colour]) - 127.0) / 128.0);
    }
}

#[test]
fn every_other_size_is_the_weighted_mean_of_the_reference() {
    for (frame, network) in [
        ((640, 480), (32, 32)),
        ((97, 61), (24, 24)),
        ((61, 97), (24, 24)),
        ((1, 1), (8, 8)),
        ((1, 90), (8, 8)),
        ((90, 1), (8, 8)),
        ((2, 3), (7, 5)),
        ((13, 11), (40, 40)),
        ((200, 30), (20, 10)),
        ((33, 32), (32, 32)),
    ] {
        let frame = patterned(frame.0, frame.1);
        let input = run(&frame, &wanted(network.0, network.1));
        let seen = input.geometry.seen;
        for ((_, colour, y, x), &value) in input.tensor.indexed_iter() {
            let expected = (reference(&frame, seen, network, x, y, colour) - 127.0) / 128.0;
            // Sums of some tens of f32 products of up to 255: errors of 1e-4 of a level, over a scale of 128.
            assert!(
                (f64::from(value) - expected).abs() < 2e-6,
                "{}x{}: {value} for {expected}",
                frame.width,
                frame.height
            );
        }
    }
}

#[test]
fn the_geometry_says_what_was_seen() {
    let input = run(&patterned(640, 360), &wanted(224, 224));
    assert_eq!((input.geometry.width, input.geometry.height), (640, 360));
    assert_eq!(input.geometry.seen, Rect { x: 140.0, y: 0.0, width: 360.0, height: 360.0 });
    let outside = {
        let mut frame = patterned(640, 360);
        for row in frame.rgb.chunks_exact_mut(640 * 3) {
            row[..140 * 3].fill(0);
            row[500 * 3..].fill(0);
        }
        run(&frame, &wanted(224, 224))
    };
    assert_eq!(outside.tensor, input.tensor, "pixels outside `seen` have no influence");
}

#[test]
fn colours_come_in_the_networks_order_with_their_own_mean_and_scale() {
    let frame = Frame { width: 2, height: 2, rgb: [10, 20, 30].repeat(4), ..Frame::default() };
    let rgb = Preprocessing { mean: [1.0, 2.0, 3.0], scale: [1.0, 2.0, 4.5], ..wanted(2, 2) };
    let values = |wanted: &Preprocessing| -> Vec<f32> {
        (0..3).map(|plane| run(&frame, wanted).tensor[[0, plane, 0, 0]]).collect()
    };
    assert_eq!(values(&rgb), [9.0, 9.0, 6.0]);
    assert_eq!(values(&Preprocessing { order: ColourOrder::Bgr, ..rgb }), [6.0, 9.0, 9.0]);
}

#[test]
fn frames_of_changing_size_leave_nothing_behind() {
    let wanted = wanted(16, 16);
    let (mut preprocess, mut input) = (Preprocess::new(&wanted), Input::new(&wanted));
    for size in [(64, 48), (1, 1), (16, 16), (48, 64), (64, 48)] {
        let frame = patterned(size.0, size.1);
        preprocess.run(&frame, &mut input);
        assert_eq!(input.tensor, run(&frame, &wanted).tensor, "{size:?}");
    }
}
