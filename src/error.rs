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
