//! Convolutions.

use super::window::Windows;
use super::{Call, Values};
use ndarray::{ArrayD, Dimension, IxDyn, indices};

pub fn values(call: &Call) -> Values {
    Some(vec![match call.node.op.as_str() {
        "Conv" => conv(call),
        _ => return None,
    }])
}

fn conv(call: &Call) -> ArrayD<f64> {
    let (x, w) = (call.input(0), call.input(1));
    let windows = Windows::of(call, &x.shape()[2..], &w.shape()[2..]);
    let groups = call.node.int("group").unwrap_or(1) as usize;
    let of_group = w.shape()[1];
    let maps = w.shape()[0];
    let shape = [&[x.shape()[0], maps], windows.cells.as_slice()].concat();
    ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        let (batch, map) = (at[0], at[1]);
        let cell = at.slice()[2..].to_vec();
        let mut sum = call.optional(2).map_or(0.0, |bias| bias[[map].as_slice()]);
        for channel in 0..of_group {
            for tap in indices(windows.kernel.as_slice()) {
                let tap = tap.slice().to_vec();
                if let Some(position) = windows.position(&cell, &tap) {
                    let source = map / (maps / groups) * of_group + channel;
                    let weight = w[[&[map, channel], tap.as_slice()].concat().as_slice()];
                    sum += weight * x[[&[batch, source], position.as_slice()].concat().as_slice()];
                }
            }
        }
        sum
    })
}
