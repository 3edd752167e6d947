//! Convolutions.

use super::Rule;
use super::window::{self, Axis};
use crate::autodiff::emit::Emitter;
use crate::onnx::MAX_ELEMENTS;
use crate::onnx::graph::{Attribute, Node};

/// The rules of this family.
pub(super) fn find(op: &str) -> Option<Rule> {
    Some(match op {
        "Conv" => conv,
        _ => return None,
    })
}

/// The most weights that are transposed for the gradient: an engine keeps a second copy of them. With more, there is
/// little to gain, because the product itself takes the time.
const MOST_TRANSPOSED: usize = 1 << 18;

/// y = w ∗ x + b: dx is the transposed convolution of g with the same weights, db = Σ g over all cells.
fn conv(emitter: &mut Emitter, node: &Node, gradient: &str, input: usize) -> Result<String, String> {
    match input {
        0 => feature_maps(emitter, node, gradient),
        1 => Err("its weights depend on the picture".into()),
        _ => bias(emitter, gradient),
    }
}

fn feature_maps(emitter: &mut Emitter, node: &Node, gradient: &str) -> Result<String, String> {
    let weights = &node.inputs[1];
    if emitter.constant_value(weights).is_none() {
        return Err(format!("its weights `{weights}` are not constant"));
    }
    let sizes = emitter.shape(weights)?;
    let [maps, maps_of_group, kernel @ ..] = sizes.as_slice() else {
        return Err(format!("its weights have shape {sizes:?}"));
    };
    let axes = window::axes(emitter, node, kernel)?;
    let group = node.int("group").unwrap_or(1);
    let shape = emitter.shape(&node.inputs[0])?;
    if group < 1 || group as usize * maps_of_group != shape[1] || maps % group as usize != 0 {
        return Err(format!("its weights of shape {sizes:?} do not fit {} feature maps in {group} groups", shape[1]));
    }
    let ints = |value: &dyn Fn(&Axis) -> usize| axes.iter().map(|axis| value(axis) as i64).collect::<Vec<i64>>();
    let kernel_shape = ("kernel_shape", Attribute::Ints(ints(&|axis| axis.window)));

    // A convolution that looks at one cell is a matrix product, and so is its gradient.
    if group == 1 && axes.iter().all(Axis::is_identity) && maps * maps_of_group <= MOST_TRANSPOSED {
        let order = [1, 0].into_iter().chain(2..sizes.len() as i64).collect();
        let turned: Vec<usize> = [*maps_of_group, *maps].into_iter().chain(kernel.iter().copied()).collect();
        let transposed = emitter.node("Transpose", &[weights], &[("perm", Attribute::Ints(order))], &turned);
        return Ok(emitter.node("Conv", &[gradient, &transposed], &[kernel_shape], &shape));
    }

    // What a stride leaves over at the end is no border of the transposed convolution; what is left over beyond the
    // border has no gradient.
    let over = |axis: &Axis| axis.length + axis.before + axis.after - axis.reach();
    let after = |axis: &Axis| axis.after.saturating_sub(over(axis));
    let zeros = |axis: &Axis| over(axis).saturating_sub(axis.after);
    let products = axes.iter().map(|axis| axis.window * axis.cells).product::<usize>();
    if products.saturating_mul(shape[1]) > MAX_ELEMENTS {
        return Err(format!("its gradient takes more than {MAX_ELEMENTS} products at once"));
    }
    let pads = [ints(&|axis| axis.before), ints(&after)].concat();
    let attributes = [
        kernel_shape,
        ("strides", Attribute::Ints(ints(&|axis| axis.stride))),
        ("dilations", Attribute::Ints(ints(&|axis| axis.dilation))),
        ("pads", Attribute::Ints(pads)),
        ("output_padding", Attribute::Ints(ints(&zeros))),
        ("group", Attribute::Int(group)),
    ];
    Ok(emitter.node("ConvTranspose", &[gradient, weights], &attributes, &shape))
}

/// One number for each feature map of the output.
fn bias(emitter: &mut Emitter, gradient: &str) -> Result<String, String> {
    let shape = emitter.shape(gradient)?;
    let axes: Vec<usize> = (0..shape.len()).filter(|axis| *axis != 1).collect();
    let sum = emitter.reduce("ReduceSum", gradient, &axes)?;
    emitter.reshape(&sum, &shape[1..2])
}
