//! What rules write with to move elements: blocks, borders, orders of axes, and choices along an axis.

use super::emit::Emitter;
use crate::onnx::MAX_ELEMENTS;
use crate::onnx::graph::{Attribute, Tensor};

type Outcome<T> = Result<T, String>;

fn integers(values: impl IntoIterator<Item = usize>) -> Vec<i64> {
    values.into_iter().map(|value| value as i64).collect()
}

impl Emitter<'_> {
    /// The axes in another order: axis i of the result is axis `order[i]` of the wire.
    pub fn permute(&mut self, wire: &str, order: &[usize]) -> Outcome<String> {
        let from = self.shape(wire)?;
        if order.iter().copied().eq(0..from.len()) {
            return Ok(wire.to_owned());
        }
        let shape: Vec<usize> = order.iter().map(|axis| from[*axis]).collect();
        let perm = Attribute::Ints(integers(order.iter().copied()));
        Ok(self.node("Transpose", &[wire], &[("perm", perm)], &shape))
    }

    /// The block of shape `shape` that begins at `start`.
    pub fn crop(&mut self, wire: &str, start: &[usize], shape: &[usize]) -> Outcome<String> {
        let from = self.shape(wire)?;
        let axes: Vec<usize> = (0..from.len()).filter(|axis| from[*axis] != shape[*axis]).collect();
        if axes.is_empty() {
            return Ok(wire.to_owned());
        }
        let starts = integers(axes.iter().map(|axis| start[*axis]));
        let ends = integers(axes.iter().map(|axis| start[*axis] + shape[*axis]));
        let axes = integers(axes);
        // The bounds of Slice became inputs in opset 10.
        if self.opset() >= 10 {
            let starts = self.constant("starts", Tensor::i64(&starts));
            let ends = self.constant("ends", Tensor::i64(&ends));
            let axes = self.constant("axes", Tensor::i64(&axes));
            return Ok(self.node("Slice", &[wire, &starts, &ends, &axes], &[], shape));
        }
        let attributes =
            [("starts", Attribute::Ints(starts)), ("ends", Attribute::Ints(ends)), ("axes", Attribute::Ints(axes))];
        Ok(self.node("Slice", &[wire], &attributes, shape))
    }

    /// Zeros of shape `shape`, in which the wire lies from `start` on.
    pub fn border(&mut self, wire: &str, start: &[usize], shape: &[usize]) -> Outcome<String> {
        let from = self.shape(wire)?;
        if from == shape {
            return Ok(wire.to_owned());
        }
        let behind = (0..from.len()).map(|axis| shape[axis] - start[axis] - from[axis]);
        let pads = integers(start.iter().copied().chain(behind));
        // The widths of Pad became an input in opset 11.
        if self.opset() >= 11 {
            let pads = self.constant("pads", Tensor::i64(&pads));
            return Ok(self.node("Pad", &[wire, &pads], &[], shape));
        }
        Ok(self.node("Pad", &[wire], &[("pads", Attribute::Ints(pads))], shape))
    }

    /// The gradient of a choice y[j] = x[picks[j]] along `axis`, where x has `length` places: each place gets the sum of
    /// the wire's elements that were picked from it, 0 where there is none.
    pub fn unpick(&mut self, wire: &str, axis: usize, picks: &[usize], length: usize) -> Outcome<String> {
        let from = self.shape(wire)?;
        let mut shape = from.clone();
        shape[axis] = length;
        if let Some(first) = picks.first()
            && picks.iter().copied().eq(*first..first + picks.len())
        {
            let mut start = vec![0; from.len()];
            start[axis] = *first;
            return self.border(wire, &start, &shape);
        }
        let mut picked_by = vec![Vec::new(); length];
        for (at, pick) in picks.iter().enumerate() {
            picked_by[*pick].push(at);
        }
        // Every place gathers as many elements as the one that was picked most, with zeros from behind the last.
        let most = picked_by.iter().map(Vec::len).max().unwrap_or(0);
        let elements = shape.iter().try_fold(most, |count, side| count.checked_mul(*side));
        if most == 0 || elements.is_none_or(|count| count > MAX_ELEMENTS) {
            return Err(format!("it takes {} elements out of {length}, one of them {most} times", picks.len()));
        }
        let mut zeroed = wire.to_owned();
        if picked_by.iter().any(|by| by.len() < most) {
            let mut longer = from.clone();
            longer[axis] += 1;
            zeroed = self.border(wire, &vec![0; from.len()], &longer)?;
        }
        let zero = picks.len();
        let table = picked_by.iter().flat_map(|by| (0..most).map(|at| by.get(at).copied().unwrap_or(zero)));
        let sides = if most == 1 { vec![length] } else { vec![length, most] };
        let table = self.constant("places", Tensor { shape: sides, ..Tensor::i64(&integers(table)) });
        let mut gathered = shape.clone();
        if most > 1 {
            gathered.insert(axis + 1, most);
        }
        let gathered = self.node("Gather", &[&zeroed, &table], &[("axis", Attribute::Int(axis as i64))], &gathered);
        if most == 1 {
            return Ok(gathered);
        }
        let sum = self.reduce("ReduceSum", &gathered, &[axis + 1])?;
        self.reshape(&sum, &shape)
    }
}
