//! Matrix products.

use super::{Call, Values, reshaped};
use ndarray::{ArrayD, Axis, Ix2, IxDyn};

pub fn values(call: &Call) -> Values {
    Some(vec![match call.node.op.as_str() {
        "Gemm" => gemm(call),
        "MatMul" => mat_mul(call.input(0), call.input(1)),
        _ => return None,
    }])
}

fn gemm(call: &Call) -> ArrayD<f64> {
    let turned = |value: &ArrayD<f64>, name: &str| {
        let matrix = value.clone().into_dimensionality::<Ix2>().expect("Gemm takes matrices");
        if call.node.int(name).unwrap_or(0) != 0 { matrix.reversed_axes() } else { matrix }
    };
    let product = turned(call.input(0), "transA").dot(&turned(call.input(1), "transB"));
    let product = product.into_dyn() * f64::from(call.node.float("alpha").unwrap_or(1.0));
    match call.optional(2) {
        Some(c) => product + c * f64::from(call.node.float("beta").unwrap_or(1.0)),
        None => product,
    }
}

/// Over the last two axes, the leading ones broadcast; a vector is a row on the left and a column on the right.
fn mat_mul(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
    if a.ndim() == 1 {
        let y = mat_mul(&a.clone().insert_axis(Axis(0)), b);
        let row = y.ndim() - if b.ndim() == 1 { 1 } else { 2 };
        return y.index_axis_move(Axis(row), 0);
    }
    if b.ndim() == 1 {
        let y = mat_mul(a, &b.clone().insert_axis(Axis(1)));
        let column = y.ndim() - 1;
        return y.index_axis_move(Axis(column), 0);
    }
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
