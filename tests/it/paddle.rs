//! A trained classifier of another make: PaddleOCR's text direction (tests/data/paddle), exported by paddle2onnx with
//! pictures of any size and a softmax at its end.

use crate::common::evaluate::evaluate;
use crate::common::{data, picture, relative_l2};
use gradcam::cam::focus::focus;
use gradcam::cam::methods::GradCam;
use gradcam::cam::null;
use gradcam::engine::Engine;
use gradcam::frame::Rect;
use gradcam::model::metadata::Wish;
use gradcam::model::scores::Probabilities;
use gradcam::model::{Model, Options};
use gradcam::onnx::ACTIVATIONS;
use gradcam::pipeline::explainer::Explainer;
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::{Selector, Target};
use ndarray::{ArrayD, Axis};

fn options() -> Options {
    Options {
        preprocess: Wish { preset: Some("paddle".to_owned()), ..Wish::default() },
        labels: Some(vec!["0°".to_owned(), "180°".to_owned()]),
        size: Some((192, 48)),
        ..Options::default()
    }
}

fn model() -> Model {
    let bytes = std::fs::read(data("paddle/text_direction.onnx")).expect("the model is there");
    Model::load("text_direction.onnx", &bytes, &options()).expect("it can be explained")
}

#[test]
fn upright_and_upside_down_are_told_and_the_text_is_why() {
    let model = model();
    assert_eq!(model.info.ending, Some(Probabilities::Softmax));
    let mut engine = Engine::new(&model, 1).expect("it runs");
    engine.info.null_levels = Some(null::measure(&mut engine).expect("it runs on blank pictures"));
    let mut explainer = Explainer::new(engine, Selector::default()).expect("its null levels are known");
    // The text takes 98 of 192 columns, at the left; upside down it is at the right.
    for (name, class, text) in [("upright", 0, 0.0), ("upside_down", 1, 86.0)] {
        let (map, _) = explainer.explain(&picture(&format!("paddle/{name}.png")), &GradCam).expect("it is explained");
        assert_eq!(map.target.class, class, "{name}");
        assert!(map.target.probability > 0.99 && map.gate == 1.0, "{name}");
        let text = Rect { x: text, y: 0.0, width: 106.0, height: 48.0 };
        let share = focus(&map, Some(text)).and_then(|focus| focus.heat_share).expect("there is heat");
        println!("{name}: {:.1} % of the heat lies on the text", share * 100.0);
        assert!(share > 0.7, "{name}: {share} of the heat lies on the text");
    }
}

#[test]
fn its_gradients_are_those_of_finite_differences() {
    const STEP: f64 = 1e-6;
    let model = model();
    let mut engine = Engine::new(&model, 1).expect("it runs");
    let mut input = Input::new(&model.info.preprocessing);
    Preprocess::new(&model.info.preprocessing).run(&picture("paddle/upright.png"), &mut input);
    let forward = engine.forward(&input).expect("it runs");
    let activations: ArrayD<f64> = forward.activations().mapv(f64::from).insert_axis(Axis(0)).into_dyn();
    let output = model.parts.tail.outputs[0].name.clone();
    let score = |activations: ArrayD<f64>, class: usize| {
        evaluate(&model.parts.tail, &[(ACTIVATIONS, activations)])[&output][[0, class]]
    };
    for class in 0..2 {
        let evidence = engine.gradients(&forward, Target::class(class)).expect("the head runs");
        // Every 199th place but those where two cells of a pooling window are equal: hard swish makes many zeros, and there
        // the slopes to the left and right differ.
        let here = score(activations.clone(), class);
        let (mut ours, mut slopes) = (Vec::new(), Vec::new());
        for (at, gradient) in evidence.gradients().iter().enumerate().step_by(199) {
            let moved = |by: f64| {
                let mut moved = activations.clone();
                *moved.iter_mut().nth(at).expect("it is within the maps") += by;
                (score(moved, class) - here) / by
            };
            let (right, left) = (moved(STEP), moved(-STEP));
            if (right - left).abs() <= 1e-6 {
                ours.push(*gradient);
                slopes.push(((right + left) / 2.0) as f32);
            }
        }
        println!("{} of {} places are smooth", slopes.len(), activations.len().div_ceil(199));
        assert!(slopes.iter().filter(|slope| **slope != 0.0).count() > 20, "too few ways are open");
        let error = relative_l2(&ours, &slopes);
        println!("class {class}: {error:.1e}");
        assert!(error < 1e-4, "class {class}: relative L2 {error:.1e}");
    }
}
