//! Pooling by maxima. Where a maximum occurs more than once in a window, the first in row-major order gets the gradient,
//! as in PyTorch's max pooling.

use super::pool::kernel;
use super::window::{self, Axis};
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Attribute, Node, Tensor};

/// The longest window along one axis: there are a few nodes for each of its positions.
const MOST_TAPS: usize = 64;
/// `TensorProto.FLOAT`, the type that truth values are turned into.
const FLOAT: i64 = 1;

/// y = maximum of x over windows: dx = Σ g over the windows whose first maximum a position is.
///
/// A maximum over a rectangle is the maximum over its rows' maxima. The first in row-major order is in the first row that
/// has the maximum, and there the first; so the axes can be undone one by one, the outermost first.
pub(super) fn max(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let axes = window::axes(emitter, node, &kernel(node)?)?;
    let is_whole = |axis: &Axis| axis.is_tiled() && axis.cells == 1;
    if axes.iter().all(is_whole) {
        return global_max(emitter, node, gradient, 0);
    }
    if let Some(axis) = axes.iter().find(|axis| axis.window > MOST_TAPS) {
        return Err(format!("its windows are {} long, at most {MOST_TAPS} are supported", axis.window));
    }
    let mut steps: Vec<(usize, String)> = Vec::new();
    let mut maxima = node.inputs[0].clone();
    for at in (0..axes.len()).rev().filter(|at| !axes[*at].is_identity()) {
        steps.push((at, maxima.clone()));
        maxima = maxima_along(emitter, node, &maxima, &axes, at)?;
    }
    let mut gradient = gradient.to_owned();
    // The maxima over all axes are what the node itself makes.
    let mut maxima = node.outputs[0].clone();
    for (at, from) in steps.into_iter().rev() {
        gradient = undo_axis(emitter, &from, &maxima, &gradient, &axes[at], at + 2)?;
        maxima = from;
    }
    Ok(gradient)
}

/// The maxima over windows along one axis only.
fn maxima_along(emitter: &mut Emitter, node: &Node, wire: &str, axes: &[Axis], only: usize) -> Result<String, String> {
    let ints = |other: usize, value: &dyn Fn(&Axis) -> usize| -> Vec<i64> {
        axes.iter().enumerate().map(|(at, axis)| if at == only { value(axis) } else { other } as i64).collect()
    };
    let mut attributes = vec![
        ("kernel_shape", Attribute::Ints(ints(1, &|axis| axis.window))),
        ("strides", Attribute::Ints(ints(1, &|axis| axis.stride))),
        ("pads", Attribute::Ints([ints(0, &|axis| axis.before), ints(0, &|axis| axis.after)].concat())),
    ];
    // Both came in opset 10.
    if emitter.opset() >= 10 {
        attributes.push(("dilations", Attribute::Ints(ints(1, &|axis| axis.dilation))));
        attributes.push(("ceil_mode", Attribute::Int(node.int("ceil_mode").unwrap_or(0))));
    }
    let mut shape = emitter.shape(wire)?;
    shape[only + 2] = axes[only].cells;
    Ok(emitter.node("MaxPool", &[wire], &attributes, &shape))
}

/// The gradient of `from`, whose maxima over windows along the axis number `at` are `maxima`.
///
/// With the border, an axis of N·stride positions is seen as [N, stride]: tap i of all windows is then a slice, from
/// ⌊i·dilation / stride⌋ on in the place i·dilation mod stride. What is left of the gradient passes by the taps in order,
/// and the first that reaches the maximum takes it.
fn undo_axis(
    emitter: &mut Emitter,
    from: &str,
    maxima: &str,
    gradient: &str,
    axis: &Axis,
    at: usize,
) -> Result<String, String> {
    let shape = emitter.shape(from)?;
    let (outer, inner): (usize, usize) = (shape[..at].iter().product(), shape[at + 1..].iter().product());
    let Axis { length, cells, window, stride, dilation, before, .. } = *axis;
    let steps = ((before + length).div_ceil(stride)).max(cells + (window - 1) * dilation / stride);

    // Slices and borders of the last axis would be single numbers here and there: it is turned to the front.
    let turned = inner == 1;
    let (outer, inner) = if turned { (1, outer) } else { (outer, inner) };
    let lines_of = |emitter: &mut Emitter, wire: &str, along: usize| {
        if !turned {
            return emitter.reshape(wire, &[outer, along, inner]);
        }
        let lines = emitter.reshape(wire, &[inner, along])?;
        let lines = emitter.transpose(&lines)?;
        emitter.reshape(&lines, &[outer, along, inner])
    };
    let lines = lines_of(emitter, from, length)?;
    // Lower than any feature, so that it is taken only where a window holds nothing else.
    let lines = emitter.pad(&lines, 1, before, steps * stride - before - length, f32::MIN)?;
    let places = emitter.reshape(&lines, &[outer, steps, stride, inner])?;
    let windows = [outer, cells, 1, inner];
    let maxima = lines_of(emitter, maxima, cells)?;
    let maxima = emitter.reshape(&maxima, &windows)?;
    let left = lines_of(emitter, gradient, cells)?;
    let mut left = emitter.reshape(&left, &windows)?;
    let mut sums: Vec<Option<String>> = vec![None; stride];
    for tap in 0..window {
        let (step, place) = (tap * dilation / stride, tap * dilation % stride);
        let taken = if tap + 1 == window {
            left.clone()
        } else {
            let value = emitter.slice(&places, &[(1, step, step + cells), (2, place, place + 1)])?;
            let below = emitter.apply("Less", &[&value, &maxima])?;
            let below = emitter.node("Cast", &[&below], &[("to", Attribute::Int(FLOAT))], &windows);
            let passed = emitter.apply("Mul", &[&left, &below])?;
            let taken = emitter.apply("Sub", &[&left, &passed])?;
            left = passed;
            taken
        };
        let taken = emitter.pad(&taken, 1, step, steps - step - cells, 0.0)?;
        sums[place] = Some(match &sums[place] {
            Some(sum) => emitter.add(sum, &taken)?,
            None => taken,
        });
    }
    let mut parts = Vec::new();
    for sum in sums {
        // Places that no window reads.
        parts.push(match sum {
            Some(sum) => sum,
            None => {
                let zero = emitter.constant("zero", Tensor::f32(&[1; 4], &[0.0]));
                emitter.expand(&zero, &[outer, steps, 1, inner])?
            }
        });
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let places = match parts.as_slice() {
        [only] => (*only).to_owned(),
        _ => emitter.node("Concat", &parts, &[("axis", Attribute::Int(2))], &[outer, steps, stride, inner]),
    };
    let lines = emitter.reshape(&places, &[outer, steps * stride, inner])?;
    let lines = emitter.slice(&lines, &[(1, before, before + length)])?;
    let lines = if turned {
        let lines = emitter.reshape(&lines, &[length, inner])?;
        emitter.transpose(&lines)?
    } else {
        lines
    };
    emitter.reshape(&lines, &shape)
}

/// y = maximum of x over all axes behind the first two: dx = g at the first maximum, elsewhere 0.
///
/// The number of each maximum's position is kept, others get a number behind the last; the smallest is the first maximum.
pub(super) fn global_max(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    if shape.len() < 3 {
        return Err(format!("its input has shape {shape:?}, without cells"));
    }
    let (lines, cells): (usize, usize) = (shape[0] * shape[1], shape[2..].iter().product());
    // Integers of f32 have no gaps up to here.
    if cells >= 1 << 24 {
        return Err(format!("its input of shape {shape:?} has too many cells"));
    }
    let numbers: Vec<f32> = (0..cells).map(|cell| cell as f32).collect();
    let numbers = emitter.constant("numbers", Tensor::f32(&[1, cells], &numbers));
    let last = emitter.scalar("last", cells as f32);
    let x = emitter.reshape(&node.inputs[0], &[lines, cells])?;
    let y = emitter.reshape(&node.outputs[0], &[lines, 1])?;
    let gradient = emitter.reshape(gradient, &[lines, 1])?;
    let below = emitter.apply("Less", &[&x, &y])?;
    let candidates = emitter.apply("Where", &[&below, &last, &numbers])?;
    // The axes of ReduceMin became an input in opset 18.
    let first = if emitter.opset() >= 18 {
        let axes = emitter.constant("axes", Tensor::i64(&[1]));
        emitter.node("ReduceMin", &[&candidates, &axes], &[], &[lines, 1])
    } else {
        emitter.node("ReduceMin", &[&candidates], &[("axes", Attribute::Ints(vec![1]))], &[lines, 1])
    };
    let later = emitter.apply("Less", &[&first, &candidates])?;
    let zero = emitter.scalar("zero", 0.0);
    let gradient = emitter.apply("Where", &[&later, &zero, &gradient])?;
    emitter.reshape(&gradient, &shape)
}
