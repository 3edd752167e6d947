//! Operators that move elements without changing them.

use super::{Call, Values, reshaped};
use gradcam::onnx::graph::Attribute;
use ndarray::{ArrayD, Axis, IxDyn, concatenate};

pub fn values(call: &Call) -> Values {
    if call.node.op == "Split" {
        return Some(split(call));
    }
    let axis = |default: i64, rank: usize| call.node.int("axis").unwrap_or(default).rem_euclid(rank as i64) as usize;
    Some(vec![match call.node.op.as_str() {
        "Flatten" => {
            let x = call.input(0);
            let rows = x.shape()[..axis(1, x.ndim())].iter().product::<usize>();
            reshaped(x, &[rows, x.len() / rows])
        }
        "Reshape" => {
            let x = call.input(0);
            let sides = call.integers(1).expect("Reshape has a shape");
            let kept = |at: usize, side: i64| if side == 0 { x.shape()[at] as i64 } else { side };
            let sides: Vec<i64> = sides.iter().enumerate().map(|(at, side)| kept(at, *side)).collect();
            let known: i64 = sides.iter().filter(|side| **side > 0).product();
            let free = x.len() as i64 / known;
            let side = |side: &i64| if *side < 0 { free as usize } else { *side as usize };
            reshaped(x, &sides.iter().map(side).collect::<Vec<usize>>())
        }
        "Squeeze" => {
            let x = call.input(0);
            let axes = list(call, "axes", 1).map(|axes| from_front(&axes, x.ndim()));
            let gone = |axis: usize| axes.as_ref().map_or(x.shape()[axis] == 1, |axes| axes.contains(&axis));
            let sides: Vec<usize> = (0..x.ndim()).filter(|axis| !gone(*axis)).map(|axis| x.shape()[axis]).collect();
            reshaped(x, &sides)
        }
        "Unsqueeze" => {
            let x = call.input(0);
            let axes = list(call, "axes", 1).expect("Unsqueeze has axes");
            let rank = x.ndim() + axes.len();
            let axes = from_front(&axes, rank);
            let mut old = x.shape().iter();
            let sides: Vec<usize> = (0..rank)
                .map(|axis| if axes.contains(&axis) { 1 } else { *old.next().expect("as many sides as before") })
                .collect();
            reshaped(x, &sides)
        }
        "Transpose" => {
            let x = call.input(0);
            let order = match call.node.ints("perm") {
                Some(order) => order.iter().map(|axis| *axis as usize).collect(),
                None => (0..x.ndim()).rev().collect::<Vec<usize>>(),
            };
            x.clone().permuted_axes(order)
        }
        "Concat" => {
            let parts: Vec<_> = (0..call.inputs.len()).map(|at| call.input(at).view()).collect();
            concatenate(Axis(axis(0, parts[0].ndim())), &parts).expect("the parts fit")
        }
        "Expand" => {
            let x = call.input(0);
            let sides: Vec<usize> =
                call.integers(1).expect("Expand has a shape").iter().map(|side| *side as usize).collect();
            // Both ways: a side of 1 in the shape leaves the input's side as it is.
            x + &ArrayD::<f64>::zeros(IxDyn(&sides))
        }
        "Tile" => {
            let x = call.input(0);
            let repeats = call.integers(1).expect("Tile has repeats");
            let sides: Vec<usize> =
                x.shape().iter().zip(&repeats).map(|(side, times)| side * *times as usize).collect();
            ArrayD::from_shape_fn(IxDyn(&sides), |at| {
                x[IxDyn(&(0..x.ndim()).map(|axis| at[axis] % x.shape()[axis]).collect::<Vec<usize>>())]
            })
        }
        "Slice" => slice(call),
        "Gather" => {
            let (x, indices) = (call.input(0), call.input(1));
            let axis = axis(0, x.ndim());
            let length = x.shape()[axis] as i64;
            let flat: Vec<usize> = indices.iter().map(|index| (*index as i64).rem_euclid(length) as usize).collect();
            let sides = [&x.shape()[..axis], indices.shape(), &x.shape()[axis + 1..]].concat();
            reshaped(&x.select(Axis(axis), &flat), &sides)
        }
        "Pad" => pad(call),
        "DepthToSpace" => {
            let x = call.input(0);
            let block = call.node.int("blocksize").expect("it has a block") as usize;
            let channels = x.shape()[1] / (block * block);
            let inner = call.node.attributes.get("mode") == Some(&Attribute::String(b"CRD".to_vec()));
            let sides = [x.shape()[0], channels, x.shape()[2] * block, x.shape()[3] * block];
            ArrayD::from_shape_fn(IxDyn(&sides), |at| {
                let cell = at[2] % block * block + at[3] % block;
                let channel = if inner { at[1] * block * block + cell } else { cell * channels + at[1] };
                x[[at[0], channel, at[2] / block, at[3] / block].as_slice()]
            })
        }
        "SpaceToDepth" => {
            let x = call.input(0);
            let block = call.node.int("blocksize").expect("it has a block") as usize;
            let channels = x.shape()[1];
            let sides = [x.shape()[0], channels * block * block, x.shape()[2] / block, x.shape()[3] / block];
            ArrayD::from_shape_fn(IxDyn(&sides), |at| {
                let (cell, channel) = (at[1] / channels, at[1] % channels);
                x[[at[0], channel, at[2] * block + cell / block, at[3] * block + cell % block].as_slice()]
            })
        }
        _ => return None,
    }])
}

/// From the attribute or the input that took its place.
fn list(call: &Call, name: &str, input: usize) -> Option<Vec<i64>> {
    call.node.ints(name).map(<[i64]>::to_vec).or(call.integers(input))
}

fn from_front(axes: &[i64], rank: usize) -> Vec<usize> {
    axes.iter().map(|axis| axis.rem_euclid(rank as i64) as usize).collect()
}

fn split(call: &Call) -> Vec<ArrayD<f64>> {
    let x = call.input(0);
    let axis = call.node.int("axis").unwrap_or(0).rem_euclid(x.ndim() as i64) as usize;
    let count = call.node.outputs.len();
    let length = x.shape()[axis];
    let equal = || {
        let size = length.div_ceil(count);
        (0..count).map(|at| size.min(length - at * size) as i64).collect()
    };
    let mut start = 0;
    let part = |size: i64| {
        let part = x.slice_axis(Axis(axis), (start..start + size as usize).into()).to_owned();
        start += size as usize;
        part
    };
    list(call, "split", 1).unwrap_or_else(equal).into_iter().map(part).collect()
}

fn slice(call: &Call) -> ArrayD<f64> {
    let mut x = call.input(0).clone();
    let starts = list(call, "starts", 1).expect("Slice has starts");
    let ends = list(call, "ends", 2).expect("Slice has ends");
    let axes = list(call, "axes", 3).unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.integers(4).unwrap_or_else(|| vec![1; starts.len()]);
    for (at, axis) in from_front(&axes, x.ndim()).into_iter().enumerate() {
        let length = x.shape()[axis] as i64;
        let from_front = |bound: i64| if bound < 0 { (bound as i128 + length as i128) as i64 } else { bound };
        let (start, end) = (from_front(starts[at]), from_front(ends[at]));
        let mut picks = Vec::new();
        // Places before 0 and behind the last are passed over.
        let mut place = if steps[at] > 0 { start.max(0) } else { start.min(length - 1) };
        while if steps[at] > 0 { place < end.min(length) } else { place > end.max(-1) } {
            picks.push(place as usize);
            place += steps[at];
        }
        x = x.select(Axis(axis), &picks);
    }
    x
}

fn pad(call: &Call) -> ArrayD<f64> {
    let x = call.input(0);
    let pads = list(call, "pads", 1).expect("Pad has widths");
    let all: Vec<i64> = (0..x.ndim() as i64).collect();
    let axes = from_front(&call.integers(3).unwrap_or(all), x.ndim());
    let mut before = vec![0; x.ndim()];
    let mut sides = x.shape().to_vec();
    for (at, axis) in axes.iter().enumerate() {
        before[*axis] = pads[at];
        sides[*axis] = (sides[*axis] as i64 + pads[at] + pads[at + axes.len()]) as usize;
    }
    let value = call.optional(2).map(|value| value.sum()).or(call.node.float("value").map(f64::from)).unwrap_or(0.0);
    let mode = match call.node.attributes.get("mode") {
        Some(Attribute::String(mode)) => mode.as_slice(),
        _ => b"constant",
    };
    ArrayD::from_shape_fn(IxDyn(&sides), |at| {
        let mut place = Vec::new();
        for axis in 0..x.ndim() {
            let (at, length) = (at[axis] as i64 - before[axis], x.shape()[axis] as i64);
            let inside = (0..length).contains(&at);
            place.push(match mode {
                b"constant" if !inside => return value,
                b"edge" => at.clamp(0, length - 1) as usize,
                b"reflect" if at < 0 => -at as usize,
                b"reflect" if at >= length => (2 * (length - 1) - at) as usize,
                _ => at as usize,
            });
        }
        x[IxDyn(&place)]
    })
}
