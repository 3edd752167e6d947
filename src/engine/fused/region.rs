//! Which nodes become one operator: the largest connected sets of known ones that nothing leaves and enters again.

use super::constants::Constants;
use super::lower::Lowering;
use super::merge::{merge, prune};
use super::program::Program;
use std::collections::{BTreeMap, HashSet};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::source::TypedSource;

/// A part of a model and what it computes.
pub(super) struct Region {
    pub program: Program,
    /// What the program's inputs and outputs are in the model.
    pub inputs: Vec<OutletId>,
    pub outputs: Vec<OutletId>,
    pub nodes: HashSet<usize>,
}

/// Why a set of known nodes is left to tract.
const ALONE: &str = "no convolution beside it";

/// How often the regions are drawn anew without nodes that turn out not to fit. What still does not fit is left out as a
/// whole.
const ROUNDS: usize = 8;

/// The regions of a model in which every node is needed, and why each of the other nodes is in none.
pub(super) fn find(model: &TypedModel, constants: &Constants) -> TractResult<(Vec<Region>, BTreeMap<usize, String>)> {
    let order: Vec<usize> = model.eval_order()?.into_iter().filter(|id| computes(model, constants, *id)).collect();
    let mut others: BTreeMap<usize, String> = BTreeMap::new();
    loop {
        let mut all = Lowering::new(model, constants, true);
        for id in &order {
            if !others.contains_key(id)
                && let Err(reason) = all.add(model.node(*id))
            {
                others.insert(*id, reason);
            }
        }
        // With all of its weights.
        drop(all);
        // Regions hold no truth values: what reads them has to be in the region, too.
        let truth = order.iter().filter(|id| is_truth(model, **id) && !others.contains_key(id));
        let read_outside: Vec<usize> = truth
            .copied()
            .filter(|id| {
                let readers = model.outlet_successors(OutletId::new(*id, 0));
                readers.iter().any(|reader| others.contains_key(&reader.node))
            })
            .collect();
        if read_outside.is_empty() {
            break;
        }
        others.extend(read_outside.into_iter().map(|id| (id, "truth values that others read".to_owned())));
    }
    for round in 0.. {
        let known: Vec<usize> = order.iter().copied().filter(|id| !others.contains_key(id)).collect();
        let mut regions = Vec::new();
        let mut fits = true;
        for nodes in grouped(model, &known) {
            if !nodes.iter().any(|id| model.node(*id).op_is::<Conv>() || model.node(*id).op_is::<EinSum>()) {
                others.extend(nodes.iter().map(|id| (*id, ALONE.to_owned())));
                continue;
            }
            match lowered(model, constants, &nodes) {
                Ok(region) => regions.push(region),
                Err((id, reason)) if round < ROUNDS => {
                    others.insert(id, reason);
                    fits = false;
                }
                Err((_, reason)) => others.extend(nodes.iter().map(|id| (*id, reason.clone()))),
            }
        }
        if fits {
            return Ok((regions, others));
        }
        // Without the node that does not fit, another region may be what its neighbours belong to.
        others.retain(|_, reason| reason != ALONE);
    }
    unreachable!("the last round returns")
}

/// Whether a node has anything to do when the model runs.
fn computes(model: &TypedModel, constants: &Constants, id: usize) -> bool {
    let node = model.node(id);
    !node.op_is::<TypedSource>() && !constants.made_by(node)
}

fn is_truth(model: &TypedModel, id: usize) -> bool {
    model.outlet_fact(OutletId::new(id, 0)).is_ok_and(|fact| fact.datum_type == bool::datum_type())
}

/// The program of a set of nodes in running order; or the node that does not fit, and why.
fn lowered(model: &TypedModel, constants: &Constants, nodes: &[usize]) -> Result<Region, (usize, String)> {
    let mut lowering = Lowering::new(model, constants, false);
    for id in nodes {
        lowering.add(model.node(*id)).map_err(|reason| (*id, reason))?;
    }
    let within: HashSet<usize> = nodes.iter().copied().collect();
    let mut outputs = Vec::new();
    for id in nodes {
        let outlet = OutletId::new(*id, 0);
        let readers = model.outlet_successors(outlet);
        if !model.outputs.contains(&outlet) && readers.iter().all(|reader| within.contains(&reader.node)) {
            continue;
        }
        let mut value = lowering.known(outlet).ok_or((*id, "a result that nothing makes".to_owned()))?;
        if lowering.program.inputs.contains(&value) || lowering.program.outputs.contains(&value) {
            value = lowering.copy(model.node(*id), value);
        }
        if lowering.is_channels_last(outlet) {
            lowering.program.channels_last.insert(value);
        }
        lowering.program.outputs.push(value);
        outputs.push(outlet);
    }
    let (mut program, sources) = (lowering.program, lowering.sources);
    let mut inputs: Vec<OutletId> = prune(&mut program).into_iter().map(|at| sources[at]).collect();
    program = merge(program);
    inputs = prune(&mut program).into_iter().map(|at| inputs[at]).collect();
    Ok(Region { program, inputs, outputs, nodes: within })
}

/// Sets of neighbours among `known`, which is in running order. Each can run at one go: no path leads from one of its
/// nodes to another through a node or set outside.
fn grouped(model: &TypedModel, known: &[usize]) -> Vec<Vec<usize>> {
    let mut groups = Groups {
        model,
        of: (0..model.nodes.len()).collect(),
        members: (0..model.nodes.len()).map(|id| vec![id]).collect(),
    };
    let mut fusible = vec![false; model.nodes.len()];
    known.iter().for_each(|id| fusible[*id] = true);
    for id in known {
        for input in model.node(*id).inputs.iter().filter(|input| fusible[input.node]) {
            groups.join(input.node, *id);
        }
    }
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for id in known {
        found.entry(groups.of[*id]).or_default().push(*id);
    }
    found.into_values().collect()
}

struct Groups<'m> {
    model: &'m TypedModel,
    /// The group of each node.
    of: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl Groups<'_> {
    /// Makes the groups of a node and of one that reads it one group, unless another path leads from one to the other.
    fn join(&mut self, from: usize, to: usize) {
        let (from, to) = (self.of[from], self.of[to]);
        if from == to || self.detour(from, to) {
            return;
        }
        let (small, large) = if self.members[from].len() < self.members[to].len() { (from, to) } else { (to, from) };
        for id in std::mem::take(&mut self.members[small]) {
            self.of[id] = large;
            self.members[large].push(id);
        }
    }

    fn detour(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.members.len()];
        seen[from] = true;
        let mut reached = vec![from];
        while let Some(group) = reached.pop() {
            let outputs = self.members[group].iter().flat_map(|id| &self.model.nodes[*id].outputs);
            for reader in outputs.flat_map(|output| &output.successors) {
                let next = self.of[reader.node];
                if next == to && group != from {
                    return true;
                }
                if next != to && !seen[next] {
                    seen[next] = true;
                    reached.push(next);
                }
            }
        }
        false
    }
}
