//! Where one would go wrong: what must not be made one, and what must be left to tract.

use super::{all_fused, compared, compared_at_y, conv, model_at, noise, pads, pair, start};
use crate::gradients::ramp;
use gradcam::engine::{Backend, Engine};
use gradcam::onnx::graph::Attribute::{Int, Ints};

#[test]
fn a_result_with_two_readers_stays_as_it_is() {
    // The sum before the function is read by the other branch; so is the convolution before its scaling.
    let builder = conv(start(), ["features", "c"], [6, 6, 3, 3], &[pads([1; 4])])
        .with("k", &[6, 1, 1], &ramp(6))
        .node("Relu", &["c"], "warm", &[])
        .node("Mul", &["c", "k"], "scaled", &[])
        .node("Add", &["warm", "scaled"], "y", &[]);
    all_fused(builder, 486);
}

#[test]
fn an_output_in_the_middle_of_a_chain_is_what_it_was() {
    // Cut at `y` inside a residual branch: `c`, before its function, goes around it.
    let builder = conv(start(), ["features", "c"], [6, 6, 3, 3], &[pads([1; 4])]).node("Relu", &["c"], "warm", &[]);
    let builder =
        conv(builder, ["warm", "inner"], [6, 6, 3, 3], &[pads([1; 4])]).node("Add", &["inner", "c"], "y", &[]);
    let parts = compared(builder, "inner", 486);
    assert_eq!(parts.of("backbone").others.len(), 0);
}

#[test]
fn a_sum_after_the_function_is_not_one_before_it() {
    let branch = |inner: &str| conv(start(), ["features", inner], [6, 6, 1, 1], &[]);
    all_fused(branch("c").node("Relu", &["c"], "f", &[]).node("Add", &["f", "features"], "y", &[]), 486);
    all_fused(branch("c").node("Add", &["c", "features"], "s", &[]).node("Relu", &["s"], "y", &[]), 486);
    let both = branch("c").node("Sigmoid", &["c"], "f", &[]).node("Add", &["features", "f"], "s", &[]);
    all_fused(both.node("Relu", &["s"], "y", &[]), 486);
    // Scaled after the sum: both terms are.
    let scaled = branch("c").with("k", &[6, 1, 1], &ramp(6)).node("Add", &["c", "features"], "s", &[]);
    all_fused(scaled.node("Mul", &["s", "k"], "y", &[]), 486);
    let twice = branch("c").node("Add", &["c", "c"], "y", &[]);
    all_fused(twice, 486);
}

#[test]
fn a_factor_below_0_turns_bounds_around() {
    for factor in [-2.0, 0.0, 2.0] {
        let builder = conv(start(), ["features", "c"], [6, 6, 1, 1], &[]).node("Relu", &["c"], "f", &[]);
        all_fused(builder.with("k", &[], &[factor]).node("Mul", &["f", "k"], "y", &[]), 486);
    }
}

#[test]
fn borders_of_four_widths() {
    // Above 0, left 2, below 1, right 0: 9 + 1 − 3 + 1 = 8 rows and 9 + 2 − 3 + 1 = 9 columns.
    for (group, from) in [(1, 6), (6, 1)] {
        let attributes = [pads([0, 2, 1, 0]), ("group", Int(group))];
        all_fused(conv(start(), ["features", "y"], [6, from, 3, 3], &attributes), 6 * 72);
    }
    let strided = [pads([0, 1, 1, 0]), ("strides", Ints(vec![2, 1])), ("dilations", Ints(vec![1, 2]))];
    // Rows (9 + 1 − 3) / 2 + 1 = 4, columns 9 + 1 − 5 + 1 = 6.
    all_fused(conv(start(), ["features", "y"], [5, 6, 3, 3], &strided), 5 * 24);
}

#[test]
fn a_constant_divided_by_maps_is_left_to_tract() {
    let builder = start().node("Sigmoid", &["features"], "f", &[]).with("k", &[], &[2.0]);
    let parts = compared(builder.node("Div", &["k", "f"], "y", &[]), "features", 486);
    assert_eq!(parts.reason("node_y"), "Div of a constant by maps");
}

#[test]
fn grouped_convolutions_are_left_to_tract() {
    let builder = conv(start(), ["features", "y"], [4, 3, 3, 3], &[("group", Int(2))]);
    let fusion = compared_at_y(builder, 4 * 49);
    assert_eq!(fusion.others[0].reason, "grouped convolution of 2 groups");
    // Two outputs for each channel are no depthwise convolution either.
    let builder = conv(start(), ["features", "y"], [12, 1, 3, 3], &[("group", Int(6))]);
    assert_eq!(compared_at_y(builder, 12 * 49).others[0].reason, "grouped convolution of 6 groups");
}

/// A channel of its own would take a whole vector for each cell: sixteen times the memory.
#[test]
fn large_maps_of_few_channels_are_left_to_tract() {
    let builder = conv(start(), ["features", "c"], [1, 6, 1, 1], &[])
        .node("Concat", &["c"; 64], "tall", &[("axis", Int(2))])
        .node("Concat", &["tall"; 220], "wide", &[("axis", Int(3))])
        .node("GlobalAveragePool", &["wide"], "mean", &[])
        .node("Add", &["features", "mean"], "y", &[]);
    assert_eq!(compared(builder, "y", 486).reason("node_mean"), "large maps of few channels");
}

#[test]
fn constants_of_other_shapes_are_left_to_tract() {
    for (shape, numbers) in [(&[9, 9][..], 81), (&[6, 9, 9], 486), (&[9], 9)] {
        let builder = start().with("k", shape, &ramp(numbers)).node("Add", &["features", "k"], "y", &[]);
        let parts = compared(builder, "y", 486);
        assert!(parts.reason("node_y").starts_with("a constant of shape"), "{}", parts.reason("node_y"));
    }
    // All its numbers are one.
    all_fused(start().with("k", &[9, 9], &[0.5; 81]).node("Add", &["features", "k"], "y", &[]), 486);
}

#[test]
fn gates_that_are_none_are_left_to_tract() {
    // One gate for each cell, and a gate whose maps are not those that it opens.
    let gate = conv(start(), ["features", "gate"], [1, 6, 1, 1], &[]);
    let parts = compared(gate.node("Mul", &["features", "gate"], "y", &[]), "y", 486);
    assert_eq!(parts.reason("node_y"), "a product of maps that is no gate for each channel");
    // The sum of maps and of one number each.
    let mean = start().node("GlobalAveragePool", &["features"], "m", &[]);
    let parts = compared(mean.node("Add", &["features", "m"], "y", &[]), "y", 486);
    assert_eq!(parts.reason("node_y"), "a sum of maps of different shapes");
}

#[test]
fn counted_borders_that_ceil_mode_passes_are_left_to_tract() {
    // 9 + 2 cells, windows of 4 every 3: (11 − 4) / 3 = 2.3, so that the fourth starts at 9 and ends 2 past the border.
    let attributes = [
        pair("kernel_shape", 4),
        pair("strides", 3),
        pads([1; 4]),
        ("ceil_mode", Int(1)),
        ("count_include_pad", Int(1)),
    ];
    let parts = compared(start().node("AveragePool", &["features"], "y", &attributes), "y", 6 * 16);
    assert_eq!(parts.reason("node_y"), "a window that reaches beyond the padding that it counts");
}

#[test]
fn an_unknown_operator_parts_two_regions() {
    let builder = conv(start(), ["features", "a"], [6, 6, 3, 3], &[pads([1; 4])]).node("Tanh", &["a"], "t", &[]);
    let builder = conv(builder, ["t", "b"], [6, 6, 3, 3], &[pads([1; 4])]).node("Relu", &["b"], "y", &[]);
    let fusion = compared_at_y(builder, 486);
    assert_eq!((fusion.regions, fusion.others.len()), (2, 1));
    assert_eq!(fusion.others[0].reason, "operator Tanh");
}

#[test]
fn a_region_that_would_read_what_it_leads_to_is_two() {
    // c goes to the sum directly and through Tanh: c, Tanh and the sum cannot be c and the sum, then Tanh.
    let builder = conv(start(), ["features", "c"], [6, 6, 3, 3], &[pads([1; 4])]).node("Tanh", &["c"], "t", &[]);
    let builder = conv(builder.node("Add", &["c", "t"], "s", &[]), ["s", "y"], [6, 6, 1, 1], &[]);
    let fusion = compared_at_y(builder, 486);
    assert_eq!((fusion.regions, fusion.others.len()), (2, 1));
}

#[test]
fn what_would_make_regions_read_each_other_is_not_joined() {
    // c reads a, and b through an unknown operator; d reads b, and a through another. a, b, c and d cannot be one, nor can
    // a with c be one and b with d another.
    let a = conv(start(), ["features", "a"], [6, 6, 1, 1], &[]).node("Tanh", &["a"], "ta", &[]);
    let b = conv(a, ["features", "b"], [6, 6, 3, 3], &[pads([1; 4])]).node("Tanh", &["b"], "tb", &[]);
    let sums = b.node("Add", &["a", "tb"], "c", &[]).node("Add", &["b", "ta"], "d", &[]);
    let fusion = compared_at_y(sums.node("Mul", &["c", "d"], "y", &[]), 486);
    let unknown = fusion.others.iter().filter(|other| other.reason == "operator Tanh");
    assert_eq!((fusion.regions, unknown.count()), (1, 2), "{:?}", fusion.others);
}

#[test]
fn a_result_that_is_held_is_not_written_to() {
    let builder = conv(start(), ["features", "y"], [6, 6, 1, 1], &[]);
    let model = model_at("y", crate::gradients::weighed(builder, "y", 486));
    let mut engine = Engine::with_backend(&model, 1, Backend::Fused).expect("it compiles");
    let input = noise(&model);
    let mut other = noise(&model);
    other.tensor.mapv_inplace(|number| -number);
    let held = engine.forward(&input).expect("it runs");
    let (before, memory) = (held.activations().to_owned(), held.activations().as_ptr());
    let second = engine.forward(&other).expect("it runs");
    assert_ne!(second.activations().as_ptr(), memory);
    assert_eq!(held.activations(), before);
    // Its memory is used again when nobody holds it any more.
    drop(held);
    assert_eq!(engine.forward(&other).expect("it runs").activations().as_ptr(), memory);
}

#[test]
fn a_region_without_a_convolution_is_left_to_tract() {
    // Between two unknown operators nothing is worth another layout.
    let builder =
        start().node("Tanh", &["features"], "t", &[]).node("Relu", &["t"], "r", &[]).node("Softplus", &["r"], "y", &[]);
    let fusion = compared_at_y(builder, 486);
    let reason =
        fusion.others.iter().find(|other| other.node.starts_with("node_r")).expect("it is left").reason.clone();
    assert_eq!(reason, "no convolution beside it");
}
