//! The program is read as the way of a frame: a module uses those before it.

use std::path::{Path, PathBuf};

/// In the order of `lib.rs`; the ones for all first.
const FOR_ALL: [&str; 6] = ["error", "clock", "shutdown", "service", "memory", "frame"];
const ORDER: [&str; 15] = [
    "kernels",
    "onnx",
    "autodiff",
    "model",
    "source",
    "decode",
    "preprocess",
    "target",
    "engine",
    "cam",
    "overlay",
    "logbook",
    "sink",
    "pipeline",
    "cli",
];
/// What only these modules (or files) may know.
const KNOWN_IN: [(&str, &[&str]); 11] = [
    ("tract_onnx::pb", &["onnx"]),
    ("tract_onnx::prelude", &["engine", "model"]),
    ("nokhwa", &["source/camera"]),
    ("minifb", &["sink/window.rs"]),
    ("openh264", &["sink/record/encoder.rs"]),
    ("prost", &["onnx"]),
    ("sd_notify", &["service.rs"]),
    ("axum", &["sink/http"]),
    ("hyper", &["sink/http"]),
    ("tokio", &["sink/http"]),
    ("jpeg_encoder", &["sink/http/encode.rs"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the sources are readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_module_uses_only_those_before_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut uses = 0;
    for file in &files {
        let name = file.strip_prefix(&root).expect("it lies in src").to_string_lossy().into_owned();
        let module = name.split('/').next().expect("a path has parts").trim_end_matches(".rs");
        let Some(own) = ORDER.iter().position(|other| *other == module) else { continue };
        let text = std::fs::read_to_string(file).expect("the sources are readable");
        // Unit tests may use whatever they need.
        let text = text.split("#[cfg(test)]").next().expect("a text has a first part");
        for (line, content) in text.lines().enumerate() {
            if content.trim_start().starts_with("//") {
                continue;
            }
            for part in content.split("crate::").skip(1) {
                let used = part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                if FOR_ALL.contains(&used) || used.is_empty() || used.starts_with(char::is_uppercase) {
                    continue;
                }
                let other = ORDER.iter().position(|other| *other == used);
                let other = other.unwrap_or_else(|| panic!("{name}:{}: `{used}` is not in the order", line + 1));
                uses += 1;
                assert!(other <= own, "{name}:{}: {module} comes before {used}", line + 1);
            }
            for (secret, holders) in KNOWN_IN {
                let known = holders.iter().any(|holder| name.starts_with(holder));
                let named = content.contains(&format!("{secret}::")) || content.contains(&format!("use {secret};"));
                assert!(known || !named, "{name}:{}: only {holders:?} may know {secret}", line + 1);
            }
        }
    }
    assert!(uses > 50, "the test read {uses} uses in {} files: it is blind", files.len());
}
