//! Operators that choose elements, or put others around them.

use super::{agrees_with_finite_differences, gradients_of, refusal, weighed};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Float, Int, Ints, String};
use gradcam::onnx::graph::{ElementType, Tensor};

const OPSETS: [i64; 5] = [9, 11, 13, 18, 21];

fn checked(builder: Builder, wire: &str, elements: usize) {
    agrees_with_finite_differences(weighed(builder, wire, elements), 2);
}

/// A slice whose bounds are attributes before opset 10.
fn slice(builder: Builder, starts: &[i64], ends: &[i64], axes: &[i64]) -> Builder {
    if builder.graph.opset < 10 {
        let list = |values: &[i64]| Ints(values.to_vec());
        let attributes = [("starts", list(starts)), ("ends", list(ends)), ("axes", list(axes))];
        return builder.node("Slice", &["features"], "part", &attributes);
    }
    builder.with_integers("starts", starts).with_integers("ends", ends).with_integers("axes", axes).node(
        "Slice",
        &["features", "starts", "ends", "axes"],
        "part",
        &[],
    )
}

#[test]
fn slices_with_bounds_of_all_kinds() {
    for opset in [9, 10, 13, 21] {
        checked(slice(Builder::new(opset, 4, 3), &[1], &[3], &[1]), "part", 32);
        checked(slice(Builder::new(opset, 4, 3), &[-3, 0], &[-1, i64::MAX], &[2, 3]), "part", 24);
        checked(slice(Builder::new(opset, 4, 3), &[0, 1], &[100, 4], &[3, 2]), "part", 36);
    }
    // All axes from the first on where none are named.
    let unnamed = Builder::new(13, 4, 3).with_integers("starts", &[0, 1]).with_integers("ends", &[1, 3]).node(
        "Slice",
        &["features", "starts", "ends"],
        "part",
        &[],
    );
    checked(unnamed, "part", 32);
}

#[test]
fn slices_that_take_steps_and_go_backwards() {
    let places: [(i64, i64, i64, usize); 6] =
        [(0, 5, 2, 3), (1, i64::MAX, 3, 2), (-1, i64::MIN, -1, 5), (4, 0, -2, 2), (-2, -6, -1, 4), (9, -9, -4, 2)];
    for opset in [10, 13, 21] {
        for (start, end, step, taken) in places {
            let builder = Builder::new(opset, 5, 2)
                .with_integers("starts", &[start, 0])
                .with_integers("ends", &[end, 1])
                .with_integers("axes", &[-1, 1])
                .with_integers("steps", &[step, 1])
                .node("Slice", &["features", "starts", "ends", "axes", "steps"], "part", &[]);
            checked(builder, "part", 5 * taken);
        }
    }
}

#[test]
fn every_second_cell_by_hand() {
    // Of five cells in a row the scores read cells 0, 2 and 4: these have the weights as gradients, the others 0.
    let builder = Builder::new(13, 5, 1)
        .with_integers("zero", &[0, 0])
        .with_integers("ends", &[1, 5])
        .with_integers("axes", &[2, 3])
        .with_integers("steps", &[1, 2])
        .with_integers("row", &[1, 3])
        .with("w", &[3, 1], &[7.0, 8.0, 9.0])
        .node("Slice", &["features", "zero", "ends", "axes", "steps"], "part", &[])
        .node("Reshape", &["part", "row"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    let (_, gradients) = gradients_of(builder, 1);
    let mut by_hand = [0.0; 25];
    (by_hand[0], by_hand[2], by_hand[4]) = (7.0, 8.0, 9.0);
    assert_eq!(gradients[0].as_slice(), Some(by_hand.as_slice()));
}

#[test]
fn gathered_places_of_any_axis_repeated_or_counted_from_behind() {
    let indices: [&[i64]; 5] = [&[1], &[2, 0, 1], &[0, 2, 0, 0], &[-1, 1], &[1, 2]];
    for opset in [9, 13, 21] {
        for axis in [1, 2, -1] {
            for picks in indices.iter().filter(|picks| opset >= 11 || picks.iter().all(|pick| *pick >= 0)) {
                let builder = Builder::new(opset, 3, 3).with_integers("indices", picks).node(
                    "Gather",
                    &["features", "indices"],
                    "part",
                    &[("axis", Int(if opset < 11 && axis < 0 { 3 } else { axis }))],
                );
                checked(builder, "part", 9 * picks.len());
            }
        }
        // One index takes the axis away; a table of indices makes two of it.
        let mut single = Builder::new(opset, 3, 3);
        single.constant("index", Tensor { shape: vec![], ..Tensor::i64(&[2]) });
        checked(single.node("Gather", &["features", "index"], "part", &[("axis", Int(1))]), "part", 9);
        let mut table = Builder::new(opset, 3, 3);
        let bytes = [2i32, 0, 1, 1].iter().flat_map(|index| index.to_le_bytes()).collect::<Vec<u8>>();
        table.constant("table", Tensor { kind: ElementType::I32, shape: vec![2, 2], bytes: bytes.into() });
        checked(table.node("Gather", &["features", "table"], "part", &[("axis", Int(2))]), "part", 36);
    }
}

#[test]
fn a_place_gathered_twice_by_hand() {
    // scores = 1·f₁ + 10·f₀ + 100·f₁ over the cells of one row: f₀ has 10, f₁ has 101, f₂ nothing.
    let builder = Builder::new(13, 3, 1)
        .with_integers("indices", &[1, 0, 1])
        .with_integers("row", &[1, 9])
        .with("w", &[9, 1], &[1.0, 10.0, 100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        .node("Gather", &["features", "indices"], "part", &[("axis", Int(3))])
        .node("Reshape", &["part", "row"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    let (_, gradients) = gradients_of(builder, 1);
    let by_hand = [10.0, 101.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(gradients[0].as_slice(), Some(by_hand.as_slice()));
}

#[test]
fn indices_that_depend_on_the_picture_are_refused() {
    let builder = Builder::new(13, 3, 3)
        .node("GlobalAveragePool", &["features"], "pooled", &[])
        .node("Cast", &["pooled"], "indices", &[("to", Int(7))])
        .node("Gather", &["features", "indices"], "part", &[("axis", Int(1))]);
    let text = refusal(weighed(builder, "part", 27), 2);
    assert!(text.contains("Gather") && text.contains("not constant"), "{text}");
}

#[test]
fn borders_of_all_kinds() {
    for opset in OPSETS {
        for kind in ["constant", "edge", "reflect"] {
            let mode = ("mode", String(kind.as_bytes().to_vec()));
            let pads = [0, 0, 2, 1, 0, 0, 1, 0];
            let builder = Builder::new(opset, 3, 2);
            let builder = match opset < 11 {
                true => builder.node(
                    "Pad",
                    &["features"],
                    "wide",
                    &[mode, ("pads", Ints(pads.to_vec())), ("value", Float(1.5))],
                ),
                false => {
                    let inputs = ["features", "pads", "value"];
                    let inputs = &inputs[..if kind == "constant" { 3 } else { 2 }];
                    builder.with_integers("pads", &pads).with("value", &[], &[1.5]).node("Pad", inputs, "wide", &[mode])
                }
            };
            checked(builder, "wide", 2 * 6 * 4);
        }
    }
    for opset in [18, 21] {
        let named = Builder::new(opset, 3, 2)
            .with_integers("pads", &[1, 0, 0, 2, 2, 3, 0, 0])
            .with_integers("axes", &[-1, 1, 0, -2])
            .node("Pad", &["features", "pads", "", "axes"], "wide", &[]);
        checked(named, "wide", 5 * 5 * 6);
    }
    // A constant border of channels, as a shortcut without weights has it.
    let channels = Builder::new(13, 3, 2).with_integers("pads", &[0, 1, 0, 0, 0, 1, 0, 0]).node(
        "Pad",
        &["features", "pads"],
        "wide",
        &[],
    );
    checked(channels, "wide", 36);
}

#[test]
fn a_border_that_repeats_the_edge_by_hand() {
    // One row f₀ f₁ f₂ with two cells before and one behind: f₀ f₀ f₀ f₁ f₂ f₂, weighed 1, 2, 4, 8, 16, 32.
    let builder = Builder::new(13, 3, 1)
        .with_integers("pads", &[0, 0, 0, 2, 0, 0, 0, 1])
        .with_integers("row", &[1, 18])
        .with("w", &[18, 1], &[&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], [0.0; 12].as_slice()].concat())
        .node("Pad", &["features", "pads"], "wide", &[("mode", String(b"edge".to_vec()))])
        .node("Reshape", &["wide", "row"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    let (_, gradients) = gradients_of(builder, 1);
    let by_hand = [7.0, 8.0, 48.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(gradients[0].as_slice(), Some(by_hand.as_slice()));
}

#[test]
fn borders_that_the_engine_takes_for_others_are_refused() {
    // In the backbone too, where no rule looks at them.
    let padded = |inputs: &[&str], pads: &[i64], attributes: &[(&str, gradcam::onnx::graph::Attribute)]| {
        let mut builder = Builder::new(13, 3, 2).with_integers("pads", pads).with("value", &[], &[1.5]);
        let inputs: Vec<&str> = ["image"].into_iter().chain(inputs.iter().copied()).collect();
        builder = builder.node("Pad", &inputs, "wide", attributes);
        builder.graph.nodes.rotate_right(1);
        builder.graph.nodes[1].inputs[0] = "wide".to_owned();
        weighed(builder.node("GlobalAveragePool", &["features"], "pooled", &[]), "pooled", 2)
    };
    let edge = [("mode", String(b"edge".to_vec()))];
    let text = refusal(padded(&["pads", "value"], &[0, 0, 1, 1, 0, 0, 1, 1], &edge), 2);
    assert!(text.contains("Pad") && text.contains("edge") && text.contains("node_wide"), "{text}");
    let text = refusal(padded(&["pads"], &[0, 0, -1, 0, 0, 0, 0, 0], &[]), 2);
    assert!(text.contains("Pad") && text.contains("negative"), "{text}");
    // Computed widths: 0 − 1, and two of 2^63 − 1, whose sum with 3 cells goes round to 1.
    let mut computed = padded(&["pads"], &[0, 0, 1, 0, 0, 0, 0, 0], &[]).node("Neg", &["pads"], "less", &[]);
    computed.graph.nodes.rotate_right(1);
    computed.graph.nodes[1].inputs[1] = "less".to_owned();
    let text = refusal(computed, 2);
    assert!(text.contains("Pad") && text.contains("negative"), "{text}");
    let most = i64::MAX - 1;
    let mut computed = padded(&["pads"], &[0, 0, most, 0, 0, 0, most, 0], &[])
        .with_integers("one", &[0, 0, 1, 0, 0, 0, 1, 0])
        .node("Add", &["pads", "one"], "more", &[]);
    computed.graph.nodes.rotate_right(1);
    computed.graph.nodes[1].inputs[1] = "more".to_owned();
    let text = refusal(computed, 2);
    assert!(text.contains("Pad") && text.contains("too wide"), "{text}");
}
