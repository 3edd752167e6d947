//! Operators that choose elements, or put others around them.

use super::{Rule, axis_from_front};
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Attribute, Node};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Slice" => slice,
        "Gather" => gather,
        "Pad" => pad,
        _ => return None,
    })
}

/// y holds every `step`-th element of x from `start` to before `end`: g goes to where they were, 0 elsewhere.
fn slice(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    let starts = emitter.graph().list(node, "starts")?.ok_or("it has no starts")?;
    let ends = emitter.graph().list(node, "ends")?.ok_or("it has no ends")?;
    let axes = emitter.graph().list(node, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = emitter.graph().list(node, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("its starts, ends, axes and steps are not as many".into());
    }
    let mut wire = gradient.to_owned();
    let mut start = vec![0; shape.len()];
    let mut seen = Vec::new();
    for (at, axis) in axes.iter().enumerate() {
        let axis = axis_from_front(*axis, shape.len())?;
        if seen.contains(&axis) {
            return Err(format!("axis {axis} is sliced twice"));
        }
        seen.push(axis);
        let picks = picks(starts[at], ends[at], steps[at], shape[axis])?;
        if emitter.shape(&wire)?[axis] != picks.len() {
            return Err(format!("it takes {} elements of axis {axis}, against its shape", picks.len()));
        }
        match picks.first() {
            None => return Err(format!("it takes nothing of axis {axis}")),
            // Blocks along several axes get one border in the end.
            Some(first) if steps[at] == 1 => start[axis] = *first,
            Some(_) => wire = emitter.unpick(&wire, axis, &picks, shape[axis])?,
        }
    }
    emitter.border(&wire, &start, &shape)
}

/// The places that a slice takes along an axis of `length` elements, by the rules of ONNX: negative bounds count from
/// behind, and bounds outside end at the border.
fn picks(start: i64, end: i64, step: i64, length: usize) -> Result<Vec<usize>, String> {
    let length = i64::try_from(length).map_err(|_| "its input is too long")?;
    let from_front = |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound };
    let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    match step {
        0 => Err("its step is 0".into()),
        1.. => {
            let (start, end) = (from_front(start).clamp(0, length), from_front(end).clamp(0, length));
            Ok((start..end).step_by(stride).map(|at| at as usize).collect())
        }
        _ => {
            let (start, end) = (from_front(start).clamp(0, length - 1), from_front(end).clamp(-1, length - 1));
            Ok((end + 1..=start).rev().step_by(stride).map(|at| at as usize).collect())
        }
    }
}

/// y[…, i…, …] = x[…, indices[i…], …] along an axis: each place of x gets the sum of what was taken from it.
fn gather(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 {
        return Err("its indices depend on the picture".into());
    }
    let shape = emitter.shape(&node.inputs[0])?;
    let axis = axis_from_front(node.int("axis").unwrap_or(0), shape.len())?;
    let indices = emitter.integers(&node.inputs[1])?;
    let picks: Vec<usize> = indices
        .into_iter()
        .map(|index| axis_from_front(index, shape[axis]))
        .collect::<Result<_, _>>()
        .map_err(|_| format!("an index lies outside the {} elements of axis {axis}", shape[axis]))?;
    // The axes of the indices as one; a single index has taken the axis away.
    let mut flat = shape.clone();
    flat[axis] = picks.len();
    let gradient = emitter.reshape(gradient, &flat)?;
    emitter.unpick(&gradient, axis, &picks, shape[axis])
}

/// y = x with a border (of negative width: cut). A constant border gets no gradient; one that repeats the edge or
/// reflects x hands its own back to the elements that it repeats.
fn pad(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 {
        return Err("the value of its border depends on the picture".into());
    }
    let shape = emitter.shape(&node.inputs[0])?;
    let padded = emitter.shape(gradient)?;
    let pads = emitter.graph().list(node, "pads")?.ok_or("it has no pads")?;
    let axes = emitter.graph().list(node, "axes")?.unwrap_or_else(|| (0..shape.len() as i64).collect());
    if pads.len() != 2 * axes.len() {
        return Err(format!("it has {} pads for {} axes", pads.len(), axes.len()));
    }
    let mut before = vec![0; shape.len()];
    for (at, axis) in axes.iter().enumerate() {
        let axis = axis_from_front(*axis, shape.len())?;
        let sides = [pads[at], pads[at + axes.len()]];
        if sides.iter().any(|side| *side < 0) {
            return Err("a border of negative width is not supported; export it as Slice".into());
        }
        before[axis] = usize::try_from(sides[0]).map_err(|_| "its border is too wide")?;
        if u64::try_from(sides[1]).ok() != padded[axis].checked_sub(shape[axis] + before[axis]).map(|side| side as u64)
        {
            return Err(format!("its border along axis {axis} is against its shape"));
        }
    }
    let source: fn(i64, i64) -> i64 = match node.attributes.get("mode") {
        None => return emitter.crop(gradient, &before, &shape),
        Some(Attribute::String(mode)) => match mode.as_slice() {
            b"constant" => return emitter.crop(gradient, &before, &shape),
            b"edge" => |at, length| at.clamp(0, length - 1),
            b"reflect" => |at, length| {
                let at = at.abs();
                if at < length { at } else { 2 * (length - 1) - at }
            },
            mode => return Err(format!("its mode {:?} is not supported", String::from_utf8_lossy(mode))),
        },
        Some(_) => return Err("its mode is no text".into()),
    };
    let mut wire = gradient.to_owned();
    for axis in 0..shape.len() {
        let place = |at: usize| {
            let place = source(at as i64 - before[axis] as i64, shape[axis] as i64);
            usize::try_from(place).ok().filter(|place| *place < shape[axis])
        };
        let picks: Option<Vec<usize>> = (0..padded[axis]).map(place).collect();
        let picks = picks.ok_or_else(|| format!("its border along axis {axis} is wider than what it reflects"))?;
        wire = emitter.unpick(&wire, axis, &picks, shape[axis])?;
    }
    Ok(wire)
}
