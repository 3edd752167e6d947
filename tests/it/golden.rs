//! Gradients against PyTorch: the default model on two photographs (tests/data/lite0), and exports of small
//! classifiers (tests/data/zoo).

use crate::common::{data, npy, onnxruntime, picture, relative_l2};
use crate::layers::golden_layer;
use gradcam::engine::Engine;
use gradcam::model::{Model, Options};
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::Target;
use ndarray::Array2;

/// f32 sums in another order than PyTorch's.
const TOLERANCE: f64 = 1e-4;

#[track_caller]
fn close<'a>(what: &str, a: impl IntoIterator<Item = &'a f32>, golden: &str, tolerance: f64) {
    let error = relative_l2(a, &npy(&format!("{golden}.npy")));
    println!("{what} {golden}: {error:.1e}");
    assert!(error <= tolerance, "{what} {golden}: relative L2 {error:.1e}, allowed {tolerance:.0e}");
}

#[test]
fn the_default_model_agrees_with_pytorch() {
    let model = Model::default_model().expect("the default model loads");
    let mut engine = Engine::new(&model, 1).expect("the default model compiles");
    let mut preprocess = Preprocess::new(&model.info.preprocessing);
    let mut input = Input::new(&model.info.preprocessing);
    for (name, classes) in [("chelsea", [285, 282]), ("coffee", [967, 968])] {
        preprocess.run(&picture(&format!("lite0/{name}_224.png")), &mut input);
        let forward = engine.forward(&input).expect("the classifier runs");
        close("logits", forward.scores(), &format!("lite0/{name}_logits"), TOLERANCE);
        close("activations", forward.activations(), &format!("lite0/{name}_activations"), TOLERANCE);
        for class in classes {
            let evidence = engine.gradients(&forward, Target::class(class)).expect("the head runs");
            close("gradients", evidence.gradients(), &format!("lite0/{name}_gradients_class{class}"), TOLERANCE);
        }
    }
}

/// Explains a plain classifier as it came out of the exporter, in tract, and what is exported of it in ONNX Runtime.
#[track_caller]
fn agrees_with_pytorch(name: &str, classes: [usize; 2]) {
    agrees_at_layer(name, None, classes);
}

#[track_caller]
fn agrees_at_layer(name: &str, layer: Option<String>, classes: [usize; 2]) {
    let bytes = std::fs::read(data(&format!("zoo/{name}/model.onnx"))).expect("the golden model is there");
    let options = Options { layer, ..Options::default() };
    let model = Model::load(name, &bytes, &options).expect("it can be explained");
    let exported = model.to_bytes(None, "");
    let mut engine = Engine::new(&model, 1).expect("it compiles");
    let mut input = Input::new(&model.info.preprocessing);
    let image = npy(&format!("zoo/{name}/image.npy"));
    input.tensor.assign(&image.clone().into_dimensionality::<ndarray::Ix4>().expect("it is [1, 3, H, W]"));
    let forward = engine.forward(&input).expect("the classifier runs");
    close("logits", forward.scores(), &format!("zoo/{name}/logits"), TOLERANCE);
    close("activations", forward.activations(), &format!("zoo/{name}/activations"), TOLERANCE);
    for class in classes {
        let evidence = engine.gradients(&forward, Target::class(class)).expect("the head runs");
        close("gradients", evidence.gradients(), &format!("zoo/{name}/gradients_class{class}"), TOLERANCE);
        if onnxruntime::python().is_none() {
            continue;
        }
        let target =
            Array2::from_shape_vec((1, model.info.classes()), Target::class(class).weights(model.info.classes()));
        let target = target.expect("one weight for each class").into_dyn();
        let outputs = onnxruntime::run(&exported, &[("image", image.clone()), ("target", target)]);
        for ((_, values), golden) in outputs.iter().zip(["logits", "activations", &format!("gradients_class{class}")]) {
            close("ONNX Runtime", values, &format!("zoo/{name}/{golden}"), TOLERANCE);
        }
    }
}

#[test]
fn plain_classifiers_of_both_exporters_agree_with_pytorch() {
    agrees_with_pytorch("mobilenet_v2", [1, 8]);
    agrees_with_pytorch("mobilenet_v2_opset18", [1, 8]);
    agrees_with_pytorch("efficientnet_se_silu", [0, 2]);
    agrees_with_pytorch("shufflenet_v2", [0, 7]);
    agrees_with_pytorch("densenet_tail", [2, 8]);
    agrees_with_pytorch("mobilenet_v3_small", [3, 2]);
}

#[test]
fn convolutions_and_max_pooling_behind_the_layer_agree_with_pytorch() {
    agrees_with_pytorch("squeezenet1_1", [2, 9]);
    agrees_with_pytorch("vgg_maxpool_head", [3, 0]);
    // A stage of 6×6 cells, before several inverted residual blocks; not the automatic choice.
    agrees_at_layer("mobilenet_v2_stride16", Some(golden_layer("mobilenet_v2_stride16")), [8, 1]);
}
