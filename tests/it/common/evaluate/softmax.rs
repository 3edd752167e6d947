//! Softmax and its logarithm.

use super::{Call, Values, reshaped};
use ndarray::ArrayD;

pub fn values(call: &Call) -> Values {
    let logarithm = match call.node.op.as_str() {
        "Softmax" => false,
        "LogSoftmax" => true,
        _ => return None,
    };
    let x = call.input(0);
    let one = call.opset >= 13;
    let axis = call.node.int("axis").unwrap_or(if one { -1 } else { 1 }).rem_euclid(x.ndim() as i64) as usize;
    // [outer, what is normalised, inner]: before opset 13 all axes from `axis` on are normalised together.
    let end = if one { axis + 1 } else { x.ndim() };
    let sizes = [&x.shape()[..axis], &x.shape()[axis..end], &x.shape()[end..]].map(|sides| sides.iter().product());
    let blocks: ArrayD<f64> = reshaped(x, &sizes);
    let sums = blocks.mapv(f64::exp).sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1));
    let y = if logarithm { &blocks - &sums.mapv(f64::ln) } else { blocks.mapv(f64::exp) / &sums };
    Some(vec![reshaped(&y, x.shape())])
}
