//! Choices by a comparison with a number: the derivatives of what is piecewise linear.

use super::{Lowering, Outcome};
use crate::engine::fused::program::{Bounds, Term, Value, Work};
use crate::engine::fused::uniform;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::logic::{And, CompGT, CompLT};

impl Lowering<'_> {
    /// Keeps in mind what a node's truth values mean. No step makes them.
    pub(super) fn condition(&mut self, node: &TypedNode) -> Outcome<()> {
        let (Some(TypedBinOp(op, _)), [a, b]) = (node.op_as::<TypedBinOp>(), node.inputs.as_slice()) else {
            return Err(format!("truth values of operator {}", node.op.name()));
        };
        let condition = if op.is::<And>() {
            let known = |outlet| self.conditions.get(outlet).copied().ok_or("truth values that are not known");
            let ((one, first), (other, second)) = (known(a)?, known(b)?);
            if one != other {
                return Err("a condition on two tensors".into());
            }
            let stricter = |one: Option<f32>, other: Option<f32>, of: fn(f32, f32) -> f32| match (one, other) {
                (Some(one), Some(other)) => Some(of(one, other)),
                (one, other) => one.or(other),
            };
            let above = stricter(first.above, second.above, f32::max);
            (one, Bounds { above, below: stricter(first.below, second.below, f32::min) })
        } else if op.is::<CompGT>() || op.is::<CompLT>() {
            let left = self.constants.get(*a).is_some();
            let (wire, constant) = if left { (*b, *a) } else { (*a, *b) };
            let bound = self.number(constant)?;
            let (value, _) = self.maps(wire)?;
            if node.outputs[0].fact.shape != self.model.outlet_fact(wire).map_err(|error| error.to_string())?.shape {
                return Err("a comparison that gives its maps another shape".into());
            }
            let above = op.is::<CompGT>() != left;
            let none = Bounds::default();
            (value, if above { Bounds { above: Some(bound), ..none } } else { Bounds { below: Some(bound), ..none } })
        } else {
            return Err(format!("operator {}", op.name()));
        };
        self.conditions.insert(OutletId::new(node.id, 0), condition);
        Ok(())
    }

    pub(super) fn choice(&mut self, node: &TypedNode) -> Outcome<Value> {
        let [condition, yes, no] = node.inputs.as_slice() else { return Err("a choice between other than two".into()) };
        let known = self.conditions.get(condition).copied();
        let (input, within) = known.ok_or("a choice by truth values that are not known")?;
        let shape = self.program.values[input];
        if self.made(node)? != shape {
            return Err("a choice that gives its condition another shape".into());
        }
        let mut term = |outlet: OutletId| -> Outcome<Term> {
            if self.constants.get(outlet).is_some() {
                return Ok(Term::Number(self.number(outlet)?));
            }
            match self.maps(outlet)? {
                (value, maps) if maps == shape => Ok(Term::Maps(value)),
                _ => Err("a choice between maps of different shapes".into()),
            }
        };
        let (yes, no) = (term(*yes)?, term(*no)?);
        Ok(self.step(node, shape, Work::Where { input, within, yes, no }).output)
    }

    /// A constant that is one finite number.
    fn number(&self, constant: OutletId) -> Outcome<f32> {
        let number = uniform(&self.constants.numbers(constant)?).ok_or("a constant of several numbers")?;
        number.is_finite().then_some(number).ok_or_else(|| format!("the constant {number}"))
    }
}
