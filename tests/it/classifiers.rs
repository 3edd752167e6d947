//! Classifiers as users bring them: what stands at their ends, how they take pictures, and what is no classifier.

use crate::common::graphs::Builder;
use gradcam::engine::Engine;
use gradcam::model::scores::Probabilities;
use gradcam::model::{Info, Model, Options};
use gradcam::onnx::graph::Attribute::{self, Int, Ints};
use gradcam::onnx::graph::{ElementType, Port, Tensor};
use gradcam::onnx::to_bytes;
use gradcam::preprocess::Input;
use gradcam::target::Target;
use ndarray::{Array3, Array4};

/// score_c = Σ_k W[c,k] · mean(relu(features_k)), on the wire `scores`.
fn plain(opset: i64) -> Builder {
    Builder::new(opset, 4, 3)
        .with("w", &[3, 2], &[1.0, -2.0, 0.5, 4.0, -1.0, 3.0])
        .node("Relu", &["features"], "warm", &[])
        .node("GlobalAveragePool", &["warm"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
}

fn ending(mut builder: Builder, shape: &[usize]) -> Vec<u8> {
    let last = builder.graph.nodes.last().expect("there are nodes").outputs[0].clone();
    builder.graph.outputs = vec![Port::f32(&last, shape)];
    to_bytes(&builder.graph)
}

fn load(bytes: &[u8], options: &Options) -> Model {
    Model::load("test.onnx", bytes, options).expect("it is a classifier")
}

#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let error = Model::load("test.onnx", bytes, &Options::default()).map(drop).expect_err("it is no classifier");
    let text = error.to_string();
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in: {text}"));
}

fn picture(side: usize) -> Array4<f32> {
    Array4::from_shape_fn((1, 3, side, side), |(_, c, y, x)| ((c * 31 + y * 7 + x * 13) % 19) as f32 / 9.0 - 1.0)
}

/// Scores and gradients of a contrast of the first class and the last.
fn explained(model: &Model, picture: &Array4<f32>) -> (Vec<f32>, Array3<f32>) {
    let mut engine = Engine::new(model, 1).expect("it runs");
    let mut input = Input::new(&model.info.preprocessing);
    input.tensor.assign(picture);
    let forward = engine.forward(&input).expect("it runs");
    let last = model.info.classes() - 1;
    let target = Target { class: 0, against: (last > 0).then_some(last) };
    let evidence = engine.gradients(&forward, target).expect("the head runs");
    (forward.scores().to_vec(), evidence.gradients().to_owned())
}

#[track_caller]
fn as_the_plain_one(bytes: &[u8], options: &Options) -> Info {
    let expected = explained(&load(&plain(13).bytes(2), &Options::default()), &picture(4));
    let model = load(bytes, options);
    assert_eq!(explained(&model, &picture(4)), expected);
    // What is exported is explained alike.
    let again = load(&model.to_bytes(None, ""), &Options::default());
    assert_eq!(explained(&again, &picture(4)), expected);
    assert_eq!(again.info.probabilities, model.info.probabilities);
    model.info
}

#[test]
fn scores_are_those_before_a_softmax() {
    for (opset, op, axis) in
        [(9, "Softmax", 1), (11, "Softmax", 1), (13, "Softmax", -1), (18, "Softmax", 1), (13, "LogSoftmax", 1)]
    {
        let builder = plain(opset).node(op, &["scores"], "probabilities", &[("axis", Int(axis))]);
        let info = as_the_plain_one(&ending(builder, &[1, 2]), &Options::default());
        assert_eq!(info.ending, Some(Probabilities::Softmax), "{op} in {opset}");
        assert_eq!(info.probabilities, Probabilities::Softmax);
    }
}

#[test]
fn scores_are_those_before_a_sigmoid() {
    let info =
        as_the_plain_one(&ending(plain(13).node("Sigmoid", &["scores"], "p", &[]), &[1, 2]), &Options::default());
    assert_eq!((info.ending, info.probabilities), (Some(Probabilities::Sigmoid), Probabilities::Sigmoid));
}

#[test]
fn classes_that_do_not_exclude_each_other_can_be_said_to() {
    let options = Options { multi_label: true, ..Options::default() };
    let info = as_the_plain_one(&plain(13).bytes(2), &options);
    assert_eq!((info.ending, info.probabilities), (None, Probabilities::Sigmoid));
}

#[test]
fn one_score_says_yes_or_no() {
    let builder = |end: &[&str]| {
        let builder = Builder::new(13, 4, 3).with("w", &[3, 1], &[1.0, -2.0, 0.5]);
        let builder = builder.node("GlobalAveragePool", &["features"], "pooled", &[]);
        let builder = builder.node("Flatten", &["pooled"], "flat", &[]).node("MatMul", &["flat", "w"], "scores", &[]);
        end.iter().fold(builder, |builder, op| builder.node(op, &["scores"], "p", &[]))
    };
    for end in [&["Sigmoid"] as &[&str], &[]] {
        let model = load(&ending(builder(end), &[1, 1]), &Options::default());
        assert_eq!((model.info.classes(), model.info.probabilities), (1, Probabilities::Sigmoid));
        // d score / d map_k = w_k / 16 cells.
        let (_, gradients) = explained(&model, &picture(4));
        let by_hand = Array3::from_shape_fn((3, 4, 4), |(k, _, _)| [1.0, -2.0, 0.5][k] / 16.0);
        assert_eq!(gradients, by_hand);
    }
}

#[test]
fn scores_with_more_axes_are_a_row() {
    let four = plain(13).with_integers("sides", &[1, 2, 1, 1]).node("Reshape", &["scores", "sides"], "cell", &[]);
    as_the_plain_one(&ending(four, &[1, 2, 1, 1]), &Options::default());
    let softmax = plain(11).with_integers("sides", &[1, 2, 1, 1]).node("Reshape", &["scores", "sides"], "cell", &[]);
    let softmax = softmax.node("Softmax", &["cell"], "p", &[("axis", Int(1))]);
    as_the_plain_one(&ending(softmax, &[1, 2, 1, 1]), &Options::default());
    let flat = plain(13).with_integers("sides", &[2]).node("Reshape", &["scores", "sides"], "line", &[]);
    as_the_plain_one(&ending(flat, &[2]), &Options::default());
}

#[test]
fn a_softmax_over_a_single_value_is_refused() {
    let builder = plain(13).with_integers("sides", &[1, 2, 1, 1]).node("Reshape", &["scores", "sides"], "cell", &[]);
    let builder = builder.node("Softmax", &["cell"], "p", &[("axis", Int(-1))]);
    refused(&ending(builder, &[1, 2, 1, 1]), &["softmax over 1", "no softmax over classes"]);
}

#[test]
fn one_of_several_outputs_can_be_named() {
    let mut builder = plain(13).node("Softmax", &["scores"], "p", &[]);
    builder.graph.outputs = vec![Port::f32("warm", &[1, 3, 4, 4]), Port::f32("p", &[1, 2])];
    let bytes = to_bytes(&builder.graph);
    refused(&bytes, &["one output", "warm", "`--scores`"].map(|word| word.trim_matches('`')));
    as_the_plain_one(&bytes, &Options { scores: Some("p".to_owned()), ..Options::default() });
    let options = Options { scores: Some("q".to_owned()), ..Options::default() };
    let error = Model::load("test.onnx", &bytes, &options).map(drop).expect_err("there is no such output");
    assert!(error.to_string().contains("no output `q`"), "{error}");
}

#[test]
fn what_is_no_score_vector_is_refused_by_what_it_is() {
    let boxes = plain(13).with_integers("sides", &[1, 12, 4]).node("Reshape", &["features", "sides"], "boxes", &[]);
    refused(&ending(boxes, &[1, 12, 4]), &["12 rows of 4", "detector"]);
    refused(
        &ending(Builder::new(13, 4, 3).node("Relu", &["features"], "cells", &[]), &[1, 3, 4, 4]),
        &["segmentation"],
    );
    let residual = || {
        let builder = Builder::new(13, 4, 3).node("Relu", &["features"], "warm", &[]);
        let builder = builder.node("Add", &["warm", "features"], "sum", &[]);
        builder.node("GlobalAveragePool", &["sum"], "pooled", &[]).node("Flatten", &["pooled"], "flat", &[])
    };
    refused(&ending(residual(), &[1, 3]), &["pooled features", "embedding"]);
    let unit = |op: &str, inputs: &[&str]| {
        let attributes: &[(&str, Attribute)] = if op == "Div" { &[] } else { &[("axis", Int(1)), ("p", Int(2))] };
        let norm = [("axes", Ints(vec![1])), ("keepdims", Int(1))];
        let builder = plain(13).node("ReduceL2", &["scores"], "norm", &norm);
        builder.node(op, inputs, "unit", attributes)
    };
    refused(&ending(unit("Div", &["scores", "norm"]), &[1, 2]), &["embedding"]);
    refused(&ending(unit("LpNormalization", &["scores"]), &[1, 2]), &["embedding"]);
}

#[test]
fn the_number_of_pictures_may_be_open_or_larger() {
    for batch in [None, Some(8)] {
        let mut builder = plain(13);
        builder.graph.inputs[0].shape = Some(vec![batch, Some(3), Some(4), Some(4)]);
        builder.graph.outputs = vec![Port { name: "scores".into(), kind: ElementType::F32, shape: None }];
        as_the_plain_one(&to_bytes(&builder.graph), &Options::default());
    }
    // Where the number stands in the file's shapes too, one picture does not fit.
    let mut builder = Builder::new(13, 4, 3).with_integers("eight", &[8, 3]);
    builder = builder.with("w", &[3, 2], &[1.0; 6]).node("GlobalAveragePool", &["features"], "pooled", &[]);
    builder = builder.node("Reshape", &["pooled", "eight"], "flat", &[]).node("MatMul", &["flat", "w"], "scores", &[]);
    builder.graph.inputs[0].shape = Some(vec![Some(8), Some(3), Some(4), Some(4)]);
    builder.graph.outputs = vec![Port::f32("scores", &[8, 2])];
    refused(&to_bytes(&builder.graph), &["shape"]);
}

#[test]
fn pictures_of_any_size_take_the_one_that_is_said() {
    let mut builder = plain(13);
    builder.graph.inputs[0].shape = Some(vec![None, Some(3), None, None]);
    let bytes = builder.bytes(2);
    refused(&bytes, &["any size", "--input-size"]);
    as_the_plain_one(&bytes, &Options { size: Some((4, 4)), ..Options::default() });
    let wide = load(&bytes, &Options { size: Some((6, 2)), ..Options::default() });
    assert_eq!((wide.info.preprocessing.width, wide.info.preprocessing.height), (6, 2));
    assert_eq!(wide.info.layer.shape, [1, 3, 2, 6]);
    let options = Options { size: Some((6, 2)), ..Options::default() };
    let error = Model::load("test.onnx", &plain(13).bytes(2), &options).map(drop).expect_err("its size is fixed");
    assert!(error.to_string().contains("4×4") && error.to_string().contains("6×2"), "{error}");
}

#[test]
fn colours_may_come_last() {
    let mut builder = plain(13);
    let transpose = Builder::new(13, 4, 3).node("Transpose", &["image"], "planes", &[("perm", Ints(vec![0, 3, 1, 2]))]);
    builder.graph.nodes[0].inputs[0] = "planes".to_owned();
    builder.graph.nodes.insert(0, transpose.graph.nodes[1].clone());
    builder.graph.inputs[0] = Port::f32("image", &[1, 4, 4, 3]);
    let bytes = builder.bytes(2);
    as_the_plain_one(&bytes, &Options::default());
    // What is exported takes the pictures that the classifier took.
    let exported = load(&bytes, &Options::default()).to_bytes(None, "");
    let exported = gradcam::onnx::read("exported.onnx", &exported).expect("it is valid");
    assert_eq!(exported.inputs[0], Port::f32("image", &[1, 4, 4, 3]));
}

#[test]
fn float16_is_computed_with_as_float32() {
    let mut builder = plain(13);
    // 1, −2, 0.5, 4, −1, 3 as halves.
    let halves = [0x3c00u16, 0xc000, 0x3800, 0x4400, 0xbc00, 0x4200];
    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    let weights = Tensor { kind: ElementType::F16, shape: vec![3, 2], bytes: bytes.into() };
    builder.graph.initializers.insert("w".to_owned(), weights);
    // The pooled features are cast to halves and the scores back.
    let cast = |input: &str, output: &str, to| {
        Builder::new(13, 4, 3).node("Cast", &[input], output, &[("to", Int(to))]).graph.nodes.swap_remove(1)
    };
    let last = builder.graph.nodes.len() - 1;
    builder.graph.nodes[last].inputs[0] = "flat16".to_owned();
    builder.graph.nodes[last].outputs[0] = "scores16".to_owned();
    builder.graph.nodes[last].name = "node_scores16".to_owned();
    builder.graph.nodes.insert(last, cast("flat", "flat16", 10));
    builder.graph.nodes.push(cast("scores16", "scores", 1));
    let info = as_the_plain_one(&builder.bytes(2), &Options::default());
    assert!(info.widened);
}

#[test]
fn shape_arithmetic_across_the_layer_is_folded() {
    // Flatten as exporters write it: Shape, Gather, Unsqueeze, Concat, Reshape.
    let builder = Builder::new(11, 4, 3)
        .with("w", &[3, 2], &[1.0, -2.0, 0.5, 4.0, -1.0, 3.0])
        .with_integers("rest", &[-1])
        .node("Relu", &["features"], "warm", &[])
        .node("GlobalAveragePool", &["warm"], "pooled", &[])
        .node("Shape", &["warm"], "sides", &[])
        .with_integers("first", &[0])
        .node("Gather", &["sides", "first"], "batch", &[])
        .node("Concat", &["batch", "rest"], "row", &[("axis", Int(0))])
        .node("Reshape", &["pooled", "row"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    as_the_plain_one(&builder.bytes(2), &Options::default());
}

#[test]
fn the_picture_itself_may_go_around_the_layer() {
    // scores = mean(relu(f)) · W + mean of the picture's planes · V.
    let mut builder = plain(13)
        .with("v", &[3, 2], &[2.0, 1.0, 0.0, -1.0, 1.0, 1.0])
        .node("GlobalAveragePool", &["image"], "colour", &[])
        .node("Flatten", &["colour"], "colours", &[])
        .node("MatMul", &["colours", "v"], "tint", &[])
        .node("Add", &["scores", "tint"], "sum", &[]);
    builder.graph.outputs = vec![Port::f32("sum", &[1, 2])];
    let model = load(&to_bytes(&builder.graph), &Options::default());
    let (scores, gradients) = explained(&model, &picture(4));
    let (plain_scores, plain_gradients) = explained(&load(&plain(13).bytes(2), &Options::default()), &picture(4));
    assert_eq!(gradients, plain_gradients);
    let means: Vec<f32> =
        (0..3).map(|c| picture(4).slice(ndarray::s![0, c, .., ..]).mean().expect("it has cells")).collect();
    let tint = [2.0 * means[0] + means[2], means[0] - means[1] + means[2]];
    for class in 0..2 {
        assert!((scores[class] - plain_scores[class] - tint[class]).abs() < 1e-5);
    }
}

#[test]
fn layers_are_named_by_wire_node_index_and_stride() {
    let at = |name: &str| {
        let options = Options { layer: Some(name.to_owned()), ..Options::default() };
        Model::load("test.onnx", &plain(13).bytes(2), &options).map(|model| model.info.layer)
    };
    for name in ["warm", "node_warm", "1", "@1", "stride1"] {
        assert_eq!(at(name).expect("there is one").wire, "warm", "{name}");
    }
    assert_eq!(at("0").expect("there is one").wire, "features");
    for (name, words) in [("2", "lists 2 of them"), ("stride16", "strides 1"), ("cold", "no layer `cold`")] {
        let text = at(name).map(drop).expect_err("there is none").to_string();
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn labels_are_found_by_their_beginning_if_it_is_theirs_alone() {
    let labels = ["tabby cat", "tiger cat", "tiger", "crane", "crane", "catamaran"].map(str::to_owned).to_vec();
    let builder = Builder::new(13, 4, 3).with("w", &[3, 6], &[1.0; 18]);
    let builder = builder.node("GlobalAveragePool", &["features"], "pooled", &[]);
    let bytes =
        builder.node("Flatten", &["pooled"], "flat", &[]).node("MatMul", &["flat", "w"], "scores", &[]).bytes(6);
    let info = load(&bytes, &Options { labels: Some(labels), ..Options::default() }).info;
    assert_eq!(info.class("TABBY").expect("one begins so"), 0);
    assert_eq!(info.class("cata").expect("one begins so"), 5);
    assert_eq!(info.class("tiger").expect("one is so"), 2);
    assert_eq!(info.class("3").expect("it is a number"), 3);
    for (name, words) in [
        ("t", "several labels begin so: 0 `tabby cat`"),
        ("crane", "3 `crane`, 4 `crane`"),
        ("cat", "several labels: 0 `tabby cat`, 1 `tiger cat`"),
        ("dog", "no class"),
        ("6", "0 to 5"),
    ] {
        let text = info.class(name).expect_err("it names no single class").to_string();
        assert!(text.contains(words), "{text}");
    }
}
