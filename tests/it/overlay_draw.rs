use crate::overlay_scene::{hud, over, patterned, plain};
use gradcam::cam::HeatMap;
use gradcam::frame::Frame;
use gradcam::overlay::{Canvas, Colormap, Hud, Look, Overlay, State, max_opacity};
use ndarray::Array2;
use proptest::prelude::*;

fn draw(frame: &Frame, map: Option<&HeatMap>, look: &Look, hud: Option<&Hud>) -> Canvas {
    let mut canvas = Canvas::default();
    Overlay::new().draw(frame, map, look, hud, &mut canvas);
    canvas
}

/// How opaque the heat is at each pixel: what white and black below it still differ by.
fn opacities(size: (usize, usize), map: &HeatMap, look: &Look) -> Vec<f32> {
    let [white, black] = [255, 0].map(|level| draw(&plain(size.0, size.1, level), Some(map), look, None).to_rgb());
    white.chunks(3).zip(black.chunks(3)).map(|(white, black)| 1.0 - f32::from(white[1] - black[1]) / 255.0).collect()
}

/// Where a canvas is hottest.
fn hottest(canvas: &Canvas, cold: &Canvas) -> (usize, usize) {
    let change = |i: &usize| -> u32 {
        let (hot, cold) = (canvas.pixels[*i].to_be_bytes(), cold.pixels[*i].to_be_bytes());
        hot.iter().zip(cold).map(|(a, b)| u32::from(a.abs_diff(b))).sum()
    };
    let i = (0..canvas.pixels.len()).max_by_key(change).unwrap();
    (i % canvas.width, i / canvas.width)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_pixel_is_more_opaque_than_stated(values in prop::collection::vec(-1.5f32..1.5, 12), opacity in 0f32..=1.0, gate in 0f32..=1.0, signed in any::<bool>()) {
        let map = HeatMap { gate, ..over(&plain(48, 48, 0), Array2::from_shape_vec((3, 4), values).unwrap()) };
        let look = Look { opacity, signed, ..Look::default() };
        let largest = opacities((48, 48), &map, &look).into_iter().fold(0.0, f32::max);
        // A step of 1/255 each for the heat (whose opacity rises at most 2.8 times as fast) and the tint.
        prop_assert!(largest <= max_opacity(&map, &look) + 4.0 / 255.0, "{largest} for {}", max_opacity(&map, &look));
    }
}

#[test]
fn full_heat_has_the_opacity_that_was_asked_for_and_cold_parts_stay_clear() {
    let map =
        over(&plain(70, 70, 0), Array2::from_shape_fn((7, 7), |(y, x)| if (y, x) == (3, 3) { 1.0 } else { 0.05 }));
    let look = Look { opacity: 0.6, ..Look::default() };
    let opacities = opacities((70, 70), &map, &look);
    assert!((opacities[35 * 70 + 35] - 0.6).abs() < 0.02, "{}", opacities[35 * 70 + 35]);
    assert_eq!(opacities[5 * 70 + 5], 0.0);
    assert_eq!(max_opacity(&map, &Look { heat: false, ..look }), 0.0);
}

#[test]
fn a_closed_gate_or_a_map_that_speaks_against_the_class_leaves_the_picture_alone() {
    let frame = patterned(64, 64);
    let look = Look::default();
    let bare = draw(&frame, None, &look, None);
    assert_eq!(bare.to_rgb(), frame.rgb);
    let hot = over(&frame, Array2::ones((7, 7)));
    assert_ne!(draw(&frame, Some(&hot), &look, None), bare);
    for (map, look) in [
        (HeatMap { gate: 0.0, ..hot.clone() }, look),
        (over(&frame, -Array2::ones((7, 7))), look),
        (over(&frame, Array2::from_elem((7, 7), f32::NAN)), look),
        (over(&frame, Array2::zeros((0, 0))), look),
        (HeatMap { scale: 0.0, ..hot.clone() }, look),
        (hot.clone(), Look { heat: false, ..look }),
        (hot, Look { opacity: 0.0, ..look }),
    ] {
        assert_eq!(draw(&frame, Some(&map), &look, None), bare, "{map:?} {look:?}");
    }
}

#[test]
fn what_was_not_seen_is_dim_and_carries_no_heat() {
    let frame = plain(160, 90, 200);
    let [hot, cold] = [1.0, 0.0]
        .map(|heat| draw(&frame, Some(&over(&frame, Array2::from_elem((7, 7), heat))), &Look::default(), None));
    for (x, y) in [(0, 0), (33, 45), (126, 45), (159, 89)] {
        assert_eq!(hot.pixels[y * 160 + x], 0x0050_5050, "at {x}, {y}");
    }
    assert_ne!(hot.pixels[45 * 160 + 80], cold.pixels[45 * 160 + 80]);
    assert_eq!(cold.pixels[45 * 160 + 80], 0x00C8_C8C8);
}

#[test]
fn the_seen_part_is_outlined_on_any_picture() {
    for level in [0, 128, 255] {
        let frame = plain(160, 90, level);
        let canvas = draw(&frame, Some(&over(&frame, Array2::zeros((7, 7)))), &Look::default(), None);
        let row: Vec<u8> = canvas.pixels[45 * 160..][30..40].iter().map(|pixel| pixel.to_be_bytes()[1]).collect();
        let step = row.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
        assert!(step >= 100, "on {level}: {row:?}");
    }
}

#[test]
fn a_hot_cell_lies_over_its_share_of_what_was_seen() {
    for (width, height) in [(640, 480), (480, 640), (225, 224), (1280, 720)] {
        let frame = plain(width, height, 90);
        let side = width.min(height);
        for (cell, flip) in [((1, 5), false), ((1, 5), true), ((6, 0), false)] {
            let values = Array2::from_shape_fn((7, 7), |at| f32::from(at == cell));
            let look = Look { flip, ..Look::default() };
            let [hot, cold] = [1.0, 0.0].map(|part| draw(&frame, Some(&over(&frame, &values * part)), &look, None));
            let (x, y) = hottest(&hot, &cold);
            let x = if flip { width - 1 - x } else { x };
            let found = ((y - (height - side) / 2) * 7 / side, (x - (width - side) / 2) * 7 / side);
            assert_eq!(found, cell, "{width}x{height} flip {flip}");
        }
    }
}

#[test]
fn flipped_is_mirrored_at_any_width() {
    for width in [1, 2, 31, 64, 97] {
        let frame = patterned(width, 40);
        let map = over(&frame, Array2::from_shape_fn((3, 5), |(y, x)| (y + 2 * x) as f32 / 10.0));
        let [plain, flipped] =
            [false, true].map(|flip| draw(&frame, Some(&map), &Look { flip, ..Look::default() }, None));
        for (a, b) in plain.pixels.chunks(width).zip(flipped.pixels.chunks(width)) {
            for (a, b) in a.iter().zip(b.iter().rev()) {
                // The spline is evaluated from the other side: a step of heat is a few steps of colour.
                let far = a.to_be_bytes().iter().zip(b.to_be_bytes()).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                assert!(far <= 4, "{a:06x} {b:06x} at width {width}");
            }
        }
    }
}

#[test]
fn signed_shows_what_speaks_against_the_class_in_blue() {
    let frame = plain(90, 90, 128);
    let map = over(&frame, ndarray::array![[1.0, 0.0, -1.0]]);
    let canvas = draw(&frame, Some(&map), &Look { signed: true, opacity: 1.0, ..Look::default() }, None);
    let [red, middle, blue] = [15, 45, 75].map(|x| canvas.pixels[45 * 90 + x].to_be_bytes());
    assert!(red[1] > red[3] + 80 && blue[3] > blue[1] + 80, "{red:?} {blue:?}");
    assert_eq!(middle, [0, 128, 128, 128]);
}

#[test]
fn maps_without_negative_evidence_are_shown_as_always() {
    let frame = plain(90, 90, 128);
    let map = HeatMap { signed: false, ..over(&frame, ndarray::array![[1.0, 0.0, -1.0]]) };
    let signed = Look { signed: true, ..Look::default() };
    assert_eq!(draw(&frame, Some(&map), &signed, None), draw(&frame, Some(&map), &Look::default(), None));
    assert_eq!(max_opacity(&map, &signed), max_opacity(&map, &Look::default()));
}

#[test]
fn the_display_names_what_the_method_is_the_same_as() {
    let frame = plain(640, 480, 90);
    let mut hud = Hud { coinciding: vec![vec!["grad-cam", "hires-cam", "xgrad-cam"]], ..Hud::default() };
    let mut map = over(&frame, Array2::ones((7, 7)));
    hud.describe(&map);
    assert_eq!(hud.method, "Grad-CAM = HiResCAM, XGrad-CAM");
    map.method = "eigen-cam";
    hud.describe(&map);
    assert_eq!(hud.method, "Eigen-CAM");
}

#[test]
fn small_frames_get_room_for_the_display_only_when_there_is_one() {
    let frame = patterned(160, 120);
    let map = over(&frame, Array2::zeros((7, 7)));
    let still = draw(&frame, Some(&map), &Look::default(), None);
    let live = draw(&frame, Some(&map), &Look::default(), Some(&hud(&map)));
    assert_eq!([still.width, still.height, live.width, live.height], [160, 120, 640, 480]);
}

#[test]
fn the_display_is_readable_on_any_background() {
    for level in [0, 90, 255] {
        let frame = plain(640, 480, level);
        let map = over(&frame, Array2::zeros((7, 7)));
        let canvas = draw(&frame, Some(&map), &Look::default(), Some(&hud(&map)));
        // The panel of the classes: the ground of its title, and the brightest and darkest pixel there.
        let title = (14..40)
            .flat_map(|y| canvas.pixels[y * 640 + 90..y * 640 + 240].iter().map(|pixel| pixel.to_be_bytes()[2]));
        let (dark, bright) = title.fold((255, 0), |(dark, bright), level| (level.min(dark), level.max(bright)));
        assert!(bright > 235 && dark < 90, "on {level}: {dark} to {bright}");
    }
}

#[test]
fn a_lost_source_greys_the_picture_below_the_display() {
    let frame = patterned(640, 480);
    let map = over(&frame, Array2::ones((7, 7)));
    let lost = Hud { state: State::Lost { reason: "unplugged".into() }, ..hud(&map) };
    let canvas = draw(&frame, Some(&map), &Look::default(), Some(&lost));
    for pixel in &canvas.pixels[400 * 640..450 * 640] {
        let [_, red, green, blue] = pixel.to_be_bytes();
        assert!(red == green && green == blue && red <= 128, "{pixel:06x}");
    }
}

#[test]
fn any_size_any_state_and_any_label_can_be_drawn() {
    let mut overlay = Overlay::new();
    let mut canvas = Canvas::default();
    for (width, height) in [(1, 1), (1, 700), (700, 1), (3, 2), (33, 95), (640, 480), (320, 1000)] {
        let frame = patterned(width, height);
        let mut map = over(&frame, Array2::ones((7, 7)));
        map.target.label = "猫\u{0}\n".repeat(90);
        for state in [State::Live, State::Frozen, State::Lost { reason: "no answer for 3 s ".repeat(30) }] {
            let hud =
                Hud { state, help: true, note: Some("saved ".repeat(60)), locked: true, scale: f32::NAN, ..hud(&map) };
            for colormap in Colormap::ALL {
                let look = Look { colormap, flip: true, signed: true, ..Look::default() };
                overlay.draw(&frame, Some(&map), &look, Some(&hud), &mut canvas);
                assert_eq!(canvas.pixels.len(), canvas.width * canvas.height);
            }
        }
    }
    overlay.draw(&Frame::default(), None, &Look::default(), Some(&Hud::default()), &mut canvas);
    assert!(canvas.pixels.is_empty());
}
