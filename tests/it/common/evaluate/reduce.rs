//! Reductions over axes.

use super::{Call, Values, reshaped};
use ndarray::{ArrayD, Axis};

pub fn values(call: &Call) -> Values {
    let reduced = |over: fn(&[f64]) -> f64| {
        let keep = call.node.int("keepdims").unwrap_or(1) != 0;
        reduce(call.input(0), &axes(call), keep, over)
    };
    Some(vec![match call.node.op.as_str() {
        "ReduceMean" => reduced(|x| x.iter().sum::<f64>() / x.len() as f64),
        "ReduceSum" => reduced(|x| x.iter().sum()),
        "ReduceMax" => reduced(|x| x.iter().copied().fold(f64::MIN, f64::max)),
        "ReduceMin" => reduced(|x| x.iter().copied().fold(f64::MAX, f64::min)),
        "ReduceL1" => reduced(|x| x.iter().map(|x| x.abs()).sum()),
        "ReduceL2" => reduced(|x| x.iter().map(|x| x * x).sum::<f64>().sqrt()),
        "ReduceSumSquare" => reduced(|x| x.iter().map(|x| x * x).sum()),
        _ => return None,
    }])
}

/// From the attribute or the input; none means all, unless the node says otherwise.
fn axes(call: &Call) -> Vec<usize> {
    let given = call.node.ints("axes").map(<[i64]>::to_vec).or(call.integers(1)).unwrap_or_default();
    let rank = call.input(0).ndim();
    match given.is_empty() {
        true if call.node.int("noop_with_empty_axes") == Some(1) => Vec::new(),
        true => (0..rank).collect(),
        false => given.iter().map(|axis| axis.rem_euclid(rank as i64) as usize).collect(),
    }
}

/// `over` of the elements that differ only in their place along `axes`.
pub fn reduce(x: &ArrayD<f64>, axes: &[usize], keep: bool, over: fn(&[f64]) -> f64) -> ArrayD<f64> {
    // The reduced axes last, as one.
    let stay: Vec<usize> = (0..x.ndim()).filter(|axis| !axes.contains(axis)).collect();
    let order: Vec<usize> = stay.iter().chain(axes).copied().collect();
    let count: usize = axes.iter().map(|axis| x.shape()[*axis]).product();
    let mut sides: Vec<usize> = stay.iter().map(|axis| x.shape()[*axis]).collect();
    sides.push(count);
    let rows = reshaped(&x.clone().permuted_axes(order), &sides);
    let y = rows.map_axis(Axis(sides.len() - 1), |row| over(&row.to_vec()));
    match keep {
        true => {
            let kept: Vec<usize> =
                x.shape().iter().enumerate().map(|(axis, side)| if axes.contains(&axis) { 1 } else { *side }).collect();
            reshaped(&y, &kept)
        }
        false => y,
    }
}

pub fn mean(x: &ArrayD<f64>, axes: &[usize], keep: bool) -> ArrayD<f64> {
    reduce(x, axes, keep, |x| x.iter().sum::<f64>() / x.len() as f64)
}
