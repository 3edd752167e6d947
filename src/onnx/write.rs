//! [`Graph`] → ONNX.

use super::graph::{Attribute, ElementType, Graph, Node, Port, Tensor};
use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

/// The bytes of an ONNX file. The same graph gives the same bytes.
pub fn to_bytes(graph: &Graph) -> Vec<u8> {
    to_proto(graph).encode_to_vec()
}

/// The protobuf message, for an engine that reads it directly.
pub fn to_proto(graph: &Graph) -> pb::ModelProto {
    let entry =
        |(key, value): (&String, &String)| pb::StringStringEntryProto { key: key.clone(), value: value.clone() };
    pb::ModelProto {
        ir_version: graph.ir_version,
        opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: graph.opset }],
        producer_name: "gradcam".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        metadata_props: graph.metadata.iter().map(entry).collect(),
        graph: Some(pb::GraphProto {
            name: "classifier".to_owned(),
            node: graph.nodes.iter().map(node).collect(),
            initializer: graph.initializers.iter().map(|(name, value)| tensor(name, value)).collect(),
            input: graph.inputs.iter().map(port).collect(),
            output: graph.outputs.iter().map(port).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn node(node: &Node) -> pb::NodeProto {
    pb::NodeProto {
        name: node.name.clone(),
        op_type: node.op.clone(),
        input: node.inputs.clone(),
        output: node.outputs.clone(),
        attribute: node.attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        ..Default::default()
    }
}

fn attribute(name: &str, value: &Attribute) -> pb::AttributeProto {
    let mut proto = pb::AttributeProto { name: name.to_owned(), ..Default::default() };
    let kind = match value {
        Attribute::Float(value) => {
            proto.f = *value;
            AttributeType::Float
        }
        Attribute::Int(value) => {
            proto.i = *value;
            AttributeType::Int
        }
        Attribute::String(value) => {
            proto.s = value.clone();
            AttributeType::String
        }
        Attribute::Tensor(value) => {
            proto.t = Some(tensor("", value));
            AttributeType::Tensor
        }
        Attribute::Floats(values) => {
            proto.floats = values.clone();
            AttributeType::Floats
        }
        Attribute::Ints(values) => {
            proto.ints = values.clone();
            AttributeType::Ints
        }
        Attribute::Strings(values) => {
            proto.strings = values.clone();
            AttributeType::Strings
        }
    };
    proto.set_type(kind);
    proto
}

fn port(port: &Port) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |(axis, side): (usize, &Option<usize>)| Dimension {
        denotation: String::new(),
        value: Some(match side {
            Some(side) => Value::DimValue(*side as i64),
            None => Value::DimParam(format!("d{axis}")),
        }),
    };
    let shape = port
        .shape
        .as_ref()
        .map(|shape| pb::TensorShapeProto { dim: shape.iter().enumerate().map(dimension).collect() });
    let tensor = pb::type_proto::Tensor { elem_type: data_type(port.kind) as i32, shape };
    pb::ValueInfoProto {
        name: port.name.clone(),
        r#type: Some(pb::TypeProto {
            denotation: String::new(),
            value: Some(pb::type_proto::Value::TensorType(tensor)),
        }),
        doc_string: String::new(),
    }
}

fn tensor(name: &str, tensor: &Tensor) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        dims: tensor.shape.iter().map(|side| *side as i64).collect(),
        data_type: data_type(tensor.kind) as i32,
        raw_data: tensor.bytes.to_vec(),
        ..Default::default()
    }
}

fn data_type(kind: ElementType) -> DataType {
    match kind {
        ElementType::F32 => DataType::Float,
        ElementType::F64 => DataType::Double,
        ElementType::F16 => DataType::Float16,
        ElementType::I8 => DataType::Int8,
        ElementType::U8 => DataType::Uint8,
        ElementType::I32 => DataType::Int32,
        ElementType::I64 => DataType::Int64,
        ElementType::Bool => DataType::Bool,
    }
}
