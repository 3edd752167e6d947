//! Reductions over axes.

use super::Rule;
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Attribute, Node};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "ReduceMean" => reduce_mean,
        _ => return None,
    })
}

/// y = mean of x over `axes`: dx = g / Z at each of the Z elements that went into one mean.
fn reduce_mean(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 {
        return Err("its axes depend on the picture".into());
    }
    let shape = emitter.shape(&node.inputs[0])?;
    let axes = reduced_axes(emitter, node, shape.len())?;
    let mut kept = shape.clone();
    axes.iter().for_each(|axis| kept[*axis] = 1);
    let count: usize = axes.iter().map(|axis| shape[*axis]).product();
    let gradient = emitter.reshape(gradient, &kept)?;
    let share = emitter.divide(&gradient, count as f32)?;
    emitter.expand(&share, &shape)
}

/// The axes as attribute (before opset 18) or constant input; none means all, unless the node says otherwise.
fn reduced_axes(emitter: &Emitter, node: &Node, rank: usize) -> Result<Vec<usize>, String> {
    let given = match (node.attributes.get("axes"), node.input(1)) {
        (Some(Attribute::Ints(axes)), _) => axes.clone(),
        (None, Some(wire)) => emitter
            .constant_value(wire)
            .and_then(|tensor| tensor.to_i64())
            .ok_or_else(|| format!("its axes `{wire}` are not constant"))?,
        _ => Vec::new(),
    };
    if given.is_empty() {
        let none = node.int("noop_with_empty_axes").unwrap_or(0) != 0;
        return Ok(if none { Vec::new() } else { (0..rank).collect() });
    }
    let axis = |axis: &i64| {
        let index = if *axis < 0 { *axis + rank as i64 } else { *axis };
        usize::try_from(index).ok().filter(|index| *index < rank).ok_or_else(|| format!("axis {axis} does not exist"))
    };
    given.iter().map(axis).collect()
}
