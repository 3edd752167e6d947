//! Steps with their weights in the order in which the kernels read them.

use super::program::{Bounds, Shape, Step, Term, Value, Window, Work};
use crate::kernels::arena::Aligned;
use crate::kernels::elements::Pooling;
use crate::kernels::finish::{Activation, Finish};
use crate::kernels::{Isa, depthwise, product};
use std::mem::take;

/// A step, ready to run.
pub(super) struct Loaded {
    pub kernel: Kernel,
    pub finish: Finish,
    pub name: String,
    /// [`Work::name`].
    pub work: &'static str,
    pub multiply_adds: u64,
}

pub(super) enum Kernel {
    Product {
        weights: product::Packed,
        stride: usize,
    },
    Depthwise {
        weights: depthwise::Packed,
        stride: usize,
        dilation: usize,
    },
    Pool {
        window: Window,
        pooling: Pooling,
        columns: usize,
        bias: Aligned,
    },
    Mean {
        columns: usize,
        bias: Aligned,
    },
    Scale {
        factors: Option<Aligned>,
        bias: Aligned,
    },
    Gate {
        bias: Aligned,
    },
    Where {
        within: Bounds,
        yes: Option<f32>,
        no: Option<f32>,
        bias: Aligned,
    },
    /// `finished` where more is to be done than to copy.
    Pick {
        runs: Vec<Run>,
        bias: Aligned,
        finished: bool,
    },
    /// `pixels` of a row of the input, so many columns apart.
    Spread {
        pixels: usize,
        apart: usize,
        channels: usize,
        bias: Aligned,
        finished: bool,
    },
}

/// Channels that are neighbours before and after.
pub(super) struct Run {
    pub value: Value,
    pub from: usize,
    pub to: usize,
    pub channels: usize,
}

impl Loaded {
    /// Takes the step's weights.
    pub fn new(values: &[Shape], step: &mut Step, multiply_adds: u64, isa: Isa) -> Loaded {
        let Shape { channels, .. } = values[step.output];
        let (name, work) = (step.name.clone(), step.work.name());
        let width = channels.next_multiple_of(isa.lanes());
        let padded = |numbers: Option<&[f32]>| {
            Aligned::new((0..width).map(|at| numbers.and_then(|numbers| numbers.get(at)).copied().unwrap_or(0.0)))
        };
        let bias = step.bias.as_deref();
        let pool = |input: &Value, window: &Window, pooling| {
            let columns = values[*input].width;
            Kernel::Pool { window: *window, pooling, columns, bias: padded(bias) }
        };
        let plain = [step.activation, step.last] == [Activation::None; 2];
        let finished = !plain || bias.is_some() || step.residual.is_some();
        let kernel = match &mut step.work {
            Work::Dense { window, weights, .. } => Kernel::Product {
                weights: product::Packed::new(isa, &take(weights), bias, channels),
                stride: window.stride[1],
            },
            Work::Depthwise { window, weights, .. } => Kernel::Depthwise {
                weights: depthwise::Packed::new(isa, &take(weights), bias, window.kernel, channels),
                stride: window.stride[1],
                dilation: window.dilation[1],
            },
            Work::MaxPool { input, window } => pool(input, window, Pooling::Max),
            Work::AveragePool { input, window, count_outside } => {
                let count = count_outside.then_some(window.kernel[0] * window.kernel[1]);
                pool(input, window, Pooling::Average(count))
            }
            Work::Mean { input } => Kernel::Mean { columns: values[*input].width, bias: padded(bias) },
            Work::Scale { factors, .. } => Kernel::Scale {
                factors: factors.as_ref().map(|factors| padded(Some(factors.as_slice()))),
                bias: padded(bias),
            },
            Work::Gate { .. } => Kernel::Gate { bias: padded(bias) },
            Work::Where { within, yes, no, .. } => {
                let number = |term: &Term| if let Term::Number(number) = term { Some(*number) } else { None };
                Kernel::Where { within: *within, yes: number(yes), no: number(no), bias: padded(bias) }
            }
            Work::Repeat { .. } => Kernel::Scale { factors: None, bias: padded(bias) },
            Work::Spread { input, stride } => Kernel::Spread {
                pixels: values[*input].width,
                apart: stride[1],
                channels,
                bias: padded(bias),
                finished,
            },
            Work::Pick { channels } => Kernel::Pick { runs: runs(channels), bias: padded(bias), finished },
        };
        Loaded { kernel, finish: Finish { activation: step.activation, last: step.last }, name, work, multiply_adds }
    }

    /// In how many parts, each some channels of the result, the step can be divided.
    pub fn parts(&self) -> usize {
        match &self.kernel {
            Kernel::Product { weights, .. } => weights.panels(),
            Kernel::Depthwise { weights, .. } => weights.vectors(),
            _ => 1,
        }
    }
}

fn runs(channels: &[(Value, u32)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (to, (value, from)) in channels.iter().enumerate() {
        let from = *from as usize;
        match runs.last_mut() {
            Some(run) if run.value == *value && run.from + run.channels == from => run.channels += 1,
            _ => runs.push(Run { value: *value, from, to, channels: 1 }),
        }
    }
    runs
}
