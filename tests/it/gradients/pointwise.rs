//! Functions of one variable, and what the tests of all element-by-element rules share.

use super::{agrees_with_finite_differences, explained_at, pooled, ramp};
use crate::common::graphs::Builder;
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::Attribute::{Float, Int};
use gradcam::onnx::graph::{ElementType, Tensor};
use gradcam::target::Target;
use std::sync::Arc;

/// Two scores from the wire `bent` of 36 elements.
pub fn scored(builder: Builder) -> Builder {
    builder
        .with_integers("row", &[1, 36])
        .with("w", &[36, 2], &ramp(72))
        .node("Reshape", &["bent", "row"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
}

/// Features [1,4,3,3], and the wire `positive` with 0.3 + the square of each.
pub fn features(opset: i64) -> Builder {
    Builder::new(opset, 3, 4).with("lift", &[], &[0.3]).node("Mul", &["features", "features"], "square", &[]).node(
        "Add",
        &["square", "lift"],
        "positive",
        &[],
    )
}

/// d(sum of the wire `bent`)/d features where the feature maps are filled with `values`, one slope for each. `bend` makes
/// `bent` of `features`, element by element.
#[track_caller]
pub fn slopes_at(opset: i64, values: &[f32], bend: impl Fn(Builder) -> Builder) -> Vec<f32> {
    let maps = values.len();
    let mut builder = Builder::new(opset, 2, maps).with("level", &[maps], values);
    builder.constant("mix", Tensor::f32(&[maps, 3, 1, 1], &vec![0.0; maps * 3]));
    builder.graph.nodes[0].inputs.push("level".to_owned());
    let bytes = bend(builder)
        .with_integers("row", &[1, 4 * maps as i64])
        .with("ones", &[4 * maps, 2], &vec![1.0; 8 * maps])
        .node("Reshape", &["bent", "row"], "flat", &[])
        .node("MatMul", &["flat", "ones"], "scores", &[])
        .bytes(2);
    let (_, mut engine, input) = explained_at(&bytes, "features");
    let forward = engine.forward(&input).expect("the classifier runs");
    let evidence = engine.gradients(&forward, Target::class(0)).expect("the head runs");
    (0..maps).map(|map| evidence.gradients()[(map, 1, 0)]).collect()
}

/// Each within 2e-6 of what was worked out by hand: the rounding of f32, and of tract's sigmoid and error function.
#[track_caller]
pub fn close(slopes: &[f32], by_hand: &[f32]) {
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 2e-6 * b.abs().max(1.0);
    assert!(slopes.len() == by_hand.len() && slopes.iter().zip(by_hand).all(near), "{slopes:?} is not {by_hand:?}");
}

/// Why a classifier cannot be explained.
#[track_caller]
pub fn refused(builder: Builder) -> String {
    let bytes = builder.bytes(2);
    let options = Options { layer: Some("features".to_owned()), ..Options::default() };
    let error = Model::load("test.onnx", &bytes, &options).expect_err("it is refused");
    error.to_string()
}

#[test]
fn functions_of_one_variable() {
    for opset in [9, 13, 18, 21] {
        for op in ["Identity", "Dropout", "Neg", "Abs", "Exp", "Erf"] {
            agrees_with_finite_differences(scored(features(opset).node(op, &["features"], "bent", &[])), 2);
        }
        for op in ["Log", "Sqrt", "Reciprocal"] {
            agrees_with_finite_differences(scored(features(opset).node(op, &["positive"], "bent", &[])), 2);
        }
    }
}

#[test]
fn functions_of_one_variable_by_hand() {
    let one = |op: &'static str, values: &[f32]| {
        slopes_at(13, values, |builder| builder.node(op, &["features"], "bent", &[]))
    };
    assert_eq!(one("Neg", &[-2.0, 0.0, 2.0]), [-1.0, -1.0, -1.0]);
    // As PyTorch: no slope at the corner.
    assert_eq!(one("Abs", &[-2.0, 0.0, -0.0, 2.0]), [-1.0, 0.0, 0.0, 1.0]);
    // eˣ at 0 and ln 4.
    close(&one("Exp", &[0.0, 4f32.ln(), -200.0]), &[1.0, 4.0, 0.0]);
    close(&one("Log", &[0.5, 4.0, 1e10]), &[2.0, 0.25, 1e-10]);
    // 1/(2√x), and 0 where that is infinite.
    close(&one("Sqrt", &[0.0, 0.25, 4.0]), &[0.0, 1.0, 0.25]);
    close(&one("Reciprocal", &[-2.0, 0.5, 1e10]), &[-0.25, -4.0, 0.0]);
    // 2/√π = 1.1283792, and that by e⁻¹ at ±1; far out the square of x is infinite.
    close(&one("Erf", &[0.0, 1.0, -1.0, 1e25]), &[std::f32::consts::FRAC_2_SQRT_PI, 0.415_107_5, 0.415_107_5, 0.0]);
}

#[test]
fn dropout_outside_of_training_changes_nothing() {
    let with_flag = |opset: i64, on: u8| {
        let mut builder = features(opset).with("ratio", &[], &[0.25]);
        let flag = Tensor { kind: ElementType::Bool, shape: vec![], bytes: Arc::new(vec![on]) };
        builder.constant("training", flag);
        builder
    };
    for opset in [13, 21] {
        for ratio in ["", "ratio"] {
            let builder = with_flag(opset, 0).node("Dropout", &["features", ratio, "training"], "bent", &[]);
            agrees_with_finite_differences(scored(builder), 2);
        }
        let builder = with_flag(opset, 0).node("Dropout", &["features", "ratio"], "bent", &[]);
        agrees_with_finite_differences(scored(builder), 2);
    }
    agrees_with_finite_differences(
        scored(features(9).node("Dropout", &["features"], "bent", &[("ratio", Float(0.5))])),
        2,
    );
    let trained =
        with_flag(13, 1).with("none", &[], &[0.0]).node("Dropout", &["features", "none", "training"], "bent", &[]);
    assert!(refused(scored(trained)).contains("training mode"));
}

#[test]
fn a_cast_that_stays_in_f32_passes_the_gradient() {
    for opset in [9, 13, 21] {
        let builder = features(opset).node("Cast", &["features"], "bent", &[("to", Int(1))]);
        agrees_with_finite_differences(scored(builder), 2);
    }
}

#[test]
fn no_gradient_goes_through_other_number_types() {
    // f64 is 11 among ONNX's types. f16 is made f32 before rules are asked.
    let there_and_back = features(13).node("Cast", &["features"], "other", &[("to", Int(11))]).node(
        "Cast",
        &["other"],
        "bent",
        &[("to", Int(1))],
    );
    let reason = refused(scored(there_and_back));
    assert!(reason.contains("export the model in f32"), "{reason}");
}

#[test]
fn steps_have_no_gradient() {
    for op in ["Round", "Floor", "Ceil", "Sign"] {
        let reason = refused(scored(features(13).node(op, &["features"], "bent", &[])));
        assert!(reason.contains("moves in steps") && reason.contains("node_bent"), "{reason}");
    }
    // Also beside a path that has one.
    let beside =
        features(13).node("Floor", &["features"], "whole", &[]).node("Sub", &["features", "whole"], "bent", &[]);
    assert!(refused(scored(beside)).contains("node_whole"));
}

#[test]
fn a_quantised_model_is_refused_as_such() {
    let mut builder = pooled(Builder::new(13, 2, 2)).with("step", &[], &[0.1]);
    builder.constant("zero", Tensor { kind: ElementType::U8, shape: vec![], bytes: Arc::new(vec![128]) });
    let builder = builder
        .node("QuantizeLinear", &["flat", "step", "zero"], "bytes", &[])
        .node("DequantizeLinear", &["bytes", "step", "zero"], "back", &[])
        .node("Add", &["back", "flat"], "scores", &[]);
    let reason = refused(builder);
    assert!(reason.contains("quantised") && reason.contains("float model"), "{reason}");
}
