//! What regions are made of, one by one. The wire `features` has the shape [1, 6, 9, 9].

use super::{all_fused, close, compared, compared_at_y, conv, model_at, noise, pads, pair, start};
use crate::common::graphs::Builder;
use crate::gradients::{ramp, weighed};
use gradcam::engine::{Backend, Engine, Fusion};
use gradcam::onnx::graph::Attribute::{self, Float, Int};

#[test]
fn convolutions_of_every_window() {
    for (kernel, attributes, side) in [
        (1, vec![], 9),
        (3, vec![pads([1; 4])], 9),
        (3, vec![], 7),
        (3, vec![pads([1; 4]), pair("strides", 2)], 5),
        // Borders of other widths above, left, below and right: 9 + 0 + 2 − 2 and 9 + 1 + 0 − 2.
        (5, vec![pads([2; 4]), pair("strides", 3)], 3),
        (3, vec![pads([2; 4]), pair("dilations", 2)], 9),
        (3, vec![pair("dilations", 3), pair("strides", 2)], 2),
    ] {
        for depthwise in [false, true] {
            let group = ("group", Int(if depthwise { 6 } else { 1 }));
            let (to, from) = if depthwise { (6, 1) } else { (5, 6) };
            let attributes = [&attributes[..], &[group]].concat();
            let builder = conv(start(), ["features", "y"], [to, from, kernel, kernel], &attributes);
            all_fused(builder, to * side * side);
        }
    }
}

#[test]
fn same_padding_of_either_side_and_none() {
    // 9 cells, windows of 4 every 2: ceil(9/2) = 5 of them, with 4·2 + 4 − 9 = 3 cells of border, 1 or 2 of them first.
    for (automatic, side) in [("SAME_UPPER", 5), ("SAME_LOWER", 5), ("VALID", 3)] {
        let attributes = [("auto_pad", crate::gradients::text(automatic)), pair("strides", 2)];
        all_fused(conv(start(), ["features", "y"], [4, 6, 4, 4], &attributes), 4 * side * side);
    }
}

#[test]
fn borders_of_zeros_before_a_window() {
    let bordered =
        |sides: [i64; 8]| start().with_integers("sides", &sides).node("Pad", &["features", "sides"], "p", &[]);
    let sides = [0, 0, 1, 2, 0, 0, 0, 3];
    // 9 + 1 rows and 9 + 2 + 3 columns; windows of 3 every 2 with a border of 1 more.
    let attributes = [pads([1; 4]), pair("strides", 2)];
    all_fused(conv(bordered(sides), ["p", "y"], [4, 6, 3, 3], &attributes), 4 * 5 * 7);
    let depthwise = [&attributes[..], &[("group", Int(6))]].concat();
    all_fused(conv(bordered(sides), ["p", "y"], [6, 1, 3, 3], &depthwise), 6 * 5 * 7);
    for (op, counted) in [("AveragePool", 0), ("AveragePool", 1), ("MaxPool", 0)] {
        let kernel = [pair("kernel_shape", 2)];
        let counted = [&kernel[..], &[("count_include_pad", Int(counted))]].concat();
        let attributes = if op == "MaxPool" { &kernel[..] } else { &counted };
        all_fused(bordered(sides).node(op, &["p"], "y", attributes), 6 * 9 * 13);
    }
    all_fused(bordered(sides).node("Sigmoid", &["p"], "y", &[]), 6 * 10 * 14);
    let channels = bordered([0, 1, 0, 0, 0, 0, 0, 0]).node("Relu", &["p"], "y", &[]);
    assert_eq!(compared(channels, "features", 7 * 81).reason("node_p"), "a border of channels");
    let ones = bordered(sides).with("one", &[], &[1.0]);
    let ones = ones.node("Pad", &["features", "sides", "one"], "q", &[]).node("Add", &["p", "q"], "y", &[]);
    assert_eq!(compared(ones, "features", 6 * 140).reason("node_q"), "a border of other than zeros");
}

#[test]
fn a_convolution_without_bias() {
    let builder = start().with("w", &[4, 6, 1, 1], &ramp(24)).node("Conv", &["features", "w"], "y", &[]);
    all_fused(builder, 4 * 81);
}

#[test]
fn batch_normalisation_behind_a_convolution_and_behind_a_pool() {
    let normalised = |builder: Builder, wires: [&str; 2]| {
        builder
            .with("scale", &[6], &ramp(6))
            .with("shift", &[6], &ramp(6))
            .with("mean", &[6], &ramp(6))
            .with("variance", &[6], &[0.5, 1.0, 2.0, 0.25, 3.0, 1.5])
            .node("BatchNormalization", &[wires[0], "scale", "shift", "mean", "variance"], wires[1], &[])
    };
    all_fused(normalised(conv(start(), ["features", "c"], [6, 6, 3, 3], &[pads([1; 4])]), ["c", "y"]), 486);
    let pooled = start().node("MaxPool", &["features"], "p", &[pair("kernel_shape", 3)]);
    all_fused(normalised(pooled, ["p", "n"]).node("Relu", &["n"], "y", &[]), 6 * 49);
}

#[test]
fn activation_functions() {
    let functions: [(&str, &[(&str, Attribute)]); 6] = [
        ("Relu", &[]),
        ("Sigmoid", &[]),
        ("HardSigmoid", &[]),
        ("HardSigmoid", &[("alpha", Float(0.5)), ("beta", Float(0.25))]),
        ("LeakyRelu", &[("alpha", Float(0.2))]),
        ("LeakyRelu", &[("alpha", Float(-1.5))]),
    ];
    for (op, attributes) in functions {
        all_fused(start().node(op, &["features"], "y", attributes), 486);
        let swish = start().node(op, &["features"], "f", attributes).node("Mul", &["features", "f"], "y", &[]);
        all_fused(swish, 486);
    }
    all_fused(Builder::new(14, 9, 6).node("HardSwish", &["features"], "y", &[]), 486);
}

#[test]
fn bounds_one_after_another() {
    // Also those that cross, where the later one wins.
    for bounds in [[-0.5, 0.5, 0.0, 6.0], [0.2, 0.4, -1.0, 0.1], [-1.0, 0.1, 0.2, 0.9], [0.5, -0.5, -0.1, 0.1]] {
        let builder =
            bounds.iter().enumerate().fold(start(), |b, (at, bound)| b.with(&format!("b{at}"), &[], &[*bound]));
        let builder =
            builder.node("Clip", &["features", "b0", "b1"], "c", &[]).node("Clip", &["c", "b2", "b3"], "y", &[]);
        all_fused(builder, 486);
    }
    all_fused(start().with("high", &[], &[0.3]).node("Min", &["high", "features"], "y", &[]), 486);
}

#[test]
fn hard_swish_as_old_exporters_write_it() {
    // x · clip(x + 3, 0, 6) / 6, divided before the product or after it.
    let parts = || {
        start()
            .with("three", &[], &[3.0])
            .with("zero", &[], &[0.0])
            .with("six", &[], &[6.0])
            .node("Add", &["features", "three"], "moved", &[])
            .node("Clip", &["moved", "zero", "six"], "bounded", &[])
    };
    let before = parts().node("Div", &["bounded", "six"], "f", &[]).node("Mul", &["features", "f"], "y", &[]);
    all_fused(before, 486);
    let after = parts().node("Mul", &["features", "bounded"], "f", &[]).node("Div", &["f", "six"], "y", &[]);
    all_fused(after, 486);
}

#[test]
fn constants_on_either_side() {
    for (op, left) in [("Add", false), ("Add", true), ("Sub", false), ("Sub", true), ("Mul", true), ("Div", false)] {
        for shape in [&[][..], &[6, 1, 1], &[1, 6, 1, 1]] {
            let values: Vec<f32> = ramp(shape.iter().product()).iter().map(|value| value + 1.5).collect();
            let builder = conv(start(), ["features", "x"], [6, 6, 3, 3], &[pads([1; 4])]).with("k", shape, &values);
            let inputs = if left { ["k", "x"] } else { ["x", "k"] };
            // Behind a convolution it goes into its weights; behind a function it cannot.
            all_fused(builder.node(op, &inputs, "y", &[]), 486);
            let builder = start().node("Sigmoid", &["features"], "x", &[]).with("k", shape, &values);
            all_fused(builder.node(op, &inputs, "y", &[]), 486);
        }
    }
}

#[test]
fn maps_behind_a_constant_by_hand() {
    // A 1×1 convolution that doubles and adds 1: y = k − (2·f + 1) and k / (2·f + 1), for k of each map and of all.
    for (shape, constant) in [(&[1usize, 2, 1, 1][..], [3.0f32, -1.0]), (&[], [3.0, 3.0])] {
        for op in ["Sub", "Div"] {
            let builder = Builder::new(13, 2, 2)
                .with("k", shape, &constant[..shape.iter().product()])
                .with("w", &[2, 2, 1, 1], &[2.0, 0.0, 0.0, 2.0])
                .with("b", &[2], &[1.0, 1.0])
                .node("Conv", &["features", "w", "b"], "x", &[])
                .node(op, &["k", "x"], "y", &[]);
            let builder = weighed(builder, "y", 8);
            let at = |layer: &str| {
                let model = model_at(layer, copy(&builder));
                let input = noise(&model);
                [Backend::Fused, Backend::Tract].map(|backend| {
                    let mut engine = Engine::with_backend(&model, 1, backend).expect("it compiles");
                    engine.forward(&input).expect("it runs").activations().to_owned()
                })
            };
            let expected = at("features").map(|mut features| {
                features.indexed_iter_mut().for_each(|((map, _, _), f)| {
                    let x = 2.0 * *f + 1.0;
                    *f = if op == "Sub" { constant[map] - x } else { constant[map] / x };
                });
                features
            });
            for (computed, expected) in at("y").iter().zip(&expected) {
                close(op, computed, expected);
            }
        }
    }
}

#[test]
fn pools_with_borders_and_ceil_mode() {
    let counted = |count| ("count_include_pad", Int(count));
    let cases = [
        ("MaxPool", vec![pair("kernel_shape", 3), pair("strides", 2), pads([1; 4])], 5),
        // 9 cells, windows of 2 every 2: the fifth has one cell only.
        ("MaxPool", vec![pair("kernel_shape", 2), pair("strides", 2), ("ceil_mode", Int(1))], 5),
        ("MaxPool", vec![pair("kernel_shape", 2), pads([0, 1, 1, 0])], 9),
        ("MaxPool", vec![pair("kernel_shape", 3), pair("dilations", 2)], 5),
        ("AveragePool", vec![pair("kernel_shape", 3), pair("strides", 2), pads([1; 4])], 5),
        ("AveragePool", vec![pair("kernel_shape", 3), pair("strides", 2), pads([1; 4]), counted(1)], 5),
        ("AveragePool", vec![pair("kernel_shape", 2), pads([0, 1, 1, 0]), counted(1)], 9),
        ("AveragePool", vec![pair("kernel_shape", 2), pads([0, 1, 1, 0]), counted(0)], 9),
        ("AveragePool", vec![pair("kernel_shape", 2), pair("strides", 2), ("ceil_mode", Int(1))], 5),
    ];
    for (op, attributes, side) in cases {
        all_fused(start().node(op, &["features"], "y", &attributes), 6 * side * side);
    }
}

#[test]
fn means_and_maxima_over_all_cells() {
    let of_all = |builder: Builder| {
        let tail = conv(builder, ["pooled", "y"], [6, 6, 1, 1], &[]);
        let parts = compared(tail, "features", 6);
        assert!(parts.of("tail").others.is_empty(), "{:?}", parts.of("tail").others);
    };
    for op in ["GlobalAveragePool", "GlobalMaxPool"] {
        of_all(start().node(op, &["features"], "pooled", &[]));
    }
    let axes = ("axes", Attribute::Ints(vec![2, 3]));
    for op in ["ReduceMean", "ReduceMax"] {
        of_all(start().node(op, &["features"], "pooled", std::slice::from_ref(&axes)));
    }
    of_all(start().with_integers("axes", &[2, 3]).node("ReduceSum", &["features", "axes"], "pooled", &[]));
}

#[test]
fn a_gate_for_each_channel_and_one_for_each_element() {
    let pooled = start().node("GlobalAveragePool", &["features"], "pooled", &[]);
    let squeezed = conv(pooled, ["pooled", "squeezed"], [2, 6, 1, 1], &[]).node("Relu", &["squeezed"], "warm", &[]);
    let gate = || conv(copy(&squeezed), ["warm", "wide"], [6, 2, 1, 1], &[]).node("Sigmoid", &["wide"], "gate", &[]);
    all_fused(gate().node("Mul", &["features", "gate"], "y", &[]), 486);
    all_fused(gate().node("Mul", &["gate", "features"], "y", &[]), 486);
    let full = conv(start(), ["features", "c"], [6, 6, 3, 3], &[pads([1; 4])]);
    all_fused(full.node("Mul", &["features", "c"], "y", &[]), 486);
    all_fused(start().node("Mul", &["features", "features"], "y", &[]), 486);
}

fn copy(builder: &Builder) -> Builder {
    Builder { graph: builder.graph.clone() }
}

#[test]
fn channels_joined_cut_and_shuffled() {
    let two = conv(start(), ["features", "c"], [4, 6, 1, 1], &[]);
    let joined = two.node("Concat", &["c", "features", "c"], "joined", &[("axis", Int(1))]);
    all_fused(copy(&joined).node("Relu", &["joined"], "y", &[]), 14 * 81);
    let cut = joined
        .with_integers("from", &[2])
        .with_integers("to", &[-1])
        .with_integers("axes", &[1])
        .with_integers("steps", &[3])
        .node("Slice", &["joined", "from", "to", "axes", "steps"], "y", &[]);
    // Channels 2, 5, 8 and 11 of 14.
    all_fused(cut, 4 * 81);
    let shuffled = start()
        .with_integers("parts", &[1, 2, 3, 9, 9])
        .with_integers("whole", &[1, 6, 9, 9])
        .node("Reshape", &["features", "parts"], "split", &[])
        .node("Transpose", &["split"], "turned", &[("perm", Attribute::Ints(vec![0, 2, 1, 3, 4]))])
        .node("Reshape", &["turned", "whole"], "y", &[]);
    all_fused(shuffled, 486);
    let half = start().node_with_outputs("Split", &["features"], &["a", "b"], &[("axis", Int(1))]);
    all_fused(half.node("Concat", &["b", "a"], "y", &[("axis", Int(1))]), 486);
}

#[test]
fn products_with_matrices_behind_maps_and_behind_vectors() {
    // The tail: flattened maps of several cells, then two layers.
    for (trans, first, second) in [(0, [54, 7], [7, 3]), (1, [7, 54], [3, 7])] {
        let builder = conv(start(), ["features", "c"], [6, 6, 3, 3], &[pair("strides", 3)])
            .with("w1", &first, &ramp(378))
            .with("b1", &[7], &ramp(7))
            .with("w2", &second, &ramp(21))
            .node("Flatten", &["c"], "flat", &[])
            .node("Gemm", &["flat", "w1", "b1"], "hidden", &[("transB", Int(trans)), ("alpha", Float(0.5))])
            .node("Relu", &["hidden"], "warm", &[])
            .node("Gemm", &["warm", "w2"], "y", &[("transB", Int(trans))]);
        let parts = compared(builder, "features", 3);
        let tail = parts.of("tail");
        assert!(tail.others.is_empty() && tail.regions == 1, "{:?}", tail.others);
    }
}

#[test]
fn what_only_gives_another_shape_may_be_an_output_too() {
    // `y` is a convolution's maps; the flattened ones are read by the tail.
    let builder = conv(start(), ["features", "y"], [4, 6, 1, 1], &[]);
    assert_eq!(compared_at_y(builder, 4 * 81).regions, 1);
}

#[test]
fn maps_that_are_handed_over_channels_last() {
    let order = |perm: [i64; 4]| [("perm", Attribute::Ints(perm.to_vec()))];
    let (last, first) = (order([0, 2, 3, 1]), order([0, 3, 1, 2]));
    let left = |fusion: &Fusion| -> Vec<String> { fusion.others.iter().map(|other| other.node.clone()).collect() };
    let made = || conv(start(), ["features", "c"], [5, 6, 3, 3], &[pads([1; 4])]).node("Transpose", &["c"], "t", &last);
    // There and back.
    all_fused(conv(made().node("Transpose", &["t"], "d", &first), ["d", "y"], [4, 5, 1, 1], &[]), 4 * 81);
    // To an operator that is left to tract, and from it.
    let outside = || made().node("Neg", &["t"], "outside", &[]).node("Transpose", &["outside"], "d", &first);
    let fusion = compared_at_y(conv(outside(), ["d", "y"], [4, 5, 1, 1], &[]), 4 * 81);
    assert_eq!((fusion.regions, left(&fusion)), (2, vec!["node_outside".to_owned()]));
    // The same maps in both orders.
    let both = outside().node("Add", &["c", "d"], "sum", &[]);
    let fusion = compared_at_y(conv(both, ["sum", "y"], [4, 5, 1, 1], &[]), 4 * 81);
    assert_eq!((fusion.regions, left(&fusion)), (2, vec!["node_outside".to_owned()]));
    // One tensor as maps of 5 channels and, channels last, as 5 rows of 9 cells.
    let both = conv(start(), ["features", "c"], [5, 6, 3, 3], &[pads([1; 4])])
        .node("Neg", &["c"], "outside", &[])
        .node("Transpose", &["outside"], "d", &first);
    let both = conv(conv(both, ["outside", "e"], [4, 5, 1, 1], &[]), ["d", "f"], [4, 9, 1, 1], &[]);
    let both = both.node("GlobalAveragePool", &["e"], "g", &[]).node("GlobalAveragePool", &["f"], "h", &[]);
    let parts = compared(both.node("Add", &["g", "h"], "y", &[]), "features", 4);
    let fusion = parts.of("tail");
    assert_eq!((fusion.regions, left(fusion)), (2, vec!["node_outside".to_owned()]));
    // What others than a transposition make of it is left to tract.
    let rows = made().with_integers("row", &[1, 5 * 81]).node("Reshape", &["t", "row"], "y", &[]);
    assert_eq!(compared(rows, "features", 5 * 81).reason("node_y"), "it reads maps that are channels last");
}
