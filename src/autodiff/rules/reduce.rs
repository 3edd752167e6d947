//! Reductions over axes.

use super::{Rule, axis_from_front};
use crate::autodiff::emit::Emitter;
use crate::onnx::few;
use crate::onnx::graph::Node;

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "ReduceMean" => mean,
        "ReduceSum" => sum,
        "ReduceMax" | "ReduceMin" => extremum,
        "ReduceL1" => l1,
        "ReduceL2" => l2,
        "ReduceSumSquare" => sum_square,
        _ => return None,
    })
}

/// What a reduction goes over.
struct Reduction {
    /// Of the input.
    shape: Vec<usize>,
    axes: Vec<usize>,
    /// The input's shape with the reduced axes of length 1: with these the output broadcasts against the input.
    kept: Vec<usize>,
}

impl Reduction {
    /// No axes means all, unless the node says otherwise.
    fn of(emitter: &Emitter, node: &Node, input: usize) -> Result<Reduction, String> {
        if input != 0 {
            return Err("its axes depend on the picture".into());
        }
        let shape = emitter.shape(&node.inputs[0])?;
        let given = emitter.graph().list(node, "axes")?.unwrap_or_default();
        let as_input = emitter.graph().list_input(node, "axes").is_some();
        let none = as_input && node.int("noop_with_empty_axes").unwrap_or(0) != 0;
        let mut axes: Vec<usize> = match given.is_empty() {
            true if none => Vec::new(),
            true => (0..shape.len()).collect(),
            false => given.iter().map(|axis| axis_from_front(*axis, shape.len())).collect::<Result<_, _>>()?,
        };
        axes.sort_unstable();
        if axes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("its axes {} name one twice", few(&given)));
        }
        let mut kept = shape.clone();
        axes.iter().for_each(|axis| kept[*axis] = 1);
        Ok(Reduction { shape, axes, kept })
    }
}

/// y = mean of x: dx = g / Z at each of the Z elements that went into one mean.
fn mean(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let Reduction { shape, axes, kept } = Reduction::of(emitter, node, input)?;
    let count: usize = axes.iter().map(|axis| shape[*axis]).product();
    let gradient = emitter.reshape(gradient, &kept)?;
    let share = emitter.divide(&gradient, count as f32)?;
    emitter.expand(&share, &shape)
}

/// y = Σ x: dx = g.
fn sum(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let Reduction { shape, kept, .. } = Reduction::of(emitter, node, input)?;
    let gradient = emitter.reshape(gradient, &kept)?;
    emitter.expand(&gradient, &shape)
}

/// y = max x or min x: g in equal shares to the elements that are the extremum, as PyTorch's `amax` and `amin`, which
/// exporters write as this operator. (`max` along one axis, which also hands out the place, gives all to that place.)
fn extremum(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let Reduction { axes, kept, .. } = Reduction::of(emitter, node, input)?;
    let x = &node.inputs[0];
    let y = emitter.reshape(&node.outputs[0], &kept)?;
    // Nothing lies beyond the extremum: what does not fall short of it is equal. (Equal takes f32 only from opset 11.)
    let short = emitter.apply(if node.op == "ReduceMax" { "Less" } else { "Greater" }, &[x, &y])?;
    let zero = emitter.scalar("zero", 0.0);
    let one = emitter.scalar("one", 1.0);
    let extreme = emitter.apply("Where", &[&short, &zero, &one])?;
    let count = emitter.reduce("ReduceSum", &extreme, &axes)?;
    let gradient = emitter.reshape(gradient, &kept)?;
    let share = emitter.apply("Div", &[&gradient, &count])?;
    emitter.apply("Where", &[&short, &zero, &share])
}

/// y = Σ |x|: dx = g·sign(x), 0 at 0.
fn l1(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let Reduction { kept, .. } = Reduction::of(emitter, node, input)?;
    let gradient = emitter.reshape(gradient, &kept)?;
    let sign = emitter.apply("Sign", &[&node.inputs[0]])?;
    emitter.apply("Mul", &[&sign, &gradient])
}

/// y = √Σx²: dx = g·x / y, 0 where y is 0, as PyTorch's norm.
fn l2(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let Reduction { kept, .. } = Reduction::of(emitter, node, input)?;
    let gradient = emitter.reshape(gradient, &kept)?;
    let y = emitter.reshape(&node.outputs[0], &kept)?;
    let zero = emitter.scalar("zero", 0.0);
    let one = emitter.scalar("one", 1.0);
    let there = emitter.apply("Greater", &[&y, &zero])?;
    // x is 0 wherever the divisor is 1 instead of y = 0.
    let divisor = emitter.apply("Where", &[&there, &y, &one])?;
    let direction = emitter.apply("Div", &[&node.inputs[0], &divisor])?;
    emitter.apply("Mul", &[&direction, &gradient])
}

/// y = Σ x²: dx = 2·g·x.
fn sum_square(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let Reduction { kept, .. } = Reduction::of(emitter, node, input)?;
    let gradient = emitter.reshape(gradient, &kept)?;
    let two = emitter.scalar("two", 2.0);
    let twice = emitter.apply("Mul", &[&gradient, &two])?;
    emitter.apply("Mul", &[&node.inputs[0], &twice])
}
