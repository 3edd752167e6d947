//! Input → Forward (scores, feature maps), and Forward + Target → Evidence (gradients), on the CPU by tract.

mod fused;
mod left_constant;
mod plan;
mod profile;
mod properties;
mod threads;
mod verify;

use crate::error::{Error, Result};
use crate::frame::Geometry;
use crate::kernels::Isa;
use crate::model::{Info, Model};
use crate::onnx::{Graph, Port, TARGET};
use crate::preprocess::Input;
use crate::target::Target;
pub use fused::{Fusion, Unfused};
use ndarray::{Array1, ArrayView1, ArrayView3, Axis, Ix2, Ix4};
use plan::Plan;
pub use profile::Timed;
pub use properties::Properties;
use threads::Threads;
use tract_onnx::prelude::*;

/// What runs the convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Our own operators where they know what to do, and tract's for the rest.
    Fused,
    /// tract alone.
    Tract,
}

impl Default for Backend {
    /// The faster one: fused, but tract on 32-bit ARM. Its kernels have NEON there; ours have one float at a time.
    fn default() -> Backend {
        if cfg!(target_arch = "arm") { Backend::Tract } else { Backend::Fused }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Backend::Fused => "fused",
            Backend::Tract => "tract",
        })
    }
}

impl std::str::FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Backend> {
        match name {
            "fused" => Ok(Backend::Fused),
            "tract" => Ok(Backend::Tract),
            _ => Err(Error::input(name, "is no engine; there are fused and tract")),
        }
    }
}

/// What the classifier found in one picture.
pub struct Forward {
    pub geometry: Geometry,
    scores: TValue,
    /// The activations, the bypass wires, and what the tail makes.
    wires: TVec<TValue>,
}

impl Forward {
    /// Scores before softmax or sigmoid, `[C]`.
    pub fn scores(&self) -> ArrayView1<'_, f32> {
        let view = self.scores.to_plain_array_view::<f32>().expect("the model was loaded with f32 scores");
        view.into_dimensionality::<Ix2>().expect("the model was loaded with scores [1, C]").index_axis_move(Axis(0), 0)
    }

    /// Feature maps at the target layer, `[K, h, w]`.
    pub fn activations(&self) -> ArrayView3<'_, f32> {
        maps(&self.wires[0])
    }
}

/// A forward pass with the gradients of one target.
pub struct Evidence<'a> {
    pub forward: &'a Forward,
    pub target: Target,
    gradients: TValue,
}

impl Evidence<'_> {
    /// d score / d activations, `[K, h, w]`.
    pub fn gradients(&self) -> ArrayView3<'_, f32> {
        maps(&self.gradients)
    }
}

fn maps(value: &TValue) -> ArrayView3<'_, f32> {
    let view = value.to_plain_array_view::<f32>().expect("the model was loaded with f32 feature maps");
    view.into_dimensionality::<Ix4>().expect("the model was loaded with maps [1, K, h, w]").index_axis_move(Axis(0), 0)
}

/// Runs one model.
pub struct Engine {
    pub info: Info,
    /// How far the head that the file brought is from the derived one: the relative L2 difference of their gradients.
    pub stored_head_error: Option<f64>,
    /// What holds for every picture.
    pub properties: Properties,
    /// What the fused engine took of backbone, tail and head, if it runs them.
    pub fusion: Vec<(&'static str, Fusion)>,
    backbone: Plan,
    tail: Plan,
    head: Plan,
    /// For each port of tail and head, which of a forward pass's wires it reads; `None` is the target.
    tail_inputs: Vec<Option<usize>>,
    head_inputs: Vec<Option<usize>>,
    /// The picture goes around the target layer: it is the last of the bypass wires.
    picture_crosses: bool,
    /// The last picture, whose memory is used again.
    picture: Tensor,
    /// The last gradients, where they depend on the target only.
    kept: Option<(Target, TValue)>,
}

impl Engine {
    /// Compiles the model's parts for `threads` threads (at least one). A gradient head that came with the file is
    /// compared with the one that its classifier really has.
    ///
    /// # Errors
    /// [`Error::Model`] where tract cannot run a part, or the stored head is not the classifier's.
    pub fn new(model: &Model, threads: usize) -> Result<Engine> {
        Engine::with_backend(model, threads, Backend::default())
    }

    /// [`Engine::new`] with another backend than the default one.
    ///
    /// # Errors
    /// The same.
    pub fn with_backend(model: &Model, threads: usize, backend: Backend) -> Result<Engine> {
        Engine::with_threads(model, Threads::new(threads, Isa::best()), backend)
    }

    /// [`Engine::new`] with no more than some of the machine's instructions.
    ///
    /// # Errors
    /// The same.
    pub fn with_instructions(model: &Model, threads: usize, isa: Isa) -> Result<Engine> {
        Engine::with_threads(model, Threads::new(threads, isa), Backend::Fused)
    }

    fn with_threads(model: &Model, threads: Threads, backend: Backend) -> Result<Engine> {
        let parts = &model.parts;
        let plan = |graph: &Graph| Plan::new(graph, backend, &threads);
        let shared = model.shared.as_ref().map(|shared| match backend {
            Backend::Fused => shared.channels_last(),
            Backend::Tract => shared.clone(),
        });
        let (tail_graph, head_graph) =
            shared.as_ref().map_or((&parts.tail, &parts.head), |shared| (&shared.tail, &shared.head));
        let (mut stored_head_error, mut checked) = (None, None);
        if let Some(stored) = &model.stored_head {
            // The stored head stands alone, and so does what it is compared with: both are rounded alike.
            let mut alone = plan(&parts.head)?;
            stored_head_error = Some(verify::same_head(stored, &mut plan(stored)?, &parts.head, &mut alone)?);
            checked = Some(alone).filter(|_| shared.is_none());
        }
        let mut head = checked.map_or_else(|| plan(head_graph), Ok)?;
        let names = |ports: &[Port]| -> Vec<String> { ports.iter().map(|port| port.name.clone()).collect() };
        let mut wires = names(&parts.backbone.outputs);
        let picture = names(&parts.backbone.inputs);
        let picture_crosses = picture.iter().any(|wire| parts.bypass.contains(wire));
        wires.extend(picture.into_iter().filter(|_| picture_crosses));
        wires.extend(names(&tail_graph.outputs));
        let sources = |graph: &Graph| {
            let source = |wire: &str| match wires.iter().position(|name| *name == wire) {
                Some(index) => Ok(Some(index)),
                None if wire == TARGET => Ok(None),
                None => Err(Error::model(&graph.file, format!("nothing makes the wire `{wire}` of its head"))),
            };
            graph.inputs.iter().map(|port| source(&port.name)).collect::<Result<Vec<Option<usize>>>>()
        };
        let properties = Properties::of(model, &mut head)?;
        let (backbone, tail) = (plan(&parts.backbone)?, plan(tail_graph)?);
        let plans = [("backbone", &backbone), ("tail", &tail), ("head", &head)];
        let fusion = plans.into_iter().filter_map(|(part, plan)| Some((part, plan.fusion.clone()?))).collect();
        Ok(Engine {
            info: model.info.clone(),
            stored_head_error,
            properties,
            fusion,
            tail_inputs: sources(tail_graph)?,
            head_inputs: sources(head_graph)?,
            backbone,
            tail,
            head,
            picture_crosses,
            picture: Tensor::default(),
            kept: None,
        })
    }

    /// The input as tract wants it, in the memory of the last one.
    fn picture(&mut self, input: &Input) -> Result<TValue> {
        let mut picture = std::mem::take(&mut self.picture);
        if picture.shape() != input.tensor.shape() {
            picture =
                Tensor::zero::<f32>(input.tensor.shape()).map_err(|error| Error::model(&self.info.file, error))?;
        }
        let mut view = picture.to_plain_array_view_mut::<f32>().expect("it was made of f32 values");
        view.assign(&input.tensor.view().into_dyn());
        Ok(picture.into_tvalue())
    }

    /// Runs the classifier.
    ///
    /// # Errors
    /// [`Error::Model`] where tract fails, or the scores are not finite.
    pub fn forward(&mut self, input: &Input) -> Result<Forward> {
        let picture = self.picture(input)?;
        let mut wires = self.backbone.run(tvec!(picture.clone()))?;
        if self.picture_crosses {
            wires.push(picture);
        } else {
            self.picture = picture.into_tensor();
        }
        let made = self.tail.run(self.tail_values(&wires))?;
        let scores = made[0].clone();
        wires.extend(made);
        let forward = Forward { geometry: input.geometry, scores, wires };
        if forward.scores().iter().any(|score| !score.is_finite()) {
            return Err(Error::model(&self.info.file, "its scores are not finite numbers for this picture"));
        }
        Ok(forward)
    }

    /// The scores `[C]` that other activations `[K, h, w]` would give, with the bypass wires of `forward`: a run of the
    /// tail alone.
    ///
    /// # Errors
    /// [`Error::Model`] where tract fails, or the scores are not finite.
    pub fn scores_at(&mut self, forward: &Forward, activations: ArrayView3<f32>) -> Result<Array1<f32>> {
        let mut wires = forward.wires.clone();
        wires[0] = Tensor::from(activations.insert_axis(Axis(0)).to_owned()).into_tvalue();
        let scores = self.tail.run(self.tail_values(&wires))?.swap_remove(0);
        let scores = Forward { geometry: forward.geometry, scores, wires }.scores().to_owned();
        match scores.iter().all(|score| score.is_finite()) {
            true => Ok(scores),
            false => Err(Error::model(&self.info.file, "its scores are not finite numbers without one of its maps")),
        }
    }

    fn tail_values(&self, wires: &[TValue]) -> TVec<TValue> {
        self.tail_inputs.iter().flatten().map(|at| wires[*at].clone()).collect()
    }

    fn head_values(&self, wires: &[TValue], target: Target) -> TVec<TValue> {
        let weights = target.weights(self.info.classes());
        let weights = Tensor::from_shape(&[1, weights.len()], &weights).expect("the shape has as many elements");
        let weights = weights.into_tvalue();
        let value = |source: &Option<usize>| source.map_or_else(|| weights.clone(), |at| wires[at].clone());
        self.head_inputs.iter().map(value).collect()
    }

    /// Runs the gradient head, or takes its last result where only the target matters and is the same.
    ///
    /// # Errors
    /// [`Error::Model`] where tract fails, or the gradients are not finite.
    pub fn gradients<'a>(&mut self, forward: &'a Forward, target: Target) -> Result<Evidence<'a>> {
        if let Some((kept, gradients)) = &self.kept
            && *kept == target
        {
            return Ok(Evidence { forward, target, gradients: gradients.clone() });
        }
        let inputs = self.head_values(&forward.wires, target);
        let gradients = self.head.run(inputs)?.remove(0);
        let evidence = Evidence { forward, target, gradients };
        if evidence.gradients().iter().any(|gradient| !gradient.is_finite()) {
            return Err(Error::model(&self.info.file, "its gradients are not finite numbers for this picture"));
        }
        if !self.info.head_depends_on_picture {
            self.kept = Some((target, evidence.gradients.clone()));
        }
        Ok(evidence)
    }

    /// For a head that depends on the target only, how far Σ g·A over all cells is from score − bias, relative to the
    /// score: the completeness identity of pooled linear heads. `None` for other heads.
    ///
    /// # Errors
    /// [`Error::Model`] where tract fails.
    pub fn completeness(&mut self, forward: &Forward, target: Target) -> Result<Option<f32>> {
        if self.info.head_depends_on_picture {
            return Ok(None);
        }
        let nothing = |value: &TValue| Tensor::zero_dt(value.datum_type(), value.shape()).map(Tensor::into_tvalue);
        let cold: Vec<TValue> = forward
            .wires
            .iter()
            .map(nothing)
            .collect::<TractResult<_>>()
            .map_err(|error| Error::model(&self.info.file, format!("the inference engine failed: {error}")))?;
        let scores = self.tail.run(self.tail_values(&cold))?.swap_remove(0);
        let biases = Forward { geometry: forward.geometry, scores, wires: cold.into() };
        let evidence = self.gradients(forward, target)?;
        let sum: f64 = evidence.gradients().iter().zip(forward.activations()).map(|(g, a)| *g as f64 * *a as f64).sum();
        let score = f64::from(target.score(forward.scores()));
        let expected = score - f64::from(target.score(biases.scores()));
        Ok(Some(((sum - expected).abs() / score.abs().max(1e-6)) as f32))
    }
}
