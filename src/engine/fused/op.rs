//! A region as an operator of tract.

use super::run::{Runner, StepTime};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// Inputs and outputs are tensors as the replaced nodes had them, channels first.
#[derive(Debug, Clone)]
pub(in crate::engine) struct FusedRegion {
    /// Its clones run; they share the weights.
    pub(super) runner: Runner,
    pub(super) outputs: TVec<TypedFact>,
}

impl FusedRegion {
    /// Runs it, and tells what each of its steps took.
    pub fn profile(
        &self,
        state: &mut (dyn OpState + 'static),
        inputs: TVec<TValue>,
    ) -> TractResult<(TVec<TValue>, Vec<StepTime>)> {
        let state = state.downcast_mut::<State>().context("the state is of another operator")?;
        state.run(self, inputs, |runner, inputs, outputs| runner.profile(inputs, outputs))
    }
}

impl PartialEq for FusedRegion {
    fn eq(&self, other: &FusedRegion) -> bool {
        self.runner.same(&other.runner)
    }
}

impl Eq for FusedRegion {}

impl Op for FusedRegion {
    fn name(&self) -> StaticName {
        "FusedRegion".into()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        Ok(self.runner.names().map(str::to_owned).collect())
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for FusedRegion {
    not_out_of_plan!();

    fn state(&self, _ctx: &EvalContext) -> TractResult<Option<Box<dyn OpState>>> {
        let kept = vec![Vec::new(); self.outputs.len()];
        Ok(Some(Box::new(State { runner: self.runner.clone(), kept })))
    }
}

impl TypedOp for FusedRegion {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(self.outputs.clone())
    }

    as_op!();
}

/// How many results of one output may be in others' hands while their memory is still to be used again.
const KEPT: usize = 4;

#[derive(Debug, Clone)]
struct State {
    runner: Runner,
    /// Earlier results of each output: those that nobody holds any more are written to again.
    kept: Vec<Vec<Arc<Tensor>>>,
}

impl State {
    /// A tensor for the output of a number that is in nobody's hands.
    fn free(&mut self, output: usize, fact: &TypedFact) -> TractResult<Arc<Tensor>> {
        let kept = &mut self.kept[output];
        if let Some(at) = kept.iter_mut().position(|tensor| Arc::get_mut(tensor).is_some()) {
            return Ok(kept.swap_remove(at));
        }
        kept.truncate(KEPT - 1);
        let shape = fact.shape.as_concrete().context("a fused region has results of known shape")?;
        Ok(Arc::new(Tensor::zero::<f32>(shape)?))
    }

    fn run<T>(
        &mut self,
        op: &FusedRegion,
        inputs: TVec<TValue>,
        run: impl FnOnce(&mut Runner, &[&[f32]], &mut [&mut [f32]]) -> T,
    ) -> TractResult<(TVec<TValue>, T)> {
        let mut results: TVec<Arc<Tensor>> = tvec!();
        for (output, fact) in op.outputs.iter().enumerate() {
            results.push(self.free(output, fact)?);
        }
        let read: TVec<PlainView> = inputs.iter().map(|input| input.try_as_plain_ram()).collect::<TractResult<_>>()?;
        let read: TVec<&[f32]> = read.iter().map(|view| view.as_slice::<f32>()).collect::<TractResult<_>>()?;
        let mut written: TVec<&mut [f32]> = tvec!();
        for result in &mut results {
            let tensor = Arc::get_mut(result).context("a result that is free has no other owner")?;
            // SAFETY: it was made as a tensor of f32 by `free`, and is of that type for good.
            written.push(unsafe { tensor.as_slice_mut_unchecked::<f32>() });
        }
        let told = run(&mut self.runner, &read, &mut written);
        drop(written);
        for (kept, result) in self.kept.iter_mut().zip(&results) {
            kept.push(result.clone());
        }
        Ok((results.into_iter().map(|result| result.into_tvalue()).collect(), told))
    }
}

impl OpState for State {
    fn eval(&mut self, _ctx: &EvalContext, op: &dyn Op, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let op = op.downcast_ref::<FusedRegion>().context("the state is of another operator")?;
        self.run(op, inputs, Runner::run).map(|(outputs, ())| outputs)
    }

    fn reset_lanes(&mut self, _lanes: &[LaneId]) -> TractResult<()> {
        // Nothing of one run is seen in the next.
        Ok(())
    }
}
