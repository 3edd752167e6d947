//! Operators that arrange elements anew without leaving any out.

use super::{Rule, axis_from_front};
use crate::autodiff::emit::Emitter;
use crate::onnx::few;
use crate::onnx::graph::{Attribute, Node};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => reshape,
        "Transpose" => transpose,
        "Concat" => concat,
        "Expand" => expand,
        "Tile" => tile,
        "DepthToSpace" => depth_to_space,
        "SpaceToDepth" => space_to_depth,
        _ => return None,
    })
}

/// The elements go back to where they were.
fn reshape(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    emitter.reshape(gradient, &shape)
}

/// Axis i of y is axis `perm[i]` of x, by default the axes from behind: the gradient goes the other way.
fn transpose(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let rank = emitter.shape(&node.inputs[0])?.len();
    let reversed: Vec<i64> = (0..rank as i64).rev().collect();
    let order = node.ints("perm").unwrap_or(&reversed);
    let mut back = vec![rank; rank];
    for (at, axis) in order.iter().enumerate() {
        back[axis_from_front(*axis, rank)?] = at;
    }
    if order.len() != rank || back.contains(&rank) {
        return Err(format!("its order {} is none of {rank} axes", few(order)));
    }
    emitter.permute(gradient, &back)
}

/// y = x₀, x₁, … along an axis: each gets its block of g.
fn concat(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[input])?;
    let axis = axis_from_front(node.int("axis").ok_or("it has no axis")?, shape.len())?;
    let mut start = vec![0; shape.len()];
    for before in &node.inputs[..input] {
        start[axis] += emitter.shape(before)?[axis];
    }
    emitter.crop(gradient, &start, &shape)
}

/// y repeats x along axes of length 1 and new axes: g summed over them.
fn expand(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    emitter.sum_to(gradient, &shape)
}

/// y repeats x as a whole along each axis: g summed over the repetitions.
fn tile(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    let mut apart = Vec::new();
    let mut repetitions = Vec::new();
    for (side, tiled) in shape.iter().zip(emitter.shape(gradient)?) {
        if tiled % side.max(&1) != 0 {
            return Err(format!("a side of {side} is not repeated to {tiled}"));
        }
        if tiled != *side {
            repetitions.push(apart.len());
            apart.push(tiled / side);
        }
        apart.push(*side);
    }
    let apart = emitter.reshape(gradient, &apart)?;
    let sum = emitter.reduce("ReduceSum", &apart, &repetitions)?;
    emitter.reshape(&sum, &shape)
}

/// b×b channels become the b×b cells of a block: block row and column are the outer part of the channel number in mode
/// DCR, the inner part in mode CRD.
fn depth_to_space(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    let (batch, channels, height, width, block) = blocks(node, &emitter.shape(gradient)?)?;
    let order = match node.attributes.get("mode") {
        None => [0, 3, 5, 1, 2, 4],
        Some(Attribute::String(mode)) if mode == b"DCR" => [0, 3, 5, 1, 2, 4],
        Some(Attribute::String(mode)) if mode == b"CRD" => [0, 1, 3, 5, 2, 4],
        Some(mode) => return Err(format!("its mode {mode:?} is not known")),
    };
    let apart = emitter.reshape(gradient, &[batch, channels, height, block, width, block])?;
    let moved = emitter.permute(&apart, &order)?;
    emitter.reshape(&moved, &shape)
}

/// The cells of a b×b block become channels, row and column as the outer part of the channel number.
fn space_to_depth(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    let (batch, channels, height, width, block) = blocks(node, &shape)?;
    let apart = emitter.reshape(gradient, &[batch, block, block, channels, height, width])?;
    let moved = emitter.permute(&apart, &[0, 3, 4, 1, 5, 2])?;
    emitter.reshape(&moved, &shape)
}

/// The shape of the spatial side as batch, channels, rows and columns of blocks, and the side of a block.
fn blocks(node: &Node, spatial: &[usize]) -> Result<(usize, usize, usize, usize, usize), String> {
    let block = node.int("blocksize").and_then(|block| usize::try_from(block).ok()).filter(|block| *block > 0);
    let block = block.ok_or("it has no size of blocks")?;
    match spatial {
        [batch, channels, height, width] if height % block == 0 && width % block == 0 => {
            Ok((*batch, *channels, height / block, width / block, block))
        }
        _ => Err(format!("shape {spatial:?} has no blocks of {block}×{block} cells")),
    }
}
