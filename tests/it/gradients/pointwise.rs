//! Operators that work element by element.

use super::{agrees_with_finite_differences, ramp};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::Float;

#[test]
fn relu_and_clip_away_from_their_corners() {
    let scored = |builder: Builder| {
        builder
            .with_integers("row", &[1, 36])
            .with("w", &[36, 2], &ramp(72))
            .node("Reshape", &["bent", "row"], "flat", &[])
            .node("MatMul", &["flat", "w"], "scores", &[])
    };
    agrees_with_finite_differences(scored(Builder::new(13, 3, 4).node("Relu", &["features"], "bent", &[])), 2);
    let attributes = [("min", Float(-0.25)), ("max", Float(1.0))];
    agrees_with_finite_differences(scored(Builder::new(9, 3, 4).node("Clip", &["features"], "bent", &attributes)), 2);
    let inputs = Builder::new(13, 3, 4).with("high", &[], &[0.75]).node("Clip", &["features", "", "high"], "bent", &[]);
    agrees_with_finite_differences(scored(inputs), 2);
}
