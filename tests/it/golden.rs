//! Against PyTorch and pytorch-grad-cam: the default model on two photographs (tests/data/lite0), and exports of small
//! classifiers (tests/data/zoo).

use crate::common::{data, npy, picture, relative_l2};
use gradcam::cam::methods::{GradCam, GradCamPlusPlus, Method};
use gradcam::engine::Engine;
use gradcam::model::{Model, Options};
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::Target;

/// f32 sums in another order than PyTorch's.
const TOLERANCE: f64 = 1e-4;
/// pytorch-grad-cam's Grad-CAM++ divides by numbers as small as its ε of 1e-6.
const PLUS_PLUS_TOLERANCE: f64 = 1e-3;

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
            let map = GradCam.map(forward.activations(), evidence.gradients());
            close("Grad-CAM", &map, &format!("lite0/{name}_cam_GradCAM_class{class}"), TOLERANCE);
            let method = GradCamPlusPlus { epsilon: 1e-6 };
            let map = method.map(forward.activations(), evidence.gradients());
            close("Grad-CAM++", &map, &format!("lite0/{name}_cam_GradCAMPlusPlus_class{class}"), PLUS_PLUS_TOLERANCE);
        }
    }
}

/// Explains a plain classifier as it came out of the exporter.
fn agrees_with_pytorch(name: &str, classes: [usize; 2]) {
    agrees_at_layer(name, None, name, classes);
}

/// `golden` has the activations and gradients at `layer`.
fn agrees_at_layer(name: &str, layer: Option<&str>, golden: &str, classes: [usize; 2]) {
    let bytes = std::fs::read(data(&format!("zoo/{name}/model.onnx"))).expect("the golden model is there");
    let options = Options { layer: layer.map(str::to_owned), ..Options::default() };
    let model = Model::load(name, &bytes, &options).expect("it can be explained");
    let mut engine = Engine::new(&model, 1).expect("it compiles");
    let mut input = Input::new(&model.info.preprocessing);
    let image = npy(&format!("zoo/{name}/image.npy"));
    input.tensor.assign(&image.into_dimensionality::<ndarray::Ix4>().expect("it is [1, 3, H, W]"));
    let forward = engine.forward(&input).expect("the classifier runs");
    close("logits", forward.scores(), &format!("zoo/{name}/logits"), TOLERANCE);
    close("activations", forward.activations(), &format!("zoo/{golden}/activations"), TOLERANCE);
    for class in classes {
        let evidence = engine.gradients(&forward, Target::class(class)).expect("the head runs");
        close("gradients", evidence.gradients(), &format!("zoo/{golden}/gradients_class{class}"), TOLERANCE);
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
    // A stage of 6×6 cells, before several inverted residual blocks.
    let layer = Some("/m/features/features.13/Add_output_0");
    agrees_at_layer("mobilenet_v2", layer, "mobilenet_v2_stride16", [8, 1]);
}
