//! What a client asks for: one JSON object.

use super::hub::Refusal;
use serde::{Deserialize, Deserializer};

/// The target that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    Class(u64),
    /// A number, a label, or two with a minus sign between them.
    Named(String),
}

/// The wishes of one request. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// `Some(None)` is the best class again.
    #[serde(deserialize_with = "given")]
    pub target: Option<Option<Asked>>,
    #[serde(deserialize_with = "present")]
    pub method: Option<String>,
    #[serde(deserialize_with = "present")]
    pub layer: Option<String>,
    #[serde(deserialize_with = "present")]
    pub opacity: Option<f32>,
    #[serde(deserialize_with = "present")]
    pub colormap: Option<String>,
    #[serde(deserialize_with = "present")]
    pub heat: Option<bool>,
    #[serde(deserialize_with = "present")]
    pub signed: Option<bool>,
    #[serde(deserialize_with = "present")]
    pub flip: Option<bool>,
    #[serde(deserialize_with = "present")]
    pub freeze: Option<bool>,
    #[serde(deserialize_with = "present")]
    pub snapshot: Option<bool>,
    #[serde(deserialize_with = "present")]
    pub record: Option<bool>,
}

/// A field that is there, whose `null` says something.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<Asked>>, D::Error> {
    Option::<Asked>::deserialize(value).map(Some)
}

/// A field that is there; `null` is no value of it.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Control {
    /// # Errors
    /// A refusal that says what is wrong with the text.
    pub(super) fn parse(body: &[u8]) -> Result<Control, Refusal> {
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Refusal::new(400, "expected one JSON object, such as {\"freeze\": true}"));
        }
        serde_json::from_slice(body).map_err(|error| Refusal::new(400, format!("the request is not usable: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Control, Refusal> {
        Control::parse(text.as_bytes())
    }

    #[test]
    fn what_is_left_out_stays_and_null_follows_the_best_class() {
        assert_eq!(parse("{}").expect("nothing is asked"), Control::default());
        assert_eq!(parse(r#"{"target":null}"#).expect("a wish").target, Some(None));
        assert_eq!(parse(r#" {"target":7}"#).expect("a wish").target, Some(Some(Asked::Class(7))));
        let cat = Some(Some(Asked::Named("cat-dog".to_owned())));
        assert_eq!(parse(r#"{"target":"cat-dog"}"#).expect("a wish").target, cat);
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        for text in [
            "",
            "[]",
            "null",
            "{",
            "{}{}",
            r#"{"target":-1}"#,
            r#"{"target":1.5}"#,
            r#"{"target":[1]}"#,
            r#"{"method":null}"#,
            r#"{"opacity":"1"}"#,
            r#"{"opacity":1e999}"#,
            r#"{"freeze":1}"#,
            r#"{"freeze":true,"freeze":true}"#,
            r#"{"frieze":true}"#,
            "\u{feff}{}",
        ] {
            assert_eq!(parse(text).expect_err(text).status, 400, "{text}");
        }
    }
}
