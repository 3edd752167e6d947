//! What the fuzzer starts from.

pub mod forms;
#[path = "../../it/common/graphs.rs"]
mod graphs;
mod foreign;
mod hostile;
mod tails;

use crate::mutate::{Draft, mutate};
use crate::random::Random;
use gradcam::onnx::Graph;
use std::path::Path;

/// One file to try.
pub struct Input {
    /// Where it comes from, for reports.
    pub origin: String,
    pub bytes: Vec<u8>,
}

/// Everything that inputs are made from.
pub struct Seeds {
    hostile: Vec<(&'static str, Graph)>,
    foreign: Vec<(&'static str, Vec<u8>)>,
    /// Real networks with random weights.
    zoo: Vec<(String, Vec<u8>)>,
}

impl Seeds {
    pub fn new() -> Seeds {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/zoo");
        let models = std::fs::read_dir(&folder).expect("the test data is there");
        let mut zoo: Vec<(String, Vec<u8>)> = models
            .map(|entry| entry.expect("the test data is readable"))
            .filter_map(|entry| {
                let bytes = std::fs::read(entry.path().join("model.onnx")).ok()?;
                Some((entry.file_name().to_string_lossy().into_owned(), bytes))
            })
            .collect();
        zoo.sort();
        Seeds { hostile: hostile::graphs(), foreign: foreign::files(), zoo }
    }

    /// Input `number` of a seed: first the files made by hand as they are, then files made and broken at random.
    pub fn input(&self, seed: u64, number: u64) -> Input {
        if let Some(input) = self.by_hand(number as usize) {
            return input;
        }
        let random = &mut Random::new(seed, number);
        let (origin, draft) = match random.below(100) {
            0..=2 => {
                let (name, bytes) = random.pick(&self.zoo);
                (name.as_str(), Draft::Bytes(bytes.clone()))
            }
            3..=9 => {
                let (name, bytes) = random.pick(&self.foreign);
                (*name, Draft::Bytes(bytes.clone()))
            }
            10..=29 => {
                let (name, graph) = random.pick(&self.hostile);
                (*name, Draft::Graph(Box::new(graph.clone())))
            }
            30..=64 => ("random tail", Draft::Graph(Box::new(tails::random_tail(random)))),
            _ => {
                let graph = tails::random_tail(random);
                return Input { origin: "random tail as it is".into(), bytes: gradcam::onnx::to_bytes(&graph) };
            }
        };
        let (bytes, levels) = mutate(draft, random);
        Input { origin: format!("{origin}, changed:{levels}"), bytes }
    }

    fn by_hand(&self, mut number: usize) -> Option<Input> {
        if let Some((name, graph)) = self.hostile.get(number) {
            return Some(Input { origin: (*name).into(), bytes: gradcam::onnx::to_bytes(graph) });
        }
        number -= self.hostile.len();
        if let Some((name, bytes)) = self.foreign.get(number) {
            return Some(Input { origin: (*name).into(), bytes: bytes.clone() });
        }
        let (name, bytes) = self.zoo.get(number - self.foreign.len())?;
        Some(Input { origin: name.clone(), bytes: bytes.clone() })
    }
}
