//! The point of the method: the map of a class lies on what speaks for that class.

use crate::common::{beside, explained, explainer, picture};
use gradcam::cam::focus::focus;
use gradcam::frame::Rect;

/// Share of the heat of `class` in the left half of `left | right`.
fn left_share(left: &str, right: &str, class: usize) -> f32 {
    let frame = beside(&picture(left), &picture(right));
    let half = Rect { x: 0.0, y: 0.0, width: frame.width as f32 / 2.0, height: frame.height as f32 };
    let map = explained(&mut explainer(), &frame, Some(class));
    let focus = focus(&map, Some(half)).expect("there is heat");
    let share = focus.roi_share.expect("a region was given");
    println!("{left} | {right}: class {class}, {:.1} % left", share * 100.0);
    share
}

const CAT: &str = "lite0/chelsea_224.png";
const CUP: &str = "lite0/coffee_224.png";

#[test]
fn the_cat_is_on_the_cat_and_the_espresso_on_the_cup() {
    assert!(left_share(CAT, CUP, 285) >= 0.8);
    assert!(left_share(CAT, CUP, 967) <= 0.2);
}

#[test]
fn and_the_other_way_round() {
    assert!(left_share(CUP, CAT, 285) <= 0.2);
    assert!(left_share(CUP, CAT, 967) >= 0.8);
}
