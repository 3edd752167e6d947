//! Reductions over axes.

use super::{agrees_with_finite_differences, ramp};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Int, Ints};

#[test]
fn reduce_mean_with_axes_as_attribute_and_as_input() {
    let scored = |builder: Builder| builder.with("w", &[4, 3], &ramp(12)).node("MatMul", &["flat", "w"], "scores", &[]);
    let attribute = [("axes", Ints(vec![2, 3])), ("keepdims", Int(0))];
    agrees_with_finite_differences(
        scored(Builder::new(13, 3, 4).node("ReduceMean", &["features"], "flat", &attribute)),
        3,
    );
    let input = Builder::new(18, 3, 4).with_integers("axes", &[-1, -2]).node(
        "ReduceMean",
        &["features", "axes"],
        "flat",
        &[("keepdims", Int(0))],
    );
    agrees_with_finite_differences(scored(input), 3);
}
