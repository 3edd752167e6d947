//! Convolutions.

use super::{agrees_with_finite_differences, agrees_without_onnx_runtime, explained_at, ramp, scored, text};
use crate::common::graphs::Builder;
use gradcam::engine::Engine;
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::Attribute::{self, Int, Ints};
use gradcam::target::Target;
use ndarray::array;

/// `features` of `side`×`side`, through a convolution with weights of the given shape to `cells` cells.
#[track_caller]
fn convolved(opset: i64, side: usize, weights: [usize; 4], cells: usize, attributes: &[(&str, Attribute)]) {
    let builder = Builder::new(opset, side, 4).with("w", &weights, &ramp(weights.iter().product())).node(
        "Conv",
        &["features", "w"],
        "y",
        attributes,
    );
    agrees_with_finite_differences(scored(builder, weights[0] * cells), 2);
}

#[test]
fn a_convolution_by_hand() {
    // One map of 3 × 3, window 2 × 2 with stride 2: only the upper left window fits, what the stride leaves over has no
    // gradient. score = Σ w · x there.
    let bytes = Builder::new(13, 3, 1)
        .with("w", &[1, 1, 2, 2], &[1.0, 2.0, 3.0, -4.0])
        .node("Conv", &["features", "w"], "y", &[("strides", Ints(vec![2, 2]))])
        .node("Flatten", &["y"], "scores", &[])
        .bytes(1);
    let (_, mut engine, input) = explained_at(&bytes, "features");
    let forward = engine.forward(&input).expect("the classifier runs");
    let evidence = engine.gradients(&forward, Target::class(0)).expect("the head runs");
    assert_eq!(evidence.gradients(), array![[[1.0, 2.0, 0.0], [3.0, -4.0, 0.0], [0.0, 0.0, 0.0]]]);
}

#[test]
fn single_cells_and_windows() {
    for opset in [9, 13, 18, 21] {
        convolved(opset, 3, [6, 4, 1, 1], 9, &[]);
        convolved(opset, 4, [3, 4, 3, 3], 4, &[]);
        convolved(opset, 4, [3, 4, 3, 3], 16, &[("pads", Ints(vec![1; 4]))]);
    }
    convolved(13, 5, [2, 4, 1, 1], 9, &[("strides", Ints(vec![2, 2]))]);
}

#[test]
fn groups_and_separate_maps() {
    convolved(13, 4, [6, 2, 3, 3], 16, &[("group", Int(2)), ("pads", Ints(vec![1; 4]))]);
    convolved(13, 4, [4, 1, 3, 3], 16, &[("group", Int(4)), ("pads", Ints(vec![1; 4]))]);
    convolved(13, 3, [8, 1, 1, 1], 9, &[("group", Int(4))]);
    convolved(13, 5, [8, 1, 3, 2], 4, &[("group", Int(4)), ("strides", Ints(vec![2, 3]))]);
}

#[test]
fn strides_dilations_and_borders() {
    for side in [5, 6, 7] {
        let cells = |pads: usize| ((side + pads - 3) / 2 + 1) * ((side + pads - 3) / 3 + 1);
        let strides = ("strides", Ints(vec![2, 3]));
        convolved(13, side, [2, 4, 3, 3], cells(0), std::slice::from_ref(&strides));
        convolved(13, side, [2, 4, 3, 3], cells(2), &[strides.clone(), ("pads", Ints(vec![1; 4]))]);
        convolved(13, side, [2, 4, 3, 3], cells(3), &[strides, ("pads", Ints(vec![0, 2, 3, 1]))]);
    }
    convolved(13, 6, [2, 4, 2, 3], 5 * 2, &[("dilations", Ints(vec![1, 2]))]);
    let both = [("dilations", Ints(vec![2, 3])), ("strides", Ints(vec![3, 2])), ("pads", Ints(vec![2, 1, 0, 2]))];
    convolved(13, 6, [2, 4, 3, 2], 2 * 3, &both);
    // A border wider than the window.
    convolved(13, 3, [2, 4, 2, 2], 7 * 6, &[("pads", Ints(vec![3, 2, 2, 2]))]);
}

#[test]
fn borders_that_are_chosen() {
    for automatic in ["SAME_UPPER", "SAME_LOWER"] {
        convolved(13, 5, [2, 4, 2, 4], 25, &[("auto_pad", text(automatic))]);
        let strides = ("strides", Ints(vec![2, 3]));
        convolved(13, 6, [2, 4, 3, 3], 3 * 2, &[("auto_pad", text(automatic)), strides.clone()]);
        convolved(13, 6, [2, 4, 1, 2], 3 * 2, &[("auto_pad", text(automatic)), strides]);
        // ONNX Runtime has no dilation with borders of its own choosing.
        let dilated = [("auto_pad", text(automatic)), ("dilations", Ints(vec![2, 1]))];
        let builder = Builder::new(13, 5, 4).with("w", &[2, 4, 3, 2], &ramp(48));
        let builder = builder.node("Conv", &["features", "w"], "y", &dilated);
        agrees_without_onnx_runtime(scored(builder, 50), 2);
    }
    convolved(13, 5, [2, 4, 2, 4], 8, &[("auto_pad", text("VALID"))]);
    convolved(13, 5, [2, 4, 2, 4], 8, &[("auto_pad", text("NOTSET")), ("pads", Ints(vec![0; 4]))]);
}

#[test]
fn one_axis_and_three() {
    let line = Builder::new(13, 4, 4)
        .with_integers("line", &[1, 4, 16])
        .with("w", &[2, 2, 3], &ramp(12))
        .node("Reshape", &["features", "line"], "x", &[])
        .node("Conv", &["x", "w"], "y", &[("group", Int(2)), ("strides", Ints(vec![2])), ("pads", Ints(vec![1, 0]))]);
    agrees_with_finite_differences(scored(line, 2 * 8), 2);
    let volume = Builder::new(13, 4, 4)
        .with_integers("volume", &[1, 2, 2, 4, 4])
        .with("w", &[3, 2, 2, 3, 2], &ramp(72))
        .node("Reshape", &["features", "volume"], "x", &[])
        .node("Conv", &["x", "w"], "y", &[("strides", Ints(vec![1, 2, 3])), ("pads", Ints(vec![0, 1, 0, 1, 0, 1]))]);
    agrees_with_finite_differences(scored(volume, 3 * 2 * 2 * 2), 2);
}

#[test]
fn a_bias_that_depends_on_the_picture() {
    for opset in [9, 13] {
        let builder = Builder::new(opset, 3, 4)
            .with_integers("line", &[4])
            .with("w", &[4, 4, 2, 2], &ramp(64))
            .node("GlobalAveragePool", &["features"], "means", &[])
            .node("Reshape", &["means", "line"], "bias", &[])
            .node("Conv", &["features", "w", "bias"], "y", &[("pads", Ints(vec![0, 0, 1, 1]))]);
        agrees_with_finite_differences(scored(builder, 4 * 9), 2);
    }
}

#[test]
fn weights_that_depend_on_the_picture_are_refused() {
    let builder = Builder::new(13, 3, 4)
        .with_integers("kernel", &[2, 2, 3, 3])
        .with_integers("maps", &[1, 2, 6, 3])
        .node("Reshape", &["features", "kernel"], "w", &[])
        .node("Reshape", &["features", "maps"], "x", &[])
        .node("Conv", &["x", "w"], "y", &[]);
    let options = Options { layer: Some("features".to_owned()), ..Options::default() };
    let model = Model::load("test.onnx", &scored(builder, 8).bytes(2), &options);
    let text = model.expect_err("there is no rule for it").to_string();
    assert!(text.contains("node_y") && text.contains("weights"), "{text}");
}

#[test]
fn an_exported_head_with_transposed_convolutions_is_read_back() {
    let builder = Builder::new(13, 6, 4)
        .with("w", &[4, 2, 3, 3], &ramp(72))
        .with("v", &[2, 4, 1, 1], &ramp(8))
        .node(
            "Conv",
            &["features", "w"],
            "inner",
            &[("group", Int(2)), ("strides", Ints(vec![2, 2])), ("pads", Ints(vec![1; 4]))],
        )
        .node("Conv", &["inner", "v"], "y", &[]);
    let (model, _, _) = explained_at(&scored(builder, 2 * 9).bytes(2), "features");
    let again = Model::load("again.onnx", &model.to_bytes(None, ""), &Options::default()).expect("it is valid");
    Engine::new(&again, 1).expect("the stored head is the derived one");
}
