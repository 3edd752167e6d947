//! What convolutions and pools may ask of an engine: bounded windows, in forms that all engines understand alike.

use super::MAX_RANK;
use super::graph::{Attribute, Graph, Node};

/// The longest side of a window, stride or border, and the most cells of a window.
const MAX_SIDE: i64 = 4096;
const MAX_WINDOW: usize = 1 << 20;

type Outcome<T> = std::result::Result<T, String>;

/// Refuses windows without bound, and attributes that engines read in different ways.
pub(super) fn check(graph: &Graph, node: &Node) -> Outcome<()> {
    bounded(node)?;
    let reason = match node.op.as_str() {
        "Conv" => with_two_meanings(node),
        "AveragePool" | "MaxPool" => with_two_meanings(node).or_else(|| pool_with_two_meanings(graph.opset, node)),
        "ConvTranspose" => transposed(graph, node),
        _ => None,
    };
    match reason {
        Some(reason) => Err(format!("node `{}` ({}) {reason}", node.label(), node.op)),
        None => Ok(()),
    }
}

fn bounded(node: &Node) -> Outcome<()> {
    if node.op == "Pad" {
        return Ok(());
    }
    for name in ["kernel_shape", "strides", "dilations", "pads", "output_padding", "output_shape"] {
        let Some(sides) = node.ints(name) else { continue };
        if sides.len() > 2 * MAX_RANK {
            return Err(format!("node `{}` ({}) has {name} of {} axes", node.label(), node.op, sides.len()));
        }
        // A border may be cut off (negative); a window has cells, and a stride goes on.
        let lowest = match name {
            "pads" => -MAX_SIDE,
            "output_padding" | "output_shape" => 0,
            _ => 1,
        };
        let wide = sides.iter().any(|side| !(lowest..=MAX_SIDE).contains(side));
        let window = sides.iter().try_fold(1usize, |cells, side| {
            cells.checked_mul(side.unsigned_abs() as usize).filter(|cells| *cells <= MAX_WINDOW)
        });
        if wide || (name == "kernel_shape" && window.is_none()) {
            return Err(format!("node `{}` ({}) has {name} {sides:?}", node.label(), node.op));
        }
    }
    Ok(())
}

fn automatic(node: &Node) -> Option<&str> {
    match node.attributes.get("auto_pad") {
        Some(Attribute::String(value)) => Some(std::str::from_utf8(value).unwrap_or("unreadable")),
        _ => None,
    }
}

/// ONNX forbids a border that is both given and chosen. tract takes the one, other runtimes the other or none.
fn with_two_meanings(node: &Node) -> Option<String> {
    let automatic = automatic(node).filter(|automatic| *automatic != "NOTSET")?;
    let given = node.ints("pads")?;
    let contradicts = automatic != "VALID" || given.iter().any(|side| *side != 0);
    contradicts.then(|| format!("has pads {given:?} and auto_pad {automatic:?}; export it with pads only"))
}

/// tract and ONNX Runtime differ here by whole cells.
fn pool_with_two_meanings(opset: i64, node: &Node) -> Option<String> {
    let automatic = automatic(node).unwrap_or("NOTSET");
    let dilated = node.ints("dilations").is_some_and(|sides| sides.iter().any(|side| *side != 1));
    let ceil = node.int("ceil_mode").unwrap_or(0) != 0;
    if dilated && automatic.starts_with("SAME") {
        return Some(format!("has dilations and auto_pad {automatic:?}; export it with pads"));
    }
    if ceil && automatic == "VALID" {
        return Some("has ceil_mode and auto_pad VALID; export it without auto_pad".into());
    }
    let since = |version: i64, name: &str| Some(format!("has {name}, which it has only since operator set {version}"));
    match node.op.as_str() {
        "AveragePool" if dilated && opset < 19 => since(19, "dilations"),
        "MaxPool" if dilated && opset < 10 => since(10, "dilations"),
        _ if ceil && opset < 10 => since(10, "ceil_mode"),
        _ => None,
    }
}

/// As a gradient head has it: constant weights, and everything else said by attributes that fit them. tract trusts these,
/// and divides and subtracts with them.
fn transposed(graph: &Graph, node: &Node) -> Option<String> {
    let weights = node.input(1).and_then(|wire| graph.constant(wire));
    let Some([maps, of_group, kernel @ ..]) = weights.map(|tensor| tensor.shape.as_slice()) else {
        return Some("has no constant weights".into());
    };
    if node.inputs.len() != 2 || kernel.is_empty() || *maps == 0 || *of_group == 0 || kernel.contains(&0) {
        return Some("is not in the form that a gradient head has".into());
    }
    if node.attributes.contains_key("output_shape") || automatic(node).is_some_and(|automatic| automatic != "NOTSET") {
        return Some("has an output_shape or auto_pad; export it with pads".into());
    }
    let group = match node.attributes.get("group") {
        None => Some(1),
        Some(Attribute::Int(group)) => usize::try_from(*group).ok(),
        Some(_) => None,
    };
    if group.is_none_or(|group| group == 0 || maps % group != 0) {
        return Some(format!("has {group:?} groups of {maps} feature maps"));
    }
    let rank = kernel.len();
    let fits = |name: &str, count: usize, lowest: i64| match node.attributes.get(name) {
        None => true,
        Some(Attribute::Ints(sides)) => sides.len() == count && sides.iter().all(|side| *side >= lowest),
        Some(_) => false,
    };
    let expected: Vec<i64> = kernel.iter().map(|side| *side as i64).collect();
    if node.ints("kernel_shape").is_some_and(|sides| sides != expected) || !fits("kernel_shape", rank, 1) {
        return Some(format!("has a kernel_shape other than that of its weights, {expected:?}"));
    }
    let lists = [("strides", rank, 1), ("dilations", rank, 1), ("pads", 2 * rank, 0), ("output_padding", rank, 0)];
    let odd = lists.into_iter().find(|(name, count, lowest)| !fits(name, *count, *lowest));
    odd.map(|(name, ..)| format!("has {name} that do not fit its weights"))
}
