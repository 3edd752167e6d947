//! Functions of one variable, element by element.

use super::Rule;
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{ElementType, Node};
use std::f32::consts::FRAC_2_SQRT_PI;

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Identity" => identity,
        "Dropout" => dropout,
        "Cast" => cast,
        "Neg" => neg,
        "Abs" => abs,
        "Exp" => exp,
        "Log" => log,
        "Sqrt" => sqrt,
        "Reciprocal" => reciprocal,
        "Erf" => erf,
        _ => return None,
    })
}

/// y = x.
fn identity(_emitter: &mut Emitter, _node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    Ok(gradient.to_owned())
}

/// y = x outside of training.
fn dropout(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    if input != 0 {
        return Err("its ratio depends on the picture".into());
    }
    let off = |wire| {
        let tensor = emitter.constant_value(wire);
        tensor.is_some_and(|tensor| tensor.kind == ElementType::Bool && tensor.bytes.iter().all(|on| *on == 0))
    };
    if node.input(2).is_some_and(|training| !off(training)) {
        return Err("it is in training mode, where it drops at random; export the model for inference".into());
    }
    Ok(gradient.to_owned())
}

/// y = x, as f32.
fn cast(_emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    // TensorProto.DataType of the ONNX standard.
    const FLOAT: i64 = 1;
    match node.int("to") {
        Some(FLOAT) => Ok(gradient.to_owned()),
        _ => Err("it makes something other than f32 of its input; export the model in f32".into()),
    }
}

/// y = −x: dx = −g.
fn neg(emitter: &mut Emitter, _node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    emitter.apply("Neg", &[gradient])
}

/// y = |x|: dx = g·sign(x), as PyTorch (0 at 0).
fn abs(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let sign = emitter.apply("Sign", &[&node.inputs[0]])?;
    emitter.apply("Mul", &[gradient, &sign])
}

/// y = eˣ: dx = g·y.
fn exp(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    emitter.apply("Mul", &[gradient, &node.outputs[0]])
}

/// y = ln x: dx = g/x.
fn log(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    emitter.apply("Div", &[gradient, &node.inputs[0]])
}

/// y = √x: dx = g/(2y), and 0 at 0, where the slope is infinite (PyTorch: infinite, but 0 for a norm).
pub(super) fn sqrt(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let y = &node.outputs[0];
    let positive = emitter.above(y, 0.0)?;
    let half = emitter.multiply(gradient, 0.5)?;
    let share = emitter.apply("Div", &[&half, y])?;
    emitter.only_where(&positive, &share)
}

/// y = 1/x: dx = −g·y².
pub(super) fn reciprocal(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let y = &node.outputs[0];
    let once = emitter.apply("Mul", &[gradient, y])?;
    let twice = emitter.apply("Mul", &[&once, y])?;
    emitter.apply("Neg", &[&twice])
}

/// y = erf(x): dx = g·2/√π·e^(−x²).
fn erf(emitter: &mut Emitter, node: &Node, gradient: &str, _input: usize) -> Result<String, String> {
    let bell = bell(emitter, &node.inputs[0], 1.0)?;
    let slope = emitter.multiply(&bell, FRAC_2_SQRT_PI)?;
    emitter.apply("Mul", &[gradient, &slope])
}

/// e^(−c·x²).
pub(super) fn bell(emitter: &mut Emitter, x: &str, c: f32) -> Result<String, String> {
    let square = emitter.apply("Mul", &[x, x])?;
    let power = emitter.multiply(&square, -c)?;
    emitter.apply("Exp", &[&power])
}
