//! Files that no program of ours would write: what only the protobuf message can say.

use super::graphs::Builder;
use prost::Message;
use tract_onnx::pb;

/// A sound classifier with its message changed.
fn changed(change: impl FnOnce(&mut pb::ModelProto)) -> Vec<u8> {
    let sound = Builder::new(13, 6, 3)
        .with("w", &[3, 4], &[0.5; 12])
        .node("GlobalAveragePool", &["features"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "w"], "scores", &[]);
    let mut proto = pb::ModelProto::decode(sound.bytes(4).as_slice()).expect("it was written by this program");
    change(&mut proto);
    proto.encode_to_vec()
}

fn body(proto: &mut pb::ModelProto) -> &mut pb::GraphProto {
    proto.graph.as_mut().expect("it was written with a graph")
}

fn weights(proto: &mut pb::ModelProto) -> &mut pb::TensorProto {
    body(proto).initializer.last_mut().expect("it was written with weights")
}

fn attribute(name: &str, kind: pb::attribute_proto::AttributeType) -> pb::AttributeProto {
    let mut attribute = pb::AttributeProto { name: name.to_owned(), ..Default::default() };
    attribute.set_type(kind);
    attribute
}

/// Messages in messages, `depth` of them.
fn nested(depth: usize) -> pb::GraphProto {
    let mut inner = pb::GraphProto::default();
    for _ in 0..depth {
        let mut holder = attribute("body", pb::attribute_proto::AttributeType::Graph);
        holder.g = Some(inner);
        let node = pb::NodeProto { op_type: "Loop".into(), attribute: vec![holder], ..Default::default() };
        inner = pb::GraphProto { node: vec![node], ..Default::default() };
    }
    inner
}

fn outside(location: &str) -> Vec<u8> {
    changed(|proto| {
        let entry = |key: &str, value: &str| pb::StringStringEntryProto { key: key.into(), value: value.into() };
        let tensor = weights(proto);
        tensor.raw_data.clear();
        tensor.data_location = Some(pb::tensor_proto::DataLocation::External as i32);
        tensor.external_data = vec![entry("location", location), entry("offset", "0"), entry("length", "999999999999")];
    })
}

pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    use pb::attribute_proto::AttributeType;
    vec![
        ("data outside the folder", outside("../../../../etc/passwd")),
        ("data from a device", outside("/dev/zero")),
        ("data elsewhere, without the flag", {
            changed(|proto| {
                let entry = pb::StringStringEntryProto { key: "location".into(), value: "weights.bin".into() };
                weights(proto).external_data = vec![entry];
            })
        }),
        ("an unknown domain", changed(|proto| body(proto).node[1].domain = "com.example".into())),
        ("an unknown domain of the file", {
            changed(|proto| {
                let import = pb::OperatorSetIdProto { domain: "com.example".into(), version: i64::MAX };
                proto.opset_import.insert(0, import);
            })
        }),
        ("no operator set", changed(|proto| proto.opset_import.clear())),
        ("two operator sets", {
            changed(|proto| {
                proto.opset_import.push(pb::OperatorSetIdProto { domain: "ai.onnx".into(), version: 21 });
            })
        }),
        ("weights twice", {
            changed(|proto| {
                let twin = weights(proto).clone();
                body(proto).initializer.push(twin);
            })
        }),
        ("an output twice", {
            changed(|proto| {
                let twin = body(proto).output[0].clone();
                body(proto).output.push(twin);
            })
        }),
        ("an attribute twice", {
            changed(|proto| {
                let mut axis = attribute("axis", AttributeType::Int);
                axis.i = 1;
                let mut other = axis.clone();
                other.i = i64::MIN;
                body(proto).node[2].attribute = vec![axis, other];
            })
        }),
        ("weights among the inputs", {
            changed(|proto| {
                let port = pb::ValueInfoProto { name: "w".into(), ..Default::default() };
                body(proto).input.push(port);
            })
        }),
        ("weights of negative length", changed(|proto| weights(proto).dims = vec![-1, 4])),
        ("weights of lengths whose product wraps", changed(|proto| weights(proto).dims = vec![1 << 32, 1 << 32, 12])),
        ("weights of no known type", changed(|proto| weights(proto).data_type = 4242)),
        ("weights of strings", changed(|proto| weights(proto).data_type = 8)),
        ("weights of complex numbers", changed(|proto| weights(proto).data_type = 14)),
        ("weights in two forms", changed(|proto| weights(proto).float_data = vec![1.0; 4096])),
        ("weights in the list of another type", {
            changed(|proto| {
                weights(proto).raw_data.clear();
                weights(proto).int32_data = vec![1; 12];
            })
        }),
        ("weights of a vast rank", changed(|proto| weights(proto).dims = vec![1; 100_000])),
        ("a tensor attribute without a tensor", {
            changed(|proto| body(proto).node[2].attribute = vec![attribute("value", AttributeType::Tensor)])
        }),
        ("an attribute of another type", {
            changed(|proto| body(proto).node[2].attribute = vec![attribute("axis", AttributeType::Strings)])
        }),
        ("control flow", {
            changed(|proto| {
                let mut holder = attribute("body", AttributeType::Graph);
                holder.g = Some(nested(3));
                body(proto).node[1].attribute = vec![holder];
            })
        }),
        ("messages nested deeply", changed(|proto| *body(proto) = nested(30))),
        ("messages nested beyond the stack", changed(|proto| *body(proto) = nested(400))),
        ("a local function", changed(|proto| proto.functions = vec![pb::FunctionProto::default()])),
        ("sparse weights", changed(|proto| body(proto).sparse_initializer = vec![pb::SparseTensorProto::default()])),
        ("inputs without types", changed(|proto| body(proto).input[0].r#type = None)),
        ("no graph", changed(|proto| proto.graph = None)),
        ("an empty graph", changed(|proto| proto.graph = Some(pb::GraphProto::default()))),
        ("a length that lies", vec![0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x0a]),
        ("nothing but ones", vec![0xff; 1024]),
        ("an empty file", Vec::new()),
    ]
}
