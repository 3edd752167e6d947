//! Small classifiers, built node by node.

use gradcam::onnx::graph::{Attribute, Graph, Node, Port, Tensor};
use gradcam::onnx::to_bytes;
use std::collections::BTreeMap;

/// A graph in the making: picture `image` → … → scores `scores`.
pub struct Builder {
    pub graph: Graph,
}

impl Builder {
    /// A picture of `side`×`side` pixels whose three colours a 1×1 convolution mixes into `maps` feature maps, on the
    /// wire `features`.
    pub fn new(opset: i64, side: usize, maps: usize) -> Builder {
        let graph = Graph {
            file: "test.onnx".to_owned(),
            opset,
            ir_version: 8,
            nodes: Vec::new(),
            inputs: vec![Port::f32("image", &[1, 3, side, side])],
            outputs: Vec::new(),
            initializers: BTreeMap::new(),
            metadata: BTreeMap::new(),
        };
        let mut builder = Builder { graph };
        let weights: Vec<f32> = (0..maps * 3).map(|at| ((at * 7 + 3) % 11) as f32 / 5.0 - 1.0).collect();
        builder.constant("mix", Tensor::f32(&[maps, 3, 1, 1], &weights));
        builder.node("Conv", &["image", "mix"], "features", &[])
    }

    pub fn constant(&mut self, name: &str, tensor: Tensor) {
        self.graph.initializers.insert(name.to_owned(), tensor);
    }

    pub fn with(mut self, name: &str, shape: &[usize], values: &[f32]) -> Builder {
        self.constant(name, Tensor::f32(shape, values));
        self
    }

    pub fn with_integers(mut self, name: &str, values: &[i64]) -> Builder {
        self.constant(name, Tensor::i64(values));
        self
    }

    pub fn node(self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Builder {
        self.node_with_outputs(op, inputs, &[output], attributes)
    }

    pub fn node_with_outputs(
        mut self,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Builder {
        self.graph.nodes.push(Node {
            name: format!("node_{}", outputs[0]),
            op: op.to_owned(),
            inputs: inputs.iter().map(|wire| (*wire).to_owned()).collect(),
            outputs: outputs.iter().map(|wire| (*wire).to_owned()).collect(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        });
        self
    }

    /// The file, with the scores on the wire `scores`.
    pub fn bytes(mut self, classes: usize) -> Vec<u8> {
        self.graph.outputs = vec![Port::f32("scores", &[1, classes])];
        to_bytes(&self.graph)
    }
}
