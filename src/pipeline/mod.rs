//! The wiring: what explains one frame, and a live run of it with its threads, slots and statistics.

pub mod explainer;
pub mod film;
pub mod latest;
pub mod live;
pub mod pace;
pub mod pool;
pub mod recorder;
pub mod report;
pub mod screen;
#[cfg(feature = "serve")]
pub mod serve;
pub mod stats;
pub mod watch;
