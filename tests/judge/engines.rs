//! Derives the gradient head of a classifier and runs it on both backends, for `judge.py`:
//! `judge CLASSIFIER.onnx LAYER INPUT.npy CLASSES FOLDER`, with `auto` as a layer and classes such as `1,3`.
//!
//! The folder gets the explainable model and what each backend says: scores `[C]`, activations and gradients `[K,h,w]`.
//! One line of JSON tells of the layer. A refusal is one line on standard error, and exit status 2.

use gradcam::engine::{Backend, Engine};
use gradcam::model::{Model, Options};
use gradcam::preprocess::Input;
use gradcam::target::Target;
use ndarray_npy::{read_npy, write_npy};
use std::path::Path;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const BACKENDS: [(&str, Backend); 2] = [("fused", Backend::Fused), ("tract", Backend::Tract)];

fn main() {
    if let Err(error) = judge() {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

fn judge() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [classifier, layer, picture, classes, folder] = arguments.as_slice() else {
        return Err("usage: judge CLASSIFIER.onnx LAYER INPUT.npy CLASSES FOLDER".into());
    };
    let folder = Path::new(folder);
    let classes = classes.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let layer = (layer != "auto").then(|| layer.clone());
    let model = Model::load("classifier", &std::fs::read(classifier)?, &Options { layer, ..Options::default() })?;
    std::fs::write(folder.join("explainable.onnx"), model.to_bytes(None, ""))?;
    let mut input = Input::new(&model.info.preprocessing);
    input.tensor.assign(&read_npy::<_, ndarray::Array4<f32>>(picture)?);

    for (name, backend) in BACKENDS {
        let file = |what: &str| folder.join(format!("{name}.{what}.npy"));
        let mut engine = Engine::with_backend(&model, 1, backend)?;
        let forward = engine.forward(&input)?;
        write_npy(file("scores"), &forward.scores())?;
        write_npy(file("activations"), &forward.activations())?;
        for class in &classes {
            let evidence = engine.gradients(&forward, Target::class(*class))?;
            write_npy(file(&format!("gradients{class}")), &evidence.gradients())?;
        }
    }
    let info = &model.info;
    let about = serde_json::json!({
        "wire": info.layer.wire,
        "shape": info.layer.shape,
        "head_nodes": model.parts.head.nodes.len(),
        "bypass": model.parts.bypass.len(),
        "depends_on_picture": info.head_depends_on_picture,
    });
    println!("{about}");
    Ok(())
}
