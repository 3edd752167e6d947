//! A classifier as a graph of nodes that are connected by named wires.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The element types that a classifier's graph may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    F32,
    F64,
    F16,
    I8,
    U8,
    I32,
    I64,
    Bool,
}

impl ElementType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            ElementType::I8 | ElementType::U8 | ElementType::Bool => 1,
            ElementType::F16 => 2,
            ElementType::F32 | ElementType::I32 => 4,
            ElementType::F64 | ElementType::I64 => 8,
        }
    }
}

/// A constant array: row-major, little-endian.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub kind: ElementType,
    pub shape: Vec<usize>,
    /// `size() × product(shape)` bytes; shared, because the parts of a model use the same weights.
    pub bytes: Arc<Vec<u8>>,
}

impl Tensor {
    pub fn f32(shape: &[usize], values: &[f32]) -> Tensor {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "a tensor holds one value for each element");
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor { kind: ElementType::F32, shape: shape.to_vec(), bytes: Arc::new(bytes) }
    }

    /// A list of integers, as shapes, axes and indices are given.
    pub fn i64(values: &[i64]) -> Tensor {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor { kind: ElementType::I64, shape: vec![values.len()], bytes: Arc::new(bytes) }
    }

    /// The values if these are f32.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        let (chunks, _) = self.bytes.as_chunks();
        (self.kind == ElementType::F32).then(|| chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    }

    /// The values if these are i64.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        let (chunks, _) = self.bytes.as_chunks();
        (self.kind == ElementType::I64).then(|| chunks.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect())
    }

    /// The values if these are integers of either size, as indices may be.
    pub fn to_integers(&self) -> Option<Vec<i64>> {
        let (chunks, _) = self.bytes.as_chunks();
        match self.kind {
            ElementType::I32 => Some(chunks.iter().map(|chunk| i64::from(i32::from_le_bytes(*chunk))).collect()),
            _ => self.to_i64(),
        }
    }

    /// The first element that weights cannot have. A constant of ±infinity is a legal bound (of Clip, say); among many
    /// values it is damage.
    pub fn broken_element(&self) -> Option<usize> {
        let broken = |value: f64| value.is_nan() || (self.shape.len() > 1 && value.is_infinite());
        match self.kind {
            ElementType::F32 => {
                self.bytes.as_chunks().0.iter().position(|chunk| broken(f32::from_le_bytes(*chunk).into()))
            }
            ElementType::F64 => self.bytes.as_chunks().0.iter().position(|chunk| broken(f64::from_le_bytes(*chunk))),
            // An exponent of ones is an infinity, or with any other bit no number.
            ElementType::F16 => {
                let half = |chunk: &[u8; 2]| match u16::from_le_bytes(*chunk) & 0x7fff {
                    0x7c00 => f64::INFINITY,
                    bits if bits > 0x7c00 => f64::NAN,
                    _ => 0.0,
                };
                self.bytes.as_chunks().0.iter().position(|chunk| broken(half(chunk)))
            }
            _ => None,
        }
    }
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    Float(f32),
    Int(i64),
    String(Vec<u8>),
    Tensor(Tensor),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Strings(Vec<Vec<u8>>),
}

/// One operator of the default ONNX domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub name: String,
    pub op: String,
    /// Wire names; empty for an optional input that is left out.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

impl Node {
    pub fn int(&self, attribute: &str) -> Option<i64> {
        match self.attributes.get(attribute) {
            Some(Attribute::Int(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn ints(&self, attribute: &str) -> Option<&[i64]> {
        match self.attributes.get(attribute) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    pub fn float(&self, attribute: &str) -> Option<f32> {
        match self.attributes.get(attribute) {
            Some(Attribute::Float(value)) => Some(*value),
            _ => None,
        }
    }

    /// The wire at `index`, unless it is left out.
    pub fn input(&self, index: usize) -> Option<&str> {
        self.inputs.get(index).map(String::as_str).filter(|wire| !wire.is_empty())
    }

    /// How messages call it: its name, or the wire that it makes where it has none.
    pub fn label(&self) -> &str {
        if self.name.is_empty() { self.outputs.first().map_or("", String::as_str) } else { &self.name }
    }
}

/// What a wire carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub kind: ElementType,
    pub shape: Vec<usize>,
}

impl Fact {
    pub fn f32(shape: &[usize]) -> Fact {
        Fact { kind: ElementType::F32, shape: shape.to_vec() }
    }
}

/// What each wire of a graph carries, once its inputs have fixed shapes.
pub type Facts = HashMap<String, Fact>;

/// An input or output of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    pub name: String,
    pub kind: ElementType,
    /// `None`: rank unknown. A dimension that is `None` is symbolic.
    pub shape: Option<Vec<Option<usize>>>,
}

impl Port {
    pub fn new(name: &str, fact: &Fact) -> Port {
        let shape = Some(fact.shape.iter().map(|side| Some(*side)).collect());
        Port { name: name.to_owned(), kind: fact.kind, shape }
    }

    pub fn f32(name: &str, shape: &[usize]) -> Port {
        Port::new(name, &Fact::f32(shape))
    }
}

/// A graph whose nodes stand in an order in which each finds its inputs made.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The file it came from, for messages.
    pub file: String,
    /// Version of the default operator set.
    pub opset: i64,
    pub ir_version: i64,
    pub nodes: Vec<Node>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub initializers: BTreeMap<String, Tensor>,
    pub metadata: BTreeMap<String, String>,
}

impl Graph {
    /// Which node makes a wire.
    pub fn producers(&self) -> HashMap<&str, usize> {
        let mut producers = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for wire in node.outputs.iter().filter(|wire| !wire.is_empty()) {
                producers.insert(wire.as_str(), index);
            }
        }
        producers
    }

    /// The nodes that lie behind any of the `wires`: what changes when these change.
    pub fn behind(&self, wires: &[&str]) -> HashSet<usize> {
        let mut reached: HashSet<&str> = wires.iter().copied().collect();
        let mut nodes = HashSet::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.inputs.iter().any(|wire| reached.contains(wire.as_str())) {
                nodes.insert(index);
                reached.extend(node.outputs.iter().map(String::as_str).filter(|wire| !wire.is_empty()));
            }
        }
        nodes
    }

    /// The nodes that the `wires` need, not looking past the wires of `stop`.
    pub fn before(&self, wires: &[&str], stop: &[&str]) -> HashSet<usize> {
        let mut needed: HashSet<&str> = wires.iter().copied().filter(|wire| !stop.contains(wire)).collect();
        let mut nodes = HashSet::new();
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if node.outputs.iter().any(|wire| needed.contains(wire.as_str())) {
                nodes.insert(index);
                needed.extend(node.inputs.iter().map(String::as_str).filter(|wire| !stop.contains(wire)));
            }
        }
        nodes
    }

    /// Every wire name in use.
    pub fn wires(&self) -> HashSet<&str> {
        let ports = self.inputs.iter().chain(&self.outputs).map(|port| port.name.as_str());
        let nodes = self.nodes.iter().flat_map(|node| node.inputs.iter().chain(&node.outputs)).map(String::as_str);
        ports.chain(nodes).chain(self.initializers.keys().map(String::as_str)).collect()
    }

    /// `base` with a number behind it that no wire has.
    pub fn free_name(&self, base: &str) -> String {
        let wires = self.wires();
        let mut names = (1..).map(|count| format!("{base}_{count}"));
        names.find(|name| !wires.contains(name.as_str())).expect("there are more numbers than wires")
    }

    /// Renames a wire wherever it stands.
    pub fn rename(&mut self, from: &str, to: &str) {
        let swap = |wire: &mut String| {
            if wire == from {
                *wire = to.to_owned();
            }
        };
        self.inputs.iter_mut().chain(&mut self.outputs).for_each(|port| swap(&mut port.name));
        for node in &mut self.nodes {
            node.inputs.iter_mut().chain(&mut node.outputs).for_each(swap);
        }
        if let Some(tensor) = self.initializers.remove(from) {
            self.initializers.insert(to.to_owned(), tensor);
        }
    }

    /// A constant's value, whether it is an initializer or made by a Constant node.
    pub fn constant(&self, wire: &str) -> Option<&Tensor> {
        if let Some(tensor) = self.initializers.get(wire) {
            return Some(tensor);
        }
        let node = self.nodes.iter().find(|node| node.op == "Constant" && node.outputs.iter().any(|o| o == wire))?;
        match node.attributes.get("value") {
            Some(Attribute::Tensor(tensor)) => Some(tensor),
            _ => None,
        }
    }

    /// Drops the nodes and initializers that no output needs.
    pub fn drop_unneeded(&mut self) {
        let outputs: Vec<&str> = self.outputs.iter().map(|port| port.name.as_str()).collect();
        let needed = self.before(&outputs, &[]);
        let mut at = 0..;
        self.nodes.retain(|_| at.next().is_some_and(|at| needed.contains(&at)));
        self.drop_unused_initializers();
    }

    /// Drops the initializers that no node reads.
    pub fn drop_unused_initializers(&mut self) {
        let used: HashSet<&str> = self.nodes.iter().flat_map(|node| node.inputs.iter().map(String::as_str)).collect();
        let outputs: HashSet<&str> = self.outputs.iter().map(|port| port.name.as_str()).collect();
        self.initializers.retain(|name, _| used.contains(name.as_str()) || outputs.contains(name.as_str()));
    }
}
