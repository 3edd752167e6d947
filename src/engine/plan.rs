//! One graph, compiled by tract.

use crate::error::{Error, Result, guarded};
use crate::onnx::{Graph, to_proto};
use tract_linalg::multithread::{Executor, multithread_tract_scope};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::SimpleState;

/// A compiled graph with its working state.
pub(super) struct Plan {
    state: SimpleState<TypedFact, Box<dyn TypedOp>>,
    executor: Executor,
    file: String,
}

impl Plan {
    /// Compiles `graph`, whose inputs have fixed shapes.
    pub fn new(graph: &Graph, executor: &Executor) -> Result<Plan> {
        let compile =
            || tract_onnx::onnx().model_for_proto_model(&to_proto(graph))?.into_optimized()?.into_runnable()?.spawn();
        let state = guarded(compile)
            .map_err(|reason| Error::model(&graph.file, format!("the inference engine cannot run it: {reason}")))?;
        Ok(Plan { state, executor: executor.clone(), file: graph.file.clone() })
    }

    /// Runs the graph on inputs in the order of its ports.
    pub fn run(&mut self, inputs: TVec<TValue>) -> Result<TVec<TValue>> {
        let state = &mut self.state;
        guarded(|| multithread_tract_scope(self.executor.clone(), || state.run(inputs)))
            .map_err(|reason| Error::model(&self.file, format!("the inference engine failed: {reason}")))
    }
}
