//! The point of the method: the map of a class lies on what speaks for that class.

use crate::common::{beside, explainer, picture};
use gradcam::cam::focus::focus;
use gradcam::cam::methods::GradCam;
use gradcam::frame::Rect;
use gradcam::target::{Selector, Target};

/// Share of the heat of `target` in the left half of `left | right`.
fn left_share(left: &str, right: &str, target: Target) -> f32 {
    let frame = beside(&picture(left), &picture(right));
    let half = Rect { x: 0.0, y: 0.0, width: frame.width as f32 / 2.0, height: frame.height as f32 };
    let mut explainer = explainer();
    explainer.selector = Selector::new(Some(target));
    let (map, _) = explainer.explain(&frame, &GradCam).expect("it is explained");
    assert_eq!(map.against.is_some(), target.against.is_some());
    let focus = focus(&map, Some(half)).expect("there is heat");
    let share = focus.heat_share.expect("a region was given");
    println!("{left} | {right}: {}, {:.1} % left", map.title(), share * 100.0);
    share
}

const CAT: &str = "lite0/chelsea_224.png";
const CUP: &str = "lite0/coffee_224.png";

#[test]
fn the_cat_is_on_the_cat_and_the_espresso_on_the_cup() {
    assert!(left_share(CAT, CUP, Target::class(285)) >= 0.8);
    assert!(left_share(CAT, CUP, Target::class(967)) <= 0.2);
}

#[test]
fn and_the_other_way_round() {
    assert!(left_share(CUP, CAT, Target::class(285)) <= 0.2);
    assert!(left_share(CUP, CAT, Target::class(967)) >= 0.8);
}

#[test]
fn a_contrast_lies_on_the_half_of_its_class() {
    let contrast = |class, against| Target { class, against: Some(against) };
    assert!(left_share(CAT, CUP, contrast(285, 967)) >= 0.9);
    assert!(left_share(CAT, CUP, contrast(967, 285)) <= 0.1);
    assert!(left_share(CUP, CAT, contrast(285, 967)) <= 0.1);
    assert!(left_share(CUP, CAT, contrast(967, 285)) >= 0.9);
}

#[test]
fn each_still_is_explained_for_its_own_best_class() {
    let (cat, cup) = (picture(CAT), picture(CUP));
    let mut explainer = explainer();
    let mut seen = Vec::new();
    for share in (0..=50).map(|step| step as f32 / 50.0) {
        let mut mixed = cat.clone();
        for (to, other) in mixed.rgb.iter_mut().zip(&cup.rgb) {
            *to = (f32::from(*to) * (1.0 - share) + f32::from(*other) * share).round() as u8;
        }
        let (map, _) = explainer.explain(&mixed, &GradCam).expect("it is explained");
        assert_eq!(map.target.class, map.top[0].class, "at {share}, where it leads by little");
        seen.push(map.target.class);
    }
    seen.dedup();
    assert!(seen.len() > 2 && seen.first() == Some(&285) && seen.last() == Some(&967), "{seen:?}");
}
