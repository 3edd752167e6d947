//! From a file to a similar one that is broken somewhere: on the level of the graph, of the protobuf fields, of bytes.

mod bytes;
mod fields;
mod graph;

use crate::random::Random;
use gradcam::onnx::Graph;
use gradcam::onnx::to_bytes;

/// A file in the making.
pub enum Draft {
    Graph(Box<Graph>),
    Bytes(Vec<u8>),
}

/// Breaks a draft in up to four places, and says on which levels.
pub fn mutate(draft: Draft, random: &mut Random) -> (Vec<u8>, String) {
    let mut levels = String::new();
    let mut bytes = match draft {
        Draft::Graph(mut graph) => {
            if random.percent(70) {
                let steps = 1 + random.below(4);
                (0..steps).for_each(|_| graph::mutate(&mut graph, random));
                levels.push_str(" graph");
            }
            to_bytes(&graph)
        }
        Draft::Bytes(bytes) => bytes,
    };
    if random.percent(if levels.is_empty() { 70 } else { 15 }) {
        bytes = fields::mutate(&bytes, random);
        levels.push_str(" fields");
    }
    if random.percent(if levels.is_empty() { 30 } else { 3 }) {
        bytes::mutate(&mut bytes, random);
        levels.push_str(" bytes");
    }
    (bytes, levels)
}
