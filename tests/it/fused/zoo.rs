//! The golden models: equal to tract, and with all of their convolutions in regions.

use super::{agree, noise};
use crate::common::{data, npy, picture};
use crate::layers::golden_layer;
use gradcam::model::{Model, Options};
use gradcam::preprocess::{Input, Preprocess};

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
