//! Operators that work element by element.

use super::Rule;
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::Node;

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Identity" | "Dropout" => identity,
        "Add" => add,
        "Relu" => relu,
        "Clip" => clip,
        _ => return None,
    })
}

/// y = x.
fn identity(_emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 || node.input(2).is_some() {
        return Err("its training mode is not supported".into());
    }
    Ok(gradient.to_owned())
}

/// y = a + b: each gets g, summed over the axes along which it was broadcast.
fn add(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shape = emitter.shape(&node.inputs[input])?;
    emitter.sum_to(gradient, &shape)
}

/// y = max(x, 0): dx = g where x > 0, as PyTorch (0 at 0).
fn relu(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let x = &node.inputs[0];
    let shape = emitter.shape(x)?;
    let zero = emitter.scalar("zero", 0.0);
    let inside = emitter.node("Greater", &[x, &zero], &[], &shape);
    Ok(emitter.node("Where", &[&inside, gradient, &zero], &[], &shape))
}

/// y = min(max(x, low), high): dx = g where low < x < high, as PyTorch's ReLU6 (0 at both bounds).
fn clip(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 {
        return Err("its bounds depend on the picture".into());
    }
    let x = &node.inputs[0];
    let shape = emitter.shape(x)?;
    let zero = emitter.scalar("zero", 0.0);
    let mut gradient = gradient.to_owned();
    // The bounds were attributes before opset 11; since then they are optional inputs. The other form has no meaning.
    let as_inputs = emitter.opset() >= 11;
    if as_inputs && (node.float("min").is_some() || node.float("max").is_some()) {
        return Err("its bounds are attributes, which they are only before operator set 11".into());
    }
    for (bound, index, op) in [("min", 1, "Greater"), ("max", 2, "Less")] {
        let wire = match (node.input(index), node.float(bound)) {
            (Some(wire), _) => wire.to_owned(),
            (None, Some(value)) => emitter.scalar(bound, value),
            (None, None) => continue,
        };
        let inside = emitter.node(op, &[x, &wire], &[], &shape);
        gradient = emitter.node("Where", &[&inside, &gradient, &zero], &[], &shape);
    }
    Ok(gradient)
}
