//! Pooling.

use super::Rule;
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::Node;

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "GlobalAveragePool" => global_average,
        _ => return None,
    })
}

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
