//! The default model against PyTorch and pytorch-grad-cam, on two photographs (tests/data/lite0).

use crate::common::{npy, picture, relative_l2};
use gradcam::cam::methods::{GradCam, GradCamPlusPlus, Method};
use gradcam::engine::Engine;
use gradcam::model::Model;
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::Target;

/// f32 sums in another order than PyTorch's.
const TOLERANCE: f64 = 1e-4;
/// pytorch-grad-cam's Grad-CAM++ divides by numbers as small as its ε of 1e-6.
const PLUS_PLUS_TOLERANCE: f64 = 1e-3;

#[track_caller]
fn close<'a>(what: &str, a: impl IntoIterator<Item = &'a f32>, golden: &str, tolerance: f64) {
    let error = relative_l2(a, &npy(&format!("lite0/{golden}.npy")));
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
        close("logits", forward.scores(), &format!("{name}_logits"), TOLERANCE);
        close("activations", forward.activations(), &format!("{name}_activations"), TOLERANCE);
        for class in classes {
            let evidence = engine.gradients(&forward, Target { class }).expect("the head runs");
            close("gradients", evidence.gradients(), &format!("{name}_gradients_class{class}"), TOLERANCE);
            let map = GradCam.map(forward.activations(), evidence.gradients());
            close("Grad-CAM", &map, &format!("{name}_cam_GradCAM_class{class}"), TOLERANCE);
            let method = GradCamPlusPlus { epsilon: 1e-6 };
            let map = method.map(forward.activations(), evidence.gradients());
            close("Grad-CAM++", &map, &format!("{name}_cam_GradCAMPlusPlus_class{class}"), PLUS_PLUS_TOLERANCE);
        }
    }
}
