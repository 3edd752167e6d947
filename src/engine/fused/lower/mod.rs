//! tract's nodes → steps, one for one; what several can be done in one go is found later, in `merge`.
//!
//! The model is taken as tract's reader leaves it: convolutions are still operators of their own, over `[1, C, H, W]`.
//! Every tensor is a *value* whose elements in the order `[channels, height, width]` are the tensor's in its own. So
//! whatever gives a tensor another shape and keeps its elements (flatten, squeeze) is nothing to do. Only tensors that a
//! transposition makes of maps, or maps of, are channels last, and nothing else in a program reads them.

mod axes;
mod choice;
mod linear;
mod pointwise;
mod window;

use super::constants::Constants;
use super::program::{Activation, Bounds, Program, Shape, Step, Value, Work};
use std::collections::{HashMap, HashSet};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::array::{Pad, Slice, StridedSlice, TypedConcat};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::change_axes::AxisOp;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, MaxPool, SumPool};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::identity::Identity;
use tract_onnx::tract_core::ops::logic::Iff;
use tract_onnx::tract_core::ops::nn::Reduce;

/// Why a node is left to tract.
pub(super) type Outcome<T> = Result<T, String>;

/// More is no feature map of a classifier; it bounds what a small hostile file can ask for.
const MAX_CHANNELS: usize = 1 << 16;
/// The same for weights that many nodes share: the numbers in all steps, beyond twice those in the model.
const SPARE_NUMBERS: usize = 1 << 23;
/// Channels are filled up to whole vectors, of which this many are the longest, and all maps of a program together may grow
/// by so many numbers: a hostile file can ask for maps of one channel and millions of cells.
const LANES: usize = 16;
const MAX_FILLING: usize = 1 << 24;
/// Rows of all maps of a program together: each may become a call of a kernel.
const MAX_ROWS: usize = 1 << 18;

pub(super) struct Lowering<'m> {
    model: &'m TypedModel,
    constants: &'m Constants,
    /// Nothing is going to be run: weights are left empty.
    dry: bool,
    pub program: Program,
    /// What each of the program's inputs is in the model.
    pub sources: Vec<OutletId>,
    values: HashMap<OutletId, Value>,
    /// Tensors `[1, H, W, C]`: those that nodes make of maps, and those of which inputs are made.
    channels_last: HashSet<OutletId>,
    channels_last_inputs: HashMap<OutletId, Value>,
    /// Truth values: where maps lie within bounds.
    conditions: HashMap<OutletId, (Value, Bounds)>,
    /// Tensors that are a single row or column so many times, along that axis.
    repeats: HashMap<OutletId, (OutletId, usize, usize)>,
    /// How many more numbers steps may hold.
    budget: usize,
    /// Numbers with which maps are filled up.
    filling: usize,
    rows: usize,
}

impl<'m> Lowering<'m> {
    pub fn new(model: &'m TypedModel, constants: &'m Constants, dry: bool) -> Lowering<'m> {
        let budget = constants.size().saturating_mul(2).saturating_add(SPARE_NUMBERS);
        Lowering {
            model,
            constants,
            dry,
            program: Program::default(),
            sources: Vec::new(),
            values: HashMap::new(),
            channels_last: HashSet::new(),
            channels_last_inputs: HashMap::new(),
            conditions: HashMap::new(),
            repeats: HashMap::new(),
            budget,
            filling: 0,
            rows: 0,
        }
    }

    /// Adds the steps of a node whose inputs were added before, or are inputs of the program.
    pub fn add(&mut self, node: &TypedNode) -> Outcome<()> {
        let [output] = node.outputs.as_slice() else {
            return Err(format!("operator {} with {} outputs", node.op.name(), node.outputs.len()));
        };
        if output.fact.datum_type == bool::datum_type() {
            return self.condition(node);
        }
        let shape = concrete(&output.fact)?;
        let value = if let Some(op) = node.op_as::<Conv>() {
            self.convolution(node, op)?
        } else if let Some(op) = node.op_as::<Deconv>() {
            self.transposed(node, op)?
        } else if let Some(op) = node.op_as::<EinSum>() {
            self.product(node, op)?
        } else if let Some(op) = node.op_as::<TypedBinOp>() {
            self.binary(node, op)?
        } else if let Some(op) = node.op_as::<ElementWiseOp>() {
            self.element_wise(node, op)?
        } else if let Some(op) = node.op_as::<MaxPool>() {
            self.max_pool(node, op)?
        } else if let Some(op) = node.op_as::<Pad>() {
            self.pad(node, op)?
        } else if let Some(op) = node.op_as::<SumPool>() {
            self.average_pool(node, op)?
        } else if let Some(op) = node.op_as::<Reduce>() {
            self.reduce(node, op)?
        } else if let Some(op) = node.op_as::<TypedConcat>() {
            self.concat(node, op)?
        } else if let Some(op) = node.op_as::<Slice>() {
            self.slice(node, op)?
        } else if let Some(op) = node.op_as::<StridedSlice>() {
            self.strided_slice(node, op)?
        } else if let Some(op) = node.op_as::<AxisOp>() {
            self.axes(node, op)?
        } else if node.op_is::<Iff>() {
            self.choice(node)?
        } else if node.op_is::<Identity>() || node.op_is::<Cast>() {
            // From float32 to float32, as both sides are checked.
            self.value(node.inputs[0])?
        } else {
            return Err(format!("operator {}", node.op.name()));
        };
        let made = self.program.values[value];
        if made.cells() * made.channels != shape.iter().product::<usize>() {
            return Err(format!("its result of shape {shape:?} is none of maps {made:?}"));
        }
        if self.filling > MAX_FILLING {
            return Err("large maps of few channels".into());
        }
        if self.rows > MAX_ROWS {
            return Err("maps of too many rows in all".into());
        }
        self.values.insert(OutletId::new(node.id, 0), value);
        Ok(())
    }

    /// What holds the elements of a tensor, whatever its shape.
    fn value(&mut self, outlet: OutletId) -> Outcome<Value> {
        if self.channels_last.contains(&outlet) {
            return Err("it reads maps that are channels last".into());
        }
        if let Some(value) = self.values.get(&outlet) {
            return Ok(*value);
        }
        if self.constants.get(outlet).is_some() {
            return Err("it reads a constant as maps".into());
        }
        let shape = maps_of(&concrete(self.model.outlet_fact(outlet).map_err(|error| error.to_string())?)?)?;
        let value = self.new_value(shape);
        self.program.inputs.push(value);
        self.sources.push(outlet);
        self.values.insert(outlet, value);
        Ok(value)
    }

    /// A tensor that has the shape of feature maps, as a value of that shape.
    fn maps(&mut self, outlet: OutletId) -> Outcome<(Value, Shape)> {
        let shape = concrete(self.model.outlet_fact(outlet).map_err(|error| error.to_string())?)?;
        let value = self.value(outlet)?;
        let maps = maps_of(&shape)?;
        match self.program.values[value] == maps {
            true => Ok((value, maps)),
            false => Err(format!("it reads maps as a tensor of shape {shape:?}")),
        }
    }

    /// The shape of the maps that a node makes.
    fn made(&self, node: &TypedNode) -> Outcome<Shape> {
        maps_of(&concrete(&node.outputs[0].fact)?)
    }

    fn new_value(&mut self, shape: Shape) -> Value {
        let filling = shape.channels.next_multiple_of(LANES) - shape.channels;
        self.filling = self.filling.saturating_add(filling.saturating_mul(shape.cells()));
        self.rows = self.rows.saturating_add(shape.height);
        self.program.values.push(shape);
        self.program.values.len() - 1
    }

    /// Adds a step that does nothing after its work, for the caller to complete.
    fn step(&mut self, node: &TypedNode, shape: Shape, work: Work) -> &mut Step {
        let output = self.new_value(shape);
        self.program.steps.push(Step {
            name: node.name.clone(),
            work,
            bias: None,
            activation: Activation::None,
            residual: None,
            last: Activation::None,
            output,
        });
        self.program.steps.last_mut().expect("it was just added")
    }

    /// Asks for memory for the numbers of a step.
    fn spend(&mut self, numbers: usize) -> Outcome<()> {
        self.budget = self.budget.checked_sub(numbers).ok_or("its weights are used by too many nodes")?;
        Ok(())
    }

    /// `weights`, in the order that `from` tells for each place.
    fn permuted(&mut self, weights: &[f32], from: impl Fn(usize) -> usize) -> Outcome<Vec<f32>> {
        self.spend(weights.len())?;
        Ok(if self.dry { Vec::new() } else { (0..weights.len()).map(|at| weights[from(at)]).collect() })
    }

    /// The value of a tensor that an added node made, or that is an input.
    pub fn known(&self, outlet: OutletId) -> Option<Value> {
        self.values.get(&outlet).copied()
    }

    /// Whether a tensor that an added node made is `[1, H, W, C]`.
    pub fn is_channels_last(&self, outlet: OutletId) -> bool {
        self.channels_last.contains(&outlet)
    }

    /// A value of its own with the elements of another, so that it can be told apart as an output.
    pub fn copy(&mut self, node: &TypedNode, value: Value) -> Value {
        let shape = self.program.values[value];
        self.step(node, shape, Work::Scale { input: value, factors: None }).output
    }
}

/// The sides of a tensor of float32.
fn concrete(fact: &TypedFact) -> Outcome<TVec<usize>> {
    if fact.datum_type != f32::datum_type() {
        return Err(format!("elements of type {:?}", fact.datum_type));
    }
    let shape = fact.shape.as_concrete().ok_or("a shape that is not known at load")?;
    match shape.iter().try_fold(1usize, |size, side| size.checked_mul(*side)) {
        Some(size) if size > 0 => Ok(shape.into()),
        _ => Err(format!("a tensor of shape {shape:?}")),
    }
}

/// The feature maps of a tensor `[1, C, H, W]`, `[1, C, 1]` or `[1, C]`.
fn maps_of(shape: &[usize]) -> Outcome<Shape> {
    let maps = match *shape {
        [1, channels, height, width] => Shape { height, width, channels },
        [1, channels] | [1, channels, 1] => Shape { height: 1, width: 1, channels },
        [batch, _, _, _] => return Err(format!("a batch of {batch}")),
        _ => return Err(format!("a tensor of shape {shape:?}")),
    };
    match maps.channels <= MAX_CHANNELS {
        true => Ok(maps),
        false => Err(format!("{} channels", maps.channels)),
    }
}
