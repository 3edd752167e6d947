//! ONNX Runtime as the second opinion: one Python that answers all tests of a run.

use ndarray::ArrayD;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The Python with onnxruntime and numpy, where there is one; `make test` provides it.
pub fn python() -> Option<String> {
    std::env::var("GRADCAM_TEST_PYTHON").ok()
}

struct Runtime {
    _process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    fn start(python: &str) -> Runtime {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/onnxruntime_outputs.py");
        let mut process = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python}: {error}"));
        let requests = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Runtime { _process: process, requests, answers }
    }

    fn ask(&mut self, request: &serde_json::Value) -> std::io::Result<String> {
        writeln!(self.requests, "{request}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer)
    }
}

/// The outputs of a file in their order, by name. Inputs that the file does not have are left out.
///
/// # Panics
/// Where there is no Python, or ONNX Runtime refuses the file.
#[track_caller]
pub fn run(model: &[u8], inputs: &[(&str, ArrayD<f32>)]) -> Vec<(String, ArrayD<f32>)> {
    let python = python().expect("GRADCAM_TEST_PYTHON names a Python with onnxruntime and numpy; run `make test`");
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("model.onnx"), model).expect("it is written");
    let mut files = serde_json::Map::new();
    for (at, (name, values)) in inputs.iter().enumerate() {
        let file = path(&format!("input_{at}.npy"));
        ndarray_npy::write_npy(&file, values).expect("it is written");
        files.insert((*name).to_owned(), file.display().to_string().into());
    }
    let request = serde_json::json!({ "model": path("model.onnx"), "inputs": files, "folder": folder.path() });
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = runtime.get_or_insert_with(|| Runtime::start(&python)).ask(&request);
    drop(runtime);
    let answer = answer.unwrap_or_else(|error| panic!("{python}: {error}"));
    let answer: serde_json::Value =
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{python} with onnxruntime gives no answer"));
    let outputs = answer["outputs"].as_array().unwrap_or_else(|| panic!("ONNX Runtime: {}", answer["error"]));
    let text = |value: &serde_json::Value| value.as_str().expect("names and files are text").to_owned();
    let array = |file: &serde_json::Value| ndarray_npy::read_npy(text(file)).expect("it is an array of f32");
    outputs.iter().map(|output| (text(&output[0]), array(&output[1]))).collect()
}
