//! Softmax and its logarithm.

use super::pointwise::{close, features, refused, scored, slopes_at};
use super::{agrees_with_finite_differences, pooled, ramp};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Float, Int};

#[test]
fn over_every_axis_in_every_opset() {
    for opset in [9, 11, 12, 13, 18, 21] {
        for op in ["Softmax", "LogSoftmax"] {
            let mut axes = vec![None, Some(1), Some(2), Some(3)];
            // Negative axes came with opset 11.
            axes.extend(if opset >= 11 { vec![Some(-1), Some(-2), Some(-3)] } else { vec![] });
            for axis in axes {
                let attributes: Vec<_> = axis.map(|axis| ("axis", Int(axis))).into_iter().collect();
                agrees_with_finite_differences(scored(features(opset).node(op, &["features"], "bent", &attributes)), 2);
            }
        }
    }
}

#[test]
fn behind_a_linear_layer() {
    for opset in [9, 13, 21] {
        for op in ["Softmax", "LogSoftmax"] {
            let builder = pooled(Builder::new(opset, 3, 4))
                .with("w", &[4, 3], &ramp(12))
                .node("MatMul", &["flat", "w"], "logits", &[])
                .node(op, &["logits"], "scores", &[]);
            agrees_with_finite_differences(builder, 3);
        }
    }
}

#[test]
fn softmax_by_hand() {
    // Over the maps, y = (1/4, 3/4) at every cell; the sum weighs them 1 and 5, so g = (1, 5) and Σ g·y = 4:
    // dx = (1/4·(1 − 4), 3/4·(5 − 4)). For the logarithm dx = g − y·Σ g = (1 − 6/4, 5 − 18/4).
    let of = |op: &'static str| {
        slopes_at(13, &[0.0, 3f32.ln()], |builder| {
            builder.with("g", &[2, 1, 1], &[1.0, 5.0]).node(op, &["features"], "y", &[("axis", Int(1))]).node(
                "Mul",
                &["y", "g"],
                "bent",
                &[],
            )
        })
    };
    close(&of("Softmax"), &[-0.75, 0.75]);
    close(&of("LogSoftmax"), &[-0.5, 0.5]);
}

#[test]
fn large_values_do_not_overflow() {
    // y = (0, 1) but for e^−80.
    let of = |op: &'static str| {
        slopes_at(13, &[1000.0, 1080.0], |builder| {
            builder.with("g", &[2, 1, 1], &[1.0, 5.0]).node(op, &["features"], "y", &[("axis", Int(1))]).node(
                "Mul",
                &["y", "g"],
                "bent",
                &[],
            )
        })
    };
    close(&of("Softmax"), &[0.0, 0.0]);
    close(&of("LogSoftmax"), &[1.0, -1.0]);
}

#[test]
fn an_axis_that_does_not_exist_is_refused() {
    for axis in [4, -5, i64::MIN] {
        refused(scored(features(13).node("Softmax", &["features"], "bent", &[("axis", Int(axis))])));
    }
    // An axis of another type is none: the default counts, in tract too.
    let odd = features(13).node("Softmax", &["features"], "bent", &[("axis", Float(1.0))]);
    refused(scored(odd));
}
