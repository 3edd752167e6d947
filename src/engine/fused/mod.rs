//! The fused engine: parts of tract's model that run as one operator each, channels last.
//!
//! ```text
//! model ──► constants ──► lower ──► region ──► merge ──► op
//!           what is       a node    which      which     a program in
//!           known         as steps  nodes go   steps     the place of
//!           at load                 together   are one   its nodes
//! ```

mod absorb;
mod cache;
mod call;
mod chain;
mod constants;
#[cfg(test)]
mod counting;
mod crew;
mod layout;
mod load;
mod lower;
mod memory;
mod merge;
#[cfg(test)]
mod naive;
mod op;
mod price;
mod program;
mod region;
mod run;
mod schedule;
#[cfg(test)]
mod schedules;
mod share;
#[cfg(test)]
mod tests;

use crate::kernels::Isa;
use constants::Constants;
pub(super) use crew::Crew;
pub(super) use op::FusedRegion;
use run::Runner;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::InletId;

/// What became of a graph's nodes; those that make constants are not counted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Fusion {
    pub regions: usize,
    /// The names of the nodes in regions.
    pub fused: Vec<String>,
    /// The nodes that tract runs itself.
    pub others: Vec<Unfused>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Unfused {
    pub node: String,
    pub operator: String,
    pub reason: String,
}

/// Replaces the regions of a model that was not decluttered yet: later, 1×1 convolutions are products over other axes.
pub(super) fn fuse(mut model: TypedModel, isa: Isa, crew: &Arc<Crew>) -> TractResult<(TypedModel, Fusion)> {
    model.compact()?;
    let constants = Constants::of(&model)?;
    let (regions, others) = region::find(&model, &constants)?;
    drop(constants);
    let name = |id: &usize| model.node(*id).name.clone();
    let fused = |id: &usize| regions.iter().any(|region| region.nodes.contains(id));
    let fusion = Fusion {
        regions: regions.len(),
        fused: (0..model.nodes.len()).filter(fused).map(|id| name(&id)).collect(),
        others: others
            .iter()
            .map(|(id, reason)| {
                let operator = model.node(*id).op.name().into_owned();
                Unfused { node: name(id), operator, reason: reason.clone() }
            })
            .collect(),
    };
    let mut moved: HashMap<OutletId, OutletId> = HashMap::new();
    for region in regions {
        let outputs: TVec<TypedFact> =
            region.outputs.iter().map(|outlet| Ok(model.outlet_fact(*outlet)?.clone())).collect::<TractResult<_>>()?;
        let op = FusedRegion { runner: Runner::new(region.program, isa, crew), outputs: outputs.clone() };
        let name = model.unique_name("fused").into_owned();
        let node = model.add_node(name, op, outputs)?;
        for (slot, input) in region.inputs.iter().enumerate() {
            model.add_edge(moved.get(input).copied().unwrap_or(*input), InletId::new(node, slot))?;
        }
        for (slot, old) in region.outputs.iter().enumerate() {
            let new = OutletId::new(node, slot);
            for reader in model.outlet_successors(*old).to_vec() {
                if !region.nodes.contains(&reader.node) && reader.node != node {
                    model.add_edge(new, reader)?;
                }
            }
            model.outputs.iter_mut().filter(|output| **output == *old).for_each(|output| *output = new);
            moved.insert(*old, new);
        }
    }
    model.compact()?;
    Ok((model, fusion))
}

/// The one number that all are.
fn uniform(numbers: &[f32]) -> Option<f32> {
    numbers.first().copied().filter(|first| numbers.iter().all(|number| number == first))
}
