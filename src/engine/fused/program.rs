//! What a fused region computes, free of how: steps over channels-last feature maps.

pub use crate::kernels::elements::Bounds;
pub use crate::kernels::finish::Activation;
use std::collections::BTreeSet;

/// The extent of feature maps `[height, width, channels]`. A vector of scores is 1×1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Shape {
    pub fn cells(self) -> usize {
        self.height * self.width
    }
}

/// The index of feature maps in [`Program::values`].
pub type Value = usize;

/// Steps in an order in which they can run. Each value is made by one step or is an input.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub values: Vec<Shape>,
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
    /// Those inputs and outputs that are handed over as `[height, width, channels]`; the others are channels first.
    pub channels_last: BTreeSet<Value>,
    pub steps: Vec<Step>,
}

/// `output` = last(activation(work + bias) + residual).
#[derive(Debug, Clone)]
pub struct Step {
    /// The node that gave the step its name.
    pub name: String,
    pub work: Work,
    /// One for each channel of the output.
    pub bias: Option<Vec<f32>>,
    pub activation: Activation,
    /// Of the output's shape.
    pub residual: Option<Value>,
    pub last: Activation,
    pub output: Value,
}

impl Program {
    /// How many weights a step has, which it need not hold any more.
    pub fn weights(&self, step: &Step) -> usize {
        let channels = |value: Value| self.values[value].channels;
        match step.work {
            Work::Dense { input, window, .. } => window.cells() * channels(input) * channels(step.output),
            Work::Depthwise { window, .. } => window.cells() * channels(step.output),
            _ => 0,
        }
    }

    pub fn multiply_adds(&self, step: &Step) -> u64 {
        self.values[step.output].cells() as u64 * self.weights(step) as u64
    }
}

#[derive(Debug, Clone)]
pub enum Work {
    /// A convolution over all channels; `weights` `[out, ky, kx, in]`.
    Dense { input: Value, window: Window, weights: Vec<f32> },
    /// A convolution of each channel by itself; `weights` `[ky, kx, channels]`.
    Depthwise { input: Value, window: Window, weights: Vec<f32> },
    /// The largest of each window; cells outside the picture do not count.
    MaxPool { input: Value, window: Window },
    /// The mean of each window; cells outside the picture count as zeros, or not at all.
    AveragePool { input: Value, window: Window, count_outside: bool },
    /// The mean of all cells: 1×1.
    Mean { input: Value },
    /// Each channel times its factor, if there are factors.
    Scale { input: Value, factors: Option<Vec<f32>> },
    /// The product of two values; `gate` has the input's shape or is 1×1 with as many channels.
    Gate { input: Value, gate: Value },
    /// `yes` where the input lies within the bounds, else `no`.
    Where { input: Value, within: Bounds, yes: Term, no: Term },
    /// A single row or column of cells, or cell, as often as the output is high or wide.
    Repeat { input: Value },
    /// Cells so many rows and columns apart, zeros between them.
    Spread { input: Value, stride: [usize; 2] },
    /// Channel `i` of the output is channel `.1` of value `.0` (concatenation, slice, shuffle).
    Pick { channels: Vec<(Value, u32)> },
}

impl Work {
    pub fn name(&self) -> &'static str {
        match self {
            Work::Dense { .. } => "Dense",
            Work::Depthwise { .. } => "Depthwise",
            Work::MaxPool { .. } => "MaxPool",
            Work::AveragePool { .. } => "AveragePool",
            Work::Mean { .. } => "Mean",
            Work::Scale { .. } => "Scale",
            Work::Gate { .. } => "Gate",
            Work::Where { .. } => "Where",
            Work::Repeat { .. } => "Repeat",
            Work::Spread { .. } => "Spread",
            Work::Pick { .. } => "Pick",
        }
    }
}

/// What is chosen between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    /// Of the shape of what is compared.
    Maps(Value),
    Number(f32),
}

impl Term {
    pub fn value(self) -> Option<Value> {
        match self {
            Term::Maps(value) => Some(value),
            Term::Number(_) => None,
        }
    }
}

/// Where a convolution or pooling looks, `[vertical, horizontal]` in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Cells above and left of the picture that the first window covers.
    pub before: [usize; 2],
}

impl Window {
    /// One cell, every cell.
    pub const POINT: Window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], before: [0, 0] };

    /// That one place covers.
    pub fn cells(self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}
