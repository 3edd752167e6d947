//! The committed model in ONNX Runtime: any runtime gives tract's outputs.
//!
//! Needs a Python with onnxruntime and numpy, named by GRADCAM_TEST_PYTHON; `make test` provides it.

use crate::common::{onnxruntime, picture, relative_l2};
use gradcam::engine::Engine;
use gradcam::model::{DEFAULT_MODEL, Model};
use gradcam::preprocess::{Input, Preprocess};
use gradcam::target::Target;
use ndarray::{Array2, ArrayD};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

#[test]
fn onnx_runtime_gives_the_same_outputs() {
    let model = Model::default_model().expect("the default model loads");
    let mut engine = Engine::new(&model, 1).expect("the default model compiles");
    let mut preprocess = Preprocess::new(&model.info.preprocessing);
    let mut input = Input::new(&model.info.preprocessing);
    preprocess.run(&picture("lite0/coffee_224.png"), &mut input);
    let forward = engine.forward(&input).expect("the classifier runs");
    let mut one_hot = Array2::<f32>::zeros((1, model.info.classes()));
    one_hot[(0, 967)] = 1.0;
    let inputs = [("image", input.tensor.clone().into_dyn()), ("target", one_hot.into_dyn())];
    let outputs: HashMap<String, ArrayD<f32>> = onnxruntime::run(DEFAULT_MODEL, &inputs).into_iter().collect();
    let evidence = engine.gradients(&forward, Target::class(967)).expect("the head runs");
    for (name, error) in [
        ("logits", relative_l2(forward.scores(), &outputs["logits"])),
        ("activations", relative_l2(forward.activations(), &outputs["activations"])),
        ("gradients", relative_l2(evidence.gradients(), &outputs["gradients"])),
    ] {
        println!("{name}: relative L2 {error:.1e}");
        assert!(error <= 1e-4, "{name}: relative L2 {error:.1e}");
    }
}

#[test]
fn the_model_is_rebuilt_from_the_published_weights() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let (classifier, labels) = (folder.path().join("classifier.onnx"), folder.path().join("labels.txt"));
    let run = Command::new(onnxruntime::python().expect("GRADCAM_TEST_PYTHON names a Python; run `make test`"))
        .arg(root.join("models/build/efficientnet_lite0.py"))
        .arg(&classifier)
        .arg("--labels")
        .arg(&labels)
        .output()
        .expect("the Python starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let rebuilt = folder.path().join("explainable.onnx");
    let run = Command::new(env!("CARGO_BIN_EXE_gradcam"))
        .arg("export")
        .arg(&classifier)
        .arg("-o")
        .arg(&rebuilt)
        .arg("--labels")
        .arg(&labels)
        .args(["--preprocess", "lite", "--licence", "Apache-2.0"])
        .output()
        .expect("gradcam starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    // Not byte by byte: the null levels are measured, and another CPU rounds differently.
    let load = |path: &Path| {
        let bytes = std::fs::read(path).expect("the file is there");
        gradcam::onnx::read(&path.display().to_string(), &bytes).expect("it is valid")
    };
    let (rebuilt, committed) = (load(&rebuilt), load(&root.join("models/efficientnet_lite0.onnx")));
    assert_eq!(rebuilt.nodes, committed.nodes);
    assert_eq!(rebuilt.initializers, committed.initializers);
    assert_eq!(rebuilt.inputs, committed.inputs);
    assert_eq!(rebuilt.outputs, committed.outputs);
    let levels = "gradcam.null_levels";
    let rest = |graph: &gradcam::onnx::Graph| {
        graph.metadata.iter().filter(|(key, _)| *key != levels).map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>()
    };
    assert_eq!(rest(&rebuilt), rest(&committed));
    let levels = |graph: &gradcam::onnx::Graph| {
        gradcam::model::metadata::Metadata::read(graph)
            .expect("it is readable")
            .null_levels
            .expect("they were measured")
    };
    let (rebuilt, committed) = (levels(&rebuilt), levels(&committed));
    assert!((rebuilt.evidence - committed.evidence).abs() < 0.05, "{rebuilt:?} instead of {committed:?}");
    for (method, max) in &committed.map_max {
        assert!((rebuilt.map_max[method] / max - 1.0).abs() < 0.05, "{rebuilt:?} instead of {committed:?}");
    }
}
