//! The gradient head in a file is the one that its classifier has, or the file is refused.

use crate::common::graphs::Builder;
use crate::common::{picture, relative_l2};
use gradcam::engine::Engine;
use gradcam::error::Result;
use gradcam::model::metadata::Wish;
use gradcam::model::{DEFAULT_MODEL, Model, Options};
use gradcam::onnx::graph::{Attribute, Graph, Tensor};
use gradcam::onnx::{self, ACTIVATIONS, GRADIENTS, TARGET, to_bytes};
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::Target;

fn load(graph: &Graph) -> Result<Engine> {
    let model = Model::load("changed.onnx", &to_bytes(graph), &Options::default())?;
    Engine::new(&model, 1)
}

fn default_graph() -> Graph {
    onnx::read("default.onnx", DEFAULT_MODEL).expect("the default model is valid")
}

#[track_caller]
fn is_refused(graph: &Graph) {
    let Err(error) = load(graph) else { panic!("it was accepted") };
    let text = error.to_string();
    assert!(text.contains("gradient head is not that of its classifier"), "{text}");
    assert!(text.contains("gradcam export"), "it does not say what to do: {text}");
}

/// Puts a node between the head and its output.
fn scaled(factor: f32) -> Graph {
    let mut graph = default_graph();
    let last = graph.nodes.iter_mut().find(|node| node.outputs[0] == GRADIENTS).expect("the head ends in gradients");
    last.outputs[0] = "true_gradients".to_owned();
    let mut scale = last.clone();
    scale.name = "scale".to_owned();
    scale.op = "Mul".to_owned();
    scale.inputs = vec!["true_gradients".to_owned(), "factor".to_owned()];
    scale.outputs = vec![GRADIENTS.to_owned()];
    graph.nodes.push(scale);
    graph.initializers.insert("factor".to_owned(), Tensor::f32(&[], &[factor]));
    graph
}

#[test]
fn the_size_of_a_head_is_what_it_adds_whatever_else_the_classifiers_file_holds() {
    let explainable = default_graph();
    let mut classifier = explainable.clone();
    let of_head = |name: &str| name.starts_with("gradient_head/") || name == GRADIENTS;
    classifier.nodes.retain(|node| !of_head(&node.outputs[0]));
    classifier.initializers.retain(|name, _| !of_head(name));
    classifier.inputs.retain(|port| port.name != TARGET);
    classifier.outputs.retain(|port| port.name != GRADIENTS);
    let expected = to_bytes(&explainable).len() - to_bytes(&classifier).len();
    classifier.outputs.truncate(1);
    let mut bytes = to_bytes(&classifier);
    // What an exporter says of its work: ModelProto's field 6, `doc_string`, of 100,000 letters.
    bytes.extend([6 << 3 | 2, 0xa0, 0x8d, 0x06]);
    bytes.extend([b'a'; 100_000]);
    let model = Model::load("long.onnx", &bytes, &Options::default()).expect("it is a classifier");
    assert_eq!(model.head_bytes(), expected);
}

#[test]
fn the_untouched_head_is_accepted() {
    load(&default_graph()).expect("it is the classifier's");
    load(&scaled(1.0)).expect("times one changes nothing");
}

#[test]
fn a_head_that_is_one_percent_off() {
    is_refused(&scaled(1.01));
}

#[test]
fn a_head_with_one_class_altered() {
    let mut graph = default_graph();
    let gemm = |node: &&mut onnx::Node| node.op == "Gemm" && node.name.starts_with("gradient_head");
    let gemm = graph.nodes.iter_mut().find(gemm).expect("the head multiplies by the classifier's weights");
    let weights = gemm.inputs[1].clone();
    gemm.inputs[1] = "altered".to_owned();
    let tensor = &graph.initializers[&weights];
    let mut values = tensor.to_f32().expect("weights are f32");
    // The row of class 285, by one percent.
    let width = tensor.shape[1];
    assert_eq!(tensor.shape, [1000, 1280]);
    values[285 * width..286 * width].iter_mut().for_each(|value| *value *= 1.01);
    let altered = Tensor::f32(&tensor.shape.clone(), &values);
    graph.initializers.insert("altered".to_owned(), altered);
    is_refused(&graph);
}

#[test]
fn a_head_that_takes_all_memory() {
    // The gradients as one map of 8960 × 7 cells, times 64 × 64 weights: 2.6e8 products for as many sums as before.
    let mut graph = default_graph();
    let last = graph.nodes.iter_mut().find(|node| node.outputs[0] == GRADIENTS).expect("the head ends in gradients");
    last.outputs[0] = "true_gradients".to_owned();
    let node = |op: &str, inputs: [&str; 2], output: &str| onnx::Node {
        name: format!("node_{output}"),
        op: op.to_owned(),
        inputs: inputs.map(str::to_owned).to_vec(),
        outputs: vec![output.to_owned()],
        attributes: Default::default(),
    };
    graph.nodes.push(node("Reshape", ["true_gradients", "one_map"], "tall"));
    let mut spread = node("ConvTranspose", ["tall", "spread"], "vast");
    spread.attributes.insert("pads".to_owned(), Attribute::Ints(vec![31, 31, 32, 32]));
    graph.nodes.push(spread);
    graph.nodes.push(node("Reshape", ["vast", "all_maps"], GRADIENTS));
    graph.initializers.insert("one_map".to_owned(), Tensor::i64(&[1, 1, 8960, 7]));
    graph.initializers.insert("all_maps".to_owned(), Tensor::i64(&[1, 1280, 7, 7]));
    graph.initializers.insert("spread".to_owned(), Tensor::f32(&[1, 1, 64, 64], &[1.0; 4096]));
    let Err(error) = load(&graph) else { panic!("it was accepted") };
    assert!(error.to_string().contains("node_vast") && error.to_string().contains("products"), "{error}");
}

#[test]
fn a_head_of_another_layer() {
    // The head belongs to the last layer; the file says that it is the one before the last activation.
    let mut graph = default_graph();
    let clip = graph.nodes.iter().find(|node| node.outputs[0] == ACTIVATIONS).expect("a node makes it");
    let before = clip.inputs[0].clone();
    graph.rename(ACTIVATIONS, "true_activations");
    graph.rename(&before, ACTIVATIONS);
    graph.outputs.iter_mut().filter(|port| port.name == "true_activations").for_each(|port| {
        port.name = ACTIVATIONS.to_owned();
    });
    is_refused(&graph);
}

#[test]
fn a_head_of_another_form() {
    for sides in [[1, 1280 * 49], [1280, 49]] {
        let mut graph = scaled(1.0);
        let last = graph.nodes.last_mut().expect("it was put there");
        last.op = "Reshape".to_owned();
        last.inputs[1] = "sides".to_owned();
        graph.initializers.insert("sides".to_owned(), Tensor::i64(&sides));
        is_refused(&graph);
    }
}

#[test]
fn a_head_that_lies_where_it_is_not_checked_is_not_run() {
    // Right on whatever the check draws, wrong where the activations' mean is that of photographs: g + 9·g·bump(mean).
    let mut graph = scaled(1.0);
    graph.nodes.pop();
    let mut add = |op: &str, inputs: &[&str], output: &str| {
        graph.nodes.push(onnx::Node {
            name: output.to_owned(),
            op: op.to_owned(),
            inputs: inputs.iter().map(|wire| (*wire).to_owned()).collect(),
            outputs: vec![output.to_owned()],
            attributes: Default::default(),
        });
    };
    add("ReduceMean", &[ACTIVATIONS], "mean");
    add("Sub", &["mean", "low"], "above");
    add("Relu", &["above"], "is_above");
    add("Sub", &["high", "mean"], "below");
    add("Relu", &["below"], "is_below");
    add("Mul", &["is_above", "is_below"], "bump");
    add("Mul", &["bump", "much"], "share");
    add("Reshape", &["share", "scalar"], "number");
    add("Mul", &["true_gradients", "number"], "lie");
    add("Add", &["true_gradients", "lie"], GRADIENTS);
    for (name, value) in [("low", 0.02), ("high", 0.9), ("much", 1e3)] {
        graph.initializers.insert(name.to_owned(), Tensor::f32(&[], &[value]));
    }
    graph.initializers.insert("scalar".to_owned(), Tensor::i64(&[1, 1, 1, 1]));
    let mut liar = load(&graph).expect("the check cannot see it");
    let mut honest = load(&default_graph()).expect("it is the classifier's");
    let mut input = Input::new(&honest.info.preprocessing);
    Preprocess::new(&honest.info.preprocessing).run(&picture("lite0/coffee_224.png"), &mut input);
    let forward = honest.forward(&input).expect("it runs");
    let mean = forward.activations().mean().expect("there are activations");
    assert!((0.05..0.8).contains(&mean), "the lie is not told at {mean}");
    let expected = honest.gradients(&forward, Target::class(967)).expect("it runs").gradients().to_owned();
    let forward = liar.forward(&input).expect("it runs");
    let evidence = liar.gradients(&forward, Target::class(967)).expect("it runs");
    assert!(relative_l2(evidence.gradients(), &expected) < 1e-6, "the stored head was run");
}

#[test]
fn an_export_is_read_back_with_everything_in_it() {
    let plain = {
        let mut graph = default_graph();
        graph.metadata.clear();
        graph
    };
    let labels: Vec<String> = (0..1000).map(|class| format!("thing {class}")).collect();
    let options = Options {
        preprocess: Wish { preset: Some("lite".to_owned()), ..Wish::default() },
        labels: Some(labels.clone()),
        ..Options::default()
    };
    let model = Model::load("plain.onnx", &to_bytes(&plain), &options).expect("it can be explained");
    let bytes = model.to_bytes(Some("CC0"), "00ff");
    let again = Model::load("again.onnx", &bytes, &Options::default()).expect("it is what was written");
    assert_eq!(again.info.labels, labels);
    assert_eq!(again.info.preprocessing, model.info.preprocessing);
    assert!(!again.info.preprocessing_assumed);
    assert_eq!(again.info.licence.as_deref(), Some("CC0"));
    assert_eq!(again.to_bytes(Some("CC0"), "00ff"), bytes, "writing what was read changes it");
}

#[test]
fn another_layer_of_an_explainable_file_gets_its_own_head() {
    let options = Options { layer: Some("head/conv".to_owned()), ..Options::default() };
    let model = Model::load("default.onnx", DEFAULT_MODEL, &options).expect("there is such a layer");
    let stored = Model::default_model().expect("the default model loads");
    let mut preprocess = Preprocess::new(&model.info.preprocessing);
    let mut input = Input::new(&model.info.preprocessing);
    preprocess.run(&picture("lite0/coffee_224.png"), &mut input);
    let gradients = |model: &Model| {
        let mut engine = Engine::new(model, 1).expect("it compiles");
        let forward = engine.forward(&input).expect("it runs");
        let activations = forward.activations().to_owned();
        let evidence = engine.gradients(&forward, Target::class(967)).expect("it runs");
        (activations, evidence.gradients().to_owned())
    };
    let (before, inner) = gradients(&model);
    let (_, outer) = gradients(&stored);
    // Behind ReLU6 the gradient is the same where the unit is neither cold nor saturated, and 0 elsewhere.
    let expected =
        ndarray::Zip::from(&before).and(&outer).map_collect(|x, g| if *x > 0.0 && *x < 6.0 { *g } else { 0.0 });
    assert!(relative_l2(&inner, &expected) < 1e-6);
}

/// They take 72 forward passes to measure.
#[test]
fn the_stored_layer_keeps_its_null_levels_by_whatever_name_it_is_asked_for() {
    let levels = |layer: Option<&str>| {
        let options = Options { layer: layer.map(str::to_owned), ..Options::default() };
        Model::load("default.onnx", DEFAULT_MODEL, &options).expect("there is such a layer").info.null_levels
    };
    let stored = levels(None);
    assert!(stored.is_some());
    for name in ["stride32", "head/conv/relu6"] {
        assert_eq!(levels(Some(name)), stored, "{name}");
    }
    assert_eq!(levels(Some("stride16")), None);
}

#[test]
fn a_head_that_reads_only_what_goes_around_the_layer() {
    // scores = mean(warm · gate) × 4 classes of ones, where the gate is made beside the layer `warm`. On a picture of
    // zeros gate = sigmoid(0) = 1/2, so each of the 2×2 cells has the gradient 1/2 · 1/4 = 1/8.
    let gated = Builder::new(13, 2, 3)
        .with("w", &[3, 4], &[1.0; 12])
        .node("Sigmoid", &["features"], "gate", &[])
        .node("Relu", &["features"], "warm", &[])
        .node("Mul", &["warm", "gate"], "gated", &[])
        .node("GlobalAveragePool", &["gated"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    let options = Options { layer: Some("warm".to_owned()), ..Options::default() };
    let model = Model::load("gated.onnx", &gated.bytes(4), &options).expect("every operator has a rule");
    let stored = Model::load("stored.onnx", &model.to_bytes(None, ""), &Options::default());
    for model in [model, stored.expect("what is exported can be read")] {
        let mut engine = Engine::new(&model, 1).expect("it compiles");
        let forward = engine.forward(&Input::new(&model.info.preprocessing)).expect("it runs");
        let evidence = engine.gradients(&forward, Target::class(1)).expect("it runs");
        assert!(evidence.gradients().iter().all(|gradient| *gradient == 0.125), "{}", evidence.gradients());
    }
}
