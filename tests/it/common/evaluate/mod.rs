//! A slow, obvious evaluator in f64, for finite differences: one file a family of operators, as `src/autodiff/rules`.
//! Integers and truth values are f64 too (false 0, true 1).

mod activation;
mod arithmetic;
mod conv;
mod linear;
mod norm;
mod pointwise;
mod pool;
mod reduce;
mod shape;
mod softmax;
mod window;

use gradcam::onnx::graph::{Attribute, ElementType, Graph, Node, Tensor};
use ndarray::{ArrayD, IxDyn};
use std::collections::HashMap;

/// A node with its inputs; `None` for one that is left out.
pub struct Call<'a> {
    pub node: &'a Node,
    pub inputs: Vec<Option<&'a ArrayD<f64>>>,
    /// The version of the operator set.
    pub opset: i64,
}

impl Call<'_> {
    /// A required input.
    pub fn input(&self, at: usize) -> &ArrayD<f64> {
        self.optional(at).unwrap_or_else(|| panic!("{} has an input {at}", self.node.op))
    }

    pub fn optional(&self, at: usize) -> Option<&ArrayD<f64>> {
        self.inputs.get(at).copied().flatten()
    }

    /// The integers of an input.
    pub fn integers(&self, at: usize) -> Option<Vec<i64>> {
        self.optional(at).map(|values| values.iter().map(|value| *value as i64).collect())
    }
}

/// The values of a node's outputs; `None` where the family does not know the operator.
type Values = Option<Vec<ArrayD<f64>>>;

/// Every wire of a graph, given those of its inputs.
pub fn evaluate(graph: &Graph, inputs: &[(&str, ArrayD<f64>)]) -> HashMap<String, ArrayD<f64>> {
    let constants = graph.initializers.iter().map(|(name, tensor)| (name.clone(), constant(tensor)));
    let mut wires: HashMap<String, ArrayD<f64>> = constants.collect();
    wires.extend(inputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    for node in &graph.nodes {
        if let Some(Attribute::Tensor(tensor)) = node.attributes.get("value").filter(|_| node.op == "Constant") {
            wires.insert(node.outputs[0].clone(), constant(tensor));
            continue;
        }
        let value = |wire: &String| (!wire.is_empty()).then(|| &wires[wire]);
        let call = Call { node, inputs: node.inputs.iter().map(value).collect(), opset: graph.opset };
        let families = [
            linear::values,
            conv::values,
            pool::values,
            norm::values,
            reduce::values,
            pointwise::values,
            activation::values,
            arithmetic::values,
            softmax::values,
            shape::values,
        ];
        let values = families.into_iter().find_map(|family| family(&call));
        let values = values.unwrap_or_else(|| panic!("the evaluator does not know {}", node.op));
        wires.extend(node.outputs.iter().cloned().zip(values));
    }
    wires
}

/// A constant's values.
pub fn constant(tensor: &Tensor) -> ArrayD<f64> {
    let values: Vec<f64> = match tensor.kind {
        ElementType::F32 => tensor.to_f32().expect("it is f32").into_iter().map(f64::from).collect(),
        ElementType::I32 | ElementType::I64 => {
            tensor.to_integers().expect("it holds integers").into_iter().map(|value| value as f64).collect()
        }
        ElementType::Bool => tensor.bytes.iter().map(|value| f64::from(*value)).collect(),
        other => panic!("the evaluator does not know constants of {other:?}"),
    };
    ArrayD::from_shape_vec(IxDyn(&tensor.shape), values).expect("sizes fit")
}

fn reshaped(x: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), x.iter().copied().collect()).expect("sizes fit")
}
