//! Matrix products.

use super::{agrees_with_finite_differences, pooled, ramp};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Float, Int};

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
