//! One graph, compiled by tract, with fused regions where they are wanted.

use super::Backend;
use super::fused::{self, Fusion};
use super::left_constant;
use super::threads::Threads;
use crate::error::{Error, Result, guarded};
use crate::onnx::{Graph, to_proto};
use tract_linalg::multithread::{Executor, multithread_tract_scope};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::SimpleState;

/// A compiled graph with its working state.
pub(super) struct Plan {
    pub(super) state: SimpleState<TypedFact, Box<dyn TypedOp>>,
    /// For what tract runs itself.
    executor: Executor,
    pub(super) file: String,
    /// Which of its nodes are fused; nothing where none should be.
    pub fusion: Option<Fusion>,
}

impl Plan {
    /// Compiles `graph`, whose inputs have fixed shapes, for some threads.
    pub fn new(graph: &Graph, backend: Backend, threads: &Threads) -> Result<Plan> {
        let compile = || -> TractResult<_> {
            // The file's form of the weights is gone before the next one is made.
            let parsed = tract_onnx::onnx().model_for_proto_model(&to_proto(graph))?;
            let mut model = parsed.into_typed()?;
            left_constant::rewrite(&mut model)?;
            let (model, fusion) = match backend {
                Backend::Fused => {
                    fused::fuse(model, threads.isa, threads.crew()).map(|(model, fusion)| (model, Some(fusion)))?
                }
                Backend::Tract => (model, None),
            };
            Ok((model.into_optimized()?.into_runnable()?.spawn()?, fusion))
        };
        let (state, fusion) = guarded(compile)
            .map_err(|reason| Error::model(&graph.file, format!("the inference engine cannot run it: {reason}")))?;
        let left = fusion.as_ref().is_none_or(|fusion| !fusion.others.is_empty());
        let executor = if left { threads.pool() } else { Executor::SingleThread };
        Ok(Plan { state, executor, file: graph.file.clone(), fusion })
    }

    /// Runs the graph on inputs in the order of its ports.
    pub fn run(&mut self, inputs: TVec<TValue>) -> Result<TVec<TValue>> {
        let state = &mut self.state;
        guarded(|| multithread_tract_scope(self.executor.clone(), || state.run(inputs)))
            .map_err(|reason| Error::model(&self.file, format!("the inference engine failed: {reason}")))
    }
}
