//! Activation functions.

use super::Rule;
use super::pointwise::bell;
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Attribute, Node};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Relu" => relu,
        "Clip" => clip,
        "LeakyRelu" => leaky_relu,
        "PRelu" => p_relu,
        "ThresholdedRelu" => thresholded_relu,
        // `onnx::validate` lets only Celu with alpha 1 pass, which is Elu with alpha 1.
        "Elu" | "Celu" => elu,
        "Selu" => selu,
        "Sigmoid" => sigmoid,
        "HardSigmoid" => hard_sigmoid,
        "HardSwish" => hard_swish,
        "Tanh" => tanh,
        "Softplus" => softplus,
        "Softsign" => softsign,
        "Mish" => mish,
        "Gelu" => gelu,
        _ => return None,
    })
}

/// y = max(x, 0): dx = g where x > 0, which is where y > 0, as PyTorch (0 at 0).
fn relu(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    // Not x: whoever runs the classifier has y, where the function is one with the convolution before.
    let inside = emitter.above(&node.outputs[0], 0.0)?;
    emitter.only_where(&inside, gradient)
}

/// y = min(max(x, low), high): dx = g where low < x < high, which is where low < y < high, as PyTorch's ReLU6 (0 at both
/// bounds).
///
/// PyTorch's `clamp`, which becomes the same operator, has g at the bounds. Nothing in the file tells the two apart.
fn clip(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 {
        return Err("its bounds depend on the picture".into());
    }
    let y = &node.outputs[0];
    let mut gradient = gradient.to_owned();
    // The bounds were attributes before opset 11; since then they are optional inputs. The other form has no meaning.
    if emitter.opset() >= 11 && (node.float("min").is_some() || node.float("max").is_some()) {
        return Err("its bounds are attributes, which they are only before operator set 11".into());
    }
    for (bound, index, op) in [("min", 1, "Greater"), ("max", 2, "Less")] {
        let wire = match (node.input(index), node.float(bound)) {
            (Some(wire), _) => wire.to_owned(),
            (None, Some(value)) => emitter.scalar(bound, value),
            (None, None) => continue,
        };
        if emitter.shape(&wire)?.iter().any(|side| *side != 1) {
            return Err(format!("its bound `{wire}` is more than one number"));
        }
        let inside = emitter.apply(op, &[y, &wire])?;
        gradient = emitter.only_where(&inside, &gradient)?;
    }
    Ok(gradient)
}

/// y = x where x > 0, else α·x: dx = g or α·g, as PyTorch (α·g at 0).
fn leaky_relu(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let positive = emitter.above(&node.inputs[0], 0.0)?;
    let leak = emitter.multiply(gradient, node.float("alpha").unwrap_or(0.01))?;
    emitter.apply("Where", &[&positive, gradient, &leak])
}

/// y = x where x > 0, else s·x: dx = g or s·g, ds = 0 or x·g summed over broadcast axes, as PyTorch (s·g at 0).
fn p_relu(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let (x, slope) = (&node.inputs[0], &node.inputs[1]);
    let positive = emitter.above(x, 0.0)?;
    if input == 0 {
        let leak = emitter.apply("Mul", &[gradient, slope])?;
        return emitter.apply("Where", &[&positive, gradient, &leak]);
    }
    let share = emitter.apply("Mul", &[gradient, x])?;
    let zero = emitter.scalar("zero", 0.0);
    let negative = emitter.apply("Where", &[&positive, &zero, &share])?;
    let shape = emitter.shape(slope)?;
    emitter.sum_to(&negative, &shape)
}

/// y = x where x > α, else 0: dx = g where x > α, as PyTorch's `threshold` (0 at α).
fn thresholded_relu(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let inside = emitter.above(&node.inputs[0], node.float("alpha").unwrap_or(1.0))?;
    emitter.only_where(&inside, gradient)
}

/// y = x where x > 0, else α·(eˣ − 1): dx = g or g·α·eˣ, as PyTorch (α·g at 0).
fn elu(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    exponential_unit(emitter, node, gradient, node.float("alpha").unwrap_or(1.0), 1.0)
}

/// y = γ·x where x > 0, else γ·α·(eˣ − 1): dx = γ·g or γ·g·α·eˣ, as PyTorch (γ·α·g at 0).
fn selu(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    // The defaults of the operator's definition.
    let alpha = node.float("alpha").unwrap_or(1.673_263_2);
    let gamma = node.float("gamma").unwrap_or(1.050_701);
    exponential_unit(emitter, node, gradient, alpha, gamma)
}

fn exponential_unit(
    emitter: &mut Emitter,
    node: &Node,
    gradient: &str,
    alpha: f32,
    gamma: f32,
) -> Result<String, String> {
    let x = &node.inputs[0];
    let positive = emitter.above(x, 0.0)?;
    // Not y + α: that loses the digits of a small slope.
    let power = emitter.apply("Exp", &[x])?;
    let falling = emitter.multiply(&power, gamma * alpha)?;
    let gamma = emitter.scalar("gamma", gamma);
    // eˣ may be infinite where x > 0, so that the choice comes before the product.
    let slope = emitter.apply("Where", &[&positive, &gamma, &falling])?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// y = 1/(1 + e⁻ˣ): dx = g·y·(1 − y).
fn sigmoid(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let y = &node.outputs[0];
    let one = emitter.scalar("one", 1.0);
    let rest = emitter.apply("Sub", &[&one, y])?;
    let slope = emitter.apply("Mul", &[y, &rest])?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// y = min(max(α·x + β, 0), 1): dx = α·g where 0 < y < 1, as PyTorch (0 at both corners).
fn hard_sigmoid(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let y = &node.outputs[0];
    let (above, below) = (emitter.above(y, 0.0)?, emitter.below(y, 1.0)?);
    let inside = emitter.apply("And", &[&above, &below])?;
    let share = emitter.multiply(gradient, node.float("alpha").unwrap_or(0.2))?;
    emitter.only_where(&inside, &share)
}

/// y = x·min(max(x/6 + 1/2, 0), 1): dx = 0 where x ≤ −3, g where x ≥ 3, between them g·(x/3 + 1/2), as PyTorch.
fn hard_swish(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let x = &node.inputs[0];
    let (above, below) = (emitter.above(x, -3.0)?, emitter.below(x, 3.0)?);
    let third = emitter.multiply(x, 1.0 / 3.0)?;
    let half = emitter.scalar("half", 0.5);
    let middle = emitter.apply("Add", &[&third, &half])?;
    let one = emitter.scalar("one", 1.0);
    let slope = emitter.apply("Where", &[&below, &middle, &one])?;
    let slope = emitter.only_where(&above, &slope)?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// y = tanh(x): dx = g·(1 − y²).
fn tanh(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let y = &node.outputs[0];
    let square = emitter.apply("Mul", &[y, y])?;
    let one = emitter.scalar("one", 1.0);
    let slope = emitter.apply("Sub", &[&one, &square])?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// y = ln(1 + eˣ): dx = g/(1 + e⁻ˣ).
fn softplus(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let slope = emitter.apply("Sigmoid", &[&node.inputs[0]])?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// y = x/(1 + |x|): dx = g/(1 + |x|)².
fn softsign(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let size = emitter.apply("Abs", &[&node.inputs[0]])?;
    let one = emitter.scalar("one", 1.0);
    let divisor = emitter.apply("Add", &[&size, &one])?;
    // Twice, because the square can be too large for f32.
    let once = emitter.apply("Div", &[gradient, &divisor])?;
    emitter.apply("Div", &[&once, &divisor])
}

/// y = x·tanh(ln(1 + eˣ)). With e = eˣ and n = e·(e + 2): dx = g·(n/(n + 2) + 4x·e·(1 + e)/(n + 2)²).
fn mish(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    // In f32 the slope is 0 below and 1 above, and between them every power is finite.
    let x = emitter.between(&node.inputs[0], -80.0, 20.0)?;
    let e = emitter.apply("Exp", &[&x])?;
    let (one, two) = (emitter.scalar("one", 1.0), emitter.scalar("two", 2.0));
    let e_two = emitter.apply("Add", &[&e, &two])?;
    let n = emitter.apply("Mul", &[&e, &e_two])?;
    let divisor = emitter.apply("Add", &[&n, &two])?;
    let level = emitter.apply("Div", &[&n, &divisor])?;
    let e_one = emitter.apply("Add", &[&e, &one])?;
    let product = emitter.apply("Mul", &[&e, &e_one])?;
    let once = emitter.apply("Div", &[&product, &divisor])?;
    let twice = emitter.apply("Div", &[&once, &divisor])?;
    let bent = emitter.apply("Mul", &[&x, &twice])?;
    let bent = emitter.multiply(&bent, 4.0)?;
    let slope = emitter.apply("Add", &[&level, &bent])?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// y = x·Φ(x), Φ(x) = (1 + erf(x/√2))/2: dx = g·(Φ(x) + x·e^(−x²/2)/√(2π)); or the approximation with tanh.
fn gelu(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let x = &node.inputs[0];
    match node.attributes.get("approximate") {
        None => {}
        Some(Attribute::String(name)) if name == b"none" => {}
        Some(Attribute::String(name)) if name == b"tanh" => return gelu_tanh(emitter, x, gradient),
        Some(other) => return Err(format!("it has approximate {other:?}")),
    }
    let scaled = emitter.multiply(x, std::f32::consts::FRAC_1_SQRT_2)?;
    let erf = emitter.apply("Erf", &[&scaled])?;
    let one = emitter.scalar("one", 1.0);
    let double = emitter.apply("Add", &[&erf, &one])?;
    let phi = emitter.multiply(&double, 0.5)?;
    let bell = bell(emitter, x, 0.5)?;
    let bent = emitter.apply("Mul", &[x, &bell])?;
    let bent = emitter.multiply(&bent, 0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2)?;
    let slope = emitter.apply("Add", &[&phi, &bent])?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// y = x·(1 + tanh u)/2 with u = √(2/π)·(x + c·x³), c = 0.044715.
///
/// dx = g·((1 + tanh u)/2 + x·u'·(1 − tanh² u)/2), where u' = √(2/π)·(1 + 3c·x²), and with E = e^(−2|u|) the digits of
/// (1 − tanh² u)/2 = 2E/(1 + E)² are kept where tanh u is nearly ±1.
fn gelu_tanh(emitter: &mut Emitter, x: &str, gradient: &str) -> Result<String, String> {
    const CUBIC: f32 = 0.044_715;
    let root = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    // In f32 the slope is 0 below and 1 above.
    let x = emitter.between(x, -10.0, 10.0)?;
    let (one, root) = (emitter.scalar("one", 1.0), emitter.scalar("root", root));
    let square = emitter.apply("Mul", &[&x, &x])?;
    let cubic = emitter.multiply(&square, CUBIC)?;
    let factor = emitter.apply("Add", &[&cubic, &one])?;
    let product = emitter.apply("Mul", &[&x, &factor])?;
    let u = emitter.apply("Mul", &[&product, &root])?;
    let tanh = emitter.apply("Tanh", &[&u])?;
    let double = emitter.apply("Add", &[&tanh, &one])?;
    let level = emitter.multiply(&double, 0.5)?;
    let cubic = emitter.multiply(&cubic, 3.0)?;
    let factor = emitter.apply("Add", &[&cubic, &one])?;
    let du = emitter.apply("Mul", &[&factor, &root])?;
    let size = emitter.apply("Abs", &[&u])?;
    let power = emitter.multiply(&size, -2.0)?;
    let e = emitter.apply("Exp", &[&power])?;
    let divisor = emitter.apply("Add", &[&e, &one])?;
    let once = emitter.apply("Div", &[&e, &divisor])?;
    let twice = emitter.apply("Div", &[&once, &divisor])?;
    let bent = emitter.apply("Mul", &[&x, &du])?;
    let bent = emitter.apply("Mul", &[&bent, &twice])?;
    let bent = emitter.multiply(&bent, 2.0)?;
    let slope = emitter.apply("Add", &[&level, &bent])?;
    emitter.apply("Mul", &[gradient, &slope])
}
