//! A slow, obvious evaluator in f64, for finite differences.

use gradcam::onnx::graph::{Attribute, Graph, Node};
use ndarray::{ArrayD, Axis, Ix2, IxDyn};
use std::collections::HashMap;

/// Every wire of a graph, given those of its inputs.
pub fn evaluate(graph: &Graph, inputs: &[(&str, ArrayD<f64>)]) -> HashMap<String, ArrayD<f64>> {
    let mut wires: HashMap<String, ArrayD<f64>> = HashMap::new();
    for (name, tensor) in &graph.initializers {
        if let Some(values) = tensor.to_f32() {
            let values = values.into_iter().map(f64::from).collect();
            wires.insert(name.clone(), ArrayD::from_shape_vec(IxDyn(&tensor.shape), values).expect("sizes fit"));
        }
    }
    wires.extend(inputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    for node in &graph.nodes {
        let value = node_value(graph, node, &wires);
        wires.insert(node.outputs[0].clone(), value);
    }
    wires
}

fn node_value(graph: &Graph, node: &Node, wires: &HashMap<String, ArrayD<f64>>) -> ArrayD<f64> {
    let x = &wires[&node.inputs[0]];
    let input = |at: usize| node.input(at).map(|wire| &wires[wire]);
    match node.op.as_str() {
        "Identity" | "Dropout" => x.clone(),
        "Relu" => x.mapv(|x| x.max(0.0)),
        "Clip" => {
            let bound = |at: usize, name: &str| input(at).map(|b| b[IxDyn(&[])]).or(node.float(name).map(f64::from));
            let (low, high) = (bound(1, "min"), bound(2, "max"));
            x.mapv(|x| x.max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX)))
        }
        "Add" => x + input(1).expect("Add has two operands"),
        "GlobalAveragePool" => mean(x, &(2..x.ndim()).collect::<Vec<usize>>(), true),
        "ReduceMean" => {
            let given = match node.attributes.get("axes") {
                Some(Attribute::Ints(axes)) => axes.clone(),
                _ => node.input(1).and_then(|wire| graph.constant(wire)?.to_i64()).unwrap_or_default(),
            };
            let axes: Vec<usize> = match given.is_empty() {
                true => (0..x.ndim()).collect(),
                false => given.iter().map(|axis| axis.rem_euclid(x.ndim() as i64) as usize).collect(),
            };
            mean(x, &axes, node.int("keepdims").unwrap_or(1) != 0)
        }
        "Flatten" => {
            let axis = node.int("axis").unwrap_or(1) as usize;
            let rows = x.shape()[..axis].iter().product::<usize>();
            reshaped(x, &[rows, x.len() / rows])
        }
        "Reshape" => {
            let sides = graph.constant(&node.inputs[1]).and_then(|t| t.to_i64()).expect("the shape is constant");
            let known: i64 = sides.iter().filter(|side| **side > 0).product();
            let free = x.len() as i64 / known;
            let side = |side: &i64| if *side < 0 { free as usize } else { *side as usize };
            reshaped(x, &sides.iter().map(side).collect::<Vec<usize>>())
        }
        "Gemm" => {
            let turned = |value: &ArrayD<f64>, name: &str| {
                let matrix = value.clone().into_dimensionality::<Ix2>().expect("Gemm takes matrices");
                if node.int(name).unwrap_or(0) != 0 { matrix.reversed_axes() } else { matrix }
            };
            let product = turned(x, "transA").dot(&turned(input(1).expect("Gemm has two operands"), "transB"));
            let mut y = product.into_dyn() * f64::from(node.float("alpha").unwrap_or(1.0));
            if let Some(c) = input(2) {
                y = y + c * f64::from(node.float("beta").unwrap_or(1.0));
            }
            y
        }
        "MatMul" => mat_mul(x, input(1).expect("MatMul has two operands")),
        other => panic!("the evaluator does not know {other}"),
    }
}

fn mean(x: &ArrayD<f64>, axes: &[usize], keep: bool) -> ArrayD<f64> {
    let mut y = x.clone();
    for axis in (0..x.ndim()).rev().filter(|axis| axes.contains(axis)) {
        y = y.mean_axis(Axis(axis)).expect("axes are not empty");
        if keep {
            y.insert_axis_inplace(Axis(axis));
        }
    }
    y
}

fn reshaped(x: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), x.iter().copied().collect()).expect("sizes fit")
}

/// Over the last two axes, the leading ones broadcast.
fn mat_mul(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
    let rank = a.ndim().max(b.ndim());
    let padded = |x: &ArrayD<f64>| {
        let shape: Vec<usize> = std::iter::repeat_n(1, rank - x.ndim()).chain(x.shape().iter().copied()).collect();
        reshaped(x, &shape)
    };
    let (a, b) = (padded(a), padded(b));
    let mut shape: Vec<usize> = (0..rank).map(|axis| a.shape()[axis].max(b.shape()[axis])).collect();
    shape[rank - 2] = a.shape()[rank - 2];
    shape[rank - 1] = b.shape()[rank - 1];
    let inner = a.shape()[rank - 1];
    ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        let index = |x: &ArrayD<f64>, row: usize, column: usize| {
            let mut index: Vec<usize> = (0..rank - 2).map(|axis| at[axis].min(x.shape()[axis] - 1)).collect();
            index.extend([row, column]);
            IxDyn(&index)
        };
        (0..inner).map(|k| a[index(&a, at[rank - 2], k)] * b[index(&b, k, at[rank - 1])]).sum()
    })
}
