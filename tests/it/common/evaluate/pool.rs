//! Pooling.

use super::reduce::mean;
use super::window::Windows;
use super::{Call, Values};
use ndarray::{ArrayD, Dimension, IxDyn, indices};

pub fn values(call: &Call) -> Values {
    Some(vec![match call.node.op.as_str() {
        "GlobalAveragePool" => mean(call.input(0), &(2..call.input(0).ndim()).collect::<Vec<usize>>(), true),
        "GlobalMaxPool" => {
            let x = call.input(0);
            let whole = |at: IxDyn| {
                let maps = x.view().index_axis_move(ndarray::Axis(0), at[0]);
                maps.index_axis_move(ndarray::Axis(0), at[1]).iter().copied().fold(f64::MIN, f64::max)
            };
            let shape: Vec<usize> =
                x.shape().iter().enumerate().map(|(axis, side)| if axis < 2 { *side } else { 1 }).collect();
            ArrayD::from_shape_fn(IxDyn(&shape), whole)
        }
        "MaxPool" => pooled(call, |values, _| values.iter().copied().fold(f64::MIN, f64::max)),
        "AveragePool" => {
            let with_border = call.node.int("count_include_pad") == Some(1);
            pooled(call, |values, counted| {
                values.iter().sum::<f64>() / if with_border { counted } else { values.len() } as f64
            })
        }
        _ => return None,
    }])
}

/// `reduce` gets the values in a window, and how many places of it are in the input or the declared border.
fn pooled(call: &Call, reduce: impl Fn(&[f64], usize) -> f64) -> ArrayD<f64> {
    let x = call.input(0);
    let kernel: Vec<usize> =
        call.node.ints("kernel_shape").expect("pools have one").iter().map(|side| *side as usize).collect();
    let windows = Windows::of(call, &x.shape()[2..], &kernel);
    let shape = [&x.shape()[..2], windows.cells.as_slice()].concat();
    ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        let cell = at.slice()[2..].to_vec();
        let taps = || indices(kernel.as_slice()).into_iter().map(|tap| tap.slice().to_vec());
        let positions = taps().filter_map(|tap| windows.position(&cell, &tap));
        let values: Vec<f64> =
            positions.map(|position| x[[&[at[0], at[1]], position.as_slice()].concat().as_slice()]).collect();
        reduce(&values, taps().filter(|tap| windows.is_counted(&cell, tap)).count())
    })
}
