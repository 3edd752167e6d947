//! What rules write with: nodes, constants, and the few operations whose form depends on the opset.

use crate::onnx::graph::{Attribute, Facts, Graph, Node, Tensor};
use std::collections::{BTreeMap, HashMap, HashSet};

type Outcome<T> = Result<T, String>;

/// Collects the nodes of a gradient head.
pub struct Emitter<'a> {
    graph: &'a Graph,
    /// Shapes of the classifier's wires and of those made here.
    shapes: HashMap<String, Vec<usize>>,
    /// Every name that is taken.
    names: HashSet<String>,
    /// How often the rules asked for a name.
    asked: HashMap<String, usize>,
    /// The classifier's node whose rule is writing, for names that can be followed.
    origin: String,
    nodes: Vec<Node>,
    constants: BTreeMap<String, Tensor>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(graph: &'a Graph, facts: &Facts, seed: &str, seed_shape: &[usize]) -> Emitter<'a> {
        let mut shapes: HashMap<String, Vec<usize>> =
            facts.iter().map(|(wire, fact)| (wire.clone(), fact.shape.clone())).collect();
        shapes.insert(seed.to_owned(), seed_shape.to_vec());
        Emitter {
            graph,
            shapes,
            names: graph.wires().into_iter().map(str::to_owned).collect(),
            asked: HashMap::new(),
            origin: String::new(),
            nodes: Vec::new(),
            constants: BTreeMap::new(),
        }
    }

    pub(super) fn begin(&mut self, node: &Node) {
        self.origin = node.label().to_owned();
    }

    pub(super) fn finish(self) -> (Vec<Node>, BTreeMap<String, Tensor>) {
        (self.nodes, self.constants)
    }

    /// The shape of a wire.
    pub fn shape(&self, wire: &str) -> Outcome<Vec<usize>> {
        self.shapes.get(wire).cloned().ok_or_else(|| format!("the shape of `{wire}` is not known"))
    }

    /// The value of a constant wire of the classifier.
    pub fn constant_value(&self, wire: &str) -> Option<&Tensor> {
        self.graph.constant(wire)
    }

    /// The integers of a constant wire, such as axes.
    pub fn integers(&self, wire: &str) -> Outcome<Vec<i64>> {
        let values = self.constant_value(wire).and_then(Tensor::to_integers);
        values.ok_or_else(|| format!("its input `{wire}` is not constant"))
    }

    /// The classifier.
    pub fn graph(&self) -> &Graph {
        self.graph
    }

    pub fn opset(&self) -> i64 {
        self.graph.opset
    }

    fn name(&mut self, what: &str) -> String {
        let base = format!("gradient_head/{}/{what}", self.origin);
        let asked = self.asked.entry(base.clone()).or_default();
        loop {
            *asked += 1;
            let name = if *asked == 1 { base.clone() } else { format!("{base}_{asked}") };
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }

    /// A new constant wire.
    pub fn constant(&mut self, what: &str, tensor: Tensor) -> String {
        let name = self.name(what);
        self.shapes.insert(name.clone(), tensor.shape.clone());
        self.constants.insert(name.clone(), tensor);
        name
    }

    /// A new scalar constant.
    pub fn scalar(&mut self, what: &str, value: f32) -> String {
        self.constant(what, Tensor::f32(&[], &[value]))
    }

    /// A new node with one output of the given shape; returns the output's wire.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)], shape: &[usize]) -> String {
        let name = self.name(op);
        self.nodes.push(Node {
            name: name.clone(),
            op: op.to_owned(),
            inputs: inputs.iter().map(|wire| (*wire).to_owned()).collect(),
            outputs: vec![name.clone()],
            attributes: attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        });
        self.shapes.insert(name.clone(), shape.to_vec());
        name
    }

    /// A new node without attributes that works element by element, its inputs broadcast against each other.
    pub fn apply(&mut self, op: &str, inputs: &[&str]) -> Outcome<String> {
        let mut shape: Vec<usize> = Vec::new();
        for wire in inputs {
            let mut own = self.shape(wire)?;
            while own.len() < shape.len() {
                own.insert(0, 1);
            }
            while shape.len() < own.len() {
                shape.insert(0, 1);
            }
            for (side, own) in shape.iter_mut().zip(own) {
                if *side != own && *side != 1 && own != 1 {
                    return Err(format!("the shapes of {inputs:?} do not broadcast"));
                }
                *side = if *side == 1 { own } else { *side };
            }
        }
        Ok(self.node(op, inputs, &[], &shape))
    }

    /// `wire` where `condition` holds, elsewhere 0.
    pub fn only_where(&mut self, condition: &str, wire: &str) -> Outcome<String> {
        let zero = self.scalar("zero", 0.0);
        self.apply("Where", &[condition, wire, &zero])
    }

    /// The sum of two wires of one shape.
    pub fn add(&mut self, left: &str, right: &str) -> Outcome<String> {
        let shape = self.shape(left)?;
        Ok(self.node("Add", &[left, right], &[], &shape))
    }

    /// `wire / divisor`.
    pub fn divide(&mut self, wire: &str, divisor: f32) -> Outcome<String> {
        let shape = self.shape(wire)?;
        let divisor = self.scalar("divisor", divisor);
        Ok(self.node("Div", &[wire, &divisor], &[], &shape))
    }

    /// `wire · factor`.
    pub fn multiply(&mut self, wire: &str, factor: f32) -> Outcome<String> {
        let factor = self.scalar("factor", factor);
        self.apply("Mul", &[wire, &factor])
    }

    /// Where `wire` is greater than `bound`.
    pub fn above(&mut self, wire: &str, bound: f32) -> Outcome<String> {
        let bound = self.scalar("bound", bound);
        self.apply("Greater", &[wire, &bound])
    }

    /// Where `wire` is less than `bound`.
    pub fn below(&mut self, wire: &str, bound: f32) -> Outcome<String> {
        let bound = self.scalar("bound", bound);
        self.apply("Less", &[wire, &bound])
    }

    /// `wire`, no less than `low` and no greater than `high`.
    pub fn between(&mut self, wire: &str, low: f32, high: f32) -> Outcome<String> {
        // Not Clip: its bounds are attributes in some opsets and inputs in others.
        let (low, high) = (self.scalar("low", low), self.scalar("high", high));
        let raised = self.apply("Max", &[wire, &low])?;
        self.apply("Min", &[&raised, &high])
    }

    /// The same elements in another shape.
    pub fn reshape(&mut self, wire: &str, shape: &[usize]) -> Outcome<String> {
        let from = self.shape(wire)?;
        if from == shape {
            return Ok(wire.to_owned());
        }
        if from.iter().product::<usize>() != shape.iter().product::<usize>() {
            return Err(format!("`{wire}` of shape {from:?} has another number of elements than {shape:?}"));
        }
        // A constant is given its shape here rather than for every frame.
        if let Some(tensor) = self.constant_value(wire) {
            let tensor = Tensor { shape: shape.to_vec(), ..tensor.clone() };
            return Ok(self.constant("constant", tensor));
        }
        let sides: Vec<i64> = shape.iter().map(|side| *side as i64).collect();
        let sides = self.constant("shape", Tensor::i64(&sides));
        Ok(self.node("Reshape", &[wire, &sides], &[], shape))
    }

    /// Repeats along axes of length 1.
    ///
    /// Written as Concat of doubled copies: tract moves an Expand (or Tile, or Gather of one place) out of a matrix product
    /// that reads it, and loses it.
    pub fn expand(&mut self, wire: &str, shape: &[usize]) -> Outcome<String> {
        let mut sides = self.shape(wire)?;
        if sides.len() != shape.len() || sides.iter().zip(shape).any(|(from, to)| from != to && *from != 1) {
            return Err(format!("a gradient of shape {sides:?} does not expand to {shape:?}"));
        }
        let mut wire = wire.to_owned();
        for axis in (0..shape.len()).rev().filter(|axis| sides[*axis] != shape[*axis]).collect::<Vec<usize>>() {
            sides[axis] = shape[axis];
            wire = self.repeat(&wire, axis, shape[axis])?;
        }
        Ok(wire)
    }

    /// `count` copies of a wire, one behind the other along `axis`.
    fn repeat(&mut self, wire: &str, axis: usize, count: usize) -> Outcome<String> {
        let shape = self.shape(wire)?;
        if count == 0 {
            return Err(format!("axis {axis} has no length"));
        }
        let join = |emitter: &mut Self, parts: &[&str], copies: usize| {
            let mut shape = shape.clone();
            shape[axis] *= copies;
            emitter.node("Concat", parts, &[("axis", Attribute::Int(axis as i64))], &shape)
        };
        // The copies of each binary digit of the count.
        let mut parts: Vec<String> = Vec::new();
        let (mut doubled, mut copies) = (wire.to_owned(), 1);
        while copies <= count {
            if count & copies != 0 {
                parts.push(doubled.clone());
            }
            copies *= 2;
            if copies <= count {
                doubled = join(self, &[&doubled, &doubled], copies);
            }
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(match parts.as_slice() {
            [only] => (*only).to_owned(),
            _ => join(self, &parts, count),
        })
    }

    /// The last two axes swapped.
    pub fn transpose(&mut self, wire: &str) -> Outcome<String> {
        let rank = self.shape(wire)?.len();
        let mut order: Vec<usize> = (0..rank).collect();
        let last = rank.checked_sub(2).ok_or_else(|| format!("`{wire}` is no matrix"))?;
        order.swap(last, last + 1);
        self.permute(wire, &order)
    }

    /// Sums over the axes along which `shape` was broadcast to the wire's own, and brings the sum to `shape`.
    pub fn sum_to(&mut self, wire: &str, shape: &[usize]) -> Outcome<String> {
        let from = self.shape(wire)?;
        let new = from.len().checked_sub(shape.len()).ok_or("its gradient has fewer axes than its input")?;
        let fits = |(side, own): (&usize, &usize)| side == own || *side == 1;
        if !shape.iter().zip(&from[new..]).all(fits) {
            return Err(format!("its gradient of shape {from:?} does not come from an input of shape {shape:?}"));
        }
        let repeated = |axis: &usize| *axis < new || (shape[*axis - new] == 1 && from[*axis] != 1);
        let axes: Vec<usize> = (0..from.len()).filter(repeated).filter(|axis| from[*axis] != 1).collect();
        let sum = self.reduce("ReduceSum", wire, &axes)?;
        self.reshape(&sum, shape)
    }

    /// A reduction over `axes` (from 0 on), which keep the length 1.
    pub fn reduce(&mut self, op: &str, wire: &str, axes: &[usize]) -> Outcome<String> {
        if axes.is_empty() {
            return Ok(wire.to_owned());
        }
        let mut kept = self.shape(wire)?;
        axes.iter().for_each(|axis| kept[*axis] = 1);
        let axes: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
        // The axes of ReduceSum became an input in opset 13, those of the others in 18.
        let since = if op == "ReduceSum" { 13 } else { 18 };
        let keep = ("keepdims", Attribute::Int(1));
        if self.opset() >= since {
            let axes = self.constant("axes", Tensor::i64(&axes));
            return Ok(self.node(op, &[wire, &axes], &[keep], &kept));
        }
        Ok(self.node(op, &[wire], &[("axes", Attribute::Ints(axes)), keep], &kept))
    }

    /// The positions from each start up to before its end, along the given axes: (axis, start, end).
    pub fn slice(&mut self, wire: &str, ranges: &[(usize, usize, usize)]) -> Outcome<String> {
        let mut shape = self.shape(wire)?;
        let cuts: Vec<_> =
            ranges.iter().filter(|(axis, start, end)| (*start, *end) != (0, shape[*axis])).copied().collect();
        if cuts.is_empty() {
            return Ok(wire.to_owned());
        }
        cuts.iter().for_each(|(axis, start, end)| shape[*axis] = end - start);
        let axes: Vec<i64> = cuts.iter().map(|cut| cut.0 as i64).collect();
        let starts: Vec<i64> = cuts.iter().map(|cut| cut.1 as i64).collect();
        let ends: Vec<i64> = cuts.iter().map(|cut| cut.2 as i64).collect();
        // All became inputs in opset 10.
        if self.opset() < 10 {
            let attributes =
                [("axes", Attribute::Ints(axes)), ("starts", Attribute::Ints(starts)), ("ends", Attribute::Ints(ends))];
            return Ok(self.node("Slice", &[wire], &attributes, &shape));
        }
        let starts = self.constant("starts", Tensor::i64(&starts));
        let ends = self.constant("ends", Tensor::i64(&ends));
        let axes = self.constant("axes", Tensor::i64(&axes));
        Ok(self.node("Slice", &[wire, &starts, &ends, &axes], &[], &shape))
    }

    /// A border of `value` along one axis.
    pub fn pad(&mut self, wire: &str, axis: usize, before: usize, after: usize, value: f32) -> Outcome<String> {
        if before == 0 && after == 0 {
            return Ok(wire.to_owned());
        }
        let mut shape = self.shape(wire)?;
        let mut pads = vec![0; 2 * shape.len()];
        pads[axis] = before as i64;
        pads[shape.len() + axis] = after as i64;
        shape[axis] += before + after;
        // Both became inputs in opset 11.
        if self.opset() < 11 {
            let attributes = [("pads", Attribute::Ints(pads)), ("value", Attribute::Float(value))];
            return Ok(self.node("Pad", &[wire], &attributes, &shape));
        }
        let pads = self.constant("pads", Tensor::i64(&pads));
        let value = self.scalar("border", value);
        Ok(self.node("Pad", &[wire, &pads, &value], &[], &shape))
    }
}
