//! Normalisations.

use super::{Rule, axis_from_front};
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Attribute, Node, Tensor};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "BatchNormalization" => batch,
        "InstanceNormalization" => instance,
        "GroupNormalization" => group,
        "LayerNormalization" => layer,
        "LRN" => local_response,
        "LpNormalization" => lp,
        _ => return None,
    })
}

fn only_first(input: usize) -> Result<(), String> {
    if input == 0 { Ok(()) } else { Err("its parameters depend on the picture".into()) }
}

/// `[C]` as `[C,1,…]`, which broadcasts over the cells of a wire of this rank.
fn along_channels(emitter: &mut Emitter, wire: &str, rank: usize) -> Result<String, String> {
    let mut shape = emitter.shape(wire)?;
    shape.resize(rank.saturating_sub(1).max(1), 1);
    emitter.reshape(wire, &shape)
}

/// y = (x − mean) / √(variance + ε) · scale + bias with constant statistics: dx = g · scale / √(variance + ε).
fn batch(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    only_first(input)?;
    if node.int("training_mode").unwrap_or(0) != 0 || node.outputs.iter().skip(1).any(|wire| !wire.is_empty()) {
        return Err("its training form is not supported; export the model for inference".into());
    }
    let rank = emitter.shape(&node.inputs[0])?.len();
    let epsilon = f64::from(node.float("epsilon").unwrap_or(1e-5));
    let constant = |at: usize| {
        let values = node.input(at).and_then(|wire| emitter.constant_value(wire)).and_then(Tensor::to_f32);
        values.ok_or_else(|| format!("its input {at} is not constant"))
    };
    let (scale, variance) = (constant(1)?, constant(4)?);
    let factor = |(scale, variance): (&f32, &f32)| (f64::from(*scale) / (f64::from(*variance) + epsilon).sqrt()) as f32;
    let factors: Vec<f32> = scale.iter().zip(&variance).map(factor).collect();
    if scale.len() != variance.len() || factors.iter().any(|factor| !factor.is_finite()) {
        return Err("its scale and variance give no finite factors".into());
    }
    let factors = emitter.constant("factors", Tensor::f32(&[factors.len()], &factors));
    let factors = along_channels(emitter, &factors, rank)?;
    emitter.apply("Mul", &[gradient, &factors])
}

/// x̂ = (x − mean) / √(variance + ε) over `axes`, and 1 / √(variance + ε).
fn standardised(emitter: &mut Emitter, x: &str, axes: &[usize], epsilon: f32) -> Result<[String; 2], String> {
    let mean = emitter.reduce("ReduceMean", x, axes)?;
    let centred = emitter.apply("Sub", &[x, &mean])?;
    let squares = emitter.apply("Mul", &[&centred, &centred])?;
    let variance = emitter.reduce("ReduceMean", &squares, axes)?;
    let epsilon = emitter.scalar("epsilon", epsilon);
    let variance = emitter.apply("Add", &[&variance, &epsilon])?;
    let deviation = emitter.apply("Sqrt", &[&variance])?;
    let inverse = emitter.apply("Reciprocal", &[&deviation])?;
    let standard = emitter.apply("Mul", &[&centred, &inverse])?;
    Ok([standard, inverse])
}

/// With h the gradient of x̂: dx = (h − mean(h) − x̂·mean(h·x̂)) / √(variance + ε), the means over `axes`.
fn through_standardised(
    emitter: &mut Emitter,
    x: &str,
    gradient: &str,
    axes: &[usize],
    epsilon: f32,
) -> Result<String, String> {
    let [standard, inverse] = standardised(emitter, x, axes, epsilon)?;
    let mean = emitter.reduce("ReduceMean", gradient, axes)?;
    let product = emitter.apply("Mul", &[gradient, &standard])?;
    let slope = emitter.reduce("ReduceMean", &product, axes)?;
    let along = emitter.apply("Mul", &[&standard, &slope])?;
    let centred = emitter.apply("Sub", &[gradient, &mean])?;
    let across = emitter.apply("Sub", &[&centred, &along])?;
    emitter.apply("Mul", &[&across, &inverse])
}

fn epsilon(node: &Node) -> f32 {
    node.float("epsilon").unwrap_or(1e-5)
}

/// y = x̂·scale + bias, x̂ over the cells of each channel.
fn instance(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    only_first(input)?;
    let rank = emitter.shape(&node.inputs[0])?.len();
    if rank < 3 {
        return Err("its input has no cells".into());
    }
    let scale = along_channels(emitter, &node.inputs[1], rank)?;
    let scaled = emitter.apply("Mul", &[gradient, &scale])?;
    let axes: Vec<usize> = (2..rank).collect();
    through_standardised(emitter, &node.inputs[0], &scaled, &axes, epsilon(node))
}

/// y = x̂·scale + bias, x̂ over the cells of each group of channels. Scale and bias are one number a group before opset
/// 21, one a channel since.
fn group(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    only_first(input)?;
    if node.int("stash_type").unwrap_or(1) != 1 {
        return Err("its stash_type is not 1 (f32)".into());
    }
    let shape = emitter.shape(&node.inputs[0])?;
    let groups = node.int("num_groups").and_then(|groups| usize::try_from(groups).ok()).unwrap_or(0);
    if shape.len() < 3 || groups == 0 || shape[1] % groups != 0 {
        return Err(format!("shape {shape:?} has no {groups} groups of channels"));
    }
    let grouped = [shape[0], groups, shape[1..].iter().product::<usize>() / groups];
    let scaled = if emitter.opset() >= 21 {
        let scale = along_channels(emitter, &node.inputs[1], shape.len())?;
        let scaled = emitter.apply("Mul", &[gradient, &scale])?;
        emitter.reshape(&scaled, &grouped)?
    } else {
        let scale = emitter.reshape(&node.inputs[1], &[groups, 1])?;
        let gradient = emitter.reshape(gradient, &grouped)?;
        emitter.apply("Mul", &[&gradient, &scale])?
    };
    let x = emitter.reshape(&node.inputs[0], &grouped)?;
    let result = through_standardised(emitter, &x, &scaled, &[2], epsilon(node))?;
    emitter.reshape(&result, &shape)
}

/// y = x̂·scale + bias, x̂ over all axes from `axis` on.
fn layer(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    only_first(input)?;
    if node.int("stash_type").unwrap_or(1) != 1 {
        return Err("its stash_type is not 1 (f32)".into());
    }
    let rank = emitter.shape(&node.inputs[0])?.len();
    let first = axis_from_front(node.int("axis").unwrap_or(-1), rank)?;
    let scaled = emitter.apply("Mul", &[gradient, &node.inputs[1]])?;
    let axes: Vec<usize> = (first..rank).collect();
    through_standardised(emitter, &node.inputs[0], &scaled, &axes, epsilon(node))
}

/// y_c = x_c · S_c^−β with S_c = k + α/n · Σ x_j² over the n channels j from c − ⌊(n−1)/2⌋ to c + ⌈(n−1)/2⌉.
///
/// dx_i = g_i · S_i^−β − 2αβ/n · x_i · Σ g_c·y_c / S_c over the channels c whose window holds i.
fn local_response(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[0])?;
    let size = node.int("size").and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let size = size.ok_or("it has no size")?;
    let (alpha, beta) = (node.float("alpha").unwrap_or(1e-4), node.float("beta").unwrap_or(0.75));
    if shape.len() < 3 {
        return Err("its input has no cells".into());
    }
    let channels = shape[1];
    // What reaches beyond the channels adds nothing.
    let before = ((size - 1) / 2).min(channels - 1);
    let after = (size / 2).min(channels - 1);
    let rows = [shape[0], 1, channels, shape[2..].iter().product()];
    let share = alpha / size as f32;

    let x = emitter.reshape(&node.inputs[0], &rows)?;
    let y = emitter.reshape(&node.outputs[0], &rows)?;
    let gradient = emitter.reshape(gradient, &rows)?;
    let squares = emitter.apply("Mul", &[&x, &x])?;
    let sums = window_sums(emitter, &squares, before, after, share, &rows)?;
    let bias = emitter.scalar("bias", node.float("bias").unwrap_or(1.0));
    let s = emitter.apply("Add", &[&sums, &bias])?;
    let exponent = emitter.scalar("exponent", -beta);
    let power = emitter.apply("Pow", &[&s, &exponent])?;
    let direct = emitter.apply("Mul", &[&gradient, &power])?;
    let weighted = emitter.apply("Mul", &[&gradient, &y])?;
    let weighted = emitter.apply("Div", &[&weighted, &s])?;
    let others = window_sums(emitter, &weighted, after, before, 2.0 * beta * share, &rows)?;
    let through_sums = emitter.apply("Mul", &[&x, &others])?;
    let result = emitter.apply("Sub", &[&direct, &through_sums])?;
    emitter.reshape(&result, &shape)
}

/// `factor` times the sum over the `before` places before each along axis 2, itself, and the `after` places after it.
fn window_sums(
    emitter: &mut Emitter,
    wire: &str,
    before: usize,
    after: usize,
    factor: f32,
    shape: &[usize],
) -> Result<String, String> {
    let window = before + after + 1;
    let attributes = [
        ("kernel_shape", Attribute::Ints(vec![window as i64, 1])),
        ("pads", Attribute::Ints(vec![before as i64, 0, after as i64, 0])),
        ("count_include_pad", Attribute::Int(1)),
    ];
    let means = emitter.node("AveragePool", &[wire], &attributes, shape);
    let factor = emitter.scalar("factor", window as f32 * factor);
    emitter.apply("Mul", &[&means, &factor])
}

/// y = x / n, n the sum of |x| (p = 1) or √Σx² (p = 2) along an axis: dx = (g − s·Σ(g·y)) / n with s = sign(x) or y.
/// Where all of x is 0, y is 0 and so is the gradient.
fn lp(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let (x, y) = (&node.inputs[0], &node.outputs[0]);
    let axis = axis_from_front(node.int("axis").unwrap_or(-1), emitter.shape(x)?.len())?;
    let (norm, slope) = match node.int("p").unwrap_or(2) {
        1 => (emitter.reduce("ReduceL1", x, &[axis])?, emitter.apply("Sign", &[x])?),
        2 => (emitter.reduce("ReduceL2", x, &[axis])?, y.clone()),
        p => return Err(format!("its p is {p}")),
    };
    let product = emitter.apply("Mul", &[gradient, y])?;
    let product = emitter.reduce("ReduceSum", &product, &[axis])?;
    let along = emitter.apply("Mul", &[&slope, &product])?;
    let across = emitter.apply("Sub", &[gradient, &along])?;
    let zero = emitter.scalar("zero", 0.0);
    let one = emitter.scalar("one", 1.0);
    let there = emitter.apply("Greater", &[&norm, &zero])?;
    let divisor = emitter.apply("Where", &[&there, &norm, &one])?;
    let quotient = emitter.apply("Div", &[&across, &divisor])?;
    emitter.only_where(&there, &quotient)
}
