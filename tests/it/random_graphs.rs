//! Random classifiers of all supported operators: the exported head against f64 finite differences, and against ONNX
//! Runtime. A failure names its seed.

use crate::common::evaluate::evaluate;
use crate::common::graphs::Builder;
use crate::common::{Noise, onnxruntime, relative_l2};
use crate::gradients::explained_at;
use gradcam::model::Model;
use gradcam::onnx::graph::Attribute::{self, Float, Int, Ints};
use gradcam::onnx::graph::Tensor;
use gradcam::onnx::{ACTIVATIONS, TARGET};
use gradcam::target::Target;
use ndarray::{Array2, ArrayD, Axis};

const GRAPHS: u64 = 120;
const STEP: f64 = 1e-5;
/// f32 through a dozen operators; f64 differences are exact to about 1e-9 away from corners.
const TOLERANCE: f64 = 2e-5;
/// A slope is that of a corner where two steps disagree by more than this share.
const CORNER: f64 = 1e-4;

/// A wire with its shape.
type Wire = (String, Vec<usize>);

/// Adds an operator of its kind behind a wire, where one fits.
type Family = fn(&mut Grower, &str, &[usize]) -> Option<Wire>;

/// Grows a graph, operator by operator.
struct Grower {
    builder: Option<Builder>,
    random: Noise,
    opset: i64,
    count: usize,
    wires: Vec<Wire>,
}

impl Grower {
    fn new(seed: u64) -> Grower {
        let mut random = Noise::new(seed + 1);
        let opset = [9, 11, 13, 17, 18, 21][(random.uniform() * 6.0) as usize];
        let builder = Builder::new(opset, 6, 4);
        let wires = vec![("features".to_owned(), vec![1, 4, 6, 6])];
        Grower { builder: Some(builder), random, opset, count: 0, wires }
    }

    fn below(&mut self, count: usize) -> usize {
        ((self.random.uniform() * count as f32) as usize).min(count - 1)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.random.normal() * 0.7).collect()
    }

    fn constant(&mut self, shape: &[usize]) -> String {
        let values = self.values(shape.iter().product());
        self.tensor(Tensor::f32(shape, &values))
    }

    fn positive(&mut self, shape: &[usize]) -> String {
        let values =
            self.values(shape.iter().product()).into_iter().map(|value| value.abs() + 0.5).collect::<Vec<f32>>();
        self.tensor(Tensor::f32(shape, &values))
    }

    fn integers(&mut self, values: &[i64]) -> String {
        self.tensor(Tensor::i64(values))
    }

    fn tensor(&mut self, tensor: Tensor) -> String {
        self.count += 1;
        let name = format!("constant_{}", self.count);
        self.builder.as_mut().expect("the graph is growing").constant(&name, tensor);
        name
    }

    fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        self.count += 1;
        let name = format!("{}_{}", op.to_lowercase(), self.count);
        self.builder = self.builder.take().map(|builder| builder.node(op, inputs, &name, attributes));
        name
    }

    /// The axes of a reduction are an attribute up to an operator set.
    fn reduce(&mut self, op: &str, wire: &str, axis: i64, keep: bool) -> String {
        let keep = ("keepdims", Int(i64::from(keep)));
        if self.opset >= if op == "ReduceSum" { 13 } else { 18 } {
            let axes = self.integers(&[axis]);
            self.node(op, &[wire, &axes], &[keep])
        } else {
            self.node(op, &[wire], &[("axes", Ints(vec![axis])), keep])
        }
    }

    /// One more operator on a wire that is there.
    fn grow(&mut self) {
        // The newest wires are the likelier, so that graphs get deep.
        let from = self.wires.len().saturating_sub(3);
        let at = from + self.below(self.wires.len() - from);
        let (x, shape) = self.wires[at].clone();
        let families: &[Family] = &[
            Grower::pointwise,
            Grower::pointwise,
            Grower::binary,
            Grower::normal,
            Grower::spatial,
            Grower::shape,
            Grower::reducing,
        ];
        let family = self.pick(families);
        if let Some(made) = family(self, &x, &shape) {
            self.wires.push(made);
        }
    }

    fn pointwise(&mut self, x: &str, shape: &[usize]) -> Option<Wire> {
        let ops = [
            "Relu",
            "LeakyRelu",
            "PRelu",
            "Elu",
            "Selu",
            "Celu",
            "Sigmoid",
            "Tanh",
            "HardSigmoid",
            "HardSwish",
            "Softplus",
            "Softsign",
            "Mish",
            "Gelu",
            "Erf",
            "Exp",
            "Log",
            "Sqrt",
            "Reciprocal",
            "Pow",
            "Abs",
            "Neg",
            "Clip",
            "Identity",
        ];
        let op = self.pick(&ops);
        let y = match op {
            "Celu" if self.opset < 12 => return None,
            "HardSwish" if self.opset < 14 => return None,
            "Mish" if self.opset < 18 => return None,
            "Gelu" if self.opset < 20 => return None,
            "LeakyRelu" => self.node(op, &[x], &[("alpha", Float(0.2))]),
            "PRelu" => {
                let slope = self.positive(&[1]);
                self.node(op, &[x, &slope], &[])
            }
            "Clip" if self.opset >= 11 => {
                let (low, high) = (self.tensor(Tensor::f32(&[], &[-0.6])), self.tensor(Tensor::f32(&[], &[0.9])));
                self.node(op, &[x, &low, &high], &[])
            }
            "Clip" => self.node(op, &[x], &[("min", Float(-0.6)), ("max", Float(0.9))]),
            // Numbers from 0.37 to 2.7.
            "Log" | "Sqrt" | "Reciprocal" | "Pow" => {
                let bounded = self.node("Softsign", &[x], &[]);
                let positive = self.node("Exp", &[&bounded], &[]);
                if op == "Pow" {
                    let exponent = self.tensor(Tensor::f32(&[], &[1.7]));
                    self.node(op, &[&positive, &exponent], &[])
                } else {
                    self.node(op, &[&positive], &[])
                }
            }
            "Exp" => {
                let bounded = self.node("Sigmoid", &[x], &[]);
                self.node(op, &[&bounded], &[])
            }
            _ => self.node(op, &[x], &[]),
        };
        Some((y, shape.to_vec()))
    }

    fn binary(&mut self, x: &str, shape: &[usize]) -> Option<Wire> {
        let op = self.pick(&["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Where"]);
        let same: Vec<String> = self.wires.iter().filter(|wire| wire.1 == shape).map(|wire| wire.0.clone()).collect();
        let mut other = match self.below(3) {
            0 => self.pick(&same),
            1 => self.constant(shape),
            _ => self.constant(&shape[shape.len() - 1..]),
        };
        let y = match op {
            "Div" if other.starts_with("constant") => {
                let divisor = self.positive(&shape[shape.len() - 1..]);
                self.node(op, &[x, &divisor], &[])
            }
            "Div" => {
                let bounded = self.node("Sigmoid", &[&other], &[]);
                other = self.node("Exp", &[&bounded], &[]);
                self.node(op, &[x, &other], &[])
            }
            "Where" => {
                let bound = self.constant(&[1]);
                let condition = self.node("Greater", &[x, &bound], &[]);
                self.node(op, &[&condition, x, &other], &[])
            }
            "Sum" | "Mean" => {
                let third = self.constant(&[1]);
                self.node(op, &[x, &other, &third], &[])
            }
            _ if self.below(2) == 0 => self.node(op, &[x, &other], &[]),
            _ => self.node(op, &[&other, x], &[]),
        };
        Some((y, shape.to_vec()))
    }

    fn normal(&mut self, x: &str, shape: &[usize]) -> Option<Wire> {
        let op = self.pick(&[
            "BatchNormalization",
            "InstanceNormalization",
            "LayerNormalization",
            "GroupNormalization",
            "LRN",
            "LpNormalization",
            "Softmax",
            "LogSoftmax",
        ]);
        let maps = shape.get(1).copied().filter(|_| shape.len() == 4);
        let y = match (op, maps) {
            ("Softmax" | "LogSoftmax", _) => {
                let axis = self.below(shape.len()) as i64;
                self.node(op, &[x], &[("axis", Int(axis))])
            }
            ("LpNormalization", _) => {
                let axis = self.below(shape.len()) as i64;
                self.node(op, &[x], &[("axis", Int(axis)), ("p", Int(2))])
            }
            ("LayerNormalization", _) if self.opset >= 17 && *shape.last()? > 1 => {
                let (scale, bias) =
                    (self.positive(&shape[shape.len() - 1..]), self.constant(&shape[shape.len() - 1..]));
                self.node(op, &[x, &scale, &bias], &[("axis", Int(-1)), ("epsilon", Float(0.1))])
            }
            ("LRN", Some(maps)) if maps >= 3 => self.node(
                op,
                &[x],
                &[("size", Int(3)), ("alpha", Float(0.3)), ("beta", Float(0.75)), ("bias", Float(1.0))],
            ),
            ("BatchNormalization", Some(maps)) => {
                let (scale, bias, mean) = (self.positive(&[maps]), self.constant(&[maps]), self.constant(&[maps]));
                let variance = self.positive(&[maps]);
                self.node(op, &[x, &scale, &bias, &mean, &variance], &[])
            }
            ("InstanceNormalization", Some(maps)) if shape[2] * shape[3] > 1 => {
                let (scale, bias) = (self.positive(&[maps]), self.constant(&[maps]));
                self.node(op, &[x, &scale, &bias], &[("epsilon", Float(0.1))])
            }
            ("GroupNormalization", Some(maps)) if self.opset >= 21 && maps % 2 == 0 => {
                let (scale, bias) = (self.positive(&[maps]), self.constant(&[maps]));
                self.node(op, &[x, &scale, &bias], &[("num_groups", Int(2)), ("epsilon", Float(0.1))])
            }
            _ => return None,
        };
        Some((y, shape.to_vec()))
    }

    fn spatial(&mut self, x: &str, shape: &[usize]) -> Option<Wire> {
        let [1, maps, height, width] = *shape else { return None };
        let (kernel, stride, pad) = (1 + self.below(3), 1 + self.below(2), self.below(2));
        let fits = height + 2 * pad >= kernel && width + 2 * pad >= kernel && pad < kernel;
        let cells = |side: usize| (side + 2 * pad - kernel) / stride + 1;
        let list = |value: usize, count: usize| Ints(vec![value as i64; count]);
        let windows = [("kernel_shape", list(kernel, 2)), ("strides", list(stride, 2)), ("pads", list(pad, 4))];
        let op = self.pick(&["Conv", "Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"]);
        match op {
            "GlobalAveragePool" | "GlobalMaxPool" => Some((self.node(op, &[x], &[]), vec![1, maps, 1, 1])),
            _ if !fits => None,
            "Conv" => {
                let groups = if maps % 2 == 0 { 1 + self.below(2) } else { 1 };
                let weights = self.constant(&[4, maps / groups, kernel, kernel]);
                let bias = self.constant(&[4]);
                let attributes = [&windows[..], &[("group", Int(groups as i64))]].concat();
                let y = self.node(op, &[x, &weights, &bias], &attributes);
                Some((y, vec![1, 4, cells(height), cells(width)]))
            }
            _ => Some((self.node(op, &[x], &windows), vec![1, maps, cells(height), cells(width)])),
        }
    }

    fn shape(&mut self, x: &str, shape: &[usize]) -> Option<Wire> {
        let axis = self.below(shape.len());
        let with = |side: usize| {
            let mut shape = shape.to_vec();
            shape[axis] = side;
            shape
        };
        match self.pick(&["Transpose", "Reshape", "Concat", "Split", "Slice", "Gather", "Pad", "Unsqueeze", "Flatten"])
        {
            "Transpose" => {
                let order: Vec<i64> = (0..shape.len() as i64).rev().collect();
                let turned: Vec<usize> = shape.iter().rev().copied().collect();
                Some((self.node("Transpose", &[x], &[("perm", Ints(order))]), turned))
            }
            "Reshape" => {
                let rows = [1, 2, 3].into_iter().rfind(|rows| shape.iter().product::<usize>().is_multiple_of(*rows))?;
                let sides = self.integers(&[1, rows as i64, -1]);
                Some((self.node("Reshape", &[x, &sides], &[]), vec![1, rows, shape.iter().product::<usize>() / rows]))
            }
            "Concat" => {
                let other = self.constant(shape);
                let y = self.node("Concat", &[x, &other, x], &[("axis", Int(axis as i64))]);
                (shape.iter().product::<usize>() < 200).then(|| (y, with(shape[axis] * 3)))
            }
            "Split" if shape[axis].is_multiple_of(2) && self.opset < 18 => {
                let (first, second) = (format!("half_a_{}", self.count), format!("half_b_{}", self.count));
                self.node("Split", &[x], &[("axis", Int(axis as i64))]);
                let builder = self.builder.as_mut().expect("the graph is growing");
                builder.graph.nodes.last_mut().expect("it was just made").outputs = vec![first.clone(), second.clone()];
                self.wires.push((first, with(shape[axis] / 2)));
                Some((second, with(shape[axis] / 2)))
            }
            "Slice" if shape[axis] > 2 && self.opset >= 10 => {
                let (from, to) = (self.integers(&[1]), self.integers(&[-1]));
                let (axes, steps) = (self.integers(&[axis as i64]), self.integers(&[2]));
                let y = self.node("Slice", &[x, &from, &to, &axes, &steps], &[]);
                Some((y, with((shape[axis] - 2).div_ceil(2))))
            }
            "Gather" => {
                let last = shape[axis] as i64 - 1;
                let indices = self.integers(&[last, 0, last]);
                Some((self.node("Gather", &[x, &indices], &[("axis", Int(axis as i64))]), with(3)))
            }
            "Pad" if self.opset >= 11 => {
                let mut pads = vec![0i64; shape.len() * 2];
                pads[axis] = 1;
                pads[shape.len() + axis] = 2;
                let pads = self.integers(&pads);
                Some((self.node("Pad", &[x, &pads], &[]), with(shape[axis] + 3)))
            }
            "Flatten" => Some((self.node("Flatten", &[x], &[]), vec![shape[0], shape[1..].iter().product()])),
            _ => None,
        }
    }

    fn reducing(&mut self, x: &str, shape: &[usize]) -> Option<Wire> {
        if shape.len() < 3 {
            let weights = self.constant(&[*shape.last()?, 5]);
            let mut shape = shape.to_vec();
            *shape.last_mut()? = 5;
            return Some((self.node("MatMul", &[x, &weights], &[]), shape));
        }
        let op = self.pick(&[
            "ReduceMean",
            "ReduceSum",
            "ReduceMax",
            "ReduceMin",
            "ReduceL1",
            "ReduceL2",
            "ReduceSumSquare",
        ]);
        let (axis, keep) = (self.below(shape.len()), self.below(2) == 0);
        let y = self.reduce(op, x, axis as i64, keep);
        // Sums stay in the range of their terms: where a sigmoid is full, f32 has no digits left for its slope.
        let share = self.tensor(Tensor::f32(&[], &[1.0 / shape[axis] as f32]));
        let y = self.node("Mul", &[&y, &share], &[]);
        let mut shape = shape.to_vec();
        match keep {
            true => shape[axis] = 1,
            false => drop(shape.remove(axis)),
        }
        Some((y, shape))
    }

    /// Two scores of all wires that are left: each flattened, bounded and weighted.
    fn finish(mut self) -> Builder {
        let read: Vec<String> =
            self.builder.iter().flat_map(|builder| &builder.graph.nodes).flat_map(|node| node.inputs.clone()).collect();
        let left: Vec<Wire> = self.wires.iter().filter(|wire| !read.contains(&wire.0)).cloned().collect();
        let mut scores = Vec::new();
        for (wire, shape) in left {
            let count: usize = shape.iter().product();
            let row = self.integers(&[1, count as i64]);
            let bounded = self.node("Softsign", &[&wire], &[]);
            let flat = self.node("Reshape", &[&bounded, &row], &[]);
            let weights = self.constant(&[count, 2]);
            scores.push(self.node("MatMul", &[&flat, &weights], &[]));
        }
        let scores: Vec<&str> = scores.iter().map(String::as_str).collect();
        self.builder.take().expect("the graph is grown").node("Sum", &scores, "scores", &[])
    }
}

/// The classifier of a seed, with two classes.
pub fn grown(seed: u64) -> Builder {
    let mut grower = Grower::new(seed);
    for _ in 0..4 + seed % 8 {
        grower.grow();
    }
    grower.finish()
}

/// Compares one graph; returns the operators that were differentiated.
fn check(seed: u64) -> Vec<String> {
    let builder = grown(seed);
    let opset = builder.graph.opset;
    let ops: Vec<String> = builder.graph.nodes.iter().skip(1).map(|node| node.op.clone()).collect();
    head_is_gradient(&format!("seed {seed}, opset {opset}, {}", ops.join(" ")), builder, (seed % 2) as usize, 1);
    ops
}

/// Compares the gradients of a class, at `features` of a graph with two classes, at every so many elements.
pub fn head_is_gradient(say: &str, builder: Builder, class: usize, every: usize) -> Model {
    let bytes = builder.bytes(2);
    let (model, mut engine, input) = explained_at(&bytes, "features");
    let forward = engine.forward(&input).unwrap_or_else(|error| panic!("{say}: {error}"));
    let activations: ArrayD<f64> = forward.activations().mapv(f64::from).insert_axis(Axis(0)).into_dyn();
    let scores =
        |activations: ArrayD<f64>| evaluate(&model.parts.tail, &[(ACTIVATIONS, activations)])["scores"].clone();
    let expected: Vec<f32> = scores(activations.clone()).iter().map(|score| *score as f32).collect();
    let error = relative_l2(forward.scores(), &expected);
    assert!(error < TOLERANCE, "{say}: scores {error:.1e}");

    let evidence = engine.gradients(&forward, Target::class(class)).unwrap_or_else(|error| panic!("{say}: {error}"));
    let mut target = Array2::<f32>::zeros((1, 2));
    target[(0, class)] = 1.0;
    let outputs = onnxruntime::python().map(|_| {
        let inputs = [("image", input.tensor.clone().into_dyn()), (TARGET, target.into_dyn())];
        onnxruntime::run(&model.to_bytes(None, ""), &inputs)
    });
    let slope = |at: usize, step: f64| {
        let moved = |by: f64| {
            let mut moved = activations.clone();
            *moved.iter_mut().nth(at).expect("it is within the maps") += by;
            scores(moved)[[0, class]]
        };
        (moved(step) - moved(-step)) / (2.0 * step)
    };
    let (mut ours, mut theirs, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
    for (at, gradient) in evidence.gradients().iter().enumerate().step_by(every) {
        let (wide, narrow) = (slope(at, STEP), slope(at, STEP / 8.0));
        if (wide - narrow).abs() <= CORNER * (wide.abs() + 1e-3) {
            ours.push(*gradient);
            theirs.extend(outputs.as_ref().map(|outputs| outputs[2].1.as_slice().expect("in standard layout")[at]));
            slopes.push(narrow as f32);
        }
    }
    assert!(
        slopes.len() * every * 10 >= activations.len() * 9,
        "{say}: only {} of {} are not at corners",
        slopes.len(),
        activations.len() / every
    );
    assert!(slopes.iter().any(|slope| *slope != 0.0) || ours.iter().all(|gradient| *gradient == 0.0), "{say}");
    let error = relative_l2(&ours, &slopes);
    // A graph whose scores do not change has no direction to be wrong in.
    assert!(error < TOLERANCE || slopes.iter().all(|slope| slope.abs() < 1e-7), "{say}: gradients {error:.1e}");
    if !theirs.is_empty() {
        let error = relative_l2(&theirs, &ours);
        assert!(error < TOLERANCE || ours.iter().all(|g| g.abs() < 1e-7), "{say}: in ONNX Runtime {error:.1e}");
    }
    model
}

#[test]
fn the_head_of_a_random_graph_is_its_gradient() {
    let mut seen: Vec<String> = (0..GRAPHS).flat_map(check).collect();
    seen.sort_unstable();
    seen.dedup();
    println!("{} operators: {}", seen.len(), seen.join(", "));
    // The generator reaches what it was written for.
    assert!(seen.len() >= 50, "only {} operators were reached: {}", seen.len(), seen.join(", "));
}
