//! Pooling.

use super::{agrees_with_finite_differences, explained_at, scored, text};
use crate::common::graphs::Builder;
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::Attribute::{self, Int, Ints};
use gradcam::target::Target;
use ndarray::{Array3, array};

/// Three maps of `side`×`side`, no two values alike, most of them below zero, pooled to `cells` cells.
#[track_caller]
fn agrees(op: &str, opset: i64, side: usize, cells: usize, attributes: &[(&str, Attribute)]) {
    let spread: Vec<f32> = (0..3 * side * side).map(|at| ((at * 37) % 113) as f32 / 20.0 - 4.0).collect();
    let builder = Builder::new(opset, side, 3)
        .with("apart", &[1, 3, side, side], &spread)
        .node("Add", &["features", "apart"], "x", &[])
        .node(op, &["x"], "y", attributes);
    agrees_with_finite_differences(scored(builder, 3 * cells), 2);
}

const BOTH: [&str; 2] = ["MaxPool", "AveragePool"];

#[test]
fn windows_side_by_side() {
    for (op, opset) in BOTH.into_iter().flat_map(|op| [9, 10, 11, 13, 18, 21].map(|opset| (op, opset))) {
        let square = [("kernel_shape", Ints(vec![2, 2])), ("strides", Ints(vec![2, 2]))];
        agrees(op, opset, 4, 4, &square);
        // One row and one column are left over.
        agrees(op, opset, 5, 4, &square);
    }
}

#[test]
fn windows_that_overlap() {
    for (op, opset) in BOTH.into_iter().flat_map(|op| [9, 13, 18, 21].map(|opset| (op, opset))) {
        let overlapping = [("kernel_shape", Ints(vec![3, 3])), ("strides", Ints(vec![2, 2]))];
        agrees(op, opset, 5, 4, &overlapping);
        agrees(op, opset, 6, 9, &[overlapping.as_slice(), &[("pads", Ints(vec![1; 4]))]].concat());
    }
    for op in BOTH {
        agrees(op, 13, 4, 6, &[("kernel_shape", Ints(vec![2, 3]))]);
        agrees(op, 13, 5, 25, &[("kernel_shape", Ints(vec![5, 5])), ("pads", Ints(vec![2; 4]))]);
        agrees(op, 13, 5, 4, &[("kernel_shape", Ints(vec![1, 2])), ("strides", Ints(vec![4, 3]))]);
    }
}

#[test]
fn uneven_borders() {
    let attributes =
        [("kernel_shape", Ints(vec![3, 3])), ("strides", Ints(vec![2, 1])), ("pads", Ints(vec![0, 2, 1, 1]))];
    for op in BOTH {
        agrees(op, 13, 4, 2 * 5, &attributes);
    }
    agrees("AveragePool", 13, 4, 2 * 5, &[attributes.as_slice(), &[("count_include_pad", Int(1))]].concat());
}

#[test]
fn cells_rounded_up() {
    for (op, counted) in [("MaxPool", None), ("AveragePool", Some(0)), ("AveragePool", Some(1))] {
        let mut attributes =
            vec![("kernel_shape", Ints(vec![3, 3])), ("strides", Ints(vec![2, 2])), ("ceil_mode", Int(1))];
        attributes.extend(counted.map(|counted| ("count_include_pad", Int(counted))));
        for opset in [10, 13, 19] {
            // The last window of 4 reaches one place beyond the input; those of 5 fit.
            agrees(op, opset, 4, 4, &attributes);
            agrees(op, opset, 5, 4, &attributes);
        }
        // 6 with a border of 1 and 1: a window starts at 5 and reaches to 7, one beyond the border.
        attributes.push(("pads", Ints(vec![1; 4])));
        agrees(op, 13, 6, 16, &attributes);
        // Steps of 3 over 3: the window that would start in the border behind the input is left out.
        attributes[1].1 = Ints(vec![3, 3]);
        attributes[0].1 = Ints(vec![2, 2]);
        agrees(op, 13, 5, 4, &attributes);
    }
}

#[test]
fn borders_that_are_chosen() {
    for (op, automatic) in BOTH.into_iter().flat_map(|op| ["SAME_UPPER", "SAME_LOWER"].map(|side| (op, side))) {
        let kernel = ("kernel_shape", Ints(vec![2, 3]));
        agrees(op, 13, 4, 16, &[kernel.clone(), ("auto_pad", text(automatic))]);
        agrees(op, 9, 5, 9, &[kernel, ("auto_pad", text(automatic)), ("strides", Ints(vec![2, 2]))]);
        agrees(
            op,
            13,
            5,
            4,
            &[("kernel_shape", Ints(vec![2, 3])), ("auto_pad", text("VALID")), ("strides", Ints(vec![2, 2]))],
        );
    }
}

#[test]
fn dilated_windows() {
    for (op, opset) in [("MaxPool", 10), ("MaxPool", 13), ("AveragePool", 19), ("AveragePool", 21)] {
        let kernel = ("kernel_shape", Ints(vec![2, 3]));
        agrees(op, opset, 5, 3, &[kernel.clone(), ("dilations", Ints(vec![2, 2]))]);
        let pads = ("pads", Ints(vec![1, 1, 1, 2]));
        let strided = [kernel, ("dilations", Ints(vec![2, 2])), pads, ("strides", Ints(vec![3, 3]))];
        agrees(op, opset, 5, 4, &strided);
    }
}

#[test]
fn one_axis_and_three() {
    for op in BOTH {
        let line = Builder::new(13, 4, 3)
            .with_integers("line", &[1, 3, 16])
            .with("apart", &[3, 16], &(0..48).map(|at| ((at * 37) % 113) as f32 / 20.0).collect::<Vec<f32>>())
            .node("Reshape", &["features", "line"], "shaped", &[])
            .node("Add", &["shaped", "apart"], "x", &[])
            .node(
                op,
                &["x"],
                "y",
                &[("kernel_shape", Ints(vec![3])), ("strides", Ints(vec![2])), ("pads", Ints(vec![1, 1]))],
            );
        agrees_with_finite_differences(scored(line, 3 * 8), 2);
        let volume = Builder::new(13, 4, 3)
            .with_integers("volume", &[1, 1, 3, 4, 4])
            .with("apart", &[3, 4, 4], &(0..48).map(|at| ((at * 37) % 113) as f32 / 20.0).collect::<Vec<f32>>())
            .node("Reshape", &["features", "volume"], "shaped", &[])
            .node("Add", &["shaped", "apart"], "x", &[])
            .node(op, &["x"], "y", &[("kernel_shape", Ints(vec![2, 3, 2])), ("strides", Ints(vec![1, 1, 2]))]);
        agrees_with_finite_differences(scored(volume, 2 * 2 * 2), 2);
    }
}

#[test]
fn whole_maps() {
    for opset in [9, 13, 18, 21] {
        agrees("GlobalMaxPool", opset, 4, 1, &[]);
        agrees("GlobalAveragePool", opset, 4, 1, &[]);
        for op in BOTH {
            agrees(op, opset, 4, 1, &[("kernel_shape", Ints(vec![4, 4]))]);
        }
    }
}

/// d(sum of the pooled cells) / dx for one map x of the given values, exactly.
#[track_caller]
fn summed(opset: i64, values: &[f32], op: &str, cells: usize, attributes: &[(&str, Attribute)]) -> Array3<f32> {
    let side = values.len().isqrt();
    // The feature map is the picture's first colour.
    let bytes = Builder::new(opset, side, 1)
        .with("mix", &[1, 3, 1, 1], &[1.0, 0.0, 0.0])
        .node(op, &["features"], "y", attributes)
        .with_integers("row", &[1, cells as i64])
        .with("ones", &[cells, 1], &vec![1.0; cells])
        .node("Reshape", &["y", "row"], "flat", &[])
        .node("MatMul", &["flat", "ones"], "scores", &[])
        .bytes(1);
    let (_, mut engine, mut input) = explained_at(&bytes, "features");
    for (at, value) in values.iter().enumerate() {
        input.tensor[[0, 0, at / side, at % side]] = *value;
    }
    let forward = engine.forward(&input).expect("the classifier runs");
    let evidence = engine.gradients(&forward, Target::class(0)).expect("the head runs");
    evidence.gradients().to_owned()
}

#[test]
fn the_first_maximum_in_row_major_order_gets_it_all() {
    // Windows of 3 × 3, one apart. Upper left: 7 at (0,2) and (1,0); row 0 is first. Upper right: 7 at (0,2).
    // Lower left: 7 at (1,0). Lower right: 5 everywhere, of which (1,1) is first.
    let values = [1.0, 2.0, 7.0, 1.0, 7.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0];
    let expected = array![[[0.0, 0.0, 2.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]];
    for opset in [9, 12] {
        assert_eq!(summed(opset, &values, "MaxPool", 4, &[("kernel_shape", Ints(vec![3, 3]))]), expected);
    }
    let whole = array![[[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]];
    assert_eq!(summed(12, &values, "GlobalMaxPool", 1, &[]), whole);
    assert_eq!(summed(12, &values, "MaxPool", 1, &[("kernel_shape", Ints(vec![4, 4]))]), whole);
}

#[test]
fn a_border_never_has_the_maximum() {
    // All below zero, as a border of zeros would not be. Windows of 2 × 2 with a border of 1 and steps of 2 have one
    // corner, or two of an edge, or the middle.
    let values = [-1.0, -2.0, -2.0, -3.0, -4.0, -9.0, -8.0, -5.0, -4.0, -7.0, -8.0, -6.0, -1.0, -2.0, -3.0, -1.0];
    let expected = array![[[1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0]]];
    let attributes =
        [("kernel_shape", Ints(vec![2, 2])), ("strides", Ints(vec![2, 2])), ("pads", Ints(vec![1, 1, 1, 1]))];
    assert_eq!(summed(12, &values, "MaxPool", 9, &attributes), expected);
}

#[test]
fn an_average_by_hand() {
    // 4 positions a row, windows of 3, steps of 2, rounded up: columns 0–2 and 2–3, the second of which reaches one
    // place beyond. It is not counted, so the shares are 1/3 and 1/2, and 1/3 + 1/2 = 5/6 where they overlap.
    let attributes = [
        ("kernel_shape", Ints(vec![1, 3])),
        ("strides", Ints(vec![1, 2])),
        ("ceil_mode", Int(1)),
        ("count_include_pad", Int(1)),
    ];
    let gradients = summed(12, &[0.5; 16], "AveragePool", 8, &attributes);
    let row = [1.0 / 3.0, 1.0 / 3.0, 5.0 / 6.0, 0.5];
    for (at, gradient) in gradients.iter().enumerate() {
        assert!((gradient - row[at % 4]).abs() < 1e-6, "{gradient} at {at}");
    }
}

#[test]
fn forms_that_engines_read_differently_are_refused() {
    let kernel = || ("kernel_shape", Ints(vec![2, 2]));
    let refused = |op: &str, opset: i64, attributes: &[(&str, Attribute)], word: &str| {
        let bytes = Builder::new(opset, 5, 3)
            .node(op, &["features"], "y", attributes)
            .node("GlobalAveragePool", &["y"], "pooled", &[])
            .node("Flatten", &["pooled"], "scores", &[])
            .bytes(3);
        let text = Model::load("test.onnx", &bytes, &Options::default()).expect_err("it is refused").to_string();
        assert!(text.contains("node_y") && text.contains(word), "{text}");
    };
    for op in BOTH {
        let same = ("auto_pad", text("SAME_UPPER"));
        refused(op, 19, &[kernel(), same.clone(), ("dilations", Ints(vec![2, 1]))], "dilations and auto_pad");
        refused(op, 13, &[kernel(), same, ("pads", Ints(vec![0; 4]))], "pads [0, 0, 0, 0] and auto_pad");
        refused(op, 13, &[kernel(), ("auto_pad", text("VALID")), ("ceil_mode", Int(1))], "ceil_mode and auto_pad");
        refused(op, 9, &[kernel(), ("dilations", Ints(vec![2, 1]))], "dilations, which");
        refused(op, 9, &[kernel(), ("ceil_mode", Int(1))], "ceil_mode, which");
    }
    refused("AveragePool", 13, &[kernel(), ("dilations", Ints(vec![2, 1]))], "dilations, which");
    refused("MaxPool", 13, &[("kernel_shape", Ints(vec![1, 70])), ("pads", Ints(vec![0, 69, 0, 69]))], "at most 64");
}
