//! Functions of several variables, element by element.

use super::{Call, Values};
use ndarray::{ArrayD, IxDyn};

pub fn values(call: &Call) -> Values {
    let count = call.inputs.len();
    let truth = |holds: bool| f64::from(u8::from(holds));
    let fold = |f: fn(f64, f64) -> f64| {
        (1..count).fold(call.input(0).clone(), |so_far, at| pairwise(&so_far, call.input(at), f))
    };
    Some(vec![match call.node.op.as_str() {
        "Add" | "Sum" => fold(|a, b| a + b),
        "Sub" => fold(|a, b| a - b),
        "Mul" => fold(|a, b| a * b),
        "Div" => fold(|a, b| a / b),
        "Mean" => fold(|a, b| a + b) / count as f64,
        "Pow" => fold(f64::powf),
        "Min" => fold(f64::min),
        "Max" => fold(f64::max),
        "Greater" => pairwise(call.input(0), call.input(1), |a, b| truth(a > b)),
        "Less" => pairwise(call.input(0), call.input(1), |a, b| truth(a < b)),
        "Where" => {
            let condition = call.input(0);
            let picked = pairwise(condition, call.input(1), |holds, a| if holds != 0.0 { a } else { 0.0 });
            let rest = pairwise(condition, call.input(2), |holds, b| if holds != 0.0 { 0.0 } else { b });
            pairwise(&picked, &rest, |a, b| a + b)
        }
        _ => return None,
    }])
}

/// Both broadcast against each other.
fn pairwise(a: &ArrayD<f64>, b: &ArrayD<f64>, f: impl Fn(f64, f64) -> f64) -> ArrayD<f64> {
    let rank = a.ndim().max(b.ndim());
    let side = |x: &ArrayD<f64>, axis: usize| (axis + x.ndim()).checked_sub(rank).map_or(1, |at| x.shape()[at]);
    let shape: Vec<usize> = (0..rank).map(|axis| side(a, axis).max(side(b, axis))).collect();
    ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        let value = |x: &ArrayD<f64>| {
            let index: Vec<usize> = (rank - x.ndim()..rank).map(|axis| at[axis].min(side(x, axis) - 1)).collect();
            x[IxDyn(&index)]
        };
        f(value(a), value(b))
    })
}
