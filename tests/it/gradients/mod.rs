//! Gradient rules: by numbers worked out by hand, and by central finite differences in f64.

mod activation;
mod arithmetic;
mod conv;
mod linear;
mod norm;
mod pointwise;
mod pool;
mod reduce;
mod select;
mod shape;
mod softmax;

use crate::common::evaluate::evaluate;
use crate::common::graphs::Builder;
use crate::common::{onnxruntime, relative_l2};
use gradcam::engine::Engine;
use gradcam::frame::Frame;
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::Attribute::{self, Int, Ints};
use gradcam::onnx::{ACTIVATIONS, TARGET};
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::Target;
use ndarray::{Array2, Array3, ArrayD};

/// Exact but for the rounding of f32.
const TOLERANCE: f64 = 1e-5;
const STEP: f64 = 1e-4;

pub fn explained_at(bytes: &[u8], layer: &str) -> (Model, Engine, Input) {
    let options = Options { layer: Some(layer.to_owned()), ..Options::default() };
    let model = Model::load("test.onnx", bytes, &options).expect("the classifier can be explained");
    let engine = Engine::new(&model, 1).expect("tract runs it");
    let shape = &model.info.preprocessing;
    let rgb = (0..shape.width * shape.height * 3).map(|at| (at * 37 % 251) as u8).collect();
    let frame = Frame { width: shape.width, height: shape.height, rgb, ..Frame::default() };
    let mut input = Input::new(shape);
    Preprocess::new(shape).run(&frame, &mut input);
    (model, engine, input)
}

/// Compares the gradients of every class at `features` with finite differences of the tail, and the exported file in ONNX
/// Runtime with both, where there is a Python for it.
#[track_caller]
pub fn agrees_with_finite_differences(builder: Builder, classes: usize) {
    compare(builder, classes, onnxruntime::python().is_some());
}

/// The same for a form that the standard has and ONNX Runtime does not.
#[track_caller]
pub fn agrees_without_onnx_runtime(builder: Builder, classes: usize) {
    compare(builder, classes, false);
}

#[track_caller]
fn compare(builder: Builder, classes: usize, with_onnx_runtime: bool) {
    let bytes = builder.bytes(classes);
    let (model, mut engine, input) = explained_at(&bytes, "features");
    let forward = engine.forward(&input).expect("the classifier runs");
    let activations: ArrayD<f64> = forward.activations().mapv(f64::from).insert_axis(ndarray::Axis(0)).into_dyn();
    let scores = |activations: ArrayD<f64>| -> Vec<f64> {
        let wires = evaluate(&model.parts.tail, &[(ACTIVATIONS, activations)]);
        wires["scores"].iter().copied().collect()
    };
    let expected: Vec<f32> = scores(activations.clone()).iter().map(|score| *score as f32).collect();
    assert!(relative_l2(forward.scores(), &expected) < TOLERANCE, "the evaluator and tract disagree");
    let exported = model.to_bytes(None, "");
    let error = relative_l2(forward.scores(), &expected);
    assert!(error < TOLERANCE, "the evaluator and tract disagree: {error:.1e}");
    for class in 0..classes {
        let mut slopes = Vec::new();
        for at in 0..activations.len() {
            let moved = |by: f64| {
                let mut moved = activations.clone();
                *moved.iter_mut().nth(at).expect("it is within the maps") += by;
                scores(moved)[class]
            };
            slopes.push(((moved(STEP) - moved(-STEP)) / (2.0 * STEP)) as f32);
        }
        let evidence = engine.gradients(&forward, Target::class(class)).expect("the head runs");
        let error = relative_l2(evidence.gradients(), &slopes);
        assert!(error < TOLERANCE, "class {class}: relative L2 {error:.1e}");
        if with_onnx_runtime {
            let mut target = Array2::<f32>::zeros((1, classes));
            target[(0, class)] = 1.0;
            let outputs =
                onnxruntime::run(&exported, &[("image", input.tensor.clone().into_dyn()), (TARGET, target.into_dyn())]);
            let error = relative_l2(&outputs[0].1, &expected);
            assert!(error < TOLERANCE, "scores in ONNX Runtime: relative L2 {error:.1e}");
            let error = relative_l2(&outputs[2].1, &slopes);
            assert!(error < TOLERANCE, "class {class} in ONNX Runtime: relative L2 {error:.1e}");
        }
    }
}

/// Numbers between −1 and 1 without a pattern.
pub fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 13 + 5) % 17) as f32 / 8.0 - 1.0).collect()
}

/// An attribute of text.
pub fn text(value: &str) -> Attribute {
    Attribute::String(value.as_bytes().to_vec())
}

/// Scores that weigh every element of the wire `y` differently.
pub fn scored(builder: Builder, elements: usize) -> Builder {
    let weights: Vec<f32> = (0..2 * elements).map(|at| ((at * 29 + 7) % 31) as f32 / 15.0 - 1.0).collect();
    builder
        .with_integers("row", &[1, elements as i64])
        .with("scorer", &[elements, 2], &weights)
        .node("Reshape", &["y", "row"], "flat", &[])
        .node("MatMul", &["flat", "scorer"], "scores", &[])
}

/// `features`, pooled to the wire `flat` of shape [1, maps].
pub fn pooled(builder: Builder) -> Builder {
    builder.node("GlobalAveragePool", &["features"], "pooled", &[]).node("Flatten", &["pooled"], "flat", &[])
}

/// Two scores, each a weighted sum of all `elements` of a wire.
pub fn weighed(builder: Builder, wire: &str, elements: usize) -> Builder {
    builder
        .with_integers("weighed_row", &[1, elements as i64])
        .with("weighed_by", &[elements, 2], &ramp(2 * elements))
        .node("Reshape", &[wire, "weighed_row"], "weighed", &[])
        .node("MatMul", &["weighed", "weighed_by"], "scores", &[])
}

/// The activations at `features` and the gradients of each class.
pub fn gradients_of(builder: Builder, classes: usize) -> (Array3<f32>, Vec<Array3<f32>>) {
    let (_, mut engine, input) = explained_at(&builder.bytes(classes), "features");
    let forward = engine.forward(&input).expect("the classifier runs");
    let gradients = (0..classes)
        .map(|class| engine.gradients(&forward, Target::class(class)).expect("the head runs").gradients().to_owned())
        .collect();
    (forward.activations().to_owned(), gradients)
}

/// `features`, summed over the cells to the wire `cell` of shape [1, maps, 1, 1].
pub fn in_one_cell(builder: Builder) -> Builder {
    builder.with_integers("cells", &[2, 3]).node("ReduceSum", &["features", "cells"], "cell", &[])
}

/// The one gradient that all cells of a map have, for each map.
pub fn by_map(gradients: &Array3<f32>) -> Vec<f32> {
    let maps = gradients.outer_iter();
    maps.map(|map| {
        let first = map[(0, 0)];
        assert!(map.iter().all(|gradient| *gradient == first), "{map}");
        first
    })
    .collect()
}

/// Why a classifier is refused.
pub fn refusal(builder: Builder, classes: usize) -> String {
    let options = Options { layer: Some("features".to_owned()), ..Options::default() };
    Model::load("test.onnx", &builder.bytes(classes), &options).expect_err("it cannot be explained").to_string()
}

#[test]
fn pooling_and_a_linear_layer_by_hand() {
    // score_c = Σ_k W[c,k] · mean(A_k) over 4 cells, so the gradient is W[c,k] / 4 at each cell.
    let bytes = pooled(Builder::new(13, 2, 2))
        .with("w", &[2, 2], &[4.0, -8.0, 0.5, 1.0])
        .node("Gemm", &["flat", "w"], "scores", &[("transB", Int(1))])
        .bytes(2);
    let (_, mut engine, input) = explained_at(&bytes, "features");
    let forward = engine.forward(&input).expect("the classifier runs");
    let gradients = |engine: &mut Engine, class| {
        engine.gradients(&forward, Target::class(class)).expect("the head runs").gradients().to_owned()
    };
    let maps = |a: f32, b: f32| Array3::from_shape_fn((2, 2, 2), |(k, _, _)| if k == 0 { a } else { b });
    assert_eq!(gradients(&mut engine, 0), maps(1.0, -2.0));
    assert_eq!(gradients(&mut engine, 1), maps(0.125, 0.25));
}

#[test]
fn branches_add_up_and_broadcast_sums_shrink() {
    // features + bias per map, then features again: two ways to the scores.
    let builder = Builder::new(13, 3, 4)
        .with("bias", &[4, 1, 1], &ramp(4))
        .with("w", &[4, 2], &ramp(8))
        .node("Add", &["features", "bias"], "shifted", &[])
        .node("Relu", &["shifted"], "warm", &[])
        .node("Add", &["warm", "features"], "sum", &[])
        .node("GlobalAveragePool", &["sum"], "pooled", &[])
        .node("Add", &["sum", "pooled"], "wide", &[])
        .node("ReduceMean", &["wide"], "flat", &[("axes", Ints(vec![2, 3])), ("keepdims", Int(0))])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    agrees_with_finite_differences(builder, 2);
}

#[test]
fn an_operator_without_a_rule_is_refused_by_name_and_node() {
    let bytes = pooled(Builder::new(13, 2, 2)).node("Sin", &["flat"], "scores", &[]).bytes(2);
    let error = Model::load("test.onnx", &bytes, &Options::default()).expect_err("there is no rule");
    let text = error.to_string();
    assert!(text.contains("Sin") && text.contains("node_scores") && text.contains("test.onnx"), "{text}");
}

#[test]
fn a_layer_inside_a_residual_branch_has_a_bypass() {
    // scores = W · mean(relu(conv(f)) + f): cut behind the second convolution, f goes around.
    let identity: Vec<f32> = (0..16).map(|at| if at % 5 == 0 { 1.5 } else { 0.1 }).collect();
    let bytes = Builder::new(13, 3, 4)
        .with("k", &[4, 4, 1, 1], &identity)
        .with("w", &[4, 2], &[1.0, 2.0, 3.0, 4.0, -5.0, 6.0, 7.0, 8.0])
        .node("Conv", &["features", "k"], "inner", &[])
        .node("Relu", &["inner"], "warm", &[])
        .node("Add", &["warm", "features"], "sum", &[])
        .node("GlobalAveragePool", &["sum"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
        .bytes(2);
    let (model, mut engine, input) = explained_at(&bytes, "inner");
    assert_eq!(model.parts.bypass, ["features"]);
    let forward = engine.forward(&input).expect("the classifier runs");
    let evidence = engine.gradients(&forward, Target::class(1)).expect("the head runs");
    // dy/dinner_k = W[k,1] / 9 where inner > 0.
    let weights = [2.0, 4.0, 6.0, 8.0];
    let by_hand =
        Array3::from_shape_fn(
            (4, 3, 3),
            |(k, y, x)| {
                if forward.activations()[(k, y, x)] > 0.0 { weights[k] / 9.0 } else { 0.0 }
            },
        );
    assert!(relative_l2(evidence.gradients(), &by_hand) < TOLERANCE);
}
