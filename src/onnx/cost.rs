//! What a graph costs: multiply-adds.

use super::graph::{Facts, Graph, Node};

/// The multiply-adds of one node: those of convolutions and matrix products, which are nearly all there are. 0 where a
/// shape is not known.
pub fn multiply_adds(graph: &Graph, node: &Node, facts: &Facts) -> u64 {
    let shape = |wire: &str| {
        let constant = || graph.initializers.get(wire).map(|tensor| tensor.shape.as_slice());
        facts.get(wire).map(|fact| fact.shape.as_slice()).or_else(constant)
    };
    let shapes = || Some((shape(node.outputs.first()?)?, shape(node.input(0)?)?, shape(node.input(1)?)?));
    let Some((output, input, weights)) = shapes() else { return 0 };
    let terms = match node.op.as_str() {
        // Weights [out, in / group, kernel…]: one term for each weight of one map.
        "Conv" => weights.iter().skip(1).product(),
        "Gemm" if node.int("transA").unwrap_or(0) != 0 => input.first().copied().unwrap_or(0),
        "Gemm" | "MatMul" => input.last().copied().unwrap_or(0),
        _ => 0,
    };
    output.iter().product::<usize>() as u64 * terms as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::graph::Fact;

    #[test]
    fn products_by_hand() {
        let node = |op: &str| Node {
            name: String::new(),
            op: op.to_owned(),
            inputs: vec!["x".to_owned(), "w".to_owned()],
            outputs: vec!["y".to_owned()],
            attributes: Default::default(),
        };
        let count = |op: &str, y: &[usize], x: &[usize], w: &[usize]| {
            let facts = [("x", x), ("w", w), ("y", y)].map(|(wire, shape)| (wire.to_owned(), Fact::f32(shape)));
            let graph = Graph {
                file: String::new(),
                opset: 13,
                ir_version: 8,
                nodes: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                initializers: Default::default(),
                metadata: Default::default(),
            };
            multiply_adds(&graph, &node(op), &facts.into())
        };
        // 8 maps of 5×5 cells, each a sum over 3·3·3 inputs.
        assert_eq!(count("Conv", &[1, 8, 5, 5], &[1, 3, 7, 7], &[8, 3, 3, 3]), 8 * 25 * 27);
        assert_eq!(count("Gemm", &[1, 10], &[1, 64], &[64, 10]), 640);
        assert_eq!(count("Relu", &[1, 10], &[1, 10], &[1]), 0);
    }
}
