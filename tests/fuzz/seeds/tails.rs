//! Classifiers with a random chain of operators behind the features, over every operator that a file may use.

use super::forms;
use super::graphs::Builder;
use crate::random::Random;
use gradcam::onnx::{Attribute, ElementType, Graph, Node, OPERATORS, Port, Tensor};

const CLASSES: usize = 3;

/// The wire so far, and its shape where it is easily known.
struct Tail<'a> {
    graph: Graph,
    wire: String,
    shape: Option<Vec<usize>>,
    /// Wires of the same shape as `wire` has.
    alike: Vec<String>,
    random: &'a mut Random,
}

/// A classifier of one to five random operators. In some an operator is used in a way that makes no sense.
pub fn random_tail(random: &mut Random) -> Graph {
    let opset = random.within(9, 21);
    let (side, maps) = (1 + random.below(6), 1 + random.below(6));
    let builder = Builder::new(opset, side, maps);
    let (wire, shape) = ("features".to_owned(), Some(vec![1, maps, side, side]));
    let mut tail = Tail { graph: builder.graph, wire, shape, alike: vec!["features".into()], random };
    for _ in 0..1 + tail.random.below(5) {
        let op = *tail.random.pick(OPERATORS);
        tail.step(op);
        // Behind a wire of unknown shape little can be right.
        if tail.shape.is_none() && tail.random.percent(60) {
            break;
        }
    }
    tail.scores();
    tail.graph
}

impl Tail<'_> {
    fn constant(&mut self, tensor: Tensor) -> String {
        let name = format!("c{}", self.graph.initializers.len());
        self.graph.initializers.insert(name.clone(), tensor);
        name
    }

    fn floats(&mut self, shape: &[usize]) -> String {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| self.random.float()).collect();
        self.constant(Tensor::f32(shape, &values))
    }

    fn integers(&mut self, count: usize, first: i64, last: i64) -> String {
        let hostile = self.random.percent(6);
        let mut draw = || if hostile { self.random.boundary() } else { self.random.within(first, last) };
        let values: Vec<i64> = (0..count).map(|_| draw()).collect();
        self.constant(Tensor::i64(&values))
    }

    fn node(&mut self, op: &str, inputs: Vec<String>, attributes: Vec<(String, Attribute)>) -> String {
        let made = format!("t{}", self.graph.nodes.len());
        let mut outputs = vec![made.clone()];
        if matches!(op, "Split" | "Dropout" | "MaxPool") && self.random.percent(40) {
            outputs.push(format!("{made}_second"));
        }
        let attributes = attributes.into_iter().collect();
        self.graph.nodes.push(Node { name: format!("node_{made}"), op: op.to_owned(), inputs, outputs, attributes });
        made
    }

    /// Whether axes, bounds and the like are inputs in this operator set; in older ones they are attributes.
    fn as_input(&self, op: &str) -> bool {
        let since = match op {
            "Slice" => 10,
            "Clip" | "Pad" => 11,
            "ReduceSum" | "Squeeze" | "Unsqueeze" | "Split" => 13,
            "ReduceProd" | "ReduceMax" | "ReduceMin" | "ReduceMean" | "ReduceL1" | "ReduceL2" | "ReduceSumSquare" => 18,
            _ => return forms::of(op).0.contains('?'),
        };
        self.graph.opset >= since
    }

    fn rank(&self) -> usize {
        self.shape.as_ref().map_or(4, Vec::len)
    }

    fn step(&mut self, op: &str) {
        let (inputs, known) = forms::of(op);
        let mut wires = Vec::new();
        let mut optional = false;
        for code in inputs.chars() {
            if code == '?' {
                optional = true;
            } else if (optional && self.random.percent(if self.as_input(op) { 50 } else { 97 }))
                || (matches!(code, 'a' | 'p') && !self.as_input(op))
            {
                break;
            } else {
                let wire = self.input(code, op);
                wires.push(wire);
            }
        }
        let mut attributes = Vec::new();
        for (name, kind) in known {
            let needed =
                matches!(name, "kernel_shape" | "to" | "blocksize" | "equation" | "perm" | "size" | "num_groups");
            let needed = needed || (op == "Concat" && name == "axis");
            let out_of_date =
                matches!(name, "axes" | "pads" | "min" | "max" | "split" | "starts" | "ends") && self.as_input(op);
            if !self.random.percent(if needed {
                95
            } else if out_of_date {
                3
            } else {
                30
            }) {
                continue;
            }
            let hostile = self.random.percent(5);
            let rank = self.rank();
            let value = match hostile {
                true => forms::hostile_value(kind, self.random),
                false => forms::sane_value(op, name, kind, rank, self.random),
            };
            attributes.push((name.to_owned(), value));
        }
        self.shape = self.shape_behind(op);
        let made = self.node(op, wires, attributes);
        match &self.shape {
            Some(_) if !matches!(op, "Conv" | "Concat") => self.alike.push(made.clone()),
            _ => self.alike = vec![made.clone()],
        }
        self.wire = made;
    }

    fn input(&mut self, code: char, op: &str) -> String {
        let rank = self.rank();
        let shape = self.shape.clone().unwrap_or_else(|| vec![1, 4, 2, 2]);
        let maps = shape.get(1).copied().unwrap_or(1);
        match code {
            'x' => self.wire.clone(),
            'y' if self.random.percent(50) => self.random.pick(&self.alike).clone(),
            'y' => {
                let mut sides = shape;
                let keep = |random: &mut Random| random.percent(50);
                sides.iter_mut().for_each(|side| *side = if keep(self.random) { *side } else { 1 });
                self.floats(&sides)
            }
            'b' => {
                let zero = self.floats(&[]);
                self.node("Greater", vec![self.wire.clone(), zero], Vec::new())
            }
            'w' => {
                let (kernel, out) = (1 + self.random.below(3), 1 + self.random.below(6));
                let inner = if self.random.percent(80) { maps } else { 1 };
                self.floats(&[out, inner, kernel, kernel])
            }
            'm' => {
                let inner = shape.last().copied().unwrap_or(1);
                let columns = 1 + self.random.below(5);
                self.floats(&[inner, columns])
            }
            'c' if op == "PRelu" => self.floats(&[maps, 1, 1]),
            'c' => {
                let values: Vec<f32> = (0..maps).map(|_| self.random.float().abs() + 0.1).collect();
                self.constant(Tensor::f32(&[maps], &values))
            }
            's' => self.floats(&[]),
            'a' => self.integers(1, -(rank as i64), rank as i64 - 1),
            'h' if matches!(op, "Tile" | "ConstantOfShape") => self.integers(rank, 1, 2),
            'h' if op == "Reshape" => {
                let sides = [vec![1, -1], vec![0, -1], vec![1, maps as i64, -1], vec![0, 0, -1, 1]];
                let sides = self.random.pick(&sides).clone();
                self.constant(Tensor::i64(&sides))
            }
            'h' => {
                let factor = 1 + self.random.below(2) as i64;
                let sides: Vec<i64> = shape.iter().map(|side| *side as i64 * factor).collect();
                self.constant(Tensor::i64(&sides))
            }
            'p' => self.integers(2 * rank, 0, 2),
            'i' => self.integers(1, 0, 1),
            'r' => {
                let values: Vec<f32> = (0..rank).map(|axis| if axis < 2 { 1.0 } else { 2.0 }).collect();
                self.constant(Tensor::f32(&[rank], &values))
            }
            _ => String::new(),
        }
    }

    /// The shape of the result where it is the wire's own; `None` elsewhere.
    fn shape_behind(&self, op: &str) -> Option<Vec<usize>> {
        let shape = self.shape.clone()?;
        let kept = forms::of(op).1.is_empty() && !matches!(op, "Expand" | "MatMul" | "Tile" | "GlobalMaxPool" | "Size")
            || op.ends_with("Softmax")
            || op.ends_with("Normalization")
            || matches!(op, "Celu" | "Clip" | "Elu" | "Gelu" | "HardSigmoid" | "LeakyRelu" | "LRN" | "Mod" | "Selu")
            || matches!(op, "Cast" | "Dropout" | "DequantizeLinear" | "QuantizeLinear" | "ThresholdedRelu");
        match op {
            "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" if shape.len() == 4 => {
                Some(vec![shape[0], shape[1], 1, 1])
            }
            _ => kept.then_some(shape),
        }
    }

    /// From whatever there is to scores `[1, CLASSES]`, in one of two usual ways or in one that always fits.
    fn scores(&mut self) {
        if self.random.percent(40) {
            let wire = self.wire.clone();
            self.wire = self.node("Cast", vec![wire], vec![("to".into(), Attribute::Int(1))]);
        }
        if let Some([_, maps, _, _]) = self.shape.as_deref()
            && self.random.percent(60)
        {
            let maps = *maps;
            let pooled = self.node("GlobalAveragePool", vec![self.wire.clone()], Vec::new());
            let flat = self.node("Flatten", vec![pooled], Vec::new());
            let matrix = self.floats(&[maps, CLASSES]);
            self.wire = self.node("MatMul", vec![flat, matrix], Vec::new());
        } else {
            let column = self.constant(Tensor::i64(&[1, 1, -1, 1]));
            let column = self.node("Reshape", vec![self.wire.clone(), column], Vec::new());
            let mean = self.node("GlobalAveragePool", vec![column], Vec::new());
            let mean = self.node("Flatten", vec![mean], Vec::new());
            let row = self.floats(&[1, CLASSES]);
            self.wire = self.node("MatMul", vec![mean, row], Vec::new());
        }
        let kind = ElementType::F32;
        self.graph.outputs = vec![Port { name: self.wire.clone(), kind, shape: Some(vec![Some(1), Some(CLASSES)]) }];
    }
}
