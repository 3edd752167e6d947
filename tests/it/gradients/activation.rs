//! Activation functions.

use super::pointwise::{close, features, refused, scored, slopes_at};
use super::{agrees_with_finite_differences, ramp};
use gradcam::onnx::graph::Attribute::{self, Float, String};

/// Values far outside of what a network has.
const FAR: [f32; 4] = [-1e20, -200.0, 200.0, 1e20];

/// One operator on `features`.
#[track_caller]
fn agrees(opset: i64, op: &str, attributes: &[(&str, Attribute)]) {
    agrees_with_finite_differences(scored(features(opset).node(op, &["features"], "bent", attributes)), 2);
}

#[track_caller]
fn slopes(opset: i64, op: &str, attributes: &[(&str, Attribute)], values: &[f32]) -> Vec<f32> {
    slopes_at(opset, values, |builder| builder.node(op, &["features"], "bent", attributes))
}

#[test]
fn relu_and_clip_away_from_their_corners() {
    for opset in [9, 11, 13, 18, 21] {
        agrees(opset, "Relu", &[]);
    }
    agrees(9, "Clip", &[("min", Float(-0.25)), ("max", Float(1.0))]);
    for opset in [11, 13, 18, 21] {
        let bounds = features(opset).with("low", &[], &[-0.5]).with("high", &[], &[0.75]);
        agrees_with_finite_differences(scored(bounds.node("Clip", &["features", "", "high"], "bent", &[])), 2);
        let bounds = features(opset).with("low", &[1], &[-0.5]).with("high", &[], &[0.75]);
        agrees_with_finite_differences(scored(bounds.node("Clip", &["features", "low", "high"], "bent", &[])), 2);
    }
}

#[test]
fn clip_at_its_bounds_and_with_bounds_that_cross() {
    let clip = |low: f32, high: f32, values: &[f32]| {
        slopes_at(13, values, |builder| {
            let builder = builder.with("low", &[], &[low]).with("high", &[], &[high]);
            builder.node("Clip", &["features", "low", "high"], "bent", &[])
        })
    };
    // As PyTorch's ReLU6.
    assert_eq!(clip(0.0, 6.0, &[-1.0, 0.0, 0.5, 6.0, 7.0]), [0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(clip(f32::NEG_INFINITY, f32::INFINITY, &FAR), [1.0; 4]);
    // min(max(x, 2), −1) is −1 for every x.
    assert_eq!(clip(2.0, -1.0, &[-2.0, 0.0, 1.0, 3.0]), [0.0; 4]);
}

#[test]
fn bounds_of_clip_that_depend_on_the_picture_are_refused() {
    let builder = features(13)
        .with("all", &[36, 1], &[0.1; 36])
        .with_integers("line", &[1, 36])
        .with_integers("none", &[0])
        .node("Reshape", &["features", "line"], "long", &[])
        .node("MatMul", &["long", "all"], "low", &[])
        .node("Clip", &["features", "low"], "bent", &[]);
    assert!(refused(scored(builder)).contains("bounds depend on the picture"));
}

#[test]
fn leaky_units() {
    for opset in [9, 13, 16, 21] {
        agrees(opset, "LeakyRelu", &[]);
        agrees(opset, "LeakyRelu", &[("alpha", Float(0.3))]);
        for shape in [vec![4, 1, 1], vec![1], vec![4, 3, 3]] {
            let slope = ramp(shape.iter().product());
            let builder = features(opset).with("slope", &shape, &slope);
            agrees_with_finite_differences(scored(builder.node("PRelu", &["features", "slope"], "bent", &[])), 2);
        }
    }
    agrees(10, "ThresholdedRelu", &[]);
    agrees(21, "ThresholdedRelu", &[("alpha", Float(0.2))]);
    // At 0 as PyTorch: the slope of the left side; a threshold belongs to it too.
    assert_eq!(slopes(13, "LeakyRelu", &[("alpha", Float(0.25))], &[-2.0, 0.0, 2.0]), [0.25, 0.25, 1.0]);
    let p_relu = slopes_at(13, &[-2.0, 0.0, 2.0], |builder| {
        builder.with("slope", &[3, 1, 1], &[-0.5, 0.25, 3.0]).node("PRelu", &["features", "slope"], "bent", &[])
    });
    assert_eq!(p_relu, [-0.5, 0.25, 1.0]);
    let alpha = [("alpha", Float(0.5))];
    assert_eq!(slopes(13, "ThresholdedRelu", &alpha, &[-1.0, 0.25, 0.5, 0.75]), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_slope_of_p_relu_may_depend_on_the_picture() {
    // Of shape [1,4,1,1], from the features themselves.
    let builder = features(13).node("GlobalAveragePool", &["features"], "slope", &[]).node(
        "PRelu",
        &["features", "slope"],
        "bent",
        &[],
    );
    agrees_with_finite_differences(scored(builder), 2);
    // y = x² where x < 0: dy/dx = 2x; each cell's own mean is over 4 cells, so the sum of all is the same.
    let own = slopes_at(13, &[-2.0, 3.0], |builder| {
        builder.node("GlobalAveragePool", &["features"], "slope", &[]).node(
            "PRelu",
            &["features", "slope"],
            "bent",
            &[],
        )
    });
    assert_eq!(own, [-4.0, 1.0]);
}

#[test]
fn exponential_units() {
    for opset in [9, 13, 21] {
        agrees(opset, "Elu", &[]);
        agrees(opset, "Elu", &[("alpha", Float(0.4))]);
        agrees(opset, "Selu", &[]);
        agrees(opset, "Selu", &[("alpha", Float(2.0)), ("gamma", Float(0.5))]);
    }
    agrees(12, "Celu", &[]);
    agrees(21, "Celu", &[("alpha", Float(1.0))]);
    // α·eˣ left of 0 and, as PyTorch, at 0: with α = 2, 2·e^(−ln 4) = 0.5 and 2·1.
    let values = [-(4f32.ln()), 0.0, 3.0];
    close(&slopes(13, "Elu", &[("alpha", Float(2.0))], &values), &[0.5, 2.0, 1.0]);
    close(&slopes(13, "Celu", &[], &values), &[0.25, 1.0, 1.0]);
    // γ = 3 times that.
    let attributes = [("alpha", Float(2.0)), ("gamma", Float(3.0))];
    close(&slopes(13, "Selu", &attributes, &values), &[1.5, 6.0, 3.0]);
    close(&slopes(13, "Elu", &[], &FAR), &[0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn celu_that_the_engine_computes_wrongly_is_refused() {
    let builder = features(13).node("Celu", &["features"], "bent", &[("alpha", Float(2.0))]);
    let reason = refused(scored(builder));
    assert!(reason.contains("Celu") && reason.contains("node_bent"), "{reason}");
}

#[test]
fn sigmoids() {
    for opset in [9, 13, 21] {
        for op in ["Sigmoid", "Tanh", "Softplus", "Softsign"] {
            agrees(opset, op, &[]);
        }
        agrees(opset, "HardSigmoid", &[]);
        agrees(opset, "HardSigmoid", &[("alpha", Float(-0.4)), ("beta", Float(0.3))]);
    }
    // y(1 − y) with y = 1/2 and 1/(1 + 1/3) = 3/4.
    let values = [0.0, 3f32.ln()];
    close(&slopes(13, "Sigmoid", &[], &values), &[0.25, 0.1875]);
    // 1 − y² with y = 0 and (3 − 1/3)/(3 + 1/3) = 0.8.
    close(&slopes(13, "Tanh", &[], &values), &[1.0, 0.36]);
    close(&slopes(13, "Softplus", &[], &values), &[0.5, 0.75]);
    close(&slopes(13, "Softsign", &[], &[-3.0, 0.0, 1.0]), &[0.0625, 1.0, 0.25]);
    close(&slopes(13, "Sigmoid", &[], &FAR), &[0.0; 4]);
    close(&slopes(13, "Tanh", &[], &FAR), &[0.0; 4]);
    close(&slopes(13, "Softsign", &[], &FAR), &[0.0, 1.0 / 201.0f32.powi(2), 1.0 / 201.0f32.powi(2), 0.0]);
    close(&slopes(13, "Softplus", &[], &[-200.0, -40.0, 40.0, 80.0]), &[0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn hard_sigmoid_and_hard_swish_at_their_corners() {
    // 0.25·x + 0.5 meets 0 at −2 and 1 at 2; the corners belong to the flat sides, as in PyTorch.
    let attributes = [("alpha", Float(0.25)), ("beta", Float(0.5))];
    let values = [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0];
    assert_eq!(slopes(13, "HardSigmoid", &attributes, &values), [0.0, 0.0, 0.25, 0.25, 0.0, 0.0]);
    for opset in [14, 18, 21] {
        agrees(opset, "HardSwish", &[]);
    }
    // x/3 + 1/2 between −3 and 3.
    let values = [-4.0, -3.0, -1.5, 0.0, 1.5, 3.0, 4.0];
    close(&slopes(14, "HardSwish", &[], &values), &[0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]);
    close(&slopes(14, "HardSwish", &[], &FAR), &[0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn mish_and_gelu() {
    agrees(18, "Mish", &[]);
    agrees(21, "Mish", &[]);
    for form in [None, Some("none"), Some("tanh")] {
        let attribute: Vec<(&str, Attribute)> =
            form.map(|form| ("approximate", String(form.as_bytes().to_vec()))).into_iter().collect();
        agrees(20, "Gelu", &attribute);
        // Φ(0) = 1/2; far out x·Φ(x) is 0 or x.
        close(&slopes(20, "Gelu", &attribute, &[0.0]), &[0.5]);
        close(&slopes(20, "Gelu", &attribute, &FAR), &[0.0, 0.0, 1.0, 1.0]);
    }
    // Φ(1) + φ(1) = 0.84134475 + 0.24197072, and 1 − Φ(1) − φ(1).
    close(&slopes(20, "Gelu", &[], &[1.0, -1.0]), &[1.083_315_5, -0.083_315_5]);
    // At 0: e = 1, n = 3, so 3/5. Far out 0 and 1.
    close(&slopes(18, "Mish", &[], &[0.0]), &[0.6]);
    close(&slopes(18, "Mish", &[], &FAR), &[0.0, 0.0, 1.0, 1.0]);
    let unknown = [("approximate", String(b"erf2".to_vec()))];
    assert!(refused(scored(features(20).node("Gelu", &["features"], "bent", &unknown))).contains("approximate"));
}

/// As exporters write them where the opset has no operator for them.
#[test]
fn activations_that_are_spelled_out() {
    for opset in [9, 11, 13, 17] {
        let base = || {
            let builder = features(opset).with("half", &[], &[0.5]).with("one", &[], &[1.0]).with("three", &[], &[3.0]);
            builder.with("root", &[], &[2f32.sqrt()])
        };
        let silu = base().node("Sigmoid", &["features"], "gate", &[]).node("Mul", &["features", "gate"], "bent", &[]);
        agrees_with_finite_differences(scored(silu), 2);
        let mish = base().node("Softplus", &["features"], "soft", &[]).node("Tanh", &["soft"], "gate", &[]).node(
            "Mul",
            &["features", "gate"],
            "bent",
            &[],
        );
        agrees_with_finite_differences(scored(mish), 2);
        let gelu = base()
            .node("Div", &["features", "root"], "scaled", &[])
            .node("Erf", &["scaled"], "erf", &[])
            .node("Add", &["erf", "one"], "double", &[])
            .node("Mul", &["features", "double"], "product", &[])
            .node("Mul", &["product", "half"], "bent", &[]);
        agrees_with_finite_differences(scored(gelu), 2);
        let approximate = base()
            .with("cubic", &[], &[0.044715])
            .with("factor", &[], &[0.797_884_6])
            .node("Pow", &["features", "three"], "cube", &[])
            .node("Mul", &["cube", "cubic"], "small", &[])
            .node("Add", &["features", "small"], "sum", &[])
            .node("Mul", &["sum", "factor"], "inner", &[])
            .node("Tanh", &["inner"], "tanh", &[])
            .node("Add", &["tanh", "one"], "double", &[])
            .node("Mul", &["features", "double"], "product", &[])
            .node("Mul", &["product", "half"], "bent", &[]);
        agrees_with_finite_differences(scored(approximate), 2);
        let swish = base()
            .node("HardSigmoid", &["features"], "gate", &[("alpha", Float(1.0 / 6.0)), ("beta", Float(0.5))])
            .node("Mul", &["features", "gate"], "bent", &[]);
        agrees_with_finite_differences(scored(swish), 2);
    }
}

/// A squeeze-and-excitation gate: the means of the maps decide how much of each map passes.
#[test]
fn a_gate_that_the_features_make_for_themselves() {
    for opset in [9, 13, 18, 21] {
        let builder = features(opset)
            .with_integers("vector", &[1, 4])
            .with_integers("maps", &[1, 4, 1, 1])
            .with("inner", &[4, 4], &ramp(16))
            .node("GlobalAveragePool", &["features"], "means", &[])
            .node("Reshape", &["means", "vector"], "squeezed", &[])
            .node("MatMul", &["squeezed", "inner"], "mixed", &[])
            .node("HardSigmoid", &["mixed"], "level", &[])
            .node("Reshape", &["level", "maps"], "gate", &[])
            .node("Mul", &["gate", "features"], "bent", &[]);
        agrees_with_finite_differences(scored(builder), 2);
    }
}
