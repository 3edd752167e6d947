//! ONNX files: read, validated before anything else sees them, cut into parts, written. The protobuf types stay in here;
//! the rest of the program sees [`Graph`].

pub mod graph;
mod lists;
pub mod read;
mod arity;
mod attributes;
mod computed;
mod windows;
mod hostile;
mod ranks;
pub mod validate;
pub mod cost;
pub mod cut;
pub mod shared;
pub mod write;

pub(crate) use computed::{size_was_found, sized};
pub use cut::{Parts, cut};
pub use graph::{Attribute, ElementType, Fact, Facts, Graph, Node, Port, Tensor};
pub use hostile::OPERATORS;
pub(crate) use lists::few;
pub use read::read;
pub use shared::Shared;
pub use write::{to_bytes, to_proto};

/// The input that chooses what is explained: `[1, C]` weights of the scores.
pub const TARGET: &str = "target";
/// The output with the feature maps at the target layer: `[1, K, h, w]`.
pub const ACTIVATIONS: &str = "activations";
/// The output with d(Σ target·scores)/d activations: `[1, K, h, w]`.
pub const GRADIENTS: &str = "gradients";

/// The largest number of elements that a single tensor may have. Larger ones are refused before memory is set aside.
pub const MAX_ELEMENTS: usize = 1 << 27;
/// The most axes that a tensor may have. Windows of attention have six; an engine's time grows with their square.
pub const MAX_RANK: usize = 16;
/// The most nodes of a graph, gradient head included. No image classifier has as many, and the time to compile grows
/// faster than their number.
pub const MAX_NODES: usize = 4096;
