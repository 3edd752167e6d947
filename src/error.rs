//! What can go wrong, by kind. Every error names the file, node or device; the program adds what to do next.

use std::path::Path;

/// The errors of the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A camera or display: missing, busy, lost, or without a usable format.
    #[error("{device}: {reason}")]
    Device { device: String, reason: String },

    /// A model file that cannot be read, is not a valid classifier, or fails the check of its gradient head.
    #[error("{file}: {reason}")]
    Model { file: String, reason: String },

    /// The gradient would have to pass an operator that has no rule: refused, never approximated.
    #[error("{file}: cannot differentiate operator {operator} (node `{node}`): {reason}")]
    UnsupportedOperator { file: String, node: String, operator: String, reason: String },

    /// A picture, label, class or option that cannot be used.
    #[error("{name}: {reason}")]
    Input { name: String, reason: String },

    /// A file or folder that cannot be written.
    #[error("{path}: {reason}")]
    Output { path: String, reason: String },
}

/// The result of everything in the library that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn device(device: impl ToString, reason: impl ToString) -> Error {
        Error::Device { device: device.to_string(), reason: reason.to_string() }
    }

    pub(crate) fn model(file: impl ToString, reason: impl ToString) -> Error {
        Error::Model { file: file.to_string(), reason: reason.to_string() }
    }

    pub(crate) fn input(name: impl ToString, reason: impl ToString) -> Error {
        Error::Input { name: name.to_string(), reason: reason.to_string() }
    }

    pub(crate) fn output(path: &Path, reason: impl ToString) -> Error {
        Error::Output { path: path.display().to_string(), reason: reason.to_string() }
    }
}

thread_local! {
    static GUARDED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Longer reasons print whole tensors.
const LONGEST_REASON: usize = 600;

/// Runs code of a library that may panic on input from strangers; a panic becomes the reason of an error, of one line.
pub(crate) fn guarded<T, E: std::fmt::Display>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    let before = GUARDED.replace(true);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    GUARDED.set(before);
    let reason = match outcome {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
            text.lines().next().unwrap_or_default().to_owned()
        }
    };
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    Err(reason.chars().take(LONGEST_REASON).map(plain).collect())
}

/// Keeps panics that [`guarded`] turns into errors from writing to standard error. For the program's start.
pub fn silence_guarded_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            report(panic);
        }
    }));
}
