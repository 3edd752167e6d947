//! Normalisations.

use super::{
    agrees_with_finite_differences, agrees_without_onnx_runtime, by_map, gradients_of, in_one_cell, ramp, refusal,
    weighed,
};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::Attribute::{Float, Int};

/// `features` [1,4,3,3] in another shape, on the wire `x`.
fn shaped(opset: i64, shape: &[i64]) -> Builder {
    Builder::new(opset, 3, 4).with_integers("x_shape", shape).node("Reshape", &["features", "x_shape"], "x", &[])
}

fn batch(builder: Builder, channels: usize, attributes: &[(&str, gradcam::onnx::graph::Attribute)]) -> Builder {
    let variance: Vec<f32> = (1..=channels).map(|channel| channel as f32 / 8.0).collect();
    builder
        .with("scale", &[channels], &ramp(channels))
        .with("bias", &[channels], &ramp(channels))
        .with("mean", &[channels], &ramp(channels))
        .with("variance", &[channels], &variance)
        .node("BatchNormalization", &["x", "scale", "bias", "mean", "variance"], "normal", attributes)
}

#[test]
fn batch_normalisation_of_every_rank() {
    for opset in [9, 13, 14, 15, 21] {
        for (shape, channels) in [(&[1, 36][..], 36), (&[1, 4, 9], 4), (&[1, 4, 3, 3], 4), (&[3, 12], 12)] {
            let builder = batch(shaped(opset, shape), channels, &[("epsilon", Float(0.01))]);
            agrees_with_finite_differences(weighed(builder, "normal", 36), 2);
        }
        agrees_with_finite_differences(weighed(batch(shaped(opset, &[1, 4, 3, 3]), 4, &[]), "normal", 36), 2);
    }
}

#[test]
fn batch_normalisation_by_hand() {
    // Scale 3, variance 3.5 + ε 0.5 = 4: factor 3 / 2, whatever mean and bias are.
    let builder = in_one_cell(Builder::new(13, 2, 1))
        .with("scale", &[1], &[3.0])
        .with("bias", &[1], &[7.0])
        .with("mean", &[1], &[-2.0])
        .with("variance", &[1], &[3.5])
        .with("w", &[1, 1], &[1.0])
        .node(
            "BatchNormalization",
            &["cell", "scale", "bias", "mean", "variance"],
            "normal",
            &[("epsilon", Float(0.5))],
        )
        .node("Flatten", &["normal"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    assert_eq!(by_map(&gradients_of(builder, 1).1[0]), [1.5]);
}

#[test]
fn normalised_over_the_cells_of_a_channel() {
    for opset in [9, 13, 18, 21] {
        for (shape, channels) in [(&[1, 4, 3, 3][..], 4), (&[2, 3, 6], 3)] {
            let builder = shaped(opset, shape)
                .with("scale", &[channels], &ramp(channels))
                .with("bias", &[channels], &ramp(channels))
                .node("InstanceNormalization", &["x", "scale", "bias"], "normal", &[("epsilon", Float(0.01))]);
            agrees_with_finite_differences(weighed(builder, "normal", 36), 2);
        }
    }
}

#[test]
fn normalised_over_groups_of_channels() {
    // Scale and bias: one number a group before opset 21, one a channel since.
    for (opset, parameters) in [(18, 2), (21, 4)] {
        for shape in [&[1, 4, 3, 3][..], &[1, 4, 9]] {
            let builder = shaped(opset, shape)
                .with("scale", &[parameters], &ramp(parameters))
                .with("bias", &[parameters], &ramp(parameters))
                .node("GroupNormalization", &["x", "scale", "bias"], "normal", &[("num_groups", Int(2))]);
            agrees_with_finite_differences(weighed(builder, "normal", 36), 2);
        }
    }
}

#[test]
fn normalised_over_the_last_axes() {
    for opset in [17, 18, 21] {
        for (axis, scale) in [(None, &[12][..]), (Some(-1), &[12]), (Some(1), &[3, 12]), (Some(-2), &[3, 12])] {
            for biased in [true, false] {
                let count = scale.iter().product();
                let attributes: Vec<_> =
                    axis.map(|axis| ("axis", Int(axis))).into_iter().chain([("epsilon", Float(0.01))]).collect();
                let builder =
                    shaped(opset, &[1, 3, 12]).with("scale", scale, &ramp(count)).with("bias", scale, &ramp(count));
                let inputs = ["x", "scale", "bias"];
                let inputs = &inputs[..if biased { 3 } else { 2 }];
                let builder = builder.node("LayerNormalization", inputs, "normal", &attributes);
                agrees_with_finite_differences(weighed(builder, "normal", 36), 2);
            }
        }
    }
}

#[test]
fn two_standardised_values_by_hand() {
    // With ε = 0 two different values become −1 and 1 wherever they are: nothing that moves them changes the scores.
    // With ε = 3·d², d half their difference, x̂ = ±d/√(4d²) = ±1/2, and dx = (h − mean − x̂·mean(h·x̂)) / 2d: for
    // h = (1, −1) that is (1 − (1/2)(1/2)) / 2d = 3 / 8d and the opposite (x₀ > x₁).
    let features = |epsilon| {
        in_one_cell(Builder::new(17, 2, 2))
            .with("mix", &[2, 3, 1, 1], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            .with("away", &[1, 2, 1, 1], &[0.0, -9.0])
            .with("scale", &[2], &[1.0, 1.0])
            .with("w", &[2, 1], &[1.0, -1.0])
            .node("Add", &["cell", "away"], "apart", &[])
            .node("Flatten", &["apart"], "flat", &[])
            .node("LayerNormalization", &["flat", "scale"], "normal", &[("epsilon", Float(epsilon))])
            .node("MatMul", &["normal", "w"], "scores", &[])
    };
    let (maps, gradients) = gradients_of(features(0.0), 1);
    assert!(gradients[0].iter().all(|gradient| gradient.abs() < 1e-6), "{gradients:?}");
    let half = (maps.sum() + 9.0) / 2.0;
    let (_, gradients) = gradients_of(features(3.0 * half * half), 1);
    let expected = 3.0 / (8.0 * half);
    assert!((gradients[0][(0, 0, 0)] - expected).abs() < 1e-6, "{gradients:?}, {expected}");
    assert!((gradients[0][(1, 0, 0)] + expected).abs() < 1e-6, "{gradients:?}, {expected}");
}

#[test]
fn local_response_with_windows_odd_even_and_wide() {
    for opset in [9, 13, 18, 21] {
        for size in [1, 2, 3, 4, 5, 9, 30] {
            let attributes = [("size", Int(size)), ("alpha", Float(0.7)), ("beta", Float(0.6)), ("bias", Float(1.5))];
            let builder = shaped(opset, &[1, 9, 2, 2]).node("LRN", &["x"], "normal", &attributes);
            let builder = weighed(builder, "normal", 36);
            // ONNX Runtime wants windows of odd size.
            match size % 2 {
                0 => agrees_without_onnx_runtime(builder, 2),
                _ => agrees_with_finite_differences(builder, 2),
            }
        }
        // Nor has it this operator for fewer than four axes.
        let defaults = shaped(opset, &[1, 6, 6]).node("LRN", &["x"], "normal", &[("size", Int(5))]);
        agrees_without_onnx_runtime(weighed(defaults, "normal", 36), 2);
    }
}

#[test]
fn divided_by_a_norm() {
    for opset in [9, 13, 21] {
        for (axis, p) in [(None, None), (Some(1), Some(1)), (Some(1), Some(2)), (Some(-2), Some(1)), (Some(2), None)] {
            let axis = axis.map(|axis| ("axis", Int(axis)));
            let attributes: Vec<_> = axis.into_iter().chain(p.map(|p| ("p", Int(p)))).collect();
            let builder = shaped(opset, &[1, 4, 3, 3]).node("LpNormalization", &["x"], "normal", &attributes);
            agrees_with_finite_differences(weighed(builder, "normal", 36), 2);
        }
    }
    let nothing = Builder::new(13, 3, 4).with("mix", &[4, 3, 1, 1], &[0.0; 12]).node(
        "LpNormalization",
        &["features"],
        "normal",
        &[],
    );
    assert!(gradients_of(weighed(nothing, "normal", 36), 2).1[0].iter().all(|gradient| *gradient == 0.0));
}

#[test]
fn training_forms_are_refused() {
    let builder = batch(shaped(15, &[1, 4, 3, 3]), 4, &[("training_mode", Int(1))]);
    let text = refusal(weighed(builder, "normal", 36), 2);
    assert!(text.contains("BatchNormalization") && text.contains("training"), "{text}");
}
