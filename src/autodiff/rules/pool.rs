//! Pooling by averages. By maxima: `max_pool.rs`.

use super::window::{self, Axis};
use super::{Rule, max_pool};
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Node, Tensor};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "GlobalAveragePool" => global_average,
        "AveragePool" => average,
        "MaxPool" => max_pool::max,
        "GlobalMaxPool" => max_pool::global_max,
        _ => return None,
    })
}

/// The largest matrix that averages along one axis.
const MOST_WEIGHTS: usize = 1 << 22;

/// y = mean of x over all axes behind the first two: dx = g / Z at each of the Z cells.
fn global_average(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    if shape.len() < 3 {
        return Err(format!("its input has shape {shape:?}, without cells"));
    }
    let cells: usize = shape[2..].iter().product();
    let share = emitter.divide(gradient, cells as f32)?;
    emitter.expand(&share, &shape)
}

/// y = mean of x over windows: dx = Σ g / Z over the windows that a position is in, Z being what the window counts.
fn average(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    let axes = window::axes(emitter, node, &kernel(node)?)?;
    if axes.iter().all(Axis::is_tiled) {
        return tiled_average(emitter, gradient, &axes, &shape);
    }
    // The windows are products of intervals, so that averaging is one matrix for each axis.
    let with_border = node.int("count_include_pad").unwrap_or(0) != 0;
    let mut gradient = gradient.to_owned();
    for (at, axis) in axes.iter().enumerate().filter(|(_, axis)| !axis.is_identity()) {
        let spread = spread_matrix(axis, with_border)?;
        let spread = emitter.constant("spread", Tensor::f32(&[1, axis.length, axis.cells], &spread));
        let mut own = emitter.shape(&gradient)?;
        let (before, after) = (own[..at + 2].iter().product(), own[at + 3..].iter().product());
        let lines = emitter.reshape(&gradient, &[before, axis.cells, after])?;
        let product = emitter.node("MatMul", &[&spread, &lines], &[], &[before, axis.length, after]);
        own[at + 2] = axis.length;
        gradient = emitter.reshape(&product, &own)?;
    }
    Ok(gradient)
}

/// `[length, cells]`: 1 / Z where the window (column) has the position (row), elsewhere 0.
fn spread_matrix(axis: &Axis, with_border: bool) -> Result<Vec<f32>, String> {
    if axis.length.saturating_mul(axis.cells) > MOST_WEIGHTS {
        return Err(format!("{} windows over {} positions are too many", axis.cells, axis.length));
    }
    let mut matrix = vec![0.0; axis.length * axis.cells];
    for cell in 0..axis.cells {
        let taps: Vec<usize> = (0..axis.window).map(|tap| cell * axis.stride + tap * axis.dilation).collect();
        let inside = |tap: &&usize| (axis.before..axis.before + axis.length).contains(*tap);
        // A window that is rounded up reaches beyond the border, which is never counted.
        let bordered = taps.iter().filter(|tap| **tap < axis.before + axis.length + axis.after).count();
        let counted = if with_border { bordered } else { taps.iter().filter(inside).count() };
        if counted == 0 {
            return Err("one of its windows lies in the border".into());
        }
        for tap in taps.iter().filter(inside) {
            matrix[(tap - axis.before) * axis.cells + cell] = 1.0 / counted as f32;
        }
    }
    Ok(matrix)
}

/// Each position is in one window: the gradient is repeated.
fn tiled_average(emitter: &mut Emitter, gradient: &str, axes: &[Axis], shape: &[usize]) -> Result<String, String> {
    let size: usize = axes.iter().map(|axis| axis.window).product();
    let share = emitter.divide(gradient, size as f32)?;
    let (mut apart, mut repeated) = (shape[..2].to_vec(), shape[..2].to_vec());
    for axis in axes {
        apart.extend([axis.cells, 1]);
        repeated.extend([axis.cells, axis.window]);
    }
    let share = emitter.reshape(&share, &apart)?;
    let share = emitter.expand(&share, &repeated)?;
    emitter.reshape(&share, shape)
}

/// The size of the window.
pub(super) fn kernel(node: &Node) -> Result<Vec<usize>, String> {
    window::sides(node, "kernel_shape", node.ints("kernel_shape").ok_or("it has no kernel_shape")?.len(), 1)
}
