//! What each operator of the network takes.

use super::Engine;
use super::fused::FusedRegion;
use super::plan::Plan;
use crate::error::{Error, Result, guarded};
use crate::preprocess::Input;
use crate::target::Target;
use anyhow::Context;
use std::time::{Duration, Instant};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::{Cost, OpState};
use tract_onnx::tract_core::plan::{EvalContext, eval as eval_node};

/// One operator of tract, or one step of a fused region, in one run.
#[derive(Debug, Clone)]
pub struct Timed {
    /// The part of the model: backbone, tail or head.
    pub part: &'static str,
    /// The node; of a fused region, the one that gave the step its name.
    pub node: String,
    pub operator: String,
    /// 0 for what multiplies nothing, and where tract does not say.
    pub multiply_adds: u64,
    pub took: Duration,
}

impl Engine {
    /// A forward pass with each operator timed, in running order, and the gradient head's, where it runs for every picture.
    /// What runs on several threads otherwise is done by one.
    ///
    /// # Errors
    /// [`Error::Model`] where tract fails.
    pub fn profile(&mut self, input: &Input, target: Target) -> Result<Vec<Timed>> {
        let picture = self.picture(input)?;
        let mut timed = Vec::new();
        let mut wires = self.backbone.profile("backbone", tvec!(picture.clone()), &mut timed)?;
        if self.picture_crosses {
            wires.push(picture);
        }
        wires.extend(self.tail.profile("tail", self.tail_values(&wires), &mut timed)?);
        if self.info.head_depends_on_picture {
            let inputs = self.head_values(&wires, target);
            self.head.profile("head", inputs, &mut timed)?;
        }
        Ok(timed)
    }
}

impl Plan {
    fn profile(&mut self, part: &'static str, inputs: TVec<TValue>, timed: &mut Vec<Timed>) -> Result<TVec<TValue>> {
        let state = &mut self.state;
        let run = || {
            state.run_plan_with_eval(inputs, |context, state, node, inputs| {
                let one = |node, operator, multiply_adds, took| Timed { part, node, operator, multiply_adds, took };
                let (outputs, mut these) = eval(context, state, node, inputs, one)?;
                timed.append(&mut these);
                Ok::<_, TractError>(outputs)
            })
        };
        guarded(run).map_err(|reason| Error::model(&self.file, format!("the inference engine failed: {reason}")))
    }
}

/// Runs a node and times it, or each of its steps.
fn eval(
    context: &EvalContext,
    mut state: Option<&mut (dyn OpState + 'static)>,
    node: &TypedNode,
    inputs: TVec<TValue>,
    timed: impl Fn(String, String, u64, Duration) -> Timed,
) -> TractResult<(TVec<TValue>, Vec<Timed>)> {
    let begin = Instant::now();
    if let Some(region) = node.op_as::<FusedRegion>() {
        let state = state.context("a fused region has a state")?;
        let (outputs, times) = region.profile(state, inputs)?;
        let steps = times.into_iter().map(|time| timed(time.name, time.work.to_owned(), time.multiply_adds, time.took));
        return Ok((outputs, steps.collect()));
    }
    let facts: TVec<TypedFact> =
        inputs.iter().map(|input| TypedFact::dt_shape(input.datum_type(), input.shape())).collect();
    let outputs = eval_node(context, state.take(), node, inputs)?;
    let took = begin.elapsed();
    let costs = node.op.cost(&facts.iter().collect::<TVec<_>>()).unwrap_or_default();
    let products = costs.iter().filter(|(cost, _)| matches!(cost, Cost::FMA(_)));
    let multiply_adds = products.filter_map(|(_, count)| u64::try_from(count.to_i64().ok()?).ok()).sum();
    Ok((outputs, vec![timed(node.name.clone(), node.op.name().into_owned(), multiply_adds, took)]))
}
