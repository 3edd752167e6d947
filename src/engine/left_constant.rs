//! c − x and c / x, written so that tract computes them, where c has a number for each channel of x.
//!
//! Where x comes from a convolution, tract 0.23.9 makes the operator part of the convolution's weights and bias, but
//! subtracts the bias only, and divides by each weight by itself. Sums and products become part of it rightly. x may also
//! come from what becomes part of the convolution before.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::InletId;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::math::{Add, Div, Mul, Sub, mul, recip};

/// Writes c − x as c + (−1) · x, and c / x as c · (1 / x).
pub(super) fn rewrite(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes.len() {
        let node = model.node(id);
        let Some(op) = node.op_as::<TypedBinOp>() else { continue };
        let subtracts = op.0.is::<Sub>();
        let (true, [c, x]) = (subtracts || op.0.is::<Div>(), node.inputs.as_slice()) else { continue };
        let (c, x, name) = (model.outlet_fact(*c)?, *x, node.name.clone());
        let fact = model.outlet_fact(x)?;
        let by_channel = fact.rank() >= 3 && c.rank() == fact.rank() && c.shape.volume() == fact.shape[1];
        if !by_channel || c.shape[1] != fact.shape[1] || fact.datum_type != f32::datum_type() {
            continue;
        }
        let changed = if subtracts {
            let minus = tensor0(-1f32).broadcast_into_rank(model.outlet_fact(x)?.rank())?;
            let minus = model.add_const(format!("{name}.minus"), minus)?;
            model.wire_node(format!("{name}.negative"), mul(), &[x, minus])?[0]
        } else {
            model.wire_node(format!("{name}.reciprocal"), recip(), &[x])?[0]
        };
        model.add_edge(changed, InletId::new(id, 1))?;
        let node = model.node_mut(id);
        node.op = if subtracts {
            Box::new(TypedBinOp(Box::new(Add), None))
        } else {
            Box::new(TypedBinOp(Box::new(Mul), None))
        };
    }
    Ok(())
}
