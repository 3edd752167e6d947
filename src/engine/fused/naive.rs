//! What a program means, in plain loops with sums in f64: what faster runners are compared with.

use super::program::{Activation, Program, Shape, Step, Term, Value, Window, Work};

/// Runs one program.
#[derive(Debug, Clone)]
pub struct Runner {
    program: Program,
    /// Each value, `[height, width, channels]`.
    values: Vec<Vec<f32>>,
}

impl Runner {
    pub fn new(program: &Program) -> Runner {
        let values = program.values.iter().map(|shape| vec![0.0; shape.cells() * shape.channels]).collect();
        Runner { program: program.clone(), values }
    }

    /// Inputs and outputs in the program's order, `[channels, height, width]` but for those that are channels last.
    pub fn run(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) {
        for (value, input) in self.program.inputs.iter().zip(inputs) {
            let place = self.place(*value);
            for (at, number) in self.values[*value].iter_mut().enumerate() {
                *number = input[place(at)];
            }
        }
        for step in &self.program.steps {
            self.values[step.output] = computed(&self.program.values, &self.values, step);
        }
        for (value, output) in self.program.outputs.iter().zip(outputs) {
            let place = self.place(*value);
            for (at, number) in self.values[*value].iter().enumerate() {
                output[place(at)] = *number;
            }
        }
    }

    /// Where the elements of a value are in what is handed over.
    fn place(&self, value: Value) -> impl Fn(usize) -> usize + use<> {
        let shape = self.program.values[value];
        let last = self.program.channels_last.contains(&value);
        move |at| if last { at } else { at % shape.channels * shape.cells() + at / shape.channels }
    }
}

fn computed(shapes: &[Shape], values: &[Vec<f32>], step: &Step) -> Vec<f32> {
    let shape = shapes[step.output];
    let mut output = Vec::new();
    for y in 0..shape.height {
        for x in 0..shape.width {
            for channel in 0..shape.channels {
                let mut sum = worked(shapes, values, &step.work, [y, x, channel]);
                sum += step.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
                sum = activated(step.activation, sum);
                sum += step.residual.map_or(0.0, |residual| f64::from(values[residual][output.len()]));
                output.push(activated(step.last, sum) as f32);
            }
        }
    }
    output
}

fn worked(shapes: &[Shape], values: &[Vec<f32>], work: &Work, [y, x, channel]: [usize; 3]) -> f64 {
    let at = |value: Value, y: usize, x: usize, channel: usize| {
        f64::from(values[value][(y * shapes[value].width + x) * shapes[value].channels + channel])
    };
    match work {
        Work::Dense { input, window, weights } => {
            let channels = shapes[*input].channels;
            let [_, width] = window.kernel;
            let taps = taps(shapes[*input], window, y, x).flat_map(|(ky, kx, y, x)| {
                (0..channels)
                    .map(move |from| (((channel * window.kernel[0] + ky) * width + kx) * channels + from, y, x, from))
            });
            taps.map(|(weight, y, x, from)| f64::from(weights[weight]) * at(*input, y, x, from)).sum()
        }
        Work::Depthwise { input, window, weights } => taps(shapes[*input], window, y, x)
            .map(|(ky, kx, y, x)| {
                let weight = weights[(ky * window.kernel[1] + kx) * shapes[*input].channels + channel];
                f64::from(weight) * at(*input, y, x, channel)
            })
            .sum(),
        Work::MaxPool { input, window } => taps(shapes[*input], window, y, x)
            .map(|(_, _, y, x)| at(*input, y, x, channel))
            .fold(f64::NEG_INFINITY, f64::max),
        Work::AveragePool { input, window, count_outside } => {
            let seen: Vec<f64> =
                taps(shapes[*input], window, y, x).map(|(_, _, y, x)| at(*input, y, x, channel)).collect();
            let count = if *count_outside { window.kernel[0] * window.kernel[1] } else { seen.len() };
            seen.iter().sum::<f64>() / count as f64
        }
        Work::Mean { input } => {
            let Shape { height, width, .. } = shapes[*input];
            let cells = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
            cells.map(|(y, x)| at(*input, y, x, channel)).sum::<f64>() / (height * width) as f64
        }
        Work::Scale { input, factors } => {
            at(*input, y, x, channel) * factors.as_ref().map_or(1.0, |factors| f64::from(factors[channel]))
        }
        Work::Gate { input, gate } => {
            let cell = if shapes[*gate].cells() == 1 { (0, 0) } else { (y, x) };
            at(*input, y, x, channel) * at(*gate, cell.0, cell.1, channel)
        }
        Work::Where { input, within, yes, no } => {
            let compared = at(*input, y, x, channel);
            let inside = within.above.is_none_or(|bound| compared > bound.into())
                && within.below.is_none_or(|bound| compared < bound.into());
            match if inside { yes } else { no } {
                Term::Maps(value) => at(*value, y, x, channel),
                Term::Number(number) => f64::from(*number),
            }
        }
        Work::Repeat { input } => {
            let Shape { height, width, .. } = shapes[*input];
            at(*input, if height == 1 { 0 } else { y }, if width == 1 { 0 } else { x }, channel)
        }
        Work::Spread { input, stride } => {
            let on = y.is_multiple_of(stride[0]) && x.is_multiple_of(stride[1]);
            if on { at(*input, y / stride[0], x / stride[1], channel) } else { 0.0 }
        }
        Work::Pick { channels } => at(channels[channel].0, y, x, channels[channel].1 as usize),
    }
}

/// The cells of the picture that a window covers: where in the kernel, and where in the picture.
fn taps(input: Shape, window: &Window, y: usize, x: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let Window { kernel, stride, dilation, before } = *window;
    let cell = move |axis: usize, output: usize, tap: usize, extent: usize| {
        (output * stride[axis] + tap * dilation[axis]).checked_sub(before[axis]).filter(|cell| *cell < extent)
    };
    (0..kernel[0]).flat_map(move |ky| {
        (0..kernel[1]).filter_map(move |kx| Some((ky, kx, cell(0, y, ky, input.height)?, cell(1, x, kx, input.width)?)))
    })
}

fn activated(activation: Activation, x: f64) -> f64 {
    // The bound above wins, as the definition says.
    let clip = |x: f64, low: f64, high: f64| x.max(low).min(high);
    match activation {
        Activation::None => x,
        Activation::Clip { low, high } => clip(x, low.into(), high.into()),
        Activation::LeakyRelu { slope } => {
            if x < 0.0 {
                f64::from(slope) * x
            } else {
                x
            }
        }
        Activation::HardSigmoid { slope, offset } => clip(f64::from(slope) * x + f64::from(offset), 0.0, 1.0),
        Activation::HardSwish { slope, offset } => x * clip(f64::from(slope) * x + f64::from(offset), 0.0, 1.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}
