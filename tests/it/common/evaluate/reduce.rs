//! Reductions over axes.

use super::{Call, Values};
use ndarray::{ArrayD, Axis};

pub fn values(call: &Call) -> Values {
    let keep = call.node.int("keepdims").unwrap_or(1) != 0;
    Some(vec![match call.node.op.as_str() {
        "ReduceMean" => mean(call.input(0), &axes(call), keep),
        _ => return None,
    }])
}

/// From the attribute or the input; none means all.
fn axes(call: &Call) -> Vec<usize> {
    let given = call.node.ints("axes").map(<[i64]>::to_vec).or(call.integers(1)).unwrap_or_default();
    let rank = call.input(0).ndim();
    match given.is_empty() {
        true => (0..rank).collect(),
        false => given.iter().map(|axis| axis.rem_euclid(rank as i64) as usize).collect(),
    }
}

pub fn mean(x: &ArrayD<f64>, axes: &[usize], keep: bool) -> ArrayD<f64> {
    let mut y = x.clone();
    for axis in (0..x.ndim()).rev().filter(|axis| axes.contains(axis)) {
        y = y.mean_axis(Axis(axis)).expect("axes are not empty");
        if keep {
            y.insert_axis_inplace(Axis(axis));
        }
    }
    y
}
