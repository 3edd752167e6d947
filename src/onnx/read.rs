//! Bytes → [`Graph`]. Files come from strangers: everything that is not understood is refused in words.

use super::graph::{Attribute, ElementType, Graph, Node, Port, Tensor};
use super::{MAX_ELEMENTS, MAX_RANK, validate};
use crate::error::{Error, Result};
use prost::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

/// Reads and validates an ONNX file.
///
/// # Errors
/// [`Error::Model`] names `file` and what is wrong with it.
pub fn read(file: &str, bytes: &[u8]) -> Result<Graph> {
    let refuse = |reason: String| Error::model(file, reason);
    if bytes.is_empty() {
        return Err(refuse("the file is empty".into()));
    }
    let proto =
        pb::ModelProto::decode(bytes).map_err(|error| refuse(format!("not an ONNX file, or cut short ({error})")))?;
    let graph = graph(file, proto).map_err(refuse)?;
    validate::validate(graph).map_err(refuse)
}

type Outcome<T> = std::result::Result<T, String>;

/// Messages quote names, and so do lists on a terminal. Exporters write paths of a few hundred bytes at most.
const MAX_NAME: usize = 1024;

fn graph(file: &str, proto: pb::ModelProto) -> Outcome<Graph> {
    names_are_plain(&proto)?;
    if let Some(function) = proto.functions.first() {
        let name = function.name.as_deref().unwrap_or("without a name");
        return Err(format!("it defines local functions (`{name}`); export it with functions inlined"));
    }
    let body = proto.graph.ok_or("not an ONNX model: it holds no graph")?;
    if !body.sparse_initializer.is_empty() {
        return Err("it holds sparse weights, which are not supported".into());
    }
    let opset = proto
        .opset_import
        .iter()
        .filter(|import| is_default_domain(&import.domain))
        .map(|import| import.version)
        .max()
        .ok_or("it does not say which version of the ONNX operators it uses")?;

    let mut initializers = BTreeMap::new();
    for proto in body.initializer {
        let name = proto.name.clone();
        let tensor = tensor(proto).map_err(|reason| format!("weights `{name}`: {reason}"))?;
        if initializers.insert(name.clone(), tensor).is_some() {
            return Err(format!("weights `{name}` are defined twice"));
        }
    }
    // Up to IR version 3 the weights are listed among the inputs too.
    let inputs = body.input.iter().filter(|input| !initializers.contains_key(&input.name));
    let inputs = inputs.map(port).collect::<Outcome<Vec<Port>>>()?;
    let outputs = body.output.iter().map(port).collect::<Outcome<Vec<Port>>>()?;
    let nodes = body.node.into_iter().map(node).collect::<Outcome<Vec<Node>>>()?;
    let metadata = proto.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Ok(Graph {
        file: file.to_owned(),
        opset,
        ir_version: proto.ir_version,
        nodes,
        inputs,
        outputs,
        initializers,
        metadata,
    })
}

/// A name is text of one line: one that moves a terminal's cursor would be quoted to the user.
fn names_are_plain(proto: &pb::ModelProto) -> Outcome<()> {
    let mut names: Vec<&str> = proto.functions.iter().filter_map(|function| function.name.as_deref()).collect();
    if let Some(body) = &proto.graph {
        names.extend(body.input.iter().chain(&body.output).map(|port| port.name.as_str()));
        names.extend(body.initializer.iter().map(|tensor| tensor.name.as_str()));
        for node in &body.node {
            names.extend([node.name.as_str(), &node.op_type, &node.domain]);
            names.extend(node.input.iter().chain(&node.output).map(String::as_str));
            names.extend(node.attribute.iter().map(|attribute| attribute.name.as_str()));
        }
    }
    if let Some(name) = names.iter().find(|name| name.len() > MAX_NAME) {
        return Err(format!("a name of {} bytes, at most {MAX_NAME} are supported", name.len()));
    }
    match names.iter().find(|name| name.chars().any(char::is_control)) {
        Some(name) => Err(format!("the name {name:?} holds control characters")),
        None => Ok(()),
    }
}

fn is_default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn node(proto: pb::NodeProto) -> Outcome<Node> {
    let label = if proto.name.is_empty() { proto.output.join(", ") } else { proto.name.clone() };
    if !is_default_domain(&proto.domain) {
        return Err(format!(
            "node `{label}`: operator {} of domain `{}` is not a standard ONNX operator",
            proto.op_type, proto.domain
        ));
    }
    let mut attributes = BTreeMap::new();
    for attribute in proto.attribute {
        let name = attribute.name.clone();
        let value = attribute_value(attribute)
            .map_err(|reason| format!("node `{label}` ({}), attribute `{name}`: {reason}", proto.op_type))?;
        attributes.insert(name, value);
    }
    Ok(Node { name: proto.name, op: proto.op_type, inputs: proto.input, outputs: proto.output, attributes })
}

fn attribute_value(proto: pb::AttributeProto) -> Outcome<Attribute> {
    Ok(match proto.r#type() {
        AttributeType::Float => Attribute::Float(proto.f),
        AttributeType::Int => Attribute::Int(proto.i),
        AttributeType::String => Attribute::String(proto.s),
        AttributeType::Floats => Attribute::Floats(proto.floats),
        AttributeType::Ints => Attribute::Ints(proto.ints),
        AttributeType::Strings => Attribute::Strings(proto.strings),
        AttributeType::Tensor => Attribute::Tensor(tensor(proto.t.ok_or("it is a tensor without a value")?)?),
        AttributeType::Graph | AttributeType::Graphs => return Err("control flow is not supported".into()),
        other => return Err(format!("attributes of type {} are not supported", other.as_str_name())),
    })
}

fn port(proto: &pb::ValueInfoProto) -> Outcome<Port> {
    let name = proto.name.clone();
    let Some(pb::TypeProto { value: Some(pb::type_proto::Value::TensorType(tensor)), .. }) = &proto.r#type else {
        return Err(format!("`{name}` is not a tensor"));
    };
    let kind = kind(tensor.elem_type).map_err(|reason| format!("`{name}`: {reason}"))?;
    let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(dimension).collect());
    Ok(Port { name, kind, shape })
}

/// A side of unknown length is symbolic, 0 or negative in files of different makers.
fn dimension(proto: &pb::tensor_shape_proto::Dimension) -> Option<usize> {
    match proto.value {
        Some(pb::tensor_shape_proto::dimension::Value::DimValue(side)) if side > 0 => usize::try_from(side).ok(),
        _ => None,
    }
}

fn kind(data_type: i32) -> Outcome<ElementType> {
    match DataType::try_from(data_type) {
        Ok(DataType::Float) => Ok(ElementType::F32),
        Ok(DataType::Double) => Ok(ElementType::F64),
        Ok(DataType::Float16) => Ok(ElementType::F16),
        Ok(DataType::Int8) => Ok(ElementType::I8),
        Ok(DataType::Uint8) => Ok(ElementType::U8),
        Ok(DataType::Int32) => Ok(ElementType::I32),
        Ok(DataType::Int64) => Ok(ElementType::I64),
        Ok(DataType::Bool) => Ok(ElementType::Bool),
        Ok(other) => Err(format!("element type {} is not supported", other.as_str_name())),
        Err(_) => Err(format!("element type {data_type} does not exist")),
    }
}

fn tensor(proto: pb::TensorProto) -> Outcome<Tensor> {
    if proto.data_location() == pb::tensor_proto::DataLocation::External || !proto.external_data.is_empty() {
        return Err("its values lie in another file; save the model as one file (external data off)".into());
    }
    let kind = kind(proto.data_type)?;
    if proto.dims.len() > MAX_RANK {
        return Err(format!("a tensor of {} axes, at most {MAX_RANK} are supported", proto.dims.len()));
    }
    let mut elements: usize = 1;
    let mut shape = Vec::with_capacity(proto.dims.len());
    for side in &proto.dims {
        let side = usize::try_from(*side).map_err(|_| format!("a side of length {side}"))?;
        elements = elements
            .checked_mul(side)
            .filter(|count| *count <= MAX_ELEMENTS)
            .ok_or_else(|| format!("shape {:?} has more than {MAX_ELEMENTS} elements", proto.dims))?;
        shape.push(side);
    }
    let bytes = if !proto.raw_data.is_empty() || elements == 0 {
        proto.raw_data
    } else {
        match kind {
            ElementType::F32 => le(proto.float_data.iter().map(|value| value.to_le_bytes())),
            ElementType::F64 => le(proto.double_data.iter().map(|value| value.to_le_bytes())),
            ElementType::I64 => le(proto.int64_data.iter().map(|value| value.to_le_bytes())),
            ElementType::I32 => le(proto.int32_data.iter().map(|value| value.to_le_bytes())),
            ElementType::F16 => le(proto.int32_data.iter().map(|value| (*value as u16).to_le_bytes())),
            ElementType::I8 | ElementType::U8 | ElementType::Bool => {
                le(proto.int32_data.iter().map(|value| (*value as u8).to_le_bytes()))
            }
        }
    };
    if bytes.len() != elements * kind.size() {
        let found = bytes.len() / kind.size();
        return Err(format!("shape {:?} needs {elements} values, the file holds {found}", proto.dims));
    }
    Ok(Tensor { kind, shape, bytes: Arc::new(bytes) })
}

fn le<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    values.flatten().collect()
}
