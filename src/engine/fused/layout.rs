//! Where the values of a program lie.

use super::chain::held;
use super::memory::{Buffer, Maps};
use super::merge::reads;
use super::program::{Program, Value, Work};
use super::share::Share;
use crate::kernels::Isa;

pub(super) struct Layout<'p> {
    pub program: &'p Program,
    /// The maps of each value as a whole.
    pub whole: Vec<Maps>,
    pub buffers: Vec<Buffer>,
    /// The buffers of each value: one, or one for each thread.
    of: Vec<Vec<usize>>,
    /// The last stage that reads a value.
    needed: Vec<usize>,
}

impl<'p> Layout<'p> {
    pub fn new(program: &'p Program, isa: Isa, stages: usize) -> Layout<'p> {
        let mut margins = vec![0; program.values.len()];
        let mut exact = vec![false; program.values.len()];
        program.inputs.iter().for_each(|input| exact[*input] = true);
        for step in &program.steps {
            if let Work::Dense { input, window, .. } | Work::Depthwise { input, window, .. } = &step.work {
                let (from, to) = (program.values[*input].width, program.values[step.output].width);
                let reach = (to - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] + 1;
                let after = reach.saturating_sub(window.before[1] + from);
                margins[*input] = margins[*input].max(window.before[1]).max(after);
            }
            // Only products read no more channels than there are.
            let dense = if let Work::Dense { input, .. } = step.work { Some(input) } else { None };
            reads(step).into_iter().filter(|value| Some(*value) != dense).for_each(|value| exact[value] = false);
            step.residual.into_iter().for_each(|value| exact[value] = false);
        }
        let maps = |value: usize| {
            let shape = program.values[value];
            let step = if exact[value] { shape.channels } else { shape.channels.next_multiple_of(isa.lanes()) };
            Maps { shape, step, margin: margins[value], rows: shape.height, at: 0 }
        };
        let mut layout = Layout {
            program,
            whole: (0..margins.len()).map(maps).collect(),
            buffers: Vec::new(),
            of: vec![Vec::new(); margins.len()],
            needed: vec![0; margins.len()],
        };
        program.outputs.iter().for_each(|value| layout.needed[*value] = stages + 1);
        for value in &program.inputs {
            layout.keep(*value, layout.whole[*value], 0);
        }
        layout
    }

    fn keep(&mut self, value: Value, maps: Maps, stage: usize) {
        self.of[value].push(self.buffers.len());
        self.buffers.push(Buffer { maps, from: stage, to: self.needed[value].max(stage) });
    }

    /// Buffers for what a group makes.
    pub fn hold(&mut self, stage: usize, group: &[usize], shares: &[Share]) {
        for (at, step) in group.iter().map(|at| &self.program.steps[*at]).enumerate() {
            for value in reads(step) {
                for buffer in &self.of[value] {
                    self.buffers[*buffer].to = self.buffers[*buffer].to.max(stage);
                }
            }
            if at + 1 == group.len() {
                self.keep(step.output, self.whole[step.output], stage);
            }
        }
        for share in shares {
            for (at, rows) in group.iter().zip(held(self.program, group, &share.bands)) {
                let value = self.program.steps[*at].output;
                self.keep(value, Maps { rows, ..self.whole[value] }, stage);
            }
        }
    }

    pub fn maps(&self, value: Value, thread: usize) -> Maps {
        let buffers = &self.of[value];
        self.buffers[buffers[if buffers.len() > 1 { thread } else { 0 }]].maps
    }

    /// Floats of the row that stands for those outside the picture.
    pub fn zeros(&self) -> usize {
        self.whole.iter().map(|maps| maps.margin * maps.step + maps.pitch()).max().unwrap_or(0)
    }
}
