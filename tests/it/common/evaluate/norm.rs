//! Normalisations.

use super::reduce::{mean, reduce};
use super::{Call, Values, reshaped};
use ndarray::{ArrayD, Axis, IxDyn};

pub fn values(call: &Call) -> Values {
    let x = call.optional(0)?;
    let epsilon = f64::from(call.node.float("epsilon").unwrap_or(1e-5));
    Some(vec![match call.node.op.as_str() {
        "BatchNormalization" => {
            let [scale, bias, mean, variance] = [1, 2, 3, 4].map(|at| along_channels(call.input(at), x.ndim()));
            (x - &mean) / variance.mapv(|v| (v + epsilon).sqrt()) * scale + bias
        }
        "InstanceNormalization" => {
            let [scale, bias] = [1, 2].map(|at| along_channels(call.input(at), x.ndim()));
            standardised(x, &(2..x.ndim()).collect::<Vec<usize>>(), epsilon) * scale + bias
        }
        "GroupNormalization" => {
            let groups = call.node.int("num_groups").expect("it has groups") as usize;
            let grouped = reshaped(x, &[x.shape()[0], groups, x.len() / x.shape()[0] / groups]);
            let standard = reshaped(&standardised(&grouped, &[2], epsilon), x.shape());
            // One number a group before opset 21 stands for all of its channels.
            let times = if call.opset >= 21 { 1 } else { x.shape()[1] / groups };
            let [scale, bias] = [1, 2].map(|at| {
                let each: Vec<f64> =
                    call.input(at).iter().flat_map(|value| std::iter::repeat_n(*value, times)).collect();
                along_channels(&ArrayD::from_shape_vec(IxDyn(&[each.len()]), each).expect("sizes fit"), x.ndim())
            });
            standard * scale + bias
        }
        "LayerNormalization" => {
            let first = call.node.int("axis").unwrap_or(-1).rem_euclid(x.ndim() as i64) as usize;
            let scaled = standardised(x, &(first..x.ndim()).collect::<Vec<usize>>(), epsilon) * call.input(1);
            match call.optional(2) {
                Some(bias) => scaled + bias,
                None => scaled,
            }
        }
        "LRN" => {
            let number = |name: &str, default: f64| call.node.float(name).map_or(default, f64::from);
            let (alpha, beta, bias) = (number("alpha", 1e-4), number("beta", 0.75), number("bias", 1.0));
            let size = call.node.int("size").expect("it has a size") as usize;
            let mut y = x.clone();
            for channel in 0..x.shape()[1] {
                let first = channel.saturating_sub((size - 1) / 2);
                let last = (channel + (size - 1).div_ceil(2)).min(x.shape()[1] - 1);
                let window = x.slice_axis(Axis(1), (first..=last).into());
                let squares = window.mapv(|x| x * x).sum_axis(Axis(1));
                let divisor = squares.mapv(|sum| (bias + alpha / size as f64 * sum).powf(beta));
                let mut own = y.index_axis_mut(Axis(1), channel);
                own /= &divisor;
            }
            y
        }
        "LpNormalization" => {
            let axis = call.node.int("axis").unwrap_or(-1).rem_euclid(x.ndim() as i64) as usize;
            let norm = match call.node.int("p").unwrap_or(2) {
                1 => reduce(x, &[axis], true, |x| x.iter().map(|x| x.abs()).sum()),
                _ => reduce(x, &[axis], true, |x| x.iter().map(|x| x * x).sum::<f64>().sqrt()),
            };
            x / norm.mapv(|norm| if norm == 0.0 { 1.0 } else { norm })
        }
        _ => return None,
    }])
}

fn along_channels(values: &ArrayD<f64>, rank: usize) -> ArrayD<f64> {
    let mut sides = vec![1; rank];
    sides[1] = values.len();
    reshaped(values, &sides)
}

fn standardised(x: &ArrayD<f64>, axes: &[usize], epsilon: f64) -> ArrayD<f64> {
    let centred = x - &mean(x, axes, true);
    let variance = mean(&centred.mapv(|x| x * x), axes, true);
    centred / variance.mapv(|v| (v + epsilon).sqrt())
}
