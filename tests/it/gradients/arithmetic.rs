//! Functions of several variables.

use super::pointwise::{close, features, refused, scored, slopes_at};
use super::{agrees_with_finite_differences, ramp};
use crate::common::graphs::Builder;
use gradcam::onnx::graph::{ElementType, Tensor};
use std::sync::Arc;

const OPSETS: [i64; 4] = [9, 13, 18, 21];

/// Features, their means over the cells [1,4,1,1], and constants of several shapes.
fn operands(opset: i64) -> Builder {
    features(opset)
        .with("one", &[], &[1.5])
        .with("row", &[3], &[0.5, -1.25, 2.0])
        .with("maps", &[4, 1, 1], &[0.75, -0.5, 1.25, 2.5])
        .with("wide", &[1, 4, 3, 3], &ramp(36).iter().map(|value| value + 0.03).collect::<Vec<f32>>())
        .with("tall", &[1, 4, 3, 3], &ramp(36).iter().map(|value| 4.0 * value + 2.1).collect::<Vec<f32>>())
        .node("GlobalAveragePool", &["positive"], "means", &[])
}

#[track_caller]
fn agrees(opset: i64, op: &str, inputs: &[&str]) {
    let mut builder = operands(opset).node(op, inputs, "bent", &[]);
    // `row` names the operand; the shape of the scores has another name here.
    builder = builder
        .with_integers("line", &[1, 36])
        .with("w", &[36, 2], &ramp(72))
        .node("Reshape", &["bent", "line"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    agrees_with_finite_differences(builder, 2);
}

#[test]
fn the_four_operations_with_broadcasting_on_either_side() {
    for opset in OPSETS {
        for op in ["Add", "Sub", "Mul", "Div"] {
            for constant in ["one", "row", "maps", "wide"] {
                agrees(opset, op, &["features", constant]);
                agrees(opset, op, &[constant, "positive"]);
            }
            // Both depend on the picture, and one of them is broadcast.
            agrees(opset, op, &["features", "positive"]);
            agrees(opset, op, &["features", "means"]);
            agrees(opset, op, &["means", "positive"]);
        }
        // A difference or ratio of a wire with itself has no gradient to compare.
        agrees(opset, "Add", &["positive", "positive"]);
        agrees(opset, "Mul", &["positive", "positive"]);
    }
}

#[test]
fn a_small_wire_against_a_large_constant() {
    // [1,4,1,1] features-dependent, [1,4,3,3] and [3] constant: summed over the axes that it was broadcast along.
    for op in ["Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean"] {
        agrees(13, op, &["means", "tall"]);
        agrees(13, op, &["tall", "means"]);
    }
}

#[test]
fn the_four_operations_by_hand() {
    let at_3 = |op: &'static str, inputs: [&'static str; 2]| {
        slopes_at(13, &[3.0, 3.0], |builder| builder.with("c", &[2, 1, 1], &[2.0, -6.0]).node(op, &inputs, "bent", &[]))
    };
    assert_eq!(at_3("Sub", ["features", "c"]), [1.0, 1.0]);
    assert_eq!(at_3("Sub", ["c", "features"]), [-1.0, -1.0]);
    assert_eq!(at_3("Sub", ["features", "features"]), [0.0, 0.0]);
    assert_eq!(at_3("Mul", ["features", "c"]), [2.0, -6.0]);
    // d x²/dx = 2x.
    assert_eq!(at_3("Mul", ["features", "features"]), [6.0, 6.0]);
    close(&at_3("Div", ["features", "c"]), &[0.5, -1.0 / 6.0]);
    // d (c/x)/dx = −c/x².
    close(&at_3("Div", ["c", "features"]), &[-2.0 / 9.0, 6.0 / 9.0]);
    close(&at_3("Div", ["features", "features"]), &[0.0, 0.0]);
    assert_eq!(at_3("Mean", ["features", "c"]), [0.5, 0.5]);
    assert_eq!(at_3("Sum", ["features", "features"]), [2.0, 2.0]);
}

#[test]
fn sums_means_and_extremes_of_many() {
    for opset in OPSETS {
        for op in ["Sum", "Mean", "Min", "Max"] {
            agrees(opset, op, &["features"]);
            agrees(opset, op, &["features", "wide"]);
            agrees(opset, op, &["features", "means", "maps"]);
            agrees(opset, op, &["features", "wide", "positive", "row"]);
        }
        agrees(opset, "Max", &["features", "one"]);
        agrees(opset, "Min", &["one", "features"]);
    }
}

#[test]
fn equals_share_the_gradient_of_an_extreme() {
    let of = |op: &'static str, inputs: &'static [&'static str]| {
        slopes_at(13, &[-1.0, 2.0, 5.0], |builder| {
            builder.with("two", &[], &[2.0]).with("also", &[3, 1, 1], &[2.0, 2.0, 9.0]).node(op, inputs, "bent", &[])
        })
    };
    // As PyTorch's `maximum`: half each where both are 2.
    assert_eq!(of("Max", &["features", "two"]), [0.0, 0.5, 1.0]);
    assert_eq!(of("Min", &["two", "features"]), [1.0, 0.5, 0.0]);
    // All three are 2 in the second map, where x gets a third; 9 beats 5 in the last.
    close(&of("Max", &["features", "two", "also"]), &[0.0, 1.0 / 3.0, 0.0]);
    // The same wire twice: the halves add up.
    assert_eq!(of("Max", &["features", "features"]), [1.0, 1.0, 1.0]);
}

#[test]
fn an_extreme_of_very_many_is_refused() {
    let inputs = vec!["features"; 17];
    assert!(refused(scored(features(13).node("Max", &inputs, "bent", &[]))).contains("17 inputs"));
}

#[test]
fn powers_with_constant_exponents() {
    for opset in OPSETS {
        for exponent in [0.0, 1.0, 2.0, 3.0, 4.0] {
            let builder = features(opset).with("p", &[], &[exponent]);
            // x⁰ alone would leave no gradient to compare: x is added to every power.
            let builder = builder.node("Pow", &["features", "p"], "power", &[]);
            agrees_with_finite_differences(scored(builder.node("Add", &["power", "features"], "bent", &[])), 2);
        }
        for exponent in [-2.0, -1.0, -0.5, 0.5, 0.3, 1.7] {
            let builder = features(opset).with("p", &[1], &[exponent]);
            agrees_with_finite_differences(scored(builder.node("Pow", &["positive", "p"], "bent", &[])), 2);
        }
        let each = features(opset).with("p", &[4, 1, 1], &[2.0, 0.0, 1.0, 3.0]);
        agrees_with_finite_differences(scored(each.node("Pow", &["features", "p"], "bent", &[])), 2);
        // The base [1,4,1,1] is broadcast along the exponent.
        let wide: Vec<f32> = (0..36).map(|at| [2.0, -1.0, 1.5][at % 3]).collect();
        let builder = features(opset).with("p", &[1, 4, 3, 3], &wide);
        let builder = builder.node("GlobalAveragePool", &["positive"], "means", &[]);
        agrees_with_finite_differences(scored(builder.node("Pow", &["means", "p"], "bent", &[])), 2);
    }
    for opset in [13, 21] {
        let builder = features(opset).with_integers("p", &[3]);
        agrees_with_finite_differences(scored(builder.node("Pow", &["features", "p"], "bent", &[])), 2);
    }
}

#[test]
fn powers_by_hand() {
    let power = |exponent: f32, values: &[f32]| {
        slopes_at(13, values, |builder| {
            builder.with("p", &[], &[exponent]).node("Pow", &["features", "p"], "bent", &[])
        })
    };
    assert_eq!(power(0.0, &[-2.0, 0.0, 2.0]), [0.0, 0.0, 0.0]);
    assert_eq!(power(1.0, &[-2.0, 0.0, 2.0]), [1.0, 1.0, 1.0]);
    assert_eq!(power(2.0, &[-2.0, 0.0, 2.0]), [-4.0, 0.0, 4.0]);
    // 3x²
    close(&power(3.0, &[-2.0, 0.0, 2.0]), &[12.0, 0.0, 12.0]);
    // −1/x² and −2/x³
    close(&power(-1.0, &[-2.0, 0.5]), &[-0.25, -4.0]);
    close(&power(-2.0, &[-2.0, 0.5]), &[0.25, -16.0]);
    // 1/(2√x) and x^(−3/4)/4, and 0 where these are infinite.
    close(&power(0.5, &[0.0, 4.0]), &[0.0, 0.25]);
    close(&power(0.25, &[0.0, 16.0]), &[0.0, 0.03125]);
}

#[test]
fn other_powers_are_refused() {
    let varying = features(13).node("Pow", &["positive", "features"], "bent", &[]);
    assert!(refused(scored(varying)).contains("is no constant"));
    let exponential = features(13).with("two", &[], &[2.0]).node("Pow", &["two", "features"], "bent", &[]);
    assert!(refused(scored(exponential)).contains("exponent depends on the picture"));
    let mixed = features(13).with("p", &[4, 1, 1], &[0.5, 2.0, 2.0, 2.0]).node("Pow", &["positive", "p"], "bent", &[]);
    assert!(refused(scored(mixed)).contains("between 0 and 1"));
}

#[test]
fn where_with_constant_and_with_computed_conditions() {
    for opset in OPSETS {
        for inputs in [["features", "positive"], ["features", "one"], ["row", "features"], ["means", "features"]] {
            let mut builder = operands(opset).node("Greater", &["features", "maps"], "above", &[]);
            let pattern = (0..9).map(|at| u8::from(at % 2 == 0)).collect();
            builder.constant("mask", Tensor { kind: ElementType::Bool, shape: vec![3, 3], bytes: Arc::new(pattern) });
            for condition in ["above", "mask"] {
                let bent = Builder { graph: builder.graph.clone() };
                let bent = bent.node("Where", &[condition, inputs[0], inputs[1]], "bent", &[]);
                let bent = bent
                    .with_integers("line", &[1, 36])
                    .with("w", &[36, 2], &ramp(72))
                    .node("Reshape", &["bent", "line"], "flat", &[])
                    .node("MatMul", &["flat", "w"], "scores", &[]);
                agrees_with_finite_differences(bent, 2);
            }
        }
    }
    // x where x > 1, else 3x: no gradient goes through the condition.
    let slopes = slopes_at(13, &[0.0, 1.0, 2.0], |builder| {
        builder
            .with("c", &[], &[1.0])
            .with("three", &[], &[3.0])
            .node("Greater", &["features", "c"], "above", &[])
            .node("Mul", &["features", "three"], "steep", &[])
            .node("Where", &["above", "features", "steep"], "bent", &[])
    });
    assert_eq!(slopes, [3.0, 3.0, 1.0]);
}
