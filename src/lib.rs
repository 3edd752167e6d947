//! Live visual explanation on the edge: exact Grad-CAM of ONNX classifiers, at camera rate, on a CPU.
//!
//! Read the modules in this order; it is the way of one frame:
//!
//! ```text
//!  source ──► decode ──► preprocess ──► engine ──► target ──► engine ──► cam ──► overlay ──► sink
//!             Frame      Input          Forward    Target     Evidence   HeatMap  Canvas
//! ────────────────────────────────────────────────────────────────────────────────────────────────
//!  foundations, each using only those before it:
//!  kernels (SIMD)   onnx (read, validate, cut, write)   autodiff (rules)   model (load, derive, verify)
//! ────────────────────────────────────────────────────────────────────────────────────────────────
//!  pipeline (threads, slots, statistics) and cli: the only places that use everything
//! ```

// For all: what goes wrong, what time it is, whether to stop, who watches over it, what memory is kept, a picture with its
// time.
pub mod error;
pub mod clock;
pub mod shutdown;
pub mod service;
pub mod memory;
pub mod frame;

// Foundations.
pub mod kernels;
pub mod onnx;
pub mod autodiff;
pub mod model;

// The way of a frame, and what a recording says of it.
pub mod source;
pub mod decode;
pub mod preprocess;
pub mod target;
pub mod engine;
pub mod cam;
pub mod overlay;
pub mod logbook;
pub mod sink;

// The wiring.
pub mod pipeline;
pub mod cli;

pub use error::{Error, Result};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
