pub mod explainer;
pub mod latest;
pub mod report;
pub mod stats;
