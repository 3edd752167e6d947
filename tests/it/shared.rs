//! The gradient head reads what the tail has computed, and computes none of it again.

use crate::common::data;
use crate::fused::random::network;
use crate::fused::{conv, pads, pair, start};
use crate::gradients::weighed;
use crate::random_graphs::head_is_gradient;
use gradcam::engine::Engine;
use gradcam::model::{Model, Options};
use gradcam::onnx::Graph;
use gradcam::preprocess::Input;
use gradcam::target::Target;

/// The steps of a fused region that multiply by weights.
const PRODUCTS: [&str; 2] = ["Dense", "Depthwise"];

fn zoo(name: &str, layer: Option<&str>) -> Model {
    let bytes = std::fs::read(data(&format!("zoo/{name}/model.onnx"))).expect("the golden model is there");
    let options = Options { layer: layer.map(str::to_owned), ..Options::default() };
    Model::load(name, &bytes, &options).expect("it can be explained")
}

/// How many products with weights a graph has.
fn products(graph: &Graph) -> usize {
    graph.nodes.iter().filter(|node| ["Conv", "Gemm", "MatMul"].contains(&node.op.as_str())).count()
}

/// How many of them are the tail's own.
fn products_again(graph: &Graph, tail: &Graph) -> usize {
    let mut again = graph.clone();
    again.nodes.retain(|node| tail.nodes.contains(node));
    products(&again)
}

/// The operators that a part of the model runs for a picture, in running order.
fn run(model: &Model, part: &str) -> Vec<String> {
    let mut engine = Engine::new(model, 1).expect("it compiles");
    let timed = engine.profile(&Input::new(&model.info.preprocessing), Target::class(0)).expect("it runs");
    timed.into_iter().filter(|timed| timed.part == part).map(|timed| timed.operator).collect()
}

#[test]
fn a_head_multiplies_once_for_each_product_of_the_tail() {
    for (name, layer) in [
        ("mobilenet_v2", Some("stride16")),
        ("mobilenet_v2_opset18", Some("stride16")),
        ("mobilenet_v3_small", Some("stride16")),
        ("mobilenet_v3_small", None),
        ("efficientnet_se_silu", Some("stride16")),
        ("squeezenet1_1", None),
        ("densenet_tail", Some("stride16")),
        ("vgg_maxpool_head", None),
    ] {
        let model = zoo(name, layer);
        let (tail, alone) = (&model.parts.tail, &model.parts.head);
        assert!(products_again(alone, tail) > 0, "{name}: the head of the file would not show the difference");
        let shared = model.shared.as_ref().expect("its head runs for every picture");
        assert_eq!(products_again(&shared.head, tail), 0, "{name}");
        assert_eq!(products(&shared.tail), products(tail), "{name}");
        let ran = run(&model, "head").into_iter().filter(|operator| PRODUCTS.contains(&operator.as_str())).count();
        assert!((1..=products(tail)).contains(&ran), "{name}: {ran} products, the tail has {}", products(tail));
    }
}

#[test]
fn convolutions_of_the_tail_stay_one_with_what_follows_them() {
    for model in [
        zoo("mobilenet_v2", Some("stride16")),
        Model::load(
            "efficientnet_lite0",
            gradcam::model::DEFAULT_MODEL,
            &Options { layer: Some("stride16".to_owned()), ..Options::default() },
        )
        .expect("it can be explained"),
    ] {
        let ran = run(&model, "tail");
        let count = |wanted: &[&str]| ran.iter().filter(|operator| wanted.contains(&operator.as_str())).count();
        assert_eq!(count(&PRODUCTS), products(&model.parts.tail), "{}: {ran:?}", model.info.file);
        // Where the picture comes in and goes out, and the mean over the cells.
        assert_eq!(count(&["Source", "Layout", "Mean"]) + count(&PRODUCTS), ran.len(), "{}: {ran:?}", model.info.file);
    }
}

#[test]
fn nothing_is_handed_to_a_head_that_runs_when_the_target_changes() {
    for name in ["mobilenet_v2", "efficientnet_se_silu", "shufflenet_v2"] {
        assert!(zoo(name, None).shared.is_none(), "{name}");
    }
}

#[test]
fn random_networks_with_shared_heads_against_finite_differences() {
    let mut handed = 0;
    for seed in 0..40 {
        let (builder, say) = network(seed);
        let model = head_is_gradient(&say, builder, (seed % 2) as usize, 9);
        handed += model.shared.map_or(0, |shared| shared.tail.outputs.len() - 1);
    }
    assert!(handed >= 40, "only {handed} wires were handed over: the test is blind");
}

/// x · sigmoid(x) could be computed again from x, but for its rounding: no element would be the largest of its window.
#[test]
fn what_is_compared_with_maxima_is_what_they_were_taken_from() {
    let gated = conv(start(), ["features", "c"], [4, 6, 3, 3], &[pads([1; 4])])
        .node("Sigmoid", &["c"], "gate", &[])
        .node("Mul", &["c", "gate"], "swish", &[]);
    let pooled = gated.node("MaxPool", &["swish"], "y", &[pair("kernel_shape", 3), pair("strides", 2)]);
    let model = head_is_gradient("maxima of a swish", weighed(pooled, "y", 4 * 16), 0, 1);
    let shared = model.shared.expect("its head runs for every picture");
    assert!(shared.tail.outputs.iter().any(|port| port.name == "swish"));
}
