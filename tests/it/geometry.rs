//! A bright object is planted into pictures that are turned, fitted, cut and mirrored: the heat must fall on it. The
//! classifier's only feature is brightness, so that where its map is hottest is known.

use crate::common::graphs::Builder;
use crate::common::program::{Folder, gradcam};
use gradcam::cam::focus::focus;
use gradcam::cam::{HeatMap, methods};
use gradcam::decode::Decoder;
use gradcam::engine::Engine;
use gradcam::frame::{Frame, PixelFormat, RawFrame, Region, Turn};
use gradcam::model::metadata::{NullLevels, Resize, Wish};
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::{Attribute, Tensor};
use gradcam::overlay::{Canvas, Colormap, Look, Overlay};
use gradcam::pipeline::explainer::Explainer;
use gradcam::target::Selector;

/// Pixels of the network's picture, and of a cell.
const NETWORK: (usize, usize) = (48, 32);
const CELL: usize = 4;
const TURNS: [Turn; 4] = [Turn::None, Turn::Quarter, Turn::Half, Turn::ThreeQuarters];
const FITS: [Resize; 3] = [Resize::CentreCrop, Resize::Letterbox, Resize::Stretch];

/// One feature: the mean of red, green and blue over 4×4 pixels. Class 0 likes it, class 1 does not.
fn classifier() -> Vec<u8> {
    let mut builder = Builder::new(13, NETWORK.0, 1);
    builder.graph.nodes.clear();
    builder.graph.inputs[0].shape = Some([1, 3, NETWORK.1, NETWORK.0].map(Some).to_vec());
    let stride = ("strides", Attribute::Ints(vec![CELL as i64; 2]));
    let mean = vec![1.0 / 48.0; 3 * CELL * CELL];
    builder.constant("mean", Tensor::f32(&[1, 3, CELL, CELL], &mean));
    builder
        .with("likes", &[1, 2], &[1.0, -1.0])
        .node("Conv", &["image", "mean"], "features", &[stride])
        .node("GlobalAveragePool", &["features"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "likes"], "scores", &[])
        .bytes(2)
}

fn explainer(fit: Resize, region: Option<Region>) -> Explainer {
    let preprocess = Wish { preset: Some("raw".to_owned()), ..Wish::default() };
    let options = Options { preprocess, fit: Some(fit), ..Options::default() };
    let model = Model::load("brightness.onnx", &classifier(), &options).expect("it is a classifier");
    let mut engine = Engine::new(&model, 1).expect("it runs");
    let map_max = [("grad-cam".to_owned(), 0.0)].into();
    engine.info.null_levels = Some(NullLevels { evidence: -1e6, contrast: 1e-6, map_max });
    Explainer::new(engine, Selector::new(Some(gradcam::target::Target::class(0)))).expect("it is complete").on(region)
}

/// Where the network can see an object at all.
#[derive(Debug, Clone, Copy)]
struct Room {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The part of a region that a fit shows, and how large a cell is in pixels of the frame.
fn room(fit: Resize, region: Region) -> (Room, f64, f64) {
    let [x, y, width, height] = [region.x, region.y, region.width, region.height].map(|side| side as f64);
    let (across, down) = (NETWORK.0 as f64 / width, NETWORK.1 as f64 / height);
    let cell = CELL as f64;
    match fit {
        Resize::CentreCrop => {
            let scale = across.max(down);
            let (w, h) = (NETWORK.0 as f64 / scale, NETWORK.1 as f64 / scale);
            let room = Room { x: x + (width - w) / 2.0, y: y + (height - h) / 2.0, width: w, height: h };
            (room, cell / scale, cell / scale)
        }
        Resize::Letterbox => (Room { x, y, width, height }, cell / across.min(down), cell / across.min(down)),
        Resize::Stretch => (Room { x, y, width, height }, cell / across, cell / down),
    }
}

/// A dark picture with a bright rectangle, as a camera sees it that has to be turned to see it upright.
fn lying(size: (usize, usize), object: Room, turn: Turn) -> RawFrame {
    let (width, height) = size;
    let inside = |x: usize, y: usize| {
        let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
        (object.x..object.x + object.width).contains(&x) && (object.y..object.y + object.height).contains(&y)
    };
    // Where the camera's pixel is found once the picture has been turned clockwise.
    let (across, down) = if matches!(turn, Turn::None | Turn::Half) { (width, height) } else { (height, width) };
    let upright = |column: usize, row: usize| match turn {
        Turn::None => (column, row),
        Turn::Quarter => (width - 1 - row, column),
        Turn::Half => (width - 1 - column, height - 1 - row),
        Turn::ThreeQuarters => (row, height - 1 - column),
    };
    let mut data = Vec::new();
    for row in 0..down {
        for column in 0..across {
            let (x, y) = upright(column, row);
            data.extend([if inside(x, y) { 250 } else { 3 }; 3]);
        }
    }
    RawFrame { format: PixelFormat::Rgb8, width: across, height: down, data, turn, ..RawFrame::new() }
}

/// Where the heat of a map is strongest on the canvas, from a colour map that gets brighter all the way.
fn hottest(map: &HeatMap, size: (usize, usize), flip: bool) -> (f64, f64) {
    let black = Frame { width: size.0, height: size.1, rgb: vec![0; size.0 * size.1 * 3], ..Frame::default() };
    let look = Look { colormap: Colormap::Inferno, opacity: 1.0, flip, ..Look::default() };
    let mut canvas = Canvas::default();
    // Without heat there are still the outline and the dimmed part.
    let [hot, cold] = [true, false].map(|heat| {
        Overlay::new().draw(&black, Some(map), &Look { heat, ..look }, None, &mut canvas);
        canvas.to_rgb()
    });
    let light = |at: usize| -> i32 { (0..3).map(|c| i32::from(hot[at * 3 + c]) - i32::from(cold[at * 3 + c])).sum() };
    let most = (0..size.0 * size.1).map(light).max().expect("there are pixels");
    assert!(most > 100, "there is heat");
    // The middle of all pixels that are nearly as hot.
    let brightest: Vec<usize> = (0..size.0 * size.1).filter(|at| light(*at) >= most - 3).collect();
    let middle = |part: &dyn Fn(usize) -> usize| {
        brightest.iter().map(|at| part(*at) as f64 + 0.5).sum::<f64>() / brightest.len() as f64
    };
    (middle(&|at| at % size.0), middle(&|at| at / size.0))
}

#[test]
fn the_heat_falls_on_the_object_whatever_was_done_to_the_picture() {
    let mut cases = 0;
    for (size, roi) in [
        ((97, 61), None),
        ((61, 97), None),
        ((160, 120), None),
        ((101, 33), Some(Region { x: 7, y: 3, width: 71, height: 29 })),
        ((75, 131), Some(Region { x: 12, y: 41, width: 51, height: 83 })),
        // More than there is: what lies in the frame counts.
        ((75, 61), Some(Region { x: 20, y: 10, width: 1000, height: 1000 })),
    ] {
        for fit in FITS {
            let mut explainer = explainer(fit, roi);
            let whole = Region { x: 0, y: 0, width: size.0, height: size.1 };
            let region = roi.map_or(whole, |roi| Region {
                width: roi.width.min(size.0 - roi.x),
                height: roi.height.min(size.1 - roi.y),
                ..roi
            });
            let (room, across, down) = room(fit, region);
            for (turn, place) in TURNS.into_iter().flat_map(|turn| (0..9).map(move |place| (turn, place))) {
                // Near the edges and in the middle of what is seen; about a cell large.
                let share = |step: usize| [0.15, 0.55, 0.85][step];
                let (x, y) = (room.x + room.width * share(place % 3), room.y + room.height * share(place / 3));
                let object = Room { x: x - across / 2.0, y: y - down / 2.0, width: across, height: down };
                let mut frame = Frame::default();
                Decoder::new().decode(&lying(size, object, turn), &mut frame).expect("it is whole");
                assert_eq!((frame.width, frame.height), size);
                let method = methods::find("grad-cam").expect("it is known");
                let (map, _) = explainer.explain(&frame, method).expect("it is explained");
                let case = format!("{size:?} {roi:?} {fit:?} {turn:?} at {x:.1}, {y:.1}");

                let peak = focus(&map, None).expect("there is heat").peak;
                // The object may lie half in two cells, and its edges on whole pixels.
                let near = |found: f64, wanted: f64, cell: f64| (found - wanted).abs() <= cell * 0.5 + 1.0;
                let (peak_x, peak_y) = (f64::from(peak.x), f64::from(peak.y));
                assert!(near(peak_x, x, across) && near(peak_y, y, down), "{case}: the focus is at {peak_x}, {peak_y}");
                for flip in [false, true] {
                    let (hot_x, hot_y) = hottest(&map, size, flip);
                    let wanted = if flip { size.0 as f64 - x } else { x };
                    // Between two cells of the same heat the brightest place is between them too.
                    let drawn = near(hot_x, wanted, across * 2.0) && near(hot_y, y, down * 2.0);
                    assert!(drawn, "{case}, mirrored {flip}: drawn at {hot_x}, {hot_y}");
                }
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 6 * 3 * 4 * 9);
}

#[test]
fn what_lies_outside_of_the_region_has_no_influence() {
    let region = Region { x: 30, y: 20, width: 41, height: 37 };
    let frame = crate::overlay_scene::patterned(97, 61);
    let mut painted = frame.clone();
    for (at, pixel) in painted.rgb.chunks_mut(3).enumerate() {
        let (x, y) = (at % 97, at / 97);
        if !(30..71).contains(&x) || !(20..57).contains(&y) {
            pixel.fill(255);
        }
    }
    for fit in FITS {
        let mut explainer = explainer(fit, Some(region));
        let method = methods::find("grad-cam").expect("it is known");
        let [one, other] = [&frame, &painted].map(|frame| explainer.explain(frame, method).expect("explained").0);
        assert_eq!((one.values, one.target), (other.values, other.target), "{fit:?}");
    }
    // A region beside the picture is an error that says so.
    let outside = Region { x: 97, ..region };
    let error = explainer(Resize::Stretch, Some(outside)).explain(&frame, methods::find("grad-cam").expect("known"));
    let said = error.expect_err("there is nothing to see").to_string();
    assert!(said.contains("97,20,41,37") && said.contains("97x61"), "{said}");
}

#[test]
fn the_program_turns_cuts_and_fits_pictures() {
    let folder = Folder::new();
    let (model, picture, out) = (folder.path("brightness.onnx"), folder.path("lying.png"), folder.path("out"));
    std::fs::write(&model, classifier()).expect("written");
    // Upright 90×120 with the object around 60, 100; the camera lay on its side.
    let object = Room { x: 54.0, y: 94.0, width: 12.0, height: 12.0 };
    let raw = lying((90, 120), object, Turn::Quarter);
    image::save_buffer(&picture, &raw.data, raw.width as u32, raw.height as u32, image::ExtendedColorType::Rgb8)
        .expect("written");
    let [model, picture, out] = [&model, &picture, &out].map(|path| path.to_string_lossy().into_owned());
    let run = |more: &[&str]| {
        let arguments = ["explain", &picture, "-o", &out, "--model", &model, "--preprocess", "raw", "--target", "0"];
        gradcam(&[&arguments[..], &["--json", "--rotate", "90"], more].concat())
    };
    for more in [&["--fit", "letterbox"][..], &["--fit", "stretch"], &["--roi", "30,80,60,40", "--flip"]] {
        let run = run(more);
        run.succeeds();
        let report: serde_json::Value = serde_json::from_str(run.stdout.trim()).expect("JSON");
        let peak = &report["focus"]["peak"];
        let (x, y) = (peak["x"].as_f64().expect("a number"), peak["y"].as_f64().expect("a number"));
        assert!((x - 60.0).abs() < 10.0 && (y - 100.0).abs() < 10.0, "{more:?}: {x}, {y}");
        let overlay = image::open(folder.path("out/lying.overlay.png")).expect("it is a picture");
        assert_eq!((overlay.width(), overlay.height()), (90, 120));
    }
    let beside = run(&["--roi", "90,0,5,5"]);
    assert_eq!(beside.code, 2);
    let said = beside.stderr.lines().last().unwrap_or_default();
    assert!(["lying.png", "90,0,5,5", "90x120"].iter().all(|word| said.contains(word)), "{said}");
    assert_eq!(run(&["--rotate", "45"]).code, 2);
    assert_eq!(run(&["--roi", "1,2,0,4"]).code, 2);
    assert_eq!(run(&["--fit", "bend"]).code, 2);
}
