//! Steps that can be done in one go become one: what is done to each element goes into the step that makes it, and what
//! computes x · sigmoid(x) in two becomes one function.

use super::absorb::absorb;
use super::program::{Activation, Bounds, Program, Shape, Step, Term, Value, Window, Work};
use std::collections::BTreeSet;

/// Brings a program to fewer steps with the same outputs, up to the rounding of sums in another order.
pub(super) fn merge(mut program: Program) -> Program {
    let mut readers = vec![0; program.values.len()];
    for value in program.outputs.iter().copied().chain(program.steps.iter().flat_map(reads)) {
        readers[value] += 1;
    }
    let mut merging = Merging {
        shapes: &program.values,
        outputs: &program.outputs,
        steps: Vec::with_capacity(program.steps.len()),
        makers: vec![None; readers.len()],
        alias: (0..readers.len()).collect(),
        readers,
    };
    for step in std::mem::take(&mut program.steps) {
        merging.add(step);
    }
    program.steps = merging.steps.into_iter().flatten().collect();
    program
}

/// Drops the steps, values and inputs that no output needs. Returns which inputs are left.
pub(super) fn prune(program: &mut Program) -> Vec<usize> {
    let mut needed = vec![false; program.values.len()];
    program.outputs.iter().for_each(|value| needed[*value] = true);
    // Backwards, because a step comes after those whose values it reads.
    for at in (0..program.steps.len()).rev() {
        if needed[program.steps[at].output] {
            reads(&program.steps[at]).into_iter().for_each(|value| needed[value] = true);
        }
    }
    program.steps.retain(|step| needed[step.output]);
    let mut renamed = vec![0; needed.len()];
    let shapes = std::mem::take(&mut program.values);
    for value in (0..needed.len()).filter(|value| needed[*value]) {
        renamed[value] = program.values.len();
        program.values.push(shapes[value]);
    }
    let kept: Vec<usize> = (0..program.inputs.len()).filter(|at| needed[program.inputs[*at]]).collect();
    program.inputs = kept.iter().map(|at| renamed[program.inputs[*at]]).collect();
    program.outputs.iter_mut().for_each(|value| *value = renamed[*value]);
    program.channels_last = program.channels_last.iter().filter(|at| needed[**at]).map(|at| renamed[*at]).collect();
    for step in &mut program.steps {
        rename(step, &renamed);
        step.output = renamed[step.output];
    }
    kept
}

struct Merging<'p> {
    shapes: &'p [Shape],
    outputs: &'p [Value],
    /// What became part of a later one is gone.
    steps: Vec<Option<Step>>,
    /// The step that makes a value.
    makers: Vec<Option<usize>>,
    /// How many read a value: steps, and those who want the outputs.
    readers: Vec<usize>,
    /// What a value is the same as.
    alias: Vec<Value>,
}

impl Merging<'_> {
    fn add(&mut self, mut step: Step) {
        rename(&mut step, &self.alias);
        self.look_through(&mut step);
        self.reach_past_a_border(&mut step);
        self.choose_once(&mut step);
        loop {
            self.as_one_function(&mut step);
            if !self.joined(&mut step) {
                break;
            }
        }
        if let Work::Scale { input, factors: None } = step.work
            && does_nothing_else(&step)
            && !self.outputs.contains(&step.output)
        {
            self.alias[step.output] = input;
            self.readers[input] += self.readers[step.output];
            self.release(input);
            return;
        }
        as_hard_sigmoid(&mut step);
        self.makers[step.output] = Some(self.steps.len());
        self.steps.push(Some(step));
    }

    fn maker(&self, value: Value) -> Option<&Step> {
        self.steps[self.makers[value]?].as_ref()
    }

    /// One reader less. What nobody reads is not made.
    fn release(&mut self, value: Value) {
        self.readers[value] -= 1;
        if self.readers[value] == 0
            && let Some(step) = self.makers[value].and_then(|at| self.steps[at].take())
        {
            reads(&step).into_iter().for_each(|value| self.release(value));
        }
    }

    /// A choice among channels that were chosen themselves is a choice among the first ones.
    fn look_through(&mut self, step: &mut Step) {
        let before = reads(step);
        let Work::Pick { channels } = &mut step.work else { return };
        for picked in channels.iter_mut() {
            if let Some(Step { work: Work::Pick { channels: earlier }, .. }) =
                self.maker(picked.0).filter(|step| does_nothing_else(step))
            {
                *picked = earlier[picked.1 as usize];
            }
        }
        let first = channels[0].0;
        if channels.iter().enumerate().all(|(at, picked)| *picked == (first, at as u32))
            && self.shapes[first].channels == channels.len()
        {
            step.work = Work::Scale { input: first, factors: None };
        }
        reads(step).into_iter().for_each(|value| self.readers[value] += 1);
        before.into_iter().for_each(|value| self.release(value));
    }

    /// What takes cells outside the picture for zeros needs no border of zeros.
    fn reach_past_a_border(&mut self, step: &mut Step) {
        let (Work::Dense { input, window, .. }
        | Work::Depthwise { input, window, .. }
        | Work::AveragePool { input, window, count_outside: true }) = &mut step.work
        else {
            return;
        };
        let Some(border) = self.maker(*input).filter(|maker| does_nothing_else(maker)) else { return };
        let Work::Depthwise { input: inner, window: copied, weights } = &border.work else { return };
        if (Window { before: [0, 0], ..*copied }) != Window::POINT || weights.iter().any(|weight| *weight != 1.0) {
            return;
        }
        let (bordered, inner) = (*input, *inner);
        window.before = [window.before[0] + copied.before[0], window.before[1] + copied.before[1]];
        *input = inner;
        self.readers[inner] += 1;
        self.release(bordered);
    }

    /// A choice by one bound of what was chosen by the other is one choice by both.
    fn choose_once(&mut self, step: &mut Step) {
        let Work::Where { input, within, yes: Term::Maps(chosen), no } = step.work else { return };
        let Some(earlier) = self.maker(chosen).filter(|maker| does_nothing_else(maker)) else { return };
        let Work::Where { input: same, within: first, yes, no: otherwise } = earlier.work else { return };
        let both = |one: Option<f32>, other: Option<f32>| one.is_some() && other.is_some();
        if input != same || no != otherwise || both(within.above, first.above) || both(within.below, first.below) {
            return;
        }
        let within = Bounds { above: within.above.or(first.above), below: within.below.or(first.below) };
        step.work = Work::Where { input, within, yes, no };
        reads(step).into_iter().for_each(|value| self.readers[value] += 1);
        [Some(input), Some(chosen), no.value()].into_iter().flatten().for_each(|value| self.release(value));
        step.residual.into_iter().for_each(|value| self.release(value));
    }

    /// x · sigmoid(x) and x · clip(slope·x + offset, 0, 1).
    fn as_one_function(&mut self, step: &mut Step) {
        let Work::Gate { input, gate } = step.work else { return };
        if step.bias.is_some() || step.activation != Activation::None || self.shapes[input] != self.shapes[gate] {
            return;
        }
        let found = [(input, gate), (gate, input)].into_iter().find_map(|(x, gate)| {
            let gate_step = self.maker(gate)?;
            Some((x, gate, function(x, gate_step)?))
        });
        if let Some((x, gate, activation)) = found {
            step.work = Work::Scale { input: x, factors: None };
            step.activation = activation;
            self.release(gate);
        }
    }

    /// Makes of a step that works on each element, and of the one that makes what it reads, one.
    fn joined(&mut self, step: &mut Step) -> bool {
        let Work::Scale { input, .. } = step.work else { return false };
        let plain_sum = matches!(step.work, Work::Scale { factors: None, .. })
            && step.bias.is_none()
            && step.activation == Activation::None;
        let mut sides = vec![input];
        sides.extend(step.residual.filter(|_| plain_sum));
        // A sum may go into either of those who make its terms: the later one, whose maps are still at hand.
        sides.sort_by_key(|value| std::cmp::Reverse(self.makers[*value]));
        for value in sides {
            let Some(at) = self.makers[value].filter(|_| self.readers[value] == 1) else { continue };
            let Some(mut maker) = self.steps[at].take() else { continue };
            if value != input {
                step.work = Work::Scale { input: value, factors: None };
                step.residual = Some(input);
            }
            self.scale_a_factor(&maker, step);
            if absorb(&mut maker, step) {
                self.readers[value] = 0;
                maker.output = step.output;
                *step = maker;
                return true;
            }
            if value != input {
                step.work = Work::Scale { input, factors: None };
                step.residual = Some(value);
            }
            self.steps[at] = Some(maker);
        }
        false
    }

    /// c · (a · b) is a · (c · b), where b is made by something that can be scaled.
    fn scale_a_factor(&mut self, product: &Step, step: &mut Step) {
        let Work::Gate { input, gate } = product.work else { return };
        let Work::Scale { factors: Some(_), .. } = step.work else { return };
        // Bias and all that follows come after the product.
        if product.bias.is_some() || product.activation != Activation::None || product.residual.is_some() {
            return;
        }
        for value in [gate, input] {
            let Some(at) = self.makers[value].filter(|_| self.readers[value] == 1) else { continue };
            let Work::Scale { input, factors } = &mut step.work else { return };
            let scaling = Step {
                name: String::new(),
                work: Work::Scale { input: value, factors: factors.clone() },
                bias: None,
                activation: Activation::None,
                residual: None,
                last: Activation::None,
                output: value,
            };
            let Some(maker) = &mut self.steps[at] else { continue };
            if absorb(maker, &scaling) {
                as_hard_sigmoid(maker);
                step.work = Work::Scale { input: *input, factors: None };
                return;
            }
        }
    }
}

/// What `x` times the result of a step is as a function of `x` alone.
fn function(x: Value, step: &Step) -> Option<Activation> {
    let Work::Scale { input, factors } = &step.work else { return None };
    if *input != x || step.residual.is_some() {
        return None;
    }
    match (step.activation, factors, &step.bias) {
        (Activation::Sigmoid, None, None) => Some(Activation::Silu),
        (Activation::HardSigmoid { slope, offset }, None, None) => Some(Activation::HardSwish { slope, offset }),
        _ => None,
    }
}

/// clip(slope · x + offset, 0, 1) where slope and offset are the same for all channels.
fn as_hard_sigmoid(step: &mut Step) {
    let Work::Scale { input, factors } = &step.work else { return };
    let one = |numbers: &Option<Vec<f32>>, none: f32| numbers.as_ref().map_or(Some(none), |all| super::uniform(all));
    if let (Activation::Clip { low: 0.0, high: 1.0 }, Some(slope), Some(offset)) =
        (step.activation, one(factors, 1.0), one(&step.bias, 0.0))
    {
        step.work = Work::Scale { input: *input, factors: None };
        step.bias = None;
        step.activation = Activation::HardSigmoid { slope, offset };
    }
}

fn does_nothing_else(step: &Step) -> bool {
    step.bias.is_none() && step.activation == Activation::None && step.residual.is_none()
}

/// The values that a step reads. The same one is counted twice where it is read as two.
pub(super) fn reads(step: &Step) -> Vec<Value> {
    let mut values = match &step.work {
        Work::Dense { input, .. }
        | Work::Depthwise { input, .. }
        | Work::MaxPool { input, .. }
        | Work::AveragePool { input, .. }
        | Work::Mean { input }
        | Work::Repeat { input }
        | Work::Spread { input, .. }
        | Work::Scale { input, .. } => vec![*input],
        Work::Gate { input, gate } => vec![*input, *gate],
        Work::Where { input, yes, no, .. } => {
            std::iter::once(*input).chain([yes, no].into_iter().filter_map(|term| term.value())).collect()
        }
        Work::Pick { channels } => {
            channels.iter().map(|picked| picked.0).collect::<BTreeSet<_>>().into_iter().collect()
        }
    };
    values.extend(step.residual);
    values
}

/// Gives the values that a step reads their new names.
fn rename(step: &mut Step, names: &[Value]) {
    match &mut step.work {
        Work::Dense { input, .. }
        | Work::Depthwise { input, .. }
        | Work::MaxPool { input, .. }
        | Work::AveragePool { input, .. }
        | Work::Mean { input }
        | Work::Repeat { input }
        | Work::Spread { input, .. }
        | Work::Scale { input, .. } => *input = names[*input],
        Work::Gate { input, gate } => (*input, *gate) = (names[*input], names[*gate]),
        Work::Where { input, yes, no, .. } => {
            *input = names[*input];
            for term in [yes, no] {
                if let Term::Maps(value) = term {
                    *value = names[*value];
                }
            }
        }
        Work::Pick { channels } => channels.iter_mut().for_each(|picked| picked.0 = names[picked.0]),
    }
    step.residual = step.residual.map(|value| names[value]);
}
