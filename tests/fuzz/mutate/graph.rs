//! Graphs that are well-formed and wrong: other operators, wires, attributes, shapes and versions.

use crate::random::Random;
use crate::seeds::forms;
use gradcam::onnx::{Attribute, ElementType, Graph, OPERATORS, Tensor};
use std::sync::Arc;

pub fn mutate(graph: &mut Graph, random: &mut Random) {
    match random.below(12) {
        0 => operator(graph, random),
        1 | 2 => rewire(graph, random),
        3..=6 => attribute(graph, random),
        7 | 8 => tensor(graph, random),
        9 => port(graph, random),
        10 => nodes(graph, random),
        _ => versions(graph, random),
    }
}

fn operator(graph: &mut Graph, random: &mut Random) {
    if !graph.nodes.is_empty() {
        let at = random.below(graph.nodes.len());
        graph.nodes[at].op = (*random.pick(OPERATORS)).to_owned();
    }
}

fn any_wire(graph: &Graph, random: &mut Random) -> String {
    let mut wires: Vec<&str> = graph.wires().into_iter().collect();
    wires.sort_unstable();
    if wires.is_empty() { String::new() } else { (*random.pick(&wires)).to_owned() }
}

fn rewire(graph: &mut Graph, random: &mut Random) {
    if graph.nodes.is_empty() {
        return;
    }
    let wire = any_wire(graph, random);
    let at = random.below(graph.nodes.len());
    let outputs = random.percent(15);
    let node = &mut graph.nodes[at];
    let wires = if outputs { &mut node.outputs } else { &mut node.inputs };
    match random.below(6) {
        0 => wires.push(wire),
        1 => drop(wires.pop()),
        2 if !wires.is_empty() => {
            let place = random.below(wires.len());
            wires[place].clear();
        }
        _ if !wires.is_empty() => {
            let place = random.below(wires.len());
            wires[place] = wire;
        }
        _ => wires.push(wire),
    }
}

fn attribute(graph: &mut Graph, random: &mut Random) {
    if graph.nodes.is_empty() {
        return;
    }
    let at = random.below(graph.nodes.len());
    let node = &mut graph.nodes[at];
    let names: Vec<String> = node.attributes.keys().cloned().collect();
    if names.is_empty() || random.percent(30) {
        let (name, kind) = forms::any_attribute(&node.op, random);
        let value = forms::hostile_value(kind, random);
        node.attributes.insert(name.to_owned(), value);
        return;
    }
    let name = random.pick(&names);
    if random.percent(15) {
        node.attributes.remove(name);
        return;
    }
    let value = node.attributes.get_mut(name).expect("the name is one of its own");
    match value {
        Attribute::Int(value) => *value = random.boundary(),
        Attribute::Float(value) => *value = random.boundary_float(),
        Attribute::Ints(values) => list(values, random),
        Attribute::Tensor(tensor) => resize(tensor, random),
        other => *other = forms::hostile_value(*random.pick(&['i', 'f', 'l', 'g', 's', 't', 'n']), random),
    }
}

fn list(values: &mut Vec<i64>, random: &mut Random) {
    match random.below(4) {
        0 => values.push(random.boundary()),
        1 => drop(values.pop()),
        _ if values.is_empty() => values.push(random.boundary()),
        _ => {
            let at = random.below(values.len());
            values[at] = random.boundary();
        }
    }
}

fn tensor(graph: &mut Graph, random: &mut Random) {
    let names: Vec<String> = graph.initializers.keys().cloned().collect();
    if names.is_empty() {
        return;
    }
    let name = random.pick(&names);
    let tensor = graph.initializers.get_mut(name).expect("the name is one of its own");
    match tensor.to_i64() {
        Some(mut values) if random.percent(70) => {
            list(&mut values, random);
            *tensor = Tensor::i64(&values);
        }
        _ => resize(tensor, random),
    }
}

/// Another shape or type: mostly with the bytes for it, so that the reader lets it pass.
fn resize(tensor: &mut Tensor, random: &mut Random) {
    match random.below(5) {
        0 => tensor.shape.reverse(),
        1 => tensor.shape.insert(0, 1),
        2 => drop(tensor.shape.pop()),
        3 => tensor.kind = *random.pick(&[ElementType::F32, ElementType::I64, ElementType::Bool, ElementType::F16]),
        _ if tensor.shape.is_empty() => tensor.shape.push(random.below(4)),
        _ => {
            let axis = random.below(tensor.shape.len());
            tensor.shape[axis] = random.boundary() as usize;
        }
    }
    let elements = tensor.shape.iter().try_fold(tensor.kind.size(), |count, side| count.checked_mul(*side));
    if let Some(length) = elements.filter(|length| *length <= 1 << 16)
        && random.percent(90)
    {
        let bytes: Vec<u8> = tensor.bytes.iter().copied().cycle().take(length).collect();
        tensor.bytes = Arc::new(if tensor.bytes.is_empty() { vec![0; length] } else { bytes });
    }
}

fn port(graph: &mut Graph, random: &mut Random) {
    let wire = any_wire(graph, random);
    let inputs = random.percent(50);
    let ports = if inputs { &mut graph.inputs } else { &mut graph.outputs };
    if ports.is_empty() {
        return;
    }
    let at = random.below(ports.len());
    let port = &mut ports[at];
    match random.below(6) {
        0 => port.name = wire,
        1 => port.kind = *random.pick(&[ElementType::F64, ElementType::I64, ElementType::U8]),
        2 => port.shape = None,
        _ => {
            let Some(shape) = port.shape.as_mut().filter(|shape| !shape.is_empty()) else { return };
            let axis = random.below(shape.len());
            shape[axis] = if random.percent(30) { None } else { Some(random.boundary() as usize) };
        }
    }
}

fn nodes(graph: &mut Graph, random: &mut Random) {
    if graph.nodes.is_empty() {
        return;
    }
    let (at, other) = (random.below(graph.nodes.len()), random.below(graph.nodes.len()));
    match random.below(4) {
        0 => drop(graph.nodes.remove(at)),
        1 => graph.nodes.swap(at, other),
        2 => {
            let name = graph.nodes[other].name.clone();
            graph.nodes[at].name = name;
        }
        _ => {
            // A copy behind the original: what doubles, doubles again.
            let mut copy = graph.nodes[at].clone();
            let Some(made) = copy.outputs.first_mut() else { return };
            let from = std::mem::replace(made, format!("copy_{}", random.below(1000)));
            let made = made.clone();
            for node in &mut graph.nodes[at + 1..] {
                node.inputs.iter_mut().filter(|wire| **wire == from).for_each(|wire| wire.clone_from(&made));
            }
            copy.inputs.iter_mut().take(1).for_each(|wire| wire.clone_from(&from));
            graph.nodes.insert(at + 1, copy);
        }
    }
}

fn versions(graph: &mut Graph, random: &mut Random) {
    if random.percent(85) {
        graph.opset = if random.percent(90) { random.within(9, 21) } else { random.boundary() };
    } else {
        graph.ir_version = random.boundary();
    }
}
