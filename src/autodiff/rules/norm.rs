//! Normalisations.

use super::Rule;

/// The rules of this family.
pub(super) fn find(_op: &str) -> Option<Rule> {
    None
}
