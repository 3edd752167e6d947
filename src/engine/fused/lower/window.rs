//! Convolutions and pooling.

use super::{Lowering, Outcome};
use crate::engine::fused::program::{Shape, Value, Window, Work};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::array::{Pad, PadMode};
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, MaxPool, PaddingSpec, PoolSpec, SumPool};
use tract_onnx::tract_core::ops::nn::{DataFormat, Reduce, Reducer};

impl Lowering<'_> {
    pub(super) fn convolution(&mut self, node: &TypedNode, op: &Conv) -> Outcome<Value> {
        if op.q_params.is_some() || op.kernel_fmt != KernelFormat::OIHW || node.inputs.len() != 3 {
            return Err("a quantised convolution".into());
        }
        let (input, from) = self.maps(node.inputs[0])?;
        let to = self.made(node)?;
        let window = window(&op.pool_spec, from, to)?;
        self.convolved(node, (input, from), to, window, op.group, false)
    }

    /// The derivative of a convolution is one, too, with the kernel mirrored; of a stride, over cells that are as far apart.
    pub(super) fn transposed(&mut self, node: &TypedNode, op: &Deconv) -> Outcome<Value> {
        if op.kernel_format != KernelFormat::OIHW || node.inputs.len() != 3 {
            return Err("a transposed convolution of another form".into());
        }
        let (mut input, from) = self.maps(node.inputs[0])?;
        let to = self.made(node)?;
        let (window, stride) = mirrored(op, from, to)?;
        let apart = |extent: usize, stride: usize| (extent - 1) * stride + 1;
        let spread = Shape { height: apart(from.height, stride[0]), width: apart(from.width, stride[1]), ..from };
        if spread != from {
            input = self.step(node, spread, Work::Spread { input, stride }).output;
        }
        self.convolved(node, (input, from), to, window, op.group, true)
    }

    /// `mirrored` where the weights stand from the last tap to the first.
    fn convolved(
        &mut self,
        node: &TypedNode,
        (input, from): (Value, Shape),
        to: Shape,
        window: Window,
        group: usize,
        mirrored: bool,
    ) -> Outcome<Value> {
        let weights = self.constants.numbers(node.inputs[1])?;
        let bias = self.constants.numbers(node.inputs[2])?;
        let [height, width] = window.kernel;
        let taken = |tap: usize| if mirrored { height * width - 1 - tap } else { tap };
        let (inputs, outputs) = (from.channels, to.channels);
        let expected = [outputs, inputs / group.max(1), height, width];
        if self.constants.get(node.inputs[1]).is_none_or(|tensor| *tensor.shape() != expected) {
            return Err(format!("weights of another shape than {expected:?}"));
        }
        let work = if group == 1 {
            // [out, in, ky, kx] → [out, ky, kx, in]
            let weights = self.permuted(&weights, |at| {
                let (channel, tap) = (at % inputs, at / inputs % (height * width));
                (at / (inputs * height * width) * inputs + channel) * height * width + taken(tap)
            })?;
            Work::Dense { input, window, weights }
        } else if group == inputs && group == outputs {
            // [channels, 1, ky, kx] → [ky, kx, channels]
            let weights = self.permuted(&weights, |at| at % inputs * height * width + taken(at / inputs))?;
            Work::Depthwise { input, window, weights }
        } else {
            return Err(format!("grouped convolution of {group} groups"));
        };
        let bias = match bias.len() {
            1 => vec![bias[0]; outputs],
            length if length == outputs => bias,
            length => return Err(format!("{length} biases for {outputs} channels")),
        };
        self.spend(outputs)?;
        let step = self.step(node, to, work);
        step.bias = bias.iter().any(|bias| *bias != 0.0).then_some(bias);
        Ok(step.output)
    }

    /// A border of zeros, as a convolution that copies. One that reads it can look past the picture itself (see `merge`).
    pub(super) fn pad(&mut self, node: &TypedNode, op: &Pad) -> Outcome<Value> {
        let (input, from) = self.maps(node.inputs[0])?;
        let to = self.made(node)?;
        let zeros = matches!(&op.mode, PadMode::Constant(value) if value.cast_to_scalar::<f32>().is_ok_and(|value| value == 0.0));
        let [(0, 0), (0, 0), (above, _), (left, _)] = *op.pads else {
            return Err("a border of channels".into());
        };
        if !zeros {
            return Err("a border of other than zeros".into());
        }
        self.spend(from.channels)?;
        let window = Window { before: [above, left], ..Window::POINT };
        let work = Work::Depthwise { input, window, weights: vec![1.0; from.channels] };
        Ok(self.step(node, to, work).output)
    }

    pub(super) fn max_pool(&mut self, node: &TypedNode, op: &MaxPool) -> Outcome<Value> {
        let (input, from) = self.maps(node.inputs[0])?;
        let to = self.made(node)?;
        let window = window(&op.pool_spec, from, to)?;
        sees_the_picture(&window, from, to)?;
        Ok(self.step(node, to, Work::MaxPool { input, window }).output)
    }

    pub(super) fn average_pool(&mut self, node: &TypedNode, op: &SumPool) -> Outcome<Value> {
        let (input, from) = self.maps(node.inputs[0])?;
        let to = self.made(node)?;
        let window = window(&op.pool_spec, from, to)?;
        if !op.normalize {
            return Err("a sum of windows".into());
        }
        if op.count_include_pad {
            within_the_padding(&op.pool_spec.padding, &window, from, to)?;
        } else {
            sees_the_picture(&window, from, to)?;
        }
        let work = Work::AveragePool { input, window, count_outside: op.count_include_pad };
        Ok(self.step(node, to, work).output)
    }

    /// Over all cells.
    pub(super) fn reduce(&mut self, node: &TypedNode, op: &Reduce) -> Outcome<Value> {
        let (input, from) = self.maps(node.inputs[0])?;
        let to = self.made(node)?;
        if *op.axes != [2, 3] {
            return Err(format!("{:?} over the axes {:?}", op.reducer, op.axes));
        }
        match op.reducer {
            // The sum is the mean of so many cells. A division by their number that follows reads the mean itself.
            Reducer::Sum => {
                self.spend(to.channels)?;
                let factors = Some(vec![from.cells() as f32; to.channels]);
                let mean = self.step(node, to, Work::Mean { input }).output;
                Ok(self.step(node, to, Work::Scale { input: mean, factors }).output)
            }
            Reducer::Max => {
                let window = Window { kernel: [from.height, from.width], ..Window::POINT };
                Ok(self.step(node, to, Work::MaxPool { input, window }).output)
            }
            _ => Err(format!("{:?} over all cells", op.reducer)),
        }
    }
}

/// Kernel, stride and dilation of a window over maps that lie as ours do.
fn sides(spec: &PoolSpec, from: Shape) -> Outcome<[[usize; 2]; 3]> {
    let [height, width] = *spec.kernel_shape else {
        return Err(format!("a window over {} axes", spec.kernel_shape.len()));
    };
    let pairs = [spec.strides(), spec.dilations()].map(|pair| <[usize; 2]>::try_from(pair.as_ref()).ok());
    let [Some(stride), Some(dilation)] = pairs else {
        return Err("a window whose strides are not one for each axis".into());
    };
    let sides = [[height, width], stride, dilation];
    if spec.data_format != DataFormat::NCHW || spec.input_channels != from.channels || sides.concat().contains(&0) {
        return Err("a window over maps in another order".into());
    }
    Ok(sides)
}

/// Where a convolution or pooling looks.
fn window(spec: &PoolSpec, from: Shape, to: Shape) -> Outcome<Window> {
    let [kernel, stride, dilation] = sides(spec, from)?;
    let padding = spec.computed_padding(&[from.height, from.width]);
    if padding.iter().map(|axis| axis.convoluted).ne([to.height, to.width]) {
        return Err("a window that does not give its result's shape".into());
    }
    let before = [padding[0].pad_before, padding[1].pad_before];
    within_reach(Window { kernel, stride, dilation, before }, to)
}

/// Where the derivative of a convolution looks, and how far apart the cells are that it looks at.
fn mirrored(op: &Deconv, from: Shape, to: Shape) -> Outcome<(Window, [usize; 2])> {
    let spec = &op.pool_spec;
    let [kernel, stride, dilation] = sides(spec, from)?;
    let extent = [from.height, from.width];
    let padding = spec.padding.compute_for_deconv(&extent, &kernel, &dilation, &stride, &op.adjustments);
    let padding = padding.map_err(|error| error.to_string())?;
    if padding.iter().map(|axis| axis.deconvoluted).ne([to.height, to.width]) {
        return Err("a window that does not give its result's shape".into());
    }
    let mut before = [0; 2];
    for axis in 0..2 {
        let reach = (kernel[axis] - 1).checked_mul(dilation[axis]);
        let reach = reach.and_then(|reach| reach.checked_sub(padding[axis].pad_before));
        before[axis] = reach.ok_or("more padding than the window covers")?;
        // What lies behind the last window is nothing to spread.
        let spread = (extent[axis] - 1).checked_mul(stride[axis]);
        let read = [to.height, to.width][axis] + (kernel[axis] - 1) * dilation[axis];
        if spread.is_none_or(|spread| spread >= read) {
            return Err("more padding than the window covers".into());
        }
    }
    Ok((within_reach(Window { kernel, stride: [1, 1], dilation, before }, to)?, stride))
}

/// Places that a window covers can be counted.
fn within_reach(window: Window, to: Shape) -> Outcome<Window> {
    let extents = (0..2).map(|axis| {
        let reach = (window.kernel[axis] - 1).checked_mul(window.dilation[axis]);
        let start = ([to.height, to.width][axis]).checked_mul(window.stride[axis]);
        reach?.checked_add(start?)?.checked_add(window.before[axis])
    });
    match extents.into_iter().all(|extent| extent.is_some_and(|extent| extent < 1 << 31)) {
        true => Ok(window),
        false => Err("a window that reaches too far".into()),
    }
}

/// Each window covers a cell of the picture: of nothing there is no maximum and no mean.
fn sees_the_picture(window: &Window, from: Shape, to: Shape) -> Outcome<()> {
    for (axis, (extent, outputs)) in [(from.height, to.height), (from.width, to.width)].into_iter().enumerate() {
        let seen = |output: usize| {
            (0..window.kernel[axis]).any(|tap| {
                let cell = output * window.stride[axis] + tap * window.dilation[axis];
                (window.before[axis]..window.before[axis] + extent).contains(&cell)
            })
        };
        if !(0..outputs).all(seen) {
            return Err("a window that lies outside the picture".into());
        }
    }
    Ok(())
}

/// Each window stays within the padding. What ceil mode lets reach beyond it would not be counted.
fn within_the_padding(padding: &PaddingSpec, window: &Window, from: Shape, to: Shape) -> Outcome<()> {
    let PaddingSpec::ExplicitOnnxPool(before, after, _) = padding else { return Ok(()) };
    for (axis, (extent, outputs)) in [(from.height, to.height), (from.width, to.width)].into_iter().enumerate() {
        let end = (outputs - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis];
        if end >= extent + before[axis] + after[axis] {
            return Err("a window that reaches beyond the padding that it counts".into());
        }
    }
    Ok(())
}
