//! The CAM methods: against pytorch-grad-cam (tests/data/README.md), by hand, and where they are one.

use crate::common::graphs::Builder;
use crate::common::{data, explainer, npy, picture, relative_l2};
use crate::gradients::{explained_at, pooled, ramp};
use gradcam::cam::Unit;
use gradcam::cam::methods::{
    self, ALL, AblationCam, EigenCam, EigenGradCam, ElementWise, GradCam, GradCamPlusPlus, HiResCam, LayerCam, Method,
    ScoreCam, StillMethod, XGradCam, coinciding,
};
use gradcam::engine::{Engine, Properties};
use gradcam::model::{Model, Options};
use gradcam::onnx::graph::Attribute::Int;
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::Target;
use ndarray::{Array2, Array3, Ix3, Ix4, array};
use proptest::prelude::*;

/// f32 sums in another order than numpy's, and its f32 singular vectors.
const TOLERANCE: f64 = 1e-5;
/// Scores of another runtime on the way, and differences of two that are nearly equal.
const LOOSE: f64 = 1e-3;

const LIVE: [(&str, &dyn Method); 8] = [
    ("GradCAM", &GradCam),
    ("GradCAMPlusPlus", &GradCamPlusPlus { epsilon: 1e-6 }),
    ("HiResCAM", &HiResCam),
    ("XGradCAM", &XGradCam),
    ("LayerCAM", &LayerCam),
    ("GradCAMElementWise", &ElementWise),
    ("EigenCAM", &EigenCam),
    ("EigenGradCAM", &EigenGradCam),
];

#[track_caller]
fn close(what: &str, map: &Array2<f32>, golden: &str, tolerance: f64) {
    let golden_map = npy(&format!("{golden}.npy"));
    let error = relative_l2(map, &golden_map);
    // The sign of a singular vector is arbitrary there.
    let error = if what.starts_with("Eigen") { error.min(relative_l2(&-map, &golden_map)) } else { error };
    println!("{golden}: {error:.1e}");
    assert!(error <= tolerance, "{golden}: relative L2 {error:.1e}, allowed {tolerance:.0e}");
}

fn maps(name: &str) -> Array3<f32> {
    let values = npy(&format!("{name}.npy")).into_dimensionality::<Ix4>().expect("it is [1, K, h, w]");
    values.index_axis_move(ndarray::Axis(0), 0).into_dimensionality::<Ix3>().expect("one axis is gone")
}

#[test]
fn the_maps_of_two_photographs_are_those_of_pytorch() {
    for (name, classes) in [("chelsea", [285, 282]), ("coffee", [967, 968])] {
        let activations = maps(&format!("lite0/{name}_activations"));
        for class in classes {
            let gradients = maps(&format!("lite0/{name}_gradients_class{class}"));
            for (golden, method) in LIVE {
                let map = method.map(activations.view(), gradients.view());
                close(golden, &map, &format!("lite0/{name}_cam_{golden}_class{class}"), TOLERANCE);
            }
        }
    }
}

#[test]
fn the_maps_of_other_tails_and_layers_are_those_of_pytorch() {
    for (name, class) in [("vgg_maxpool_head", 3), ("mobilenet_v3_small", 3), ("mobilenet_v2_stride16", 8)] {
        let activations = maps(&format!("zoo/{name}/activations"));
        let gradients = maps(&format!("zoo/{name}/gradients_class{class}"));
        for (golden, method) in LIVE {
            let map = method.map(activations.view(), gradients.view());
            close(golden, &map, &format!("zoo/{name}/cam_{golden}_class{class}"), TOLERANCE);
        }
    }
}

fn still(method: &dyn StillMethod, engine: &mut Engine, input: &Input, class: usize) -> Array2<f32> {
    let forward = engine.forward(input).expect("the classifier runs");
    let mut told = Vec::new();
    let mut tell = |done, of| told.push((done, of));
    let map = method.map(engine, input, &forward, Target::class(class), &mut tell).expect("it runs");
    let count = forward.activations().dim().0;
    assert!(told.iter().copied().eq((1..=count).map(|done| (done, count))), "each run is told");
    map
}

fn photograph(name: &str) -> (Engine, Input) {
    let model = Model::default_model().expect("the default model loads");
    let engine = Engine::new(&model, 1).expect("the default model compiles");
    let mut input = Input::new(&model.info.preprocessing);
    Preprocess::new(&model.info.preprocessing).run(&picture(&format!("lite0/{name}_224.png")), &mut input);
    (engine, input)
}

fn zoo(name: &str) -> (Engine, Input) {
    let bytes = std::fs::read(data(&format!("zoo/{name}/model.onnx"))).expect("the golden model is there");
    let golden = std::fs::read(data(&format!("zoo/{name}/golden.json"))).expect("it is there");
    let golden: serde_json::Value = serde_json::from_slice(&golden).expect("it is JSON");
    let layer = golden["layer"].as_str().map(str::to_owned);
    let model = Model::load(name, &bytes, &Options { layer, ..Options::default() }).expect("it can be explained");
    let mut input = Input::new(&model.info.preprocessing);
    let image = npy(&format!("zoo/{name}/image.npy"));
    input.tensor.assign(&image.into_dimensionality::<Ix4>().expect("it is [1, 3, H, W]"));
    (Engine::new(&model, 1).expect("it compiles"), input)
}

#[test]
fn ablation_cam_of_two_photographs_is_that_of_pytorch() {
    for (name, classes) in [("chelsea", [285, 282]), ("coffee", [967, 968])] {
        let (mut engine, input) = photograph(name);
        for class in classes {
            let map = still(&AblationCam, &mut engine, &input, class);
            close("AblationCAM", &map, &format!("lite0/{name}_cam_AblationCAM_class{class}"), LOOSE);
        }
    }
}

#[test]
#[ignore = "1280 forward passes of the default model; the small classifiers are checked in each run"]
fn score_cam_of_a_photograph_is_that_of_pytorch() {
    let (mut engine, input) = photograph("chelsea");
    let map = still(&ScoreCam, &mut engine, &input, 285);
    close("ScoreCAM", &map, "lite0/chelsea_cam_ScoreCAM_class285", LOOSE);
}

#[test]
fn the_stills_methods_of_small_classifiers_are_those_of_pytorch() {
    for (name, class) in [("vgg_maxpool_head", 3), ("mobilenet_v3_small", 3), ("mobilenet_v2_stride16", 8)] {
        let (mut engine, input) = zoo(name);
        let map = still(&ScoreCam, &mut engine, &input, class);
        close("ScoreCAM", &map, &format!("zoo/{name}/cam_ScoreCAM_class{class}"), LOOSE);
    }
    let (mut engine, input) = zoo("vgg_maxpool_head");
    let map = still(&AblationCam, &mut engine, &input, 3);
    close("AblationCAM", &map, "zoo/vgg_maxpool_head/cam_AblationCAM_class3", LOOSE);
}

/// Two maps of two cells; nothing is the same in both cells.
fn pair() -> (Array3<f32>, Array3<f32>) {
    (array![[[1.0, 3.0]], [[2.0, -1.0]]], array![[[2.0, -4.0]], [[-1.0, 3.0]]])
}

#[test]
fn the_methods_by_hand() {
    let (activations, gradients) = pair();
    let by_hand: [(&dyn Method, [f32; 2]); 5] = [
        // Means of the gradients −1 and 1: −1·(1, 3) + 1·(2, −1).
        (&GradCam, [1.0, -4.0]),
        // (2·1 − 1·2, −4·3 + 3·(−1)).
        (&HiResCam, [0.0, -15.0]),
        // (2·1 − 4·3)/4 = −2.5 and (−1·2 − 3·1)/1 = −5: −2.5·(1, 3) − 5·(2, −1).
        (&XGradCam, [-12.5, -2.5]),
        // (2·1, 3·(−1)).
        (&LayerCam, [2.0, -3.0]),
        // The products are 2 and −12, −2 and −3.
        (&ElementWise, [2.0, 0.0]),
    ];
    for (method, expected) in by_hand {
        let map = method.map(activations.view(), gradients.view());
        assert_eq!(map, array![expected], "{}", method.name());
    }
}

#[test]
fn xgrad_cam_of_activations_that_cancel_takes_the_plain_mean() {
    // ΣA = 0: the weight is (1 + 3) / 2.
    let map = XGradCam.map(array![[[1.0, -1.0]]].view(), array![[[1.0, 3.0]]].view());
    assert_eq!(map, array![[2.0, -2.0]]);
}

fn agree(one: &dyn Method, other: &dyn Method, activations: &Array3<f32>, gradients: &Array3<f32>) -> bool {
    let maps = [one, other].map(|method| method.map(activations.view(), gradients.view()));
    let size: f32 = activations.iter().zip(gradients).map(|(a, g)| (a * g).abs()).sum();
    maps[0].iter().zip(&maps[1]).all(|(a, b)| (a - b).abs() <= 1e-5 * size)
}

proptest! {
    #[test]
    fn methods_coincide_where_it_is_said(activations in prop::collection::vec(-4i8..5, 12), gradients in prop::collection::vec(-4i8..5, 12)) {
        let maps = |values: &[i8]| Array3::from_shape_fn((3, 2, 2), |(k, y, x)| f32::from(values[k * 4 + y * 2 + x]));
        let (activations, gradients) = (maps(&activations), maps(&gradients));
        let uniform = Array3::from_shape_fn((3, 2, 2), |(k, _, _)| gradients[(k, 0, 0)]);
        prop_assert!(agree(&GradCam, &HiResCam, &activations, &uniform));
        prop_assert!(agree(&GradCam, &XGradCam, &activations, &uniform));
        prop_assert!(agree(&LayerCam, &ElementWise, &activations.mapv(f32::abs), &gradients));
    }

    #[test]
    fn the_sign_of_a_component_goes_with_grad_cam(activations in prop::collection::vec(-4i8..5, 18), gradients in prop::collection::vec(-4i8..5, 18)) {
        let maps = |values: &[i8]| Array3::from_shape_fn((3, 2, 3), |(k, y, x)| f32::from(values[k * 6 + y * 3 + x]));
        let (activations, gradients) = (maps(&activations), maps(&gradients));
        let grad_cam = GradCam.map(activations.view(), gradients.view());
        for method in [&EigenCam as &dyn Method, &EigenGradCam] {
            let map = method.map(activations.view(), gradients.view());
            let agreement: f32 = map.iter().zip(&grad_cam).map(|(a, b)| a * b).sum();
            prop_assert!(agreement >= -1e-3 && map.iter().all(|value| value.is_finite()), "{}: {agreement}", method.name());
            prop_assert!(map.sum().abs() < 1e-4, "a component has no mean over the cells");
        }
    }
}

#[test]
fn what_coincides_is_known_from_the_model() {
    let model = Model::default_model().expect("the default model loads");
    let engine = Engine::new(&model, 1).expect("the default model compiles");
    assert_eq!(engine.properties, Properties { uniform_gradients: true, non_negative: true });
    let groups = coinciding(engine.properties);
    assert_eq!(groups, [vec!["grad-cam", "hires-cam", "xgrad-cam"], vec!["layer-cam", "element-wise"]]);
    assert!(coinciding(Properties::default()).is_empty());

    // No Relu before the layer; a linear tail that weights each cell by itself, then one that averages in two steps.
    let (_, engine, _) = explained_at(&weighted_cells(), "features");
    assert_eq!(engine.properties, Properties::default());
    let averaged = Builder::new(13, 2, 2)
        .with_integers("flat_maps", &[1, 2, 4])
        .with("w", &[2, 2], &ramp(4))
        .node("Reshape", &["features", "flat_maps"], "flat", &[])
        .node(
            "ReduceMean",
            &["flat"],
            "means",
            &[("axes", gradcam::onnx::graph::Attribute::Ints(vec![2])), ("keepdims", Int(0))],
        )
        .node("MatMul", &["means", "w"], "scores", &[])
        .bytes(2);
    let (_, engine, _) = explained_at(&averaged, "features");
    assert_eq!(engine.properties, Properties { uniform_gradients: true, non_negative: false });
}

/// scores = W · all cells, flattened.
fn weighted_cells() -> Vec<u8> {
    Builder::new(13, 2, 2)
        .with("w", &[8, 2], &ramp(16))
        .node("Flatten", &["features"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
        .bytes(2)
}

#[test]
fn ablation_cam_by_hand() {
    // score = Σ_k w_k · mean(A_k) with no bias: without a map it falls by w_k · mean(A_k).
    let bytes = pooled(Builder::new(13, 2, 2)).with("w", &[2, 1], &[3.0, -2.0]);
    let bytes = bytes.node("MatMul", &["flat", "w"], "scores", &[]).bytes(1);
    let (_, mut engine, input) = explained_at(&bytes, "features");
    let forward = engine.forward(&input).expect("the classifier runs");
    let activations = forward.activations();
    let means: Vec<f32> = activations.outer_iter().map(|map| map.mean().expect("it has cells")).collect();
    let score = 3.0 * means[0] - 2.0 * means[1];
    let weights = [3.0 * means[0] / score, -2.0 * means[1] / score];
    let expected = &activations.index_axis(ndarray::Axis(0), 0) * weights[0]
        + &activations.index_axis(ndarray::Axis(0), 1) * weights[1];
    assert!(relative_l2(&still(&AblationCam, &mut engine, &input, 0), &expected) < TOLERANCE);
}

#[test]
fn ablation_leaves_what_bypasses_the_layer_as_it_is() {
    // scores = w · mean(inner + features): without map k of inner the score falls by w_k · mean(inner_k).
    let bytes = Builder::new(13, 3, 2)
        .with("k", &[2, 2, 1, 1], &[0.5, 1.0, -1.0, 2.0])
        .with("w", &[2, 1], &[1.0, 2.0])
        .node("Conv", &["features", "k"], "inner", &[])
        .node("Add", &["inner", "features"], "sum", &[])
        .node("GlobalAveragePool", &["sum"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[])
        .bytes(1);
    let (_, mut engine, input) = explained_at(&bytes, "inner");
    let forward = engine.forward(&input).expect("the classifier runs");
    let mut without = forward.activations().to_owned();
    let mean = without.index_axis(ndarray::Axis(0), 1).mean().expect("it has cells");
    without.index_axis_mut(ndarray::Axis(0), 1).fill(0.0);
    let scores = engine.scores_at(&forward, without.view()).expect("the tail runs");
    let expected = forward.scores()[0] - 2.0 * mean;
    assert!((scores[0] - expected).abs() < 1e-5, "{} for {expected}", scores[0]);
}

#[test]
fn score_cam_by_hand() {
    // As many cells as pixels, so a mask is the map itself, stretched from 0 to 1.
    let bytes = pooled(Builder::new(13, 2, 2)).with("w", &[2, 1], &[1.5, -0.5]);
    let bytes = bytes.node("MatMul", &["flat", "w"], "scores", &[]).bytes(1);
    let (_, mut engine, input) = explained_at(&bytes, "features");
    let forward = engine.forward(&input).expect("the classifier runs");
    let mut scores = Vec::new();
    for map in forward.activations().outer_iter() {
        let low = map.iter().copied().fold(f32::INFINITY, f32::min);
        let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut masked = input.clone();
        masked.tensor.indexed_iter_mut().for_each(|((_, _, y, x), value)| *value *= (map[(y, x)] - low) / (high - low));
        scores.push(f64::from(engine.forward(&masked).expect("it runs").scores()[0]));
    }
    let sum: f64 = scores.iter().map(|score| score.exp()).sum();
    let mut expected = Array2::<f32>::zeros((2, 2));
    for (map, score) in forward.activations().outer_iter().zip(scores) {
        expected += &(&map * ((score.exp() / sum) as f32));
    }
    assert!(relative_l2(&still(&ScoreCam, &mut engine, &input, 0), &expected) < TOLERANCE);
}

#[test]
fn several_layers_become_one_map() {
    let engine = || {
        let model = Model::default_model().expect("the default model loads");
        Engine::new(&model, 1).expect("the default model compiles")
    };
    let frame = picture("lite0/chelsea_224.png");
    let mut one = explainer();
    let (alone, _) = one.explain(&frame, &GradCam).expect("it is explained");
    // The same layer twice: the mean of two equal maps is one of them, without what is below 0, by its own scale.
    let mut twice = explainer().and(engine()).expect("it is the same classifier");
    assert_eq!(twice.info().layer.wire, "head/conv/relu6,head/conv/relu6");
    assert_eq!(twice.coinciding(), one.coinciding());
    let (map, _) = twice.explain(&frame, &GradCam).expect("it is explained");
    let expected = alone.values.mapv(|value| value.max(0.0) / alone.scale);
    assert!(relative_l2(&map.values, &expected) < 1e-6);
    assert_eq!((map.unit, map.signed, map.method), (Unit::Relative, false, "grad-cam"));
    // As hot as the one layer: its maximum relative to its scale, which is the null level here.
    assert!((map.max() / map.scale - alone.max() / alone.scale).abs() < 1e-6);
    assert_eq!((map.target, map.gate, map.contrast), (alone.target, alone.gate, alone.contrast));

    let small = std::fs::read(data("zoo/mobilenet_v2/model.onnx")).expect("the golden model is there");
    let mut small = Model::load("small.onnx", &small, &Options::default()).expect("it can be explained");
    small.info.null_levels = Model::default_model().expect("the default model loads").info.null_levels;
    let other = Engine::new(&small, 1).expect("it compiles");
    let error = explainer().and(other).err().expect("it is another classifier").to_string();
    assert!(error.contains("small.onnx") && error.contains("not the same classifier"), "{error}");
}

#[test]
fn every_method_has_a_name_of_its_own_and_the_key_visits_all() {
    let mut method = ALL[0];
    for expected in ALL {
        assert_eq!(method.name(), expected.name());
        method = methods::after(method);
    }
    assert_eq!(method.name(), ALL[0].name());
    let refused = methods::find("score-cam").err().expect("it is for stills").to_string();
    assert!(refused.contains("gradcam explain"), "{refused}");
    assert!(methods::find("cam").err().expect("there is none").to_string().contains("ablation-cam"));
}
