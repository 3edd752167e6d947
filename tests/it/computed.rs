//! What exporters leave to be computed from constants: borders, normalised weights, tables and positions.

use crate::common::graphs::Builder;
use gradcam::engine::Engine;
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::Attribute::{self, Float, Int, Ints};
use gradcam::onnx::graph::{Port, Tensor};
use gradcam::preprocess::Input;
use gradcam::target::Target;
use ndarray::{Array3, Array4};

/// From three maps to two classes.
const WEIGHTS: [f32; 6] = [1.0, -2.0, 0.5, 4.0, -1.0, 3.0];

fn load(bytes: &[u8], layer: &str) -> Model {
    let options = Options { layer: Some(layer.to_owned()), ..Options::default() };
    Model::load("test.onnx", bytes, &options).expect("it is a classifier")
}

#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let error = Model::load("test.onnx", bytes, &Options::default()).map(drop).expect_err("it is refused");
    let text = error.to_string();
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in: {text}"));
}

fn integers(model: &Model, wire: &str) -> Vec<i64> {
    model.graph.constant(wire).and_then(Tensor::to_i64).expect("it was folded")
}

/// Scores are `scores` of the maps at the layer, and their gradients `slope(class, map)` in each of its cells.
#[track_caller]
fn as_worked_out(model: &Model, scores: impl Fn(&Array3<f32>) -> Vec<f32>, slope: impl Fn(usize, usize) -> f32) {
    let mut engine = Engine::new(model, 1).expect("it runs");
    let mut input = Input::new(&model.info.preprocessing);
    input.tensor.assign(&Array4::from_shape_fn((1, 3, 4, 4), |(_, c, y, x)| {
        ((c * 31 + y * 7 + x * 13) % 19) as f32 / 9.0 - 1.0
    }));
    let forward = engine.forward(&input).expect("it runs");
    let close = |one: f32, other: f32| (one - other).abs() < 1e-5;
    let by_hand = scores(&forward.activations().to_owned());
    assert!(forward.scores().iter().zip(&by_hand).all(|(one, other)| close(*one, *other)), "{by_hand:?}");
    for class in 0..model.info.classes() {
        let evidence = engine.gradients(&forward, Target::class(class)).expect("the head runs");
        for ((map, ..), gradient) in evidence.gradients().indexed_iter() {
            assert!(close(*gradient, slope(class, map)), "class {class}, map {map}: {gradient}");
        }
    }
}

/// The scores that mean maps, weighed, make.
fn pooled(builder: Builder, wire: &str) -> Vec<u8> {
    builder
        .with("w", &[3, 2], &WEIGHTS)
        .node("GlobalAveragePool", &[wire], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
        .bytes(2)
}

fn mean(map: ndarray::ArrayView2<f32>) -> f32 {
    map.mean().expect("it has cells")
}

/// A border as PyTorch's TorchScript exporter writes it: the widths that a layer was given, `size` zeros behind them for the
/// other axes, and the pairs turned round.
fn with_border_of_computed_size(builder: Builder, given: &str, size: &str) -> Builder {
    builder
        .with_integers("pairs", &[-1, 2])
        .with_integers("front", &[0])
        .with_integers("last", &[-1])
        .with_integers("beyond_first", &[i64::MIN + 1])
        .node("ConstantOfShape", &[size], "zeros", &[("value", Attribute::Tensor(Tensor::i64(&[0])))])
        .node("Concat", &[given, "zeros"], "all", &[("axis", Int(0))])
        .node("Reshape", &["all", "pairs"], "paired", &[])
        .node("Slice", &["paired", "last", "beyond_first", "front", "last"], "turned", &[])
        .node("Transpose", &["turned"], "sides", &[("perm", Ints(vec![1, 0]))])
        .node("Reshape", &["sides", "last"], "flat_sides", &[])
        .node("Cast", &["flat_sides"], "pads", &[("to", Int(7))])
        .node("Pad", &["warm", "pads"], "wide", &[])
}

#[test]
fn a_border_of_computed_size_is_folded() {
    // Left 1, right 0, above 2, below 3 make 9×5 cells of 4×4. A window of as many ones sums them, and the sum is 16 times
    // the mean of the plain one.
    let summed = |builder: Builder| {
        builder
            .with("w", &[3, 2], &WEIGHTS.map(|weight| weight / 16.0))
            .with("ones", &[3, 1, 9, 5], &[1.0; 135])
            .node("Conv", &["wide", "ones"], "sum", &[("group", Int(3))])
            .node("Flatten", &["sum"], "flat", &[])
            .node("MatMul", &["flat", "w"], "scores", &[])
    };
    let start = || Builder::new(13, 4, 3).node("Relu", &["features"], "warm", &[]);
    let constant = start()
        .with_integers("given", &[1, 0, 2, 3])
        .with_integers("both_ends", &[8])
        .with_integers("given_sides", &[4])
        .node("Sub", &["both_ends", "given_sides"], "size", &[]);
    // The same from the picture's shape: half of 4, less 1, and so on; the list's length from its own shape.
    let of_shape = start()
        .node("Shape", &["image"], "picture_sides", &[])
        .with_integers("third", &[2])
        .with_integers("two", &[2])
        .with_integers("one", &[1])
        .with_integers("both_ends", &[8])
        .node("Gather", &["picture_sides", "third"], "four", &[])
        .node("Div", &["four", "two"], "half", &[])
        .node("Sub", &["half", "one"], "left", &[])
        .node("Sub", &["left", "one"], "right", &[])
        .node("Sub", &["four", "one"], "below", &[])
        .node("Concat", &["left", "right", "half", "below"], "given", &[("axis", Int(0))])
        .node("Shape", &["given"], "given_sides", &[])
        .node("Sub", &["both_ends", "given_sides"], "size", &[]);
    for builder in [constant, of_shape] {
        let bytes = summed(with_border_of_computed_size(builder, "given", "size")).bytes(2);
        let model = load(&bytes, "warm");
        let pads = model.graph.nodes.iter().find(|node| node.op == "Pad").expect("it is there");
        assert_eq!(integers(&model, &pads.inputs[1]), [0, 0, 2, 1, 0, 0, 3, 0]);
        let scores = |features: &Array3<f32>| -> Vec<f32> {
            let warm: Vec<f32> = features.outer_iter().map(|map| map.iter().map(|cell| cell.max(0.0)).sum()).collect();
            (0..2).map(|class| (0..3).map(|map| WEIGHTS[map * 2 + class] / 16.0 * warm[map]).sum()).collect()
        };
        let slope = |class: usize, map: usize| WEIGHTS[map * 2 + class] / 16.0;
        as_worked_out(&model, scores, slope);
    }
}

/// Weights [2, 3] that are normalised for each of two maps, as PyTorch's TorchScript exporter writes it: a batch norm in
/// training form, whose stored statistics say something else.
fn normalised(builder: Builder, weights: &str, output: &str) -> Builder {
    builder
        .with("scale", &[2], &[2.0, 5.0])
        .with("offset", &[2], &[0.5, -1.0])
        .with("stored_mean", &[2], &[7.0, 8.0])
        .with("stored_variance", &[2], &[9.0, 10.0])
        .node_with_outputs(
            "BatchNormalization",
            &[weights, "scale", "offset", "stored_mean", "stored_variance"],
            &[output, "new_mean", "new_variance"],
            &[("training_mode", Int(1)), ("epsilon", Float(1.0 / 3.0))],
        )
}

#[test]
fn weights_that_are_normalised_in_the_file() {
    // 1, 2, 3: mean 2, variance 2/3, with ε 1: −1, 0, 1, times 2 and 0.5 more. Of 4, 4, 4 the offset is left.
    let by_hand = [[-1.5, 0.5, 2.5], [-1.0, -1.0, -1.0]];
    let start = || {
        let raw = Builder::new(15, 4, 3).with("raw", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 4.0, 4.0]);
        raw.with_integers("row", &[1, 2, 3]).node("Reshape", &["raw", "row"], "one_picture", &[])
    };
    let convolved = |builder: Builder, weights: &str| {
        builder
            .with_integers("kernel", &[2, 3, 1, 1])
            .node("Reshape", &[weights, "kernel"], "weights", &[])
            .node("Conv", &["features", "weights"], "classes", &[])
            .node("GlobalAveragePool", &["classes"], "pooled", &[])
            .node("Flatten", &["pooled"], "scores", &[])
    };
    let model = load(&convolved(normalised(start(), "one_picture", "normal"), "normal").bytes(2), "features");
    let scores = |maps: &Array3<f32>| {
        let means: Vec<f32> = maps.outer_iter().map(mean).collect();
        by_hand.iter().map(|weights| (0..3).map(|map| weights[map] * means[map]).sum()).collect()
    };
    as_worked_out(&model, scores, |class, map| by_hand[class][map] / 16.0);

    // By statistics that are given: (1, 2, 3) − 1 over √(3 + 1), and 4 − 1 over √(8 + 1).
    let by_hand = [[0.5, 1.5, 2.5], [4.0, 4.0, 4.0]];
    let mut given = normalised(start(), "one_picture", "normal");
    let norm = given.graph.nodes.last_mut().expect("there are nodes");
    norm.outputs.truncate(1);
    norm.attributes = [("epsilon".to_owned(), Float(1.0))].into();
    let given = given.with("stored_mean", &[2], &[1.0, 1.0]).with("stored_variance", &[2], &[3.0, 8.0]);
    let model = load(&convolved(given, "normal").bytes(2), "features");
    let scores = |maps: &Array3<f32>| {
        let means: Vec<f32> = maps.outer_iter().map(mean).collect();
        by_hand.iter().map(|weights| (0..3).map(|map| weights[map] * means[map]).sum()).collect()
    };
    as_worked_out(&model, scores, |class, map| by_hand[class][map] / 16.0);

    // Where something reads the new statistics, and before operator set 14.
    let read = convolved(normalised(start(), "one_picture", "normal"), "normal");
    let mut read = read.node("Add", &["scores", "new_mean"], "more", &[]);
    read.graph.outputs = vec![Port::f32("more", &[1, 2])];
    refused(&gradcam::onnx::to_bytes(&read.graph), &["BatchNormalization", "training form"]);
    let mut old = convolved(normalised(start(), "one_picture", "normal"), "normal");
    old.graph.opset = 13;
    refused(&old.bytes(2), &["BatchNormalization", "training form"]);
}

#[test]
fn weights_of_megabytes_in_another_shape() {
    // Maps of a convolution by 1, 2 and 3, of which the scores see the first: more weights than the engine folds at once.
    let maps = 350_000;
    let weights: Vec<f32> = (0..maps * 3).map(|at| (at % 3) as f32 + 1.0).collect();
    let mut seen = vec![0.0; maps * 2];
    (seen[0], seen[1]) = (1.0, -2.0);
    let builder = Builder::new(13, 4, 3)
        .with("raw", &[maps, 3], &weights)
        .with("seen", &[maps, 2], &seen)
        .with_integers("kernel", &[-1, 3, 1, 1])
        .node("Reshape", &["raw", "kernel"], "weights", &[])
        .node("Conv", &["features", "weights"], "many", &[])
        .node("GlobalAveragePool", &["many"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "seen"], "scores", &[]);
    let factors = [1.0, -2.0];
    let scores = |maps: &Array3<f32>| {
        let sum: f32 = maps.outer_iter().zip([1.0, 2.0, 3.0]).map(|(map, weight)| weight * mean(map)).sum();
        factors.map(|factor| factor * sum).to_vec()
    };
    let model = load(&builder.bytes(2), "features");
    as_worked_out(&model, scores, |class, map| factors[class] * (map + 1) as f32 / 16.0);
}

#[test]
fn a_table_that_is_gathered_from_constants() {
    // 2^13 columns of a table of 4 rows: the mean of 1, 2, 3, 4 is added to each score.
    let table: Vec<f32> = (0..4 << 11).map(|at| (at >> 11) as f32 + 1.0).collect();
    let builder = Builder::new(13, 4, 3)
        .with("table", &[4, 1 << 11], &table)
        .with_integers("columns", &[5; 1 << 13])
        .node("Gather", &["table", "columns"], "taken", &[("axis", Int(-1))])
        .node("ReduceMean", &["taken"], "level", &[("keepdims", Int(0))])
        .node("Add", &["features", "level"], "lifted", &[]);
    let model = load(&pooled(builder, "lifted"), "features");
    let scores = |maps: &Array3<f32>| {
        let means: Vec<f32> = maps.outer_iter().map(|map| mean(map) + 2.5).collect();
        (0..2).map(|class| (0..3).map(|map| WEIGHTS[map * 2 + class] * means[map]).sum()).collect()
    };
    as_worked_out(&model, scores, |class, map| WEIGHTS[map * 2 + class] / 16.0);
}

#[test]
fn a_mask_that_is_made_of_a_table() {
    // Row r of 2^7 holds r in each column. What differs from its transposed is masked: −64 is left on the diagonal, and the
    // mean is −0.5. A product of all elements of the inputs would be 2^42.
    let side = 1 << 7;
    let rows: Vec<i64> = (0..side * side + side).map(|at| at / side).collect();
    let level = |value: f32| Attribute::Tensor(Tensor::f32(&[1], &[value]));
    let builder = Builder::new(13, 4, 3)
        .with_integers("numbers", &rows)
        .with_integers("square", &[side + 1, side])
        .with_integers("front", &[0])
        .with_integers("end", &[side])
        .node("Reshape", &["numbers", "square"], "long", &[])
        .node("Slice", &["long", "front", "end", "front"], "table", &[])
        .node("Transpose", &["table"], "turned", &[])
        .node("Unsqueeze", &["table", "front"], "one_table", &[])
        .node("Sub", &["one_table", "turned"], "apart", &[])
        .with_integers("none", &[0])
        .node("Equal", &["apart", "none"], "alike", &[])
        .node("Constant", &[], "inside", &[("value", level(-64.0))])
        .node("Constant", &[], "outside", &[("value", level(0.0))])
        .node("Where", &["alike", "inside", "outside"], "mask", &[])
        .node("ReduceMean", &["mask"], "level", &[("keepdims", Int(0))])
        .node("Add", &["features", "level"], "lifted", &[]);
    let model = load(&pooled(builder, "lifted"), "features");
    let scores = |maps: &Array3<f32>| {
        let means: Vec<f32> = maps.outer_iter().map(|map| mean(map) - 0.5).collect();
        (0..2).map(|class| (0..3).map(|map| WEIGHTS[map * 2 + class] * means[map]).sum()).collect()
    };
    as_worked_out(&model, scores, |class, map| WEIGHTS[map * 2 + class] / 16.0);
}

#[test]
fn positions_that_are_counted_in_the_file() {
    let counted = |attributes: &[(&str, Attribute)]| {
        Builder::new(13, 4, 3)
            .with_integers("steps", &[1, 2, 3, 4])
            .node("Constant", &[], "axis", &[("value", Attribute::Tensor(scalar(0)))])
            .node("CumSum", &["steps", "axis"], "sums", attributes)
            .node("Cast", &["sums"], "places", &[("to", Int(1))])
            .node("Sin", &["places"], "waves", &[])
            .with_integers("row", &[1, 1, 1, 4])
            .node("Reshape", &["waves", "row"], "row_of_waves", &[])
            .with("project", &[3, 1, 1, 1], &[1.0, 2.0, 3.0])
            .node("Conv", &["row_of_waves", "project"], "projected", &[])
            .node("Add", &["features", "projected"], "placed", &[])
    };
    let [exclusive, reverse] = ["exclusive", "reverse"].map(|name| (name, Int(1)));
    for (attributes, sums) in [
        (vec![], [1i64, 3, 6, 10]),
        (vec![exclusive.clone()], [0, 1, 3, 6]),
        (vec![reverse.clone()], [10, 9, 7, 4]),
        (vec![exclusive, reverse], [9, 7, 4, 0]),
    ] {
        let model = load(&pooled(counted(&attributes), "placed"), "features");
        let wave = sums.iter().map(|sum| (*sum as f32).sin()).sum::<f32>() / 4.0;
        let scores = |maps: &Array3<f32>| {
            let factors = [1.0, 2.0, 3.0];
            let means: Vec<f32> =
                maps.outer_iter().zip(factors).map(|(map, factor)| mean(map) + factor * wave).collect();
            (0..2).map(|class| (0..3).map(|map| WEIGHTS[map * 2 + class] * means[map]).sum()).collect()
        };
        as_worked_out(&model, scores, |class, map| WEIGHTS[map * 2 + class] / 16.0);
    }
    let mut moving = counted(&[]);
    moving.graph.nodes[2].inputs[0] = "features".to_owned();
    refused(&pooled(moving, "placed"), &["node_sums", "CumSum", "depends on the picture"]);
}

fn scalar(value: i64) -> Tensor {
    Tensor { shape: Vec::new(), ..Tensor::i64(&[value]) }
}
