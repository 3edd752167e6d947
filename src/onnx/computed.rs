//! What a graph computes from constants alone: an engine does so while it only looks for shapes.

use super::graph::{Attribute, Graph, Node};
use super::hostile::{declared_sides, size};
use super::{MAX_ELEMENTS, MAX_RANK};
use std::collections::HashMap;

/// What may be computed from constants alone, by how large the result is at most: of the first input's shape, as large as
/// the first input, or as all inputs broadcast.
const SAME_SHAPE: &[&str] = &[
    "Identity",
    "Cast",
    "Neg",
    "Sqrt",
    "Reciprocal",
    "Floor",
    "Ceil",
    "Abs",
    "Not",
    "Exp",
    "Clip",
    "Sigmoid",
    "Relu",
    "Tanh",
    "Softplus",
    "Log",
    "Sin",
    "Cos",
    "Erf",
    "Sign",
    "Round",
    "CumSum",
];
const LIKE_FIRST: &[&str] = &[
    "Size",
    "Reshape",
    "ReduceProd",
    "ReduceSum",
    "ReduceMean",
    "ReduceL2",
    "ReduceMax",
    "ReduceMin",
    "ReduceSumSquare",
];
/// Operators that take or move elements of the first input.
const MOVES: [&str; 4] = ["Slice", "Squeeze", "Transpose", "Unsqueeze"];
const BROADCAST: [&str; 16] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Mod",
    "Min",
    "Max",
    "Equal",
    "Less",
    "Greater",
    "And",
    "Or",
    "Where",
    "Gather",
    "LessOrEqual",
];

/// The most elements of a tensor that is computed from constants, and of all of them together.
const MAX_COMPUTED: usize = 1 << 25;

/// The most elements of a tensor of constants whose size is computed too: a list of borders or axes, or a value for each
/// cell of a map.
const MAX_SIZED: usize = 1 << 12;

/// Operators that may make one.
const SIZED: [&str; 2] = ["ConstantOfShape", "Expand"];

/// The most products of a convolution of constants.
const MAX_PRODUCTS: usize = 1 << 28;

/// How large a tensor that is computed from constants gets: its elements at most, and each side at most where the axes are
/// known.
struct Computed {
    elements: usize,
    shape: Option<Vec<usize>>,
}

impl Computed {
    fn of(shape: Vec<usize>) -> Computed {
        Computed { elements: shape.iter().fold(1, |elements, side| elements.saturating_mul(*side)), shape: Some(shape) }
    }

    fn at_most(elements: usize) -> Computed {
        Computed { elements, shape: None }
    }
}

/// Refuses a graph that makes too much of its constants.
pub(super) fn check(graph: &Graph) -> Result<(), String> {
    let mut sizes: HashMap<&str, Computed> = HashMap::new();
    let mut given = 0usize;
    for (name, tensor) in &graph.initializers {
        let size = Computed::of(tensor.shape.clone());
        given = given.saturating_add(size.elements);
        sizes.insert(name, size);
    }
    // Weights that are normalised before they are used are computed from in several steps.
    let most = MAX_COMPUTED.max(given.saturating_mul(8));
    let mut total = 0usize;
    for node in &graph.nodes {
        let refuse = |what: &str| Err(format!("node `{}`: operator {} on constants {what}", node.label(), node.op));
        let inputs: Option<Vec<&Computed>> =
            node.inputs.iter().filter(|wire| !wire.is_empty()).map(|wire| sizes.get(wire.as_str())).collect();
        let size = match (node.op.as_str(), inputs.as_deref()) {
            // A shape has as many elements as there are axes.
            ("Shape", _) => Computed::at_most(MAX_RANK),
            ("Constant", _) => match node.attributes.get("value") {
                Some(Attribute::Tensor(tensor)) => Computed::of(tensor.shape.clone()),
                _ => Computed::at_most(node.attributes.values().map(constant_size).sum()),
            },
            ("CumSum", None) => {
                let label = node.label();
                return Err(format!(
                    "node `{label}` (CumSum) reads what depends on the picture; only constants are supported"
                ));
            }
            (_, None) => continue,
            ("ConstantOfShape" | "Expand", Some(inputs)) => match (declared_sides(graph, node), inputs.first()) {
                (Some(sides), _) if node.op == "ConstantOfShape" => Computed::of(expanded(&[], &sides)),
                (Some(sides), Some(Computed { shape: Some(shape), .. })) => Computed::of(expanded(shape, &sides)),
                (Some(sides), first) => {
                    let repeated = Computed::of(expanded(&[], &sides)).elements;
                    Computed::at_most(repeated.saturating_mul(first.map_or(1, |input| input.elements)))
                }
                // [`sized`] holds it to that.
                (None, _) => Computed::at_most(MAX_SIZED),
            },
            ("Conv", Some([input, weights, ..])) => match convolved(node, input, weights) {
                Some(shape) => Computed::of(shape),
                None => return refuse("is not supported in that size; export with constants folded"),
            },
            // Weights that are normalised. Other norms are not tried.
            ("BatchNormalization", Some([weights, ..])) => {
                Computed { elements: weights.elements, shape: weights.shape.clone() }
            }
            ("Concat", Some(inputs)) => Computed {
                elements: inputs.iter().fold(0, |sum, input| sum.saturating_add(input.elements)),
                shape: moved(graph, node, inputs),
            },
            (op, Some(inputs)) if MOVES.contains(&op) => Computed {
                elements: inputs.first().map_or(1, |input| input.elements),
                shape: moved(graph, node, inputs),
            },
            (op, Some(inputs)) if SAME_SHAPE.contains(&op) => match inputs.first() {
                Some(Computed { shape: Some(shape), .. }) => Computed::of(shape.clone()),
                first => Computed::at_most(first.map_or(1, |input| input.elements)),
            },
            (op, Some(inputs)) if LIKE_FIRST.contains(&op) => {
                let elements = inputs.first().map_or(1, |input| input.elements);
                match inputs.first().and_then(|input| reduced(graph, node, input.shape.as_deref()?)) {
                    Some(shape) => Computed::of(shape),
                    None => Computed::at_most(elements),
                }
            }
            (op, Some(inputs)) if BROADCAST.contains(&op) => match broadcast(node, inputs) {
                Some(shape) => Computed::of(shape),
                None => {
                    Computed::at_most(inputs.iter().fold(1, |most, input| most.saturating_mul(input.elements.max(1))))
                }
            },
            _ => return refuse("is not supported; export with constants folded"),
        };
        total = total.saturating_add(size.elements);
        if size.elements > MAX_ELEMENTS || total > most {
            return refuse("makes too much of them; export with constants folded");
        }
        let (elements, shape) = (size.elements, size.shape);
        sizes.extend(node.outputs.iter().map(|wire| (wire.as_str(), Computed { elements, shape: shape.clone() })));
    }
    Ok(())
}

/// Refuses a node that makes a tensor of constants to a computed size, where it is larger than [`check`] took it for.
/// `integers` tells the value of an input that has one by now, where that is integers, and `shape` its shape.
pub(crate) fn sized(
    graph: &Graph,
    node: &Node,
    integers: impl Fn(usize) -> Option<Vec<i64>>,
    shape: impl Fn(usize) -> Option<Vec<usize>>,
) -> Result<(), String> {
    if !SIZED.contains(&node.op.as_str()) || declared_sides(graph, node).is_some() {
        return Ok(());
    }
    let known = match node.op.as_str() {
        "Expand" => integers(1).zip(shape(0)),
        _ => integers(0).map(|sides| (sides, Vec::new())),
    };
    let Some((sides, repeated)) = known else { return Ok(()) };
    size(node, &sides)?;
    match Computed::of(expanded(&repeated, &sides)).elements {
        elements if elements > MAX_SIZED => Err(format!(
            "node `{}`: operator {} on constants makes {elements} elements, a number that is computed; at most \
             {MAX_SIZED} are supported; export with constants folded",
            node.label(),
            node.op
        )),
        _ => Ok(()),
    }
}

/// Refuses a node that [`sized`] could not be asked about, because its size was not found.
pub(crate) fn size_was_found(node: &Node, found: impl Fn(&str) -> bool) -> Result<(), String> {
    match SIZED.contains(&node.op.as_str()) && !node.outputs.iter().all(|wire| found(wire)) {
        true => Err(format!("node `{}` ({}) has a size that could not be computed", node.label(), node.op)),
        false => Ok(()),
    }
}

/// The sides of a tensor of `shape` that is repeated to `sides`.
fn expanded(shape: &[usize], sides: &[i64]) -> Vec<usize> {
    let rank = shape.len().max(sides.len());
    let from_last = |from_last: usize| {
        let own = shape.len().checked_sub(from_last).map_or(1, |axis| shape[axis]);
        let side = sides.len().checked_sub(from_last).map_or(1, |axis| sides[axis]);
        own.max(usize::try_from(side).unwrap_or(1)).max(1)
    };
    (1..=rank).rev().map(from_last).collect()
}

/// The sides after a node of [`MOVES`] or a Concat, where those of its inputs are known.
fn moved(graph: &Graph, node: &Node, inputs: &[&Computed]) -> Option<Vec<usize>> {
    let shape = inputs.first()?.shape.as_deref()?;
    let rank = shape.len();
    let axes = |rank: usize| -> Option<Vec<usize>> {
        let axes = graph.list(node, "axes").ok().flatten()?;
        Some(axes.iter().map(|axis| axis.rem_euclid(rank.max(1) as i64) as usize).collect())
    };
    match node.op.as_str() {
        "Slice" => Some(shape.to_vec()),
        "Transpose" => match node.ints("perm") {
            Some(order) if order.len() == rank => order.iter().map(|axis| shape.get(*axis as usize).copied()).collect(),
            Some(_) => None,
            None => Some(shape.iter().rev().copied().collect()),
        },
        "Squeeze" => {
            let axes = axes(rank)?;
            Some((0..rank).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect())
        }
        "Unsqueeze" => {
            let rank = rank + graph.list(node, "axes").ok().flatten()?.len();
            let (axes, mut sides) = (axes(rank)?, shape.iter());
            (0..rank).map(|axis| if axes.contains(&axis) { Some(1) } else { sides.next().copied() }).collect()
        }
        _ => {
            let axis = node.int("axis")?.rem_euclid(rank.max(1) as i64) as usize;
            let mut sides = vec![0usize; rank];
            for input in inputs {
                let own = input.shape.as_deref().filter(|own| own.len() == rank)?;
                for (at, (side, own)) in sides.iter_mut().zip(own).enumerate() {
                    *side = if at == axis { side.saturating_add(*own) } else { *own.max(side) };
                }
            }
            Some(sides)
        }
    }
}

/// The sides after a convolution of few products.
fn convolved(node: &Node, input: &Computed, weights: &Computed) -> Option<Vec<usize>> {
    let ([batch, _, cells @ ..], [maps, of_group, kernel @ ..]) = (input.shape.as_deref()?, weights.shape.as_deref()?)
    else {
        return None;
    };
    let borders = node.ints("pads").unwrap_or_default();
    let border = |at: usize| borders.get(at).map_or(0, |border| usize::try_from(*border).unwrap_or(0));
    let cells = cells
        .iter()
        .enumerate()
        .map(|(at, side)| side.saturating_add(border(at)).saturating_add(border(at + cells.len())));
    let sides: Vec<usize> = [*batch, *maps].into_iter().chain(cells).collect();
    let products = sides.iter().chain(kernel).chain([of_group]).fold(1usize, |all, side| all.saturating_mul(*side));
    (products <= MAX_PRODUCTS).then_some(sides)
}

/// The shape after a reduction that keeps its axes, or a Reshape.
fn reduced(graph: &Graph, node: &Node, shape: &[usize]) -> Option<Vec<usize>> {
    if node.op == "Reshape" {
        let sides = graph.constant(node.input(1)?)?.to_integers()?;
        let known = sides
            .iter()
            .filter(|side| **side != -1)
            .try_fold(1usize, |known, side| known.checked_mul(usize::try_from(*side).ok().filter(|side| *side > 0)?))?;
        let free = shape.iter().product::<usize>() / known;
        return Some(sides.iter().map(|side| if *side == -1 { free } else { *side as usize }).collect());
    }
    if !node.op.starts_with("Reduce") || node.int("keepdims") == Some(0) {
        return None;
    }
    let axes = graph.list(node, "axes").ok().flatten()?;
    let mut kept = shape.to_vec();
    for axis in axes {
        *kept.get_mut(axis.rem_euclid(shape.len().max(1) as i64) as usize)? = 1;
    }
    Some(kept)
}

fn constant_size(value: &Attribute) -> usize {
    match value {
        Attribute::Tensor(tensor) => tensor.shape.iter().product(),
        Attribute::Floats(values) => values.len(),
        Attribute::Ints(values) => values.len(),
        _ => 1,
    }
}

/// The shape of the broadcast result, or of what Gather takes, where those of all inputs are known.
fn broadcast(node: &Node, inputs: &[&Computed]) -> Option<Vec<usize>> {
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape.as_deref()).collect::<Option<_>>()?;
    if node.op == "Gather" {
        let [from, places] = shapes.as_slice() else { return None };
        let axis = node.int("axis").unwrap_or(0).rem_euclid(from.len().max(1) as i64) as usize;
        return Some([from.get(..axis)?, places, from.get(axis + 1..)?].concat());
    }
    let rank = shapes.iter().map(|shape| shape.len()).max()?;
    let side = |axis: usize| {
        let sides = shapes.iter().filter_map(|shape| (axis + shape.len()).checked_sub(rank).map(|at| shape[at]));
        sides.max().unwrap_or(1)
    };
    Some((0..rank).map(side).collect())
}
