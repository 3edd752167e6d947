//! float16 → float32: every half is a float, so the weights stay what they are; sums are computed more finely.

use crate::onnx::graph::{Attribute, ElementType, Graph, Tensor};
use tract_onnx::prelude::f16;

/// The numbers of ONNX's TensorProto.DataType.
const FLOAT: i64 = 1;
const FLOAT16: i64 = 10;

/// Makes a float16 classifier one of float32; tells whether there was anything to do.
pub fn widen(graph: &mut Graph) -> bool {
    let mut found = false;
    for port in graph.inputs.iter_mut().chain(&mut graph.outputs).filter(|port| port.kind == ElementType::F16) {
        port.kind = ElementType::F32;
        found = true;
    }
    let attributes = graph.nodes.iter_mut().flat_map(|node| node.attributes.values_mut());
    let attributes = attributes.filter_map(|attribute| match attribute {
        Attribute::Tensor(tensor) => Some(tensor),
        _ => None,
    });
    for tensor in graph.initializers.values_mut().chain(attributes).filter(|tensor| tensor.kind == ElementType::F16) {
        *tensor = widened(tensor);
        found = true;
    }
    for node in graph.nodes.iter_mut().filter(|node| node.op == "Cast" && node.int("to") == Some(FLOAT16)) {
        node.attributes.insert("to".to_owned(), Attribute::Int(FLOAT));
        found = true;
    }
    found
}

fn widened(tensor: &Tensor) -> Tensor {
    let (halves, _) = tensor.bytes.as_chunks();
    let values: Vec<f32> = halves.iter().map(|half| f16::from_le_bytes(*half).to_f32()).collect();
    Tensor::f32(&tensor.shape, &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_keep_their_values() {
        // 1.5, −0.25, the smallest subnormal 2⁻²⁴, the largest half.
        let bytes: Vec<u8> = [0x3e00u16, 0xb400, 0x0001, 0x7bff].iter().flat_map(|half| half.to_le_bytes()).collect();
        let tensor = Tensor { kind: ElementType::F16, shape: vec![2, 2], bytes: bytes.into() };
        let wide = widened(&tensor);
        assert_eq!(wide.shape, [2, 2]);
        assert_eq!(wide.to_f32().expect("it is f32"), [1.5, -0.25, 2.0f32.powi(-24), 65504.0]);
    }
}
