//! What only moves elements.

use super::{Lowering, Outcome};
use crate::engine::fused::program::{Value, Work};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::DimLike;
use tract_onnx::tract_core::ops::array::{Slice, StridedSlice, TypedConcat};
use tract_onnx::tract_core::ops::change_axes::AxisOp;

/// The axis of the channels.
const CHANNELS: usize = 1;

impl Lowering<'_> {
    pub(super) fn axes(&mut self, node: &TypedNode, op: &AxisOp) -> Outcome<Value> {
        let input = node.inputs[0];
        let AxisOp::Move(from, to) = *op else { return self.value(input) };
        let sides = super::concrete(self.model.outlet_fact(input).map_err(|error| error.to_string())?)?;
        if let (3, CHANNELS, [1, height, width, channels]) = (from, to, sides.as_slice())
            && let Some(value) = self.turned_back(input, &[1, *channels, *height, *width])?
        {
            return Ok(value);
        }
        let value = self.value(input)?;
        // What has one cell is a vector in either order.
        if (from, to) == (CHANNELS, 3)
            && super::maps_of(&sides).is_ok_and(|maps| maps == self.program.values[value] && maps.cells() > 1)
        {
            self.channels_last.insert(OutletId::new(node.id, 0));
            return Ok(value);
        }
        self.moved(node, value, from, to)
    }

    /// The maps of a tensor that is channels last: one that a node made of maps, or one from outside.
    fn turned_back(&mut self, outlet: OutletId, sides: &[usize]) -> Outcome<Option<Value>> {
        if self.channels_last.contains(&outlet) {
            return Ok(self.known(outlet));
        }
        let outside = self.known(outlet).is_none_or(|value| self.program.inputs.contains(&value));
        let maps = super::maps_of(sides)?;
        if !outside || maps.cells() == 1 || self.constants.get(outlet).is_some() {
            return Ok(None);
        }
        if let Some(value) = self.channels_last_inputs.get(&outlet) {
            return Ok(Some(*value));
        }
        let value = self.new_value(maps);
        self.program.inputs.push(value);
        self.program.channels_last.insert(value);
        self.sources.push(outlet);
        self.channels_last_inputs.insert(outlet, value);
        Ok(Some(value))
    }

    /// An axis is moved among those that make up the channels (channel shuffle).
    fn moved(&mut self, node: &TypedNode, value: Value, from: usize, to: usize) -> Outcome<Value> {
        let fact = self.model.outlet_fact(node.inputs[0]).map_err(|error| error.to_string())?;
        let sides = super::concrete(fact)?;
        let maps = self.program.values[value];
        let parts = (0..=sides.len()).rev().find(|axis| {
            let (channels, cells) = sides.split_at(*axis);
            channels.iter().product::<usize>() == maps.channels && cells.iter().product::<usize>() == maps.cells()
        });
        let parts = parts.filter(|parts| from.max(to) < *parts).ok_or("axes of the picture in another order")?;
        let mut order: Vec<usize> = (0..parts).collect();
        let axis = order.remove(from);
        order.insert(to, axis);
        let stride = |axis: usize| sides[axis + 1..parts].iter().product::<usize>();
        let channel = |at: usize| {
            let mut rest = at;
            let terms = order.iter().rev().map(|axis| {
                let index = rest % sides[*axis];
                rest /= sides[*axis];
                index * stride(*axis)
            });
            terms.sum::<usize>()
        };
        let channels = (0..maps.channels).map(|at| (value, channel(at) as u32)).collect();
        self.picked(node, maps.height, maps.width, channels)
    }

    pub(super) fn concat(&mut self, node: &TypedNode, op: &TypedConcat) -> Outcome<Value> {
        if op.axis != CHANNELS {
            return self.repeated(node, op.axis);
        }
        let to = self.made(node)?;
        let mut channels = Vec::new();
        for input in &node.inputs {
            let (value, from) = self.maps(*input)?;
            if (from.height, from.width) != (to.height, to.width) {
                return Err("Concat of maps of several sizes".into());
            }
            channels.extend((0..from.channels as u32).map(|channel| (value, channel)));
        }
        self.picked(node, to.height, to.width, channels)
    }

    /// Copies of one row or column beside each other.
    fn repeated(&mut self, node: &TypedNode, axis: usize) -> Outcome<Value> {
        let other = || format!("Concat along axis {axis}");
        let once = |outlet: &OutletId| match self.repeats.get(outlet) {
            Some((source, along, count)) if *along == axis => (*source, *count),
            _ => (*outlet, 1),
        };
        let parts: Vec<(OutletId, usize)> = node.inputs.iter().map(once).collect();
        let source = parts.first().ok_or_else(other)?.0;
        let (value, from) = self.maps(source)?;
        let to = self.made(node)?;
        let count = parts.iter().map(|part| part.1).sum();
        let repeated = match axis {
            2 if from.height == 1 => super::Shape { height: count, ..from },
            3 if from.width == 1 => super::Shape { width: count, ..from },
            _ => return Err(other()),
        };
        if parts.iter().any(|part| part.0 != source) || repeated != to {
            return Err(other());
        }
        self.repeats.insert(OutletId::new(node.id, 0), (source, axis, count));
        Ok(self.step(node, to, Work::Repeat { input: value }).output)
    }

    pub(super) fn slice(&mut self, node: &TypedNode, op: &Slice) -> Outcome<Value> {
        let (value, from) = self.maps(node.inputs[0])?;
        match (op.axis, op.start.to_usize(), op.end.to_usize()) {
            (CHANNELS, Ok(start), Ok(end)) if start < end && end <= from.channels => {
                let channels = (start as u32..end as u32).map(|channel| (value, channel)).collect();
                self.picked(node, from.height, from.width, channels)
            }
            _ => Err(format!("Slice along axis {}", op.axis)),
        }
    }

    pub(super) fn strided_slice(&mut self, node: &TypedNode, op: &StridedSlice) -> Outcome<Value> {
        let (value, from) = self.maps(node.inputs[0])?;
        let to = self.made(node)?;
        let constant = |input: usize| {
            let outlet = node.inputs.get(input).ok_or("Slice without bounds")?;
            self.constants.get(*outlet).ok_or("Slice with computed bounds")
        };
        let integers = |input: usize| -> Outcome<Vec<i64>> {
            let cast = constant(input)?.cast_to::<i64>().map_err(|error| error.to_string())?;
            let view = cast.to_plain_array_view::<i64>().map_err(|error| error.to_string())?;
            Ok(view.iter().copied().collect())
        };
        let (begin, end) = (constant(1)?, constant(2)?);
        let axes: Vec<i64> = match op.optional_axes_input {
            Some(input) => integers(input)?,
            None => (0..begin.len() as i64).collect(),
        };
        let strides: Vec<i32> = match op.optional_steps_input {
            Some(input) => integers(input)?.into_iter().map(|step| step as i32).collect(),
            None => vec![1; axes.len()],
        };
        let sides = [1, from.channels, from.height, from.width];
        let mut picks: Vec<u32> = (0..from.channels as u32).collect();
        if begin.len() != axes.len() || end.len() != axes.len() || strides.len() != axes.len() {
            return Err("Slice with bounds that do not belong together".into());
        }
        for (at, axis) in axes.into_iter().enumerate() {
            let axis = usize::try_from(axis.rem_euclid(4)).unwrap_or(usize::MAX);
            let side = *sides.get(axis).ok_or("Slice along an axis that is none")?;
            let part =
                op.prepare_one_dim(at, &side.to_dim(), begin, end, &strides).map_err(|error| error.to_string())?;
            let (first, past) = (part.begin.to_usize(), part.end.to_usize());
            let (Ok(first), Ok(past), Ok(step), false) = (first, past, usize::try_from(part.stride), part.shrink)
            else {
                return Err("Slice backwards".into());
            };
            if axis == CHANNELS && step > 0 && past <= side {
                picks = (first..past).step_by(step).map(|channel| channel as u32).collect();
            } else if (first, past, step) != (0, side, 1) {
                return Err(format!("Slice along axis {axis}"));
            }
        }
        if picks.len() != to.channels || (from.height, from.width) != (to.height, to.width) {
            return Err("Slice that does not give its result's shape".into());
        }
        self.picked(node, to.height, to.width, picks.into_iter().map(|channel| (value, channel)).collect())
    }

    fn picked(&mut self, node: &TypedNode, height: usize, width: usize, channels: Vec<(Value, u32)>) -> Outcome<Value> {
        let shape = super::maps_of(&[1, channels.len(), height, width])?;
        self.spend(channels.len())?;
        Ok(self.step(node, shape, Work::Pick { channels }).output)
    }
}
