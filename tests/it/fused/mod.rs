//! The fused engine against plain tract, which runs the operators one by one as ONNX says.

mod patterns;
pub mod random;
mod traps;
mod zoo;

use crate::common::graphs::Builder;
use crate::common::{Noise, relative_l2};
use crate::gradients::{ramp, weighed};
use gradcam::engine::{Backend, Engine, Forward, Fusion};
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::Attribute::{self, Ints};
use gradcam::preprocess::Input;
use gradcam::target::Target;

/// f32 sums in another order.
const TOLERANCE: f64 = 1e-5;

/// What became of the nodes of each part of a model: backbone, tail, head.
struct Parts(Vec<(&'static str, Fusion)>);

impl Parts {
    #[track_caller]
    fn of(&self, part: &str) -> &Fusion {
        self.0.iter().find(|(name, _)| *name == part).map(|(_, fusion)| fusion).expect("the part is there")
    }

    /// Why a node that came from the ONNX node `name` is left to tract.
    #[track_caller]
    fn reason(&self, name: &str) -> &str {
        let mut others = self.0.iter().flat_map(|(_, fusion)| &fusion.others);
        &others.find(|other| other.node.starts_with(name)).expect("it is left to tract").reason
    }
}

/// Runs a model with both backends on the same input; scores, activations and the gradients of two classes must agree.
#[track_caller]
fn agree(say: &str, model: &Model, input: &Input) -> Parts {
    let mut fused = Engine::with_backend(model, 1, Backend::Fused).expect("it compiles with fused regions");
    let mut plain = Engine::with_backend(model, 1, Backend::Tract).expect("it compiles");
    let parts = Parts(fused.fusion.clone());
    let (ours, theirs) = (fused.forward(input).expect("it runs"), plain.forward(input).expect("it runs"));
    close(&format!("{say}: scores"), ours.scores().iter(), theirs.scores().iter());
    close(&format!("{say}: activations"), ours.activations().iter(), theirs.activations().iter());
    for class in [0, model.info.classes() - 1] {
        let of = |engine: &mut Engine, forward: &Forward| -> Vec<f32> {
            let evidence = engine.gradients(forward, Target::class(class)).expect("the head runs");
            evidence.gradients().iter().copied().collect()
        };
        let (ours, theirs) = (of(&mut fused, &ours), of(&mut plain, &theirs));
        close(&format!("{say}: gradients of class {class}"), &ours, &theirs);
    }
    assert!(plain.fusion.is_empty(), "tract alone fuses nothing");
    parts
}

#[track_caller]
fn close<'a, 'b>(
    say: &str,
    ours: impl IntoIterator<Item = &'a f32>,
    theirs: impl IntoIterator<Item = &'b f32> + Clone,
) {
    let nothing = theirs.clone().into_iter().all(|number| *number == 0.0);
    let error = if nothing { ours.into_iter().map(|n| f64::from(n.abs())).sum() } else { relative_l2(ours, theirs) };
    assert!(error <= TOLERANCE, "{say}: relative L2 {error:.1e}");
}

/// An input without a pattern, numbers from −1 to 1.
fn noise(model: &Model) -> Input {
    let mut input = Input::new(&model.info.preprocessing);
    let mut random = Noise::new(3);
    input.tensor.iter_mut().for_each(|number| *number = 2.0 * random.uniform() - 1.0);
    input
}

/// A classifier with two scores, cut at a layer.
#[track_caller]
fn model_at(layer: &str, builder: Builder) -> Model {
    let options = Options { layer: Some(layer.to_owned()), ..Options::default() };
    Model::load("test.onnx", &builder.bytes(2), &options).expect("it can be explained")
}

/// Compares a classifier of the wire `features`, cut at the layer of a name, whose scores are two sums over the `elements`
/// of the wire `y`.
#[track_caller]
fn compared(builder: Builder, layer: &str, elements: usize) -> Parts {
    let model = model_at(layer, weighed(builder, "y", elements));
    let input = noise(&model);
    agree(layer, &model, &input)
}

/// Compares a classifier cut at `y` itself, so that each of its elements counts.
#[track_caller]
fn compared_at_y(builder: Builder, elements: usize) -> Fusion {
    compared(builder, "y", elements).of("backbone").clone()
}

/// The same, where all nodes are in one region.
#[track_caller]
fn all_fused(builder: Builder, elements: usize) {
    let fusion = compared_at_y(builder, elements);
    let others: Vec<String> = fusion.others.iter().map(|node| format!("{}: {}", node.node, node.reason)).collect();
    assert_eq!((fusion.regions, others.as_slice()), (1, &[][..]));
}

/// A picture of 9×9 pixels and 6 feature maps of it.
pub fn start() -> Builder {
    Builder::new(13, 9, 6)
}

/// Adds a convolution from `from` to `to` maps; its weights are named after its output.
pub fn conv(builder: Builder, wires: [&str; 2], shape: [usize; 4], attributes: &[(&str, Attribute)]) -> Builder {
    let [weights, bias] = ["weights", "bias"].map(|what| format!("{}_{what}", wires[1]));
    let scaled: Vec<f32> = ramp(shape.iter().product()).into_iter().map(|weight| weight * 0.3).collect();
    builder.with(&weights, &shape, &scaled).with(&bias, &shape[..1], &ramp(shape[0])).node(
        "Conv",
        &[wires[0], &weights, &bias],
        wires[1],
        attributes,
    )
}

pub fn pads(sides: [i64; 4]) -> (&'static str, Attribute) {
    ("pads", Ints(sides.to_vec()))
}

pub fn pair(name: &'static str, both: i64) -> (&'static str, Attribute) {
    (name, Ints(vec![both; 2]))
}
