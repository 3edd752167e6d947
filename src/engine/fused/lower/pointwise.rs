//! What is done to each element: arithmetic with constants and between maps, and activation functions.

use super::{Lowering, Outcome};
use crate::engine::fused::program::{Activation, Value, Work};
use crate::engine::fused::uniform;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Add, Div, Max, Min, Mul, Sub};
use tract_onnx::tract_core::ops::nn::{HardSwish, LeakyRelu, Reduce, Reducer, Sigmoid};

impl Lowering<'_> {
    pub(super) fn element_wise(&mut self, node: &TypedNode, op: &ElementWiseOp) -> Outcome<Value> {
        let activation = if op.0.is::<Sigmoid>() {
            Activation::Sigmoid
        } else if op.0.is::<HardSwish>() {
            Activation::HardSwish { slope: 1.0 / 6.0, offset: 0.5 }
        } else if let Some(LeakyRelu { alpha }) = op.0.downcast_ref::<LeakyRelu>() {
            Activation::LeakyRelu { slope: *alpha }
        } else {
            return Err(format!("operator {}", op.0.name()));
        };
        self.activated(node, node.inputs[0], activation)
    }

    fn activated(&mut self, node: &TypedNode, outlet: OutletId, activation: Activation) -> Outcome<Value> {
        let (input, shape) = self.maps(outlet)?;
        let step = self.step(node, shape, Work::Scale { input, factors: None });
        step.activation = activation;
        Ok(step.output)
    }

    pub(super) fn binary(&mut self, node: &TypedNode, op: &TypedBinOp) -> Outcome<Value> {
        let [a, b] = node.inputs.as_slice() else { return Err("an operator of other than two tensors".into()) };

        match (self.constants.get(*a).is_some(), self.constants.get(*b).is_some()) {
            (false, false) if op.0.is::<Add>() => self.sum(node, *a, *b),
            (false, false) if op.0.is::<Mul>() => self.gate(node, *a, *b),
            (true, true) => Err("a constant".into()),
            (false, false) => Err(format!("operator {} of two computed tensors", op.0.name())),
            (left, _) => {
                let (wire, constant) = if left { (*b, *a) } else { (*a, *b) };
                if op.0.is::<Div>()
                    && !left
                    && let Some(mean) = self.mean(wire, constant)
                {
                    return Ok(mean);
                }
                if !["Add", "Sub", "Mul", "Div", "Max", "Min"].contains(&op.0.name()) {
                    return Err(format!("operator {}", op.0.name()));
                }
                let numbers = self.per_channel(node, wire, constant)?;
                if op.0.is::<Max>() || op.0.is::<Min>() {
                    let bound = uniform(&numbers).ok_or("a bound for each channel")?;
                    let (low, high) =
                        if op.0.is::<Max>() { (bound, f32::INFINITY) } else { (f32::NEG_INFINITY, bound) };
                    return self.activated(node, wire, Activation::Clip { low, high });
                }
                let (factors, offsets): (Option<Vec<f32>>, Option<Vec<f32>>) = if op.0.is::<Mul>() {
                    (Some(numbers), None)
                } else if op.0.is::<Add>() {
                    (None, Some(numbers))
                } else if op.0.is::<Sub>() && left {
                    (Some(vec![-1.0; numbers.len()]), Some(numbers))
                } else if op.0.is::<Sub>() {
                    (None, Some(numbers.iter().map(|number| -number).collect()))
                } else if op.0.is::<Div>() && !left {
                    (Some(numbers.iter().map(|number| 1.0 / number).collect()), None)
                } else {
                    return Err(format!("{} of a constant by maps", op.0.name()));
                };
                // Also the reciprocal of 0, or one that loses digits.
                let odd = |factor: &f32| !factor.is_normal() && *factor != 0.0;
                if factors.iter().flatten().any(odd) || offsets.iter().flatten().any(|offset| !offset.is_finite()) {
                    return Err("a constant out of range".into());
                }
                let (input, shape) = self.maps(wire)?;
                self.spend(2 * shape.channels)?;
                let step = self.step(node, shape, Work::Scale { input, factors });
                step.bias = offsets;
                Ok(step.output)
            }
        }
    }

    fn sum(&mut self, node: &TypedNode, a: OutletId, b: OutletId) -> Outcome<Value> {
        let ((a, shape), (b, other)) = (self.maps(a)?, self.maps(b)?);
        if shape != other {
            return Err("a sum of maps of different shapes".into());
        }
        let step = self.step(node, shape, Work::Scale { input: a, factors: None });
        step.residual = Some(b);
        Ok(step.output)
    }

    fn gate(&mut self, node: &TypedNode, a: OutletId, b: OutletId) -> Outcome<Value> {
        let ((a, shape), (b, other)) = (self.maps(a)?, self.maps(b)?);
        let opens = |gate: super::Shape, maps: super::Shape| gate.cells() == 1 && gate.channels == maps.channels;
        let (input, gate, shape) = match (shape, other) {
            (shape, other) if shape == other || opens(other, shape) => (a, b, shape),
            (shape, other) if opens(shape, other) => (b, a, other),
            _ => return Err("a product of maps that is no gate for each channel".into()),
        };
        Ok(self.step(node, shape, Work::Gate { input, gate }).output)
    }

    /// The mean of all cells, where `wire` is their sum and `constant` their number.
    fn mean(&mut self, wire: OutletId, constant: OutletId) -> Option<Value> {
        let sum = self.model.node(wire.node).op_as::<Reduce>()?;
        let total = self.values.get(&wire)?;
        let at = self.program.steps.iter().rposition(|step| step.output == *total)?;
        let mean = self.program.steps.get(at.checked_sub(1)?)?;
        let Work::Mean { input } = &mean.work else { return None };
        let cells = self.program.values[*input].cells() as f32;
        let numbers = self.constants.numbers(constant).ok()?;
        (sum.reducer == Reducer::Sum && numbers == [cells]).then_some(mean.output)
    }

    /// A constant beside `wire`, one number for each of its channels.
    fn per_channel(&mut self, node: &TypedNode, wire: OutletId, constant: OutletId) -> Outcome<Vec<f32>> {
        let (value, maps) = self.maps(wire)?;
        if self.made(node)? != maps || self.program.values[value] != maps {
            return Err("a constant that gives its maps another shape".into());
        }
        let numbers = self.constants.numbers(constant)?;
        if numbers.iter().any(|number| number.is_nan()) {
            return Err("a constant that is not a number".into());
        }
        if let Some(number) = uniform(&numbers) {
            return Ok(vec![number; maps.channels]);
        }
        let shape = self.constants.get(constant).map_or(&[][..], |tensor| tensor.shape());
        let rank = node.outputs[0].fact.rank();
        // Constants have the rank of their result; those of [C] would stand for the last axis.
        let by_channel = shape.len() == rank && shape.get(1) == Some(&maps.channels) && numbers.len() == maps.channels;
        by_channel.then_some(numbers).ok_or_else(|| format!("a constant of shape {shape:?}"))
    }
}
