//! Matrix products.

use super::{agrees_with_finite_differences, by_map, gradients_of, in_one_cell, pooled, ramp, refusal, weighed};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Float, Int, Ints};

#[test]
fn gemm_in_all_its_forms() {
    for opset in [9, 13] {
        for transposed in [0, 1] {
            let builder = pooled(Builder::new(opset, 3, 4))
                .with("w", if transposed == 1 { &[5, 4] } else { &[4, 5] }, &ramp(20))
                .with("b", &[5], &ramp(5))
                .node(
                    "Gemm",
                    &["flat", "w", "b"],
                    "scores",
                    &[("transB", Int(transposed)), ("alpha", Float(0.5)), ("beta", Float(2.0))],
                );
            agrees_with_finite_differences(builder, 5);
        }
    }
    // The features on the left transposed, and on the right: [4,1]ᵀ·[4,5] and ([5,4]·[4,1])ᵀ.
    let left = pooled(Builder::new(13, 3, 4))
        .with_integers("column", &[4, 1])
        .with("w", &[4, 5], &ramp(20))
        .node("Reshape", &["flat", "column"], "tall", &[])
        .node("Gemm", &["tall", "w"], "scores", &[("transA", Int(1))]);
    agrees_with_finite_differences(left, 5);
    for transposed in [0, 1] {
        let right = pooled(Builder::new(13, 3, 4))
            .with_integers("sides", if transposed == 1 { &[1, 4] } else { &[4, 1] })
            .with_integers("row", &[1, 5])
            .with("w", &[5, 4], &ramp(20))
            .node("Reshape", &["flat", "sides"], "operand", &[])
            .node("Gemm", &["w", "operand"], "tall", &[("transB", Int(transposed))])
            .node("Reshape", &["tall", "row"], "scores", &[]);
        agrees_with_finite_differences(right, 5);
    }
}

#[test]
fn the_summand_of_gemm() {
    let builder = pooled(Builder::new(13, 2, 3))
        .with("one", &[2, 1], &[0.5, -1.0])
        .with("w", &[1, 3], &ramp(3))
        .with("mix2", &[6, 2], &ramp(12))
        .with_integers("row", &[1, 6])
        .node("Gemm", &["one", "w", "flat"], "matrix", &[("beta", Float(3.0))])
        .node("Reshape", &["matrix", "row"], "long", &[])
        .node("MatMul", &["long", "mix2"], "scores", &[]);
    agrees_with_finite_differences(builder, 2);
}

#[test]
fn mat_mul_with_batches_that_are_broadcast() {
    // [1,2,2,2] features · [3→1,2,2] constants, and the constants on the left.
    for (inputs, name) in [(["features", "w"], "right"), (["w", "features"], "left")] {
        let builder = Builder::new(13, 2, 2)
            .with("w", &[3, 1, 2, 2], &ramp(12))
            .with_integers("row", &[1, 24])
            .with("v", &[24, 2], &ramp(48))
            .node("MatMul", &inputs, name, &[])
            .node("Reshape", &[name, "row"], "flat", &[])
            .node("MatMul", &["flat", "v"], "scores", &[]);
        agrees_with_finite_differences(builder, 2);
    }
}

#[test]
fn vectors_are_rows_on_the_left_and_columns_on_the_right() {
    for opset in [9, 13, 21] {
        // [1,2,3,3]·[3] and [3]·[1,2,3,3], then the features as the vector.
        let right = Builder::new(opset, 3, 2).with("v", &[3], &ramp(3)).node("MatMul", &["features", "v"], "y", &[]);
        agrees_with_finite_differences(weighed(right, "y", 6), 2);
        let left = Builder::new(opset, 3, 2).with("v", &[3], &ramp(3)).node("MatMul", &["v", "features"], "y", &[]);
        agrees_with_finite_differences(weighed(left, "y", 6), 2);
        let flat = |builder: Builder| {
            builder.with_integers("long", &[18]).node("Reshape", &["features", "long"], "vector", &[])
        };
        for inputs in [["vector", "matrix"], ["turned", "vector"]] {
            let builder = flat(Builder::new(opset, 3, 2))
                .with("matrix", &[18, 4], &ramp(72))
                .with("turned", &[2, 3, 18], &ramp(108))
                .node("MatMul", &inputs, "y", &[]);
            let elements = if inputs[1] == "matrix" { 4 } else { 6 };
            agrees_with_finite_differences(weighed(builder, "y", elements), 2);
        }
    }
}

#[test]
fn both_operands_depend_on_the_picture() {
    for opset in [9, 13, 21] {
        // A·A, and A·Bᵀ with B a part that is broadcast over the maps.
        let square = Builder::new(opset, 3, 2).node("MatMul", &["features", "features"], "y", &[]);
        agrees_with_finite_differences(weighed(square, "y", 18), 2);
        let attention = Builder::new(opset, 3, 2)
            .with_integers("first", &[0])
            .node("Gather", &["features", "first"], "one", &[("axis", Int(1))])
            .node("Transpose", &["one"], "turned", &[("perm", Ints(vec![0, 1, 3, 2]))])
            .node("MatMul", &["features", "turned"], "likeness", &[])
            .node("MatMul", &["likeness", "features"], "y", &[]);
        agrees_with_finite_differences(weighed(attention, "y", 18), 2);
    }
}

#[test]
fn a_matrix_for_all_batches() {
    // [1,2,3,3] in batches times one [3,4], and one [4,3] times the batches.
    for opset in [9, 13] {
        let right =
            Builder::new(opset, 3, 2).with("w", &[3, 4], &ramp(12)).node("MatMul", &["features", "w"], "y", &[]);
        agrees_with_finite_differences(weighed(right, "y", 24), 2);
        let left = Builder::new(opset, 3, 2).with("w", &[4, 3], &ramp(12)).node("MatMul", &["w", "features"], "y", &[]);
        agrees_with_finite_differences(weighed(left, "y", 24), 2);
    }
}

#[test]
fn a_number_times_itself_by_hand() {
    // scores = f·f as a product of a vector and a matrix of one element, f the sum over the cells: 2·f in each.
    let builder = in_one_cell(Builder::new(13, 2, 1))
        .with_integers("long", &[1])
        .with_integers("row", &[1, 1])
        .node("Reshape", &["cell", "long"], "vector", &[])
        .node("Flatten", &["cell"], "flat", &[])
        .node("MatMul", &["vector", "flat"], "y", &[])
        .node("Reshape", &["y", "row"], "scores", &[]);
    let (maps, gradients) = gradients_of(builder, 1);
    assert!((by_map(&gradients[0])[0] - 2.0 * maps.sum()).abs() < 1e-5 * maps.sum().abs());
}

#[test]
fn tokens_that_are_mixed_normalised_and_averaged() {
    // The end of a transformer: [1,4,3,3] → [1,9,4] tokens → a linear layer → the mean of the tokens → scores.
    for opset in [9, 13, 17, 21] {
        for normalised in [false, true] {
            if normalised && opset < 17 {
                continue;
            }
            let tokens = Builder::new(opset, 3, 4)
                .with_integers("places", &[1, 4, 9])
                .with("w", &[4, 5], &ramp(20))
                .with("scale", &[5], &ramp(5))
                .with("v", &[5, 2], &ramp(10))
                .with_integers("axes", &[1])
                .node("Reshape", &["features", "places"], "columns", &[])
                .node("Transpose", &["columns"], "tokens", &[("perm", Ints(vec![0, 2, 1]))])
                .node("MatMul", &["tokens", "w"], "mixed", &[]);
            let mixed = match normalised {
                true => tokens.node("LayerNormalization", &["mixed", "scale"], "normal", &[]),
                false => tokens.node("Identity", &["mixed"], "normal", &[]),
            };
            let mean = match opset < 18 {
                true => mixed.node("ReduceMean", &["normal"], "mean", &[("axes", Ints(vec![1])), ("keepdims", Int(0))]),
                false => mixed.node("ReduceMean", &["normal", "axes"], "mean", &[("keepdims", Int(0))]),
            };
            agrees_with_finite_differences(mean.node("MatMul", &["mean", "v"], "scores", &[]), 2);
        }
    }
}

#[test]
fn a_product_that_reads_repeated_values_is_refused() {
    // The engine would add up one of the nine equal columns instead of all.
    let builder = Builder::new(13, 3, 4)
        .with_integers("nine", &[1, 4, 9])
        .with_integers("one", &[1, 4, 1])
        .with("w", &[9, 4], &ramp(36))
        .node("GlobalAveragePool", &["features"], "pooled", &[])
        .node("Reshape", &["pooled", "one"], "column", &[])
        .node("Expand", &["column", "nine"], "columns", &[])
        .node("MatMul", &["columns", "w"], "y", &[]);
    let text = refusal(weighed(builder, "y", 16), 2);
    assert!(text.contains("MatMul") && text.contains("node_y") && text.contains("Expand"), "{text}");
}
