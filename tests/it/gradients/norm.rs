//! Normalisations.
