//! Functions of several variables, element by element, whose inputs are broadcast against each other. What an input gets
//! is summed over the axes along which it was broadcast.

use super::Rule;
use super::pointwise::{reciprocal, sqrt};
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Node, Tensor};

/// A rule of Min and Max writes a few nodes for each pair of inputs; no network has more than two.
const MAX_RIVALS: usize = 16;

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Add" | "Sum" => add,
        "Sub" => sub,
        "Mul" => mul,
        "Div" => div,
        "Mean" => mean,
        "Pow" => pow,
        "Min" | "Max" => extreme,
        "Where" => choose,
        _ => return None,
    })
}

/// y = a + b + …: each gets g.
fn add(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[input])?;
    emitter.sum_to(gradient, &shape)
}

/// y = a − b: da = g, db = −g.
fn sub(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let share = add(emitter, node, gradient, input)?;
    if input == 0 { Ok(share) } else { emitter.apply("Neg", &[&share]) }
}

/// y = a·b: da = g·b, db = g·a.
fn mul(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[input])?;
    let share = emitter.apply("Mul", &[gradient, &node.inputs[1 - input]])?;
    emitter.sum_to(&share, &shape)
}

/// y = a/b: da = g/b, db = −g·y/b.
fn div(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[input])?;
    let b = &node.inputs[1];
    if input == 0 {
        let share = emitter.apply("Div", &[gradient, b])?;
        return emitter.sum_to(&share, &shape);
    }
    let product = emitter.apply("Mul", &[gradient, &node.outputs[0]])?;
    let sum = emitter.sum_to(&product, &shape)?;
    let share = emitter.apply("Div", &[&sum, b])?;
    emitter.apply("Neg", &[&share])
}

/// y = mean of n inputs: each gets g/n.
fn mean(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let sum = add(emitter, node, gradient, input)?;
    emitter.divide(&sum, node.inputs.len() as f32)
}

/// y = xᵖ for a constant p: dx = g·p·xᵖ⁻¹, and 0 at 0 where 0 < p < 1 (as for the square root).
fn pow(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 {
        return Err("its exponent depends on the picture".into());
    }
    let (x, exponent) = (&node.inputs[0], &node.inputs[1]);
    let tensor = emitter.constant_value(exponent);
    let values = tensor.and_then(|tensor| {
        tensor.to_f32().or_else(|| Some(tensor.to_i64()?.into_iter().map(|power| power as f32).collect()))
    });
    let (Some(tensor), Some(powers)) = (tensor, values) else {
        return Err(format!("its exponent `{exponent}` is no constant of f32 or i64 values"));
    };
    let sides = tensor.shape.clone();
    let shape = emitter.shape(x)?;
    let all = |power: f32| powers.iter().all(|own| *own == power);
    let root = |power: &f32| (0.0..1.0).contains(power) && *power != 0.0;
    let share = if all(1.0) {
        gradient.to_owned()
    } else if all(0.5) {
        sqrt(emitter, node, gradient, 0)?
    } else if all(-1.0) {
        reciprocal(emitter, node, gradient, 0)?
    } else {
        let slope = if all(2.0) {
            emitter.multiply(x, 2.0)?
        } else {
            // Where p = 0 the slope is 0·x⁰ and not 0·x⁻¹, which is no number at x = 0.
            let lower: Vec<f32> = powers.iter().map(|p| if *p == 0.0 { 0.0 } else { p - 1.0 }).collect();
            let lower = emitter.constant("exponent", Tensor::f32(&sides, &lower));
            let factor = emitter.constant("factor", Tensor::f32(&sides, &powers));
            let power = emitter.apply("Pow", &[x, &lower])?;
            emitter.apply("Mul", &[&power, &factor])?
        };
        let slope = match (powers.iter().any(root), powers.iter().all(root)) {
            (true, false) => return Err("some of its exponents lie between 0 and 1 and others do not".into()),
            (true, true) => {
                let positive = emitter.above(x, 0.0)?;
                emitter.only_where(&positive, &slope)?
            }
            _ => slope,
        };
        emitter.apply("Mul", &[gradient, &slope])?
    };
    emitter.sum_to(&share, &shape)
}

/// y = the greatest, or least, of the inputs: the inputs that are it share g equally, as PyTorch's `maximum`.
///
/// PyTorch's `clamp` with one bound may become the same operator; there x gets all of g at the bound.
fn extreme(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if node.inputs.len() > MAX_RIVALS {
        return Err(format!("it has {} inputs, more than {MAX_RIVALS}", node.inputs.len()));
    }
    let beaten = if node.op == "Max" { "Less" } else { "Greater" };
    let (zero, one) = (emitter.scalar("zero", 0.0), emitter.scalar("one", 1.0));
    let mut winners: Option<String> = None;
    for rival in &node.inputs {
        let loses = emitter.apply(beaten, &[rival, &node.outputs[0]])?;
        let wins = emitter.apply("Where", &[&loses, &zero, &one])?;
        winners = Some(match winners {
            Some(others) => emitter.apply("Add", &[&others, &wins])?,
            None => wins,
        });
    }
    let winners = winners.ok_or("it has no inputs")?;
    let share = emitter.apply("Div", &[gradient, &winners])?;
    let loses = emitter.apply(beaten, &[&node.inputs[input], &node.outputs[0]])?;
    let share = emitter.apply("Where", &[&loses, &zero, &share])?;
    let shape = emitter.shape(&node.inputs[input])?;
    emitter.sum_to(&share, &shape)
}

/// y = a where the condition holds, else b: da = g where it holds, db = g elsewhere.
fn choose(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let condition = &node.inputs[0];
    let share = match input {
        1 => emitter.only_where(condition, gradient)?,
        _ => {
            let zero = emitter.scalar("zero", 0.0);
            emitter.apply("Where", &[condition, &zero, gradient])?
        }
    };
    let shape = emitter.shape(&node.inputs[input])?;
    emitter.sum_to(&share, &shape)
}
