//! What can be set of a camera (exposure, gain, focus, …), by the names that Video4Linux tools use.

use serde::Serialize;

/// A control of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlInfo {
    /// The system's number for it.
    #[serde(skip)]
    pub id: u32,
    /// E.g. `white_balance_temperature`.
    pub name: String,
    pub kind: ControlKind,
    pub minimum: i64,
    pub maximum: i64,
    /// Values are `minimum` and as many of these as one likes.
    pub step: i64,
    pub default: i64,
    /// Where the camera tells.
    pub value: Option<i64>,
    /// What the values of a menu are called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub menu: Vec<(i64, String)>,
    /// Why it cannot be set now: [`INACTIVE`] or [`READ_ONLY`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
}

/// Another control has the camera do it automatically.
pub const INACTIVE: &str = "inactive";
pub const READ_ONLY: &str = "read only";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlKind {
    Number,
    Switch,
    Menu,
    /// Does something when it is set, to whatever value.
    Button,
}

/// `name=value` of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlRequest {
    pub name: String,
    pub value: String,
}

impl std::fmt::Display for ControlRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl std::str::FromStr for ControlRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<ControlRequest, String> {
        let (name, value) = text.split_once('=').unwrap_or_default();
        if [name, value].iter().any(|part| part.trim().is_empty()) {
            return Err("expected NAME=VALUE, such as exposure_time_absolute=200".to_owned());
        }
        Ok(ControlRequest { name: plain(name), value: value.trim().to_owned() })
    }
}

/// A name as it is written on a command line: `White Balance, Auto` is `white_balance_auto`.
pub fn plain(name: &str) -> String {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

impl ControlRequest {
    /// The control and the number that it is to be set to.
    ///
    /// # Errors
    /// There is no such control (the names that there are, are listed), or the value is none of its own (they are told).
    pub fn resolve<'a>(&self, controls: &'a [ControlInfo]) -> Result<(&'a ControlInfo, i64), String> {
        let Some(control) = controls.iter().find(|control| control.name == self.name) else {
            let names: Vec<&str> = controls.iter().map(|control| control.name.as_str()).collect();
            return Err(match names.is_empty() {
                true => format!("has no control `{}`, nor any other", self.name),
                false => format!("has no control `{}`; it has: {}", self.name, names.join(", ")),
            });
        };
        let value = control.value_of(&self.value);
        let value = value.ok_or_else(|| format!("`{self}`: expected {}", control.values()))?;
        Ok((control, value))
    }
}

impl ControlInfo {
    fn value_of(&self, text: &str) -> Option<i64> {
        if text.eq_ignore_ascii_case("default") {
            return Some(self.default);
        }
        match self.kind {
            ControlKind::Button => Some(0),
            ControlKind::Switch => match text.to_ascii_lowercase().as_str() {
                "1" | "on" | "true" | "yes" => Some(1),
                "0" | "off" | "false" | "no" => Some(0),
                _ => None,
            },
            ControlKind::Menu => {
                let number = text.parse().ok();
                let named = |(value, name): &&(i64, String)| Some(*value) == number || plain(name) == plain(text);
                self.menu.iter().find(named).map(|(value, _)| *value)
            }
            ControlKind::Number => {
                let value = text.parse().ok().filter(|value| (self.minimum..=self.maximum).contains(value))?;
                (value.checked_sub(self.minimum)? % self.step.max(1) == 0).then_some(value)
            }
        }
    }

    /// The values that it takes, in words.
    pub fn values(&self) -> String {
        match self.kind {
            ControlKind::Button => "any value".to_owned(),
            ControlKind::Switch => "on or off".to_owned(),
            ControlKind::Menu => {
                let entries = self.menu.iter().map(|(value, name)| format!("{value} {}", plain(name)));
                entries.collect::<Vec<_>>().join(", ")
            }
            ControlKind::Number if self.step > 1 => {
                format!("{} to {} in steps of {}", self.minimum, self.maximum, self.step)
            }
            ControlKind::Number => format!("{} to {}", self.minimum, self.maximum),
        }
    }

    /// A value as [`ControlRequest`] takes it.
    pub fn show(&self, value: i64) -> String {
        let entry = || self.menu.iter().find(|(number, _)| *number == value).map(|(_, name)| plain(name));
        match self.kind {
            ControlKind::Switch => ["off", "on"][usize::from(value != 0)].to_owned(),
            ControlKind::Menu => entry().filter(|name| !name.is_empty()).unwrap_or_else(|| value.to_string()),
            ControlKind::Number | ControlKind::Button => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(name: &str, kind: ControlKind, (minimum, maximum, step): (i64, i64, i64)) -> ControlInfo {
        let menu = [(1, "Manual Mode"), (3, "Aperture Priority Mode")].map(|(value, name)| (value, name.to_owned()));
        let menu = if kind == ControlKind::Menu { menu.into() } else { Vec::new() };
        let (default, value) = (maximum, Some(minimum));
        ControlInfo { id: 0, name: plain(name), kind, minimum, maximum, step, default, value, menu, state: None }
    }

    fn camera() -> Vec<ControlInfo> {
        vec![
            control("Exposure Time, Absolute", ControlKind::Number, (5, 2500, 5)),
            control("Auto Exposure", ControlKind::Menu, (0, 3, 1)),
            control("White Balance, Automatic", ControlKind::Switch, (0, 1, 1)),
            control("Whole Range", ControlKind::Number, (i64::MIN, i64::MAX, 1)),
        ]
    }

    fn resolved(text: &str) -> Result<(String, i64), String> {
        let request: ControlRequest = text.parse()?;
        let controls = camera();
        request.resolve(&controls).map(|(control, value)| (control.name.clone(), value))
    }

    #[test]
    fn values_are_numbers_switches_and_entries_of_menus() {
        for (text, value) in [
            ("exposure_time_absolute=5", 5),
            ("Exposure Time, Absolute = 2500", 2500),
            ("exposure_time_absolute=default", 2500),
            ("auto_exposure=1", 1),
            ("auto_exposure=manual_mode", 1),
            ("auto_exposure=Aperture Priority Mode", 3),
            ("white_balance_automatic=off", 0),
            ("white_balance_automatic=True", 1),
            ("whole_range=-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(resolved(text).map(|(_, value)| value), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        for (text, words) in [
            ("focus=3", "it has: exposure_time_absolute, auto_exposure, white_balance_automatic"),
            ("exposure_time_absolute=4", "`exposure_time_absolute=4`: expected 5 to 2500 in steps of 5"),
            ("exposure_time_absolute=7", "in steps of 5"),
            ("exposure_time_absolute=bright", "5 to 2500"),
            ("auto_exposure=2", "expected 1 manual_mode, 3 aperture_priority_mode"),
            ("white_balance_automatic=2", "expected on or off"),
            ("brightness", "expected NAME=VALUE"),
            ("=3", "expected NAME=VALUE"),
            ("gain=", "expected NAME=VALUE"),
        ] {
            let error = resolved(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
        let request = ControlRequest { name: "gain".into(), value: "1".into() };
        assert_eq!(request.resolve(&[]), Err("has no control `gain`, nor any other".to_owned()));
    }

    #[test]
    fn what_is_shown_can_be_set() {
        for control in camera() {
            for value in [control.minimum, control.maximum, control.default] {
                let request = ControlRequest { name: control.name.clone(), value: control.show(value) };
                let fits = control.kind != ControlKind::Menu || value != 0;
                assert_eq!(request.resolve(&camera()).is_ok(), fits, "{request}");
            }
        }
    }
}
