//! The names of the classes.

use crate::error::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// The word that stands for the 1000 labels of ImageNet, which the built-in model has.
pub const IMAGENET: &str = "imagenet";

/// Reads labels: one a line (`tench` or, as lists of ImageNet have it, `n01440764 tench`), or JSON: a list, or an object
/// with a class number for each key (`{"0": "tench"}`, `{"0": ["n01440764", "tench"]}`).
///
/// # Errors
/// [`Error::Input`] where the file cannot be read, is not UTF-8 text or leaves a class out.
pub fn read(path: &Path) -> Result<Vec<String>> {
    let refuse = |reason: String| Error::input(path.display(), reason);
    let text = std::fs::read_to_string(path).map_err(|error| refuse(format!("cannot read the labels: {error}")))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['[', '{']) {
        return json(text).map_err(refuse);
    }
    Ok(text.lines().map(|line| without_synset(line.trim()).to_owned()).collect())
}

fn json(text: &str) -> std::result::Result<Vec<String>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("the labels are no valid JSON: {error}"))?;
    let label = |value: &Value| match value {
        Value::String(label) => Ok(label.clone()),
        // ImageNet's index: the synset, then the name.
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(_), Value::String(label)] => Ok(label.clone()),
            _ => Err(format!("`{value}` is no label")),
        },
        other => Err(format!("`{other}` is no label")),
    };
    match &value {
        Value::Array(labels) => labels.iter().map(label).collect(),
        Value::Object(labels) => {
            let class = |class: usize| labels.get(&class.to_string()).ok_or(format!("class {class} has no label"));
            (0..labels.len()).map(|at| label(class(at)?)).collect()
        }
        _ => Err("the labels are neither a list nor an object".to_owned()),
    }
}

/// `n01440764 tench` → `tench`.
fn without_synset(line: &str) -> &str {
    match line.split_once(char::is_whitespace) {
        Some((synset, label)) if synset.len() == 9 && synset.starts_with('n') => {
            if synset[1..].bytes().all(|byte| byte.is_ascii_digit()) { label.trim() } else { line }
        }
        _ => line,
    }
}

/// Checks that there is one label for each class.
///
/// # Errors
/// A sentence with both numbers and a likely cause.
pub fn check(labels: &[String], classes: usize) -> std::result::Result<(), String> {
    if labels.len() == classes {
        return Ok(());
    }
    let cause = match labels.len() as i64 - classes as i64 {
        1 => "the file has a heading, an empty last line, or a background class that the model does not know",
        -1 => "the model has a background class that the labels leave out, or the last line is missing",
        _ => "the labels belong to another model",
    };
    Err(format!("there are {} labels but the model has {classes} classes; likely {cause}", labels.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_every_form() {
        assert_eq!(json(r#"["tench", "goldfish"]"#).expect("a list"), ["tench", "goldfish"]);
        assert_eq!(json(r#"{"1": "goldfish", "0": "tench"}"#).expect("an object"), ["tench", "goldfish"]);
        assert_eq!(json(r#"{"0": ["n01440764", "tench"]}"#).expect("ImageNet's index"), ["tench"]);
        assert_eq!(without_synset("n01440764 tench, Tinca tinca"), "tench, Tinca tinca");
        assert_eq!(without_synset("night cap"), "night cap");
        assert!(json(r#"{"0": "a", "2": "c"}"#).expect_err("a class is missing").contains("class 1"));
        assert!(json("[1]").expect_err("a number is no label").contains('1'));
    }
}
