//! Matrix products.

use super::Rule;
use crate::autodiff::emit::Emitter;
use crate::onnx::graph::{Attribute, Node, Tensor};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Gemm" => gemm,
        "MatMul" => mat_mul,
        _ => return None,
    })
}

/// Y = α·A'·B' + β·C, where A' is A or Aᵀ and B' is B or Bᵀ.
///
/// With G the gradient of Y: dA' = α·G·B'ᵀ, dB' = α·A'ᵀ·G, dC = β·G summed over the axes along which C was broadcast.
fn gemm(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let a_transposed = node.int("transA").unwrap_or(0) != 0;
    let b_transposed = node.int("transB").unwrap_or(0) != 0;
    let alpha = node.float("alpha").unwrap_or(1.0);
    let (a, b) = (&node.inputs[0], &node.inputs[1]);
    match (input, a_transposed, b_transposed) {
        (0, false, _) => product(emitter, gradient, false, b, !b_transposed, alpha),
        (0, true, _) => product(emitter, b, b_transposed, gradient, true, alpha),
        (1, _, false) => product(emitter, a, !a_transposed, gradient, false, alpha),
        (1, _, true) => product(emitter, gradient, true, a, a_transposed, alpha),
        _ => {
            let beta = node.float("beta").unwrap_or(1.0);
            let shape = emitter.shape(gradient)?;
            let beta = emitter.scalar("beta", beta);
            let scaled = emitter.node("Mul", &[gradient, &beta], &[], &shape);
            let shape = emitter.shape(&node.inputs[2])?;
            emitter.sum_to(&scaled, &shape)
        }
    }
}

fn product(
    emitter: &mut Emitter,
    a: &str,
    a_transposed: bool,
    b: &str,
    b_transposed: bool,
    alpha: f32,
) -> Result<String, String> {
    let side = |wire: &str, transposed: bool, axis: usize, emitter: &Emitter| {
        emitter.shape(wire).map(|shape| shape[if transposed { 1 - axis } else { axis }])
    };
    let shape = [side(a, a_transposed, 0, emitter)?, side(b, b_transposed, 1, emitter)?];
    let attributes = [
        ("alpha", Attribute::Float(alpha)),
        ("transA", Attribute::Int(a_transposed as i64)),
        ("transB", Attribute::Int(b_transposed as i64)),
    ];
    // The summand of Gemm became optional in opset 11.
    if emitter.opset() >= 11 {
        return Ok(emitter.node("Gemm", &[a, b], &attributes, &shape));
    }
    let zero = emitter.constant("zero", Tensor::f32(&[1], &[0.0]));
    Ok(emitter.node("Gemm", &[a, b, &zero], &attributes, &shape))
}

/// Y = A·B, batched over leading axes with broadcasting: dA = G·Bᵀ, dB = Aᵀ·G, summed over broadcast axes. A vector on
/// the left is a row, one on the right a column, whose axis of length 1 is not in Y.
fn mat_mul(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    let shapes = [emitter.shape(&node.inputs[0])?, emitter.shape(&node.inputs[1])?];
    let (mut a, mut b) = (shapes[0].clone(), shapes[1].clone());
    let mut y = emitter.shape(gradient)?;
    if let [length] = *b.as_slice() {
        b = vec![length, 1];
        y.push(1);
    }
    if let [length] = *a.as_slice() {
        a = vec![1, length];
        y.insert(y.len() - 1, 1);
    }
    if a.len() < 2 || b.len() < 2 {
        return Err("one of its operands is a single number".into());
    }
    let (rows, columns) = (y[y.len() - 2], y[y.len() - 1]);
    let inner = a[a.len() - 1];
    if input == 0 && b.len() == 2 {
        // One product for all batches, which reads B as it lies.
        let batches = y[..y.len() - 2].iter().product::<usize>();
        let flat = emitter.reshape(gradient, &[batches * rows, columns])?;
        let matrix = emitter.reshape(&node.inputs[1], &b)?;
        let product = product(emitter, &flat, false, &matrix, true, 1.0)?;
        return emitter.reshape(&product, &shapes[0]);
    }
    let gradient = emitter.reshape(gradient, &y)?;
    let (left, right, own) = if input == 0 {
        let b = emitter.reshape(&node.inputs[1], &b)?;
        (gradient, emitter.transpose(&b)?, [rows, inner])
    } else {
        let a = emitter.reshape(&node.inputs[0], &a)?;
        (emitter.transpose(&a)?, gradient, [inner, columns])
    };
    let full: Vec<usize> = y[..y.len() - 2].iter().chain(&own).copied().collect();
    let product = emitter.node("MatMul", &[&left, &right], &[], &full);
    let matrix = if input == 0 { a } else { b };
    let sum = emitter.sum_to(&product, &matrix)?;
    emitter.reshape(&sum, &shapes[input])
}
