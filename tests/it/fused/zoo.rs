//! The golden models: equal to tract, and with all of their convolutions in regions.

use super::{agree, noise};
use crate::common::{data, npy, onnxruntime, picture, relative_l2};
use crate::layers::golden_layer;
use gradcam::engine::{Backend, Engine};
use gradcam::kernels::Isa;
use gradcam::model::{Model, Options};
use gradcam::preprocess::{Input, Preprocess};
use ndarray::Array2;

/// Sums in another order than tract's, ONNX Runtime's and PyTorch's.
const TOLERANCE: f64 = 1e-4;

const ZOO: [&str; 8] = [
    "mobilenet_v2",
    "mobilenet_v2_opset18",
    "mobilenet_v3_small",
    "efficientnet_se_silu",
    "shufflenet_v2",
    "densenet_tail",
    "squeezenet1_1",
    "vgg_maxpool_head",
];

/// Scores and activations of the fused engine on every instruction set, with one thread and with two, beside those of
/// tract, of ONNX Runtime and of PyTorch (`golden`).
fn everywhere_equal(name: &str, model: &Model, input: &Input, golden: &str) {
    let mut plain = Engine::with_backend(model, 1, Backend::Tract).expect("it compiles");
    let tract = plain.forward(input).expect("it runs");
    let exported = model.to_bytes(None, "");
    let target = Array2::<f32>::ones((1, model.info.classes())).into_dyn();
    let port = gradcam::onnx::read(name, &exported).expect("it is valid").inputs[0].name.clone();
    let outputs = onnxruntime::run(&exported, &[(port.as_str(), input.tensor.clone().into_dyn()), ("target", target)]);
    let onnxruntime = |wanted: &str| {
        let found = outputs.iter().find(|(name, _)| (name == "activations") == (wanted == "activations"));
        &found.expect("the file has scores and activations").1
    };
    for (isa, threads) in Isa::all().iter().flat_map(|isa| [(isa, 1), (isa, 2)]) {
        let mut engine = Engine::with_instructions(model, threads, *isa).expect("it compiles");
        let forward = engine.forward(input).expect("it runs");
        for (what, errors) in [
            (
                "logits",
                [
                    relative_l2(forward.scores(), tract.scores()),
                    relative_l2(forward.scores(), onnxruntime("logits")),
                    relative_l2(forward.scores(), &npy(&format!("{golden}logits.npy"))),
                ],
            ),
            (
                "activations",
                [
                    relative_l2(forward.activations(), tract.activations()),
                    relative_l2(forward.activations(), onnxruntime("activations")),
                    relative_l2(forward.activations(), &npy(&format!("{golden}activations.npy"))),
                ],
            ),
        ] {
            let [tract, onnxruntime, pytorch] = errors;
            println!("{name}, {isa}, {threads}: {what} off {tract:.1e} {onnxruntime:.1e} {pytorch:.1e}");
            assert!(errors.into_iter().all(|error| error <= TOLERANCE), "{name}, {isa}, {threads}, {what}: {errors:?}");
        }
    }
}

#[test]
fn every_instruction_set_agrees_with_tract_onnx_runtime_and_pytorch() {
    for name in ZOO {
        let bytes = std::fs::read(data(&format!("zoo/{name}/model.onnx"))).expect("the golden model is there");
        let model = Model::load(name, &bytes, &Options::default()).expect("it can be explained");
        let mut input = Input::new(&model.info.preprocessing);
        let image = npy(&format!("zoo/{name}/image.npy"));
        input.tensor.assign(&image.into_dimensionality::<ndarray::Ix4>().expect("it is [1, 3, H, W]"));
        everywhere_equal(name, &model, &input, &format!("zoo/{name}/"));
    }
    let model = Model::default_model().expect("the default model loads");
    let mut preprocess = Preprocess::new(&model.info.preprocessing);
    let mut input = Input::new(&model.info.preprocessing);
    for name in ["chelsea", "coffee"] {
        preprocess.run(&picture(&format!("lite0/{name}_224.png")), &mut input);
        everywhere_equal(name, &model, &input, &format!("lite0/{name}_"));
    }
}

#[test]
fn golden_models_are_fused_whole_and_equal_to_tract() {
    for (name, layer) in [
        ("mobilenet_v2", None),
        ("mobilenet_v2_opset18", None),
        ("mobilenet_v2_stride16", Some(golden_layer("mobilenet_v2_stride16"))),
        ("mobilenet_v3_small", None),
        ("efficientnet_se_silu", None),
        ("shufflenet_v2", None),
        ("densenet_tail", None),
        ("squeezenet1_1", None),
        ("vgg_maxpool_head", None),
    ] {
        let bytes = std::fs::read(data(&format!("zoo/{name}/model.onnx"))).expect("the golden model is there");
        let model = Model::load(name, &bytes, &Options { layer, ..Options::default() }).expect("it can be explained");
        let mut input = Input::new(&model.info.preprocessing);
        let image = npy(&format!("zoo/{name}/image.npy"));
        input.tensor.assign(&image.into_dimensionality::<ndarray::Ix4>().expect("it is [1, 3, H, W]"));
        let parts = agree(name, &model, &input);
        for part in ["backbone", "tail"] {
            let fusion = parts.of(part);
            assert!(fusion.others.is_empty(), "{name}, {part}: {:?}", fusion.others);
            assert_eq!(fusion.regions, 1, "{name}, {part}");
        }
        // What is left of the heads spreads gradients over cells; products with matrices are all taken.
        let head = parts.of("head");
        let products = head.others.iter().filter(|node| ["EinSum", "Conv"].contains(&node.operator.as_str())).count();
        assert_eq!(products, 0, "{name}: {:?}", head.others);
    }
}

#[test]
fn the_default_model_is_fused_whole_and_equal_to_tract() {
    let model = Model::default_model().expect("the default model loads");
    let mut preprocess = Preprocess::new(&model.info.preprocessing);
    let mut input = Input::new(&model.info.preprocessing);
    for name in ["chelsea", "coffee"] {
        preprocess.run(&picture(&format!("lite0/{name}_224.png")), &mut input);
        let parts = agree(name, &model, &input);
        for part in ["backbone", "tail"] {
            assert!(parts.of(part).others.is_empty(), "{name}, {part}: {:?}", parts.of(part).others);
        }
    }
    agree("noise", &model, &noise(&model));
}
