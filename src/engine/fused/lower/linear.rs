//! Matrix products with a vector: Gemm and MatMul behind the pooling.

use super::{Lowering, Outcome};
use crate::engine::fused::program::{Shape, Value, Window, Work};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::einsum::EinSum;

impl Lowering<'_> {
    pub(super) fn product(&mut self, node: &TypedNode, op: &EinSum) -> Outcome<Value> {
        let [a, b] = node.inputs.as_slice() else { return Err("a product of other than two tensors".into()) };
        if op.q_params.is_some() {
            return Err("a quantised product".into());
        }
        let (input, constant) = match (self.constants.get(*a), self.constants.get(*b)) {
            (None, Some(_)) => (0, 1),
            (Some(_), None) => (1, 0),
            _ => return Err("a product of two computed tensors".into()),
        };
        let (axes, results) = op.axes.to_strs();
        let [result] = results.as_slice() else { return Err("a product with several results".into()) };
        let matrix: Vec<char> = axes[constant].chars().collect();
        let once = |text: &str, axis: char| text.chars().filter(|other| *other == axis).count() == 1;
        let summed = |axis: char| once(&axes[input], axis) && !result.contains(axis);
        let kept = |axis: char| once(result, axis) && !axes[input].contains(axis);
        // Whether the sum goes over the matrix's rows, which are its first axis, or columns.
        let over_rows = match *matrix {
            [first, second] if summed(first) && kept(second) => true,
            [first, second] if kept(first) && summed(second) => false,
            _ => return Err(format!("a product of the form {},{}->{result}", axes[0], axes[1])),
        };
        let value = self.value(node.inputs[input])?;
        let Shape { height, width, channels } = self.program.values[value];
        let terms = height * width * channels;
        let weights = self.constants.numbers(node.inputs[constant])?;
        let sides =
            self.constants.get(node.inputs[constant]).map_or([0; 2], |matrix| [matrix.shape()[0], matrix.shape()[1]]);
        let [summands, outputs] = if over_rows { sides } else { [sides[1], sides[0]] };
        // Otherwise a vector is only one of several in the tensor.
        if summands != terms || weights.len() != terms * outputs {
            return Err("a product with several vectors".into());
        }
        // The vector's order is [channels, height, width]; [out, y, x, channels] is wanted.
        let weights = self.permuted(&weights, |at| {
            let (channel, cell, output) = (at % channels, at / channels % (height * width), at / terms);
            let term = channel * height * width + cell;
            if over_rows { term * outputs + output } else { output * terms + term }
        })?;
        let window = Window { kernel: [height, width], ..Window::POINT };
        let shape = Shape { height: 1, width: 1, channels: outputs };
        super::maps_of(&[1, outputs])?;
        Ok(self.step(node, shape, Work::Dense { input: value, window, weights }).output)
    }
}
