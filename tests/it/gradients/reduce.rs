//! Reductions over axes.

use super::{agrees_with_finite_differences, by_map, gradients_of, in_one_cell, refusal, weighed};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Int, Ints};

const OPERATORS: [&str; 7] =
    ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"];

/// `features` reduced to the wire `reduced`: the axes are an attribute or an input, as the operator set has it.
fn reduced(opset: i64, op: &str, axes: Option<&[i64]>, keep: Option<i64>) -> Builder {
    let builder = Builder::new(opset, 3, 4);
    let mut attributes: Vec<_> = keep.map(|keep| ("keepdims", Int(keep))).into_iter().collect();
    let as_input = opset >= if op == "ReduceSum" { 13 } else { 18 };
    match axes {
        Some(axes) if as_input => {
            builder.with_integers("axes", axes).node(op, &["features", "axes"], "reduced", &attributes)
        }
        axes => {
            attributes.extend(axes.map(|axes| ("axes", Ints(axes.to_vec()))));
            builder.node(op, &["features"], "reduced", &attributes)
        }
    }
}

#[test]
fn axes_as_attribute_and_as_input() {
    for opset in [9, 11, 13, 18, 21] {
        for op in OPERATORS {
            let last: &[i64] = if opset < 11 { &[2, 3] } else { &[-1, -2] };
            agrees_with_finite_differences(weighed(reduced(opset, op, Some(last), Some(0)), "reduced", 4), 2);
            agrees_with_finite_differences(weighed(reduced(opset, op, Some(&[1]), None), "reduced", 9), 2);
            agrees_with_finite_differences(weighed(reduced(opset, op, None, Some(1)), "reduced", 1), 2);
            agrees_with_finite_differences(weighed(reduced(opset, op, None, Some(0)), "reduced", 1), 2);
        }
    }
}

#[test]
fn no_axes_can_mean_all_or_none() {
    for opset in [18, 21] {
        for op in &OPERATORS[..4] {
            for (noop, elements) in [(0, 1), (1, 36)] {
                let builder = Builder::new(opset, 3, 4).with_integers("axes", &[]).node(
                    op,
                    &["features", "axes"],
                    "reduced",
                    &[("noop_with_empty_axes", Int(noop))],
                );
                agrees_with_finite_differences(weighed(builder, "reduced", elements), 2);
            }
        }
    }
}

/// Three maps in one cell, the last two the same.
fn tied(op: &str) -> Builder {
    in_one_cell(Builder::new(13, 2, 3))
        .with("mix", &[3, 3, 1, 1], &[-1.0, 0.0, 0.0, 0.5, 0.25, 0.0, 0.5, 0.25, 0.0])
        .with_integers("row", &[1, 1])
        .with("w", &[1, 1], &[6.0])
        .node(op, &["cell"], "reduced", &[("axes", Ints(vec![1]))])
        .node("Reshape", &["reduced", "row"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
}

#[test]
fn a_tie_is_shared_in_equal_parts() {
    // The last two maps are the same, on one side of the first: together they get 6, each 3.
    let (maps, _) = gradients_of(tied("ReduceMax"), 1);
    let sums: Vec<f32> = maps.outer_iter().map(|map| map.sum()).collect();
    assert_eq!(sums[1], sums[2]);
    assert_ne!(sums[0], sums[1]);
    let (higher, lower) = match sums[0] < sums[1] {
        true => ("ReduceMax", "ReduceMin"),
        false => ("ReduceMin", "ReduceMax"),
    };
    assert_eq!(by_map(&gradients_of(tied(higher), 1).1[0]), [0.0, 3.0, 3.0]);
    assert_eq!(by_map(&gradients_of(tied(lower), 1).1[0]), [6.0, 0.0, 0.0]);
}

#[test]
fn norms_of_nothing_have_no_gradient() {
    for op in ["ReduceL1", "ReduceL2"] {
        let builder = tied(op).with("mix", &[3, 3, 1, 1], &[0.0; 9]);
        assert_eq!(by_map(&gradients_of(builder, 1).1[0]), [0.0, 0.0, 0.0], "{op}");
    }
}

#[test]
fn reductions_that_the_engine_reads_otherwise_are_refused() {
    let attribute = Builder::new(18, 3, 4).node("ReduceMean", &["features"], "reduced", &[("axes", Ints(vec![1]))]);
    let text = refusal(weighed(attribute, "reduced", 1), 2);
    assert!(text.contains("ReduceMean") && text.contains("operator set 18"), "{text}");
    let nothing =
        Builder::new(18, 3, 4).node("ReduceL2", &["features"], "reduced", &[("noop_with_empty_axes", Int(1))]);
    let text = refusal(weighed(nothing, "reduced", 36), 2);
    assert!(text.contains("ReduceL2") && text.contains("no axes"), "{text}");
}
