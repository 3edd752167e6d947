//! Operators that arrange elements anew without leaving any out.

use super::{agrees_with_finite_differences, by_map, gradients_of, in_one_cell, ramp, refusal, weighed};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Int, Ints, String};

const OPSETS: [i64; 5] = [9, 11, 13, 18, 21];

fn checked(builder: Builder, wire: &str, elements: usize) {
    agrees_with_finite_differences(weighed(builder, wire, elements), 2);
}

#[test]
fn axes_of_length_one_come_and_go() {
    for opset in OPSETS {
        let builder = Builder::new(opset, 3, 4);
        // [1,4,3,3] → [1,1,4,3,3,1] → [4,3,3,1].
        let builder = match opset < 13 {
            true => builder.node("Unsqueeze", &["features"], "more", &[("axes", Ints(vec![0, 5]))]).node(
                "Squeeze",
                &["more"],
                "less",
                &[("axes", Ints(vec![0, 1]))],
            ),
            false => builder
                .with_integers("new", &[0, -1])
                .with_integers("old", &[0, 1])
                .node("Unsqueeze", &["features", "new"], "more", &[])
                .node("Squeeze", &["more", "old"], "less", &[]),
        };
        checked(builder, "less", 36);
    }
    let all = Builder::new(13, 3, 4).node("Squeeze", &["features"], "less", &[]);
    checked(all, "less", 36);
    let flat = Builder::new(13, 3, 4).node("Flatten", &["features"], "flat", &[("axis", Int(-2))]);
    checked(flat, "flat", 36);
    let kept =
        Builder::new(13, 3, 4).with_integers("sides", &[0, -1, 3]).node("Reshape", &["features", "sides"], "flat", &[]);
    checked(kept, "flat", 36);
}

#[test]
fn transposed_axes_in_any_order() {
    for opset in [9, 21] {
        checked(Builder::new(opset, 3, 4).node("Transpose", &["features"], "turned", &[]), "turned", 36);
        let order = [("perm", Ints(vec![0, 2, 3, 1]))];
        checked(Builder::new(opset, 3, 4).node("Transpose", &["features"], "turned", &order), "turned", 36);
    }
}

#[test]
fn shuffled_channels() {
    // As ShuffleNet: [1,4,3,3] as 2 groups of 2 channels, which change places.
    let builder = Builder::new(13, 3, 4)
        .with_integers("groups", &[1, 2, 2, 3, 3])
        .with_integers("maps", &[1, 4, 3, 3])
        .node("Reshape", &["features", "groups"], "grouped", &[])
        .node("Transpose", &["grouped"], "turned", &[("perm", Ints(vec![0, 2, 1, 3, 4]))])
        .node("Reshape", &["turned", "maps"], "shuffled", &[]);
    checked(builder, "shuffled", 36);
}

#[test]
fn joined_wires_along_any_axis_and_one_wire_twice() {
    for opset in [9, 21] {
        for (axis, constant) in [(1, [1, 2, 3, 3]), (-3, [1, 2, 3, 3]), (2, [1, 4, 2, 3]), (-1, [1, 4, 3, 2])] {
            let count = constant.iter().product();
            let builder = Builder::new(opset, 3, 4)
                .with("more", &constant, &ramp(count))
                .node("Relu", &["features"], "warm", &[])
                .node("Concat", &["features", "more", "warm", "features"], "joined", &[("axis", Int(axis))]);
            checked(builder, "joined", 108 + count);
        }
    }
}

#[test]
fn a_wire_joined_to_itself_by_hand() {
    // scores = Σ of [f, f]·w over a single feature in one cell: d = w₀ + w₁.
    let builder = in_one_cell(Builder::new(13, 2, 1))
        .with_integers("row", &[1, 2])
        .with("w", &[2, 1], &[3.0, -0.5])
        .node("Concat", &["cell", "cell"], "joined", &[("axis", Int(1))])
        .node("Reshape", &["joined", "row"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    let (_, gradients) = gradients_of(builder, 1);
    assert_eq!(by_map(&gradients[0]), [2.5]);
}

#[test]
fn repeated_along_axes_of_length_one_and_as_a_whole() {
    for opset in OPSETS {
        // [1,4,1,1] → [1,4,3,3]; a side of 1 in the shape leaves the input's side.
        let expanded = Builder::new(opset, 3, 4)
            .with_integers("shape", &[1, 1, 3, 3])
            .node("GlobalAveragePool", &["features"], "small", &[])
            .node("Expand", &["small", "shape"], "wide", &[])
            .node("Add", &["wide", "features"], "sum", &[]);
        checked(expanded, "sum", 36);
        let tiled = Builder::new(opset, 3, 4).with_integers("repeats", &[2, 1, 3, 2]).node(
            "Tile",
            &["features", "repeats"],
            "wide",
            &[],
        );
        checked(tiled, "wide", 36 * 12);
    }
}

#[test]
fn channels_to_cells_and_back() {
    for opset in [9, 11, 13, 21] {
        let mut modes =
            vec![vec![("blocksize", Int(2))], vec![("blocksize", Int(2)), ("mode", String(b"DCR".to_vec()))]];
        modes.push(vec![("blocksize", Int(2)), ("mode", String(b"CRD".to_vec()))]);
        // The mode came with opset 11.
        for attributes in &modes[..if opset < 11 { 1 } else { 3 }] {
            checked(Builder::new(opset, 3, 8).node("DepthToSpace", &["features"], "wide", attributes), "wide", 72);
        }
        let block = [("blocksize", Int(2))];
        checked(Builder::new(opset, 4, 3).node("SpaceToDepth", &["features"], "deep", &block), "deep", 48);
    }
}

#[test]
fn channels_as_cells_by_hand() {
    // Four channels in one cell become 2×2 cells: channel c is cell c in both modes, weighed by w_c.
    for mode in ["DCR", "CRD"] {
        let attributes = [("blocksize", Int(2)), ("mode", String(mode.as_bytes().to_vec()))];
        let builder = in_one_cell(Builder::new(13, 2, 4))
            .with("w", &[4, 1], &[1.0, 2.0, 3.0, 4.0])
            .node("DepthToSpace", &["cell"], "wide", &attributes)
            .node("Flatten", &["wide"], "flat", &[])
            .node("MatMul", &["flat", "w"], "scores", &[]);
        let (_, gradients) = gradients_of(builder, 1);
        assert_eq!(by_map(&gradients[0]), [1.0, 2.0, 3.0, 4.0], "{mode}");
    }
}

#[test]
fn split_parts_of_all_forms() {
    for opset in OPSETS {
        // 6 channels into 3 equal parts, of which the second is used twice and the third not.
        let count = if opset >= 18 { vec![("num_outputs", Int(3))] } else { vec![] };
        let attributes = [vec![("axis", Int(1))], count].concat();
        let equal = Builder::new(opset, 3, 6)
            .node_with_outputs("Split", &["features"], &["a", "b", "c"], &attributes)
            .node("Relu", &["b"], "warm", &[])
            .node("Concat", &["warm", "a", "b"], "joined", &[("axis", Int(1))]);
        checked(equal, "joined", 54);
        // Parts of 1, 3 and 2 channels; the last axis is counted from behind.
        let parts = match opset < 13 {
            true => Builder::new(opset, 6, 3).node_with_outputs(
                "Split",
                &["features"],
                &["a", "b", "c"],
                &[("axis", Int(if opset < 11 { 3 } else { -1 })), ("split", Ints(vec![1, 3, 2]))],
            ),
            false => Builder::new(opset, 6, 3).with_integers("sizes", &[1, 3, 2]).node_with_outputs(
                "Split",
                &["features", "sizes"],
                &["a", "b", "c"],
                &[("axis", Int(-1))],
            ),
        };
        let parts =
            parts.node("Relu", &["c"], "warm", &[]).node("Concat", &["warm", "b", "a"], "joined", &[("axis", Int(3))]);
        checked(parts, "joined", 108);
    }
    for opset in [18, 21] {
        // 7 into 3: 3, 3, 1.
        let uneven = Builder::new(opset, 7, 2)
            .node_with_outputs("Split", &["features"], &["a", "b", "c"], &[("axis", Int(2)), ("num_outputs", Int(3))])
            .node("Relu", &["c"], "warm", &[])
            .node("Concat", &["warm", "b", "a"], "joined", &[("axis", Int(2))]);
        checked(uneven, "joined", 98);
    }
}

#[test]
fn parts_that_are_not_what_the_input_has_are_refused() {
    let builder = Builder::new(11, 3, 6)
        .node_with_outputs("Split", &["features"], &["a", "b"], &[("axis", Int(1)), ("split", Ints(vec![2, 3]))])
        .node("GlobalAveragePool", &["b"], "pooled", &[]);
    let text = refusal(weighed(builder, "pooled", 3), 2);
    assert!(text.contains("Split") && text.contains("node_a") && text.contains("[2, 3]"), "{text}");
}
