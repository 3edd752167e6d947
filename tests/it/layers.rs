//! The automatic target layer on exports of PyTorch's old and new exporter (tests/data/zoo).

use crate::common::data;
use gradcam::model::{analysis, layers};
use gradcam::onnx;

/// The layer that the makers of the golden data took the gradients at.
pub fn golden_layer(name: &str) -> String {
    let text = std::fs::read_to_string(data(&format!("zoo/{name}/golden.json"))).expect("the golden data is there");
    let golden: serde_json::Value = serde_json::from_str(&text).expect("the golden data is JSON");
    golden["layer"].as_str().expect("it names the layer").to_owned()
}

fn automatic_layer(name: &str) -> String {
    let bytes = std::fs::read(data(&format!("zoo/{name}/model.onnx"))).expect("the golden model is there");
    let mut graph = onnx::read(name, &bytes).expect("it is a valid file");
    let facts = analysis::fold(&mut graph).expect("its shapes fit");
    let scores = &graph.outputs[0].name;
    let layer = layers::automatic(&graph, scores, facts[scores].shape[1], &facts).expect("it has a convolution");
    layer.wire
}

#[track_caller]
fn finds_the_golden_layer(name: &str) {
    assert_eq!(automatic_layer(name), golden_layer(name), "{name}");
}

#[test]
fn behind_batch_norm_and_relu6() {
    finds_the_golden_layer("mobilenet_v2");
    finds_the_golden_layer("mobilenet_v2_opset18");
}

#[test]
fn behind_a_hard_swish() {
    finds_the_golden_layer("mobilenet_v3_small");
}

#[test]
fn behind_a_sigmoid_gate() {
    finds_the_golden_layer("efficientnet_se_silu");
}

#[test]
fn behind_a_channel_shuffle() {
    finds_the_golden_layer("shufflenet_v2");
}

#[test]
fn behind_a_concat_with_its_batch_norm_and_relu() {
    finds_the_golden_layer("densenet_tail");
}

#[test]
fn before_a_max_pooled_head() {
    finds_the_golden_layer("vgg_maxpool_head");
}

#[test]
fn before_a_convolution_that_makes_one_map_per_class() {
    finds_the_golden_layer("squeezenet1_1");
}
