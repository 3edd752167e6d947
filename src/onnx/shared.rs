//! Tail and gradient head as they are run one after the other: what the tail has computed, the head reads.

use super::GRADIENTS;
use super::cut::Parts;
use super::graph::{Attribute, ElementType, Fact, Facts, Graph, Node, Port};
use std::collections::{HashMap, HashSet};

/// Operators whose results are computed again rather than handed over, where all that they read is at hand: they do little
/// to each element, or move it.
const CHEAP: [&str; 29] = [
    "Add",
    "And",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "Div",
    "Dropout",
    "Flatten",
    "Greater",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Less",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Slice",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
    "Where",
];

const COMPARING: [&str; 5] = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"];

/// The most elements of all saved wires: a file may ask for many large maps, of which a classifier needs few at a time.
const MOST_SAVED: usize = 1 << 24;

/// The head of [`Parts`] stands alone, and computes what lies behind the target layer once more. Here it does not.
#[derive(Debug, Clone)]
pub struct Shared {
    /// `activations` and bypass wires → scores, then the saved wires.
    pub tail: Graph,
    /// `activations`, bypass wires, scores and saved wires, `target`, as far as it reads them → `gradients`.
    pub head: Graph,
}

impl Shared {
    /// None where the head computes nothing that would be worth handing over, or does not run for every picture. `facts`
    /// tell of the tail's wires.
    pub fn of(parts: &Parts, facts: &Facts) -> Option<Shared> {
        if !parts.head_depends_on_picture() {
            return None;
        }
        let (mut tail, mut head) = (parts.tail.clone(), parts.head.clone());
        let saved: Vec<Port> =
            saved(&tail, &head, facts).into_iter().map(|wire| Port::new(wire, &facts[wire])).collect();
        let elements = |port: &Port| port.shape.iter().flatten().map(|side| side.unwrap_or(1)).product::<usize>();
        if saved.is_empty() || saved.iter().map(elements).sum::<usize>() > MOST_SAVED {
            return None;
        }
        let has = |ports: &[Port], wire: &str| ports.iter().any(|port| port.name == wire);
        let new: Vec<Port> = saved.iter().filter(|port| !has(&tail.outputs, &port.name)).cloned().collect();
        tail.outputs.extend(new);
        head.inputs.extend(saved);
        let given: Vec<&str> = head.inputs.iter().map(|port| port.name.as_str()).collect();
        let kept = head.before(&[GRADIENTS], &given);
        let mut at = 0..;
        head.nodes.retain(|_| at.next().is_some_and(|at| kept.contains(&at)));
        let read: HashSet<&str> = head.nodes.iter().flat_map(|node| &node.inputs).map(String::as_str).collect();
        head.inputs.retain(|port| read.contains(port.name.as_str()));
        head.drop_unused_initializers();
        Some(Shared { tail, head })
    }

    /// The same with saved maps handed over channels last, for engines that hold them so.
    pub fn channels_last(&self) -> Shared {
        let (mut tail, mut head) = (self.tail.clone(), self.head.clone());
        let taken: HashSet<&str> = self.tail.wires().union(&self.head.wires()).copied().collect();
        for output in &mut tail.outputs {
            let (Some(input), Some([Some(1), Some(channels), Some(height), Some(width)])) =
                (head.inputs.iter_mut().find(|port| port.name == output.name), output.shape.as_deref())
            else {
                continue;
            };
            // One cell is the same in either order.
            if height * width == 1 {
                continue;
            }
            let mut names = (1..).map(|count| format!("{}_{count}", output.name));
            let name = names.find(|name| !taken.contains(name.as_str())).expect("there are more numbers than wires");
            let turned = Fact { kind: output.kind, shape: vec![1, *height, *width, *channels] };
            head.nodes.insert(0, transposed(&name, &output.name, [0, 3, 1, 2]));
            tail.nodes.push(transposed(&output.name, &name, [0, 2, 3, 1]));
            *output = Port::new(&name, &turned);
            *input = output.clone();
        }
        Shared { tail, head }
    }
}

fn transposed(from: &str, to: &str, order: [i64; 4]) -> Node {
    Node {
        name: to.to_owned(),
        op: "Transpose".to_owned(),
        inputs: vec![from.to_owned()],
        outputs: vec![to.to_owned()],
        attributes: [("perm".to_owned(), Attribute::Ints(order.to_vec()))].into(),
    }
}

/// The tail's wires that the head is to be given: of those that the derivative reads, the ones that cannot be computed from
/// the others cheaply. So a convolution and what follows it remain one step where the derivative reads only what
/// comes out of them.
///
/// What is compared with something computed is never computed again: rounded otherwise, no element would be its window's
/// maximum.
fn saved<'a>(tail: &Graph, head: &'a Graph, facts: &Facts) -> Vec<&'a str> {
    let made: HashMap<&str, &Node> =
        tail.nodes.iter().flat_map(|node| results(node).map(move |wire| (wire, node))).collect();
    let is_tails = |node: &&Node| results(node).all(|wire| made.get(wire).is_some_and(|other| other == node));
    let again: Vec<&Node> = head.nodes.iter().filter(is_tails).collect();
    let wires: HashSet<&str> = again.iter().flat_map(|node| results(node)).collect();
    let inputs = |node: &'a Node| node.inputs.iter().map(String::as_str).filter(|wire| wires.contains(wire));

    let constant = |wire: &&String| wire.is_empty() || head.constant(wire).is_some();
    let mut compared: HashSet<&str> = HashSet::new();
    for node in head.nodes.iter().rev() {
        let two = COMPARING.contains(&node.op.as_str()) && !node.inputs.iter().any(|wire| constant(&wire));
        if two || (!is_tails(&node) && results(node).any(|wire| compared.contains(wire))) {
            compared.extend(node.inputs.iter().map(String::as_str));
        }
    }

    let mut read: HashSet<&str> = head.nodes.iter().filter(|node| !is_tails(node)).flat_map(inputs).collect();
    // Truth values and integers are not handed over, but what they come from.
    let maps = |wire: &str| facts.get(wire).is_some_and(|fact| fact.kind == ElementType::F32);
    for node in again.iter().rev() {
        let others: Vec<&str> = results(node).filter(|wire| read.contains(wire) && !maps(wire)).collect();
        if !others.is_empty() {
            others.into_iter().for_each(|wire| _ = read.remove(wire));
            read.extend(inputs(node));
            compared.extend(inputs(node));
        }
    }

    let mut at_hand = read.clone();
    let mut saved = Vec::new();
    for node in again {
        let exact = !node.inputs.is_empty() && results(node).any(|wire| read.contains(wire) && compared.contains(wire));
        if CHEAP.contains(&node.op.as_str()) && !exact && inputs(node).all(|wire| at_hand.contains(wire)) {
            at_hand.extend(results(node));
        } else {
            saved.extend(results(node).filter(|wire| read.contains(wire)));
        }
    }
    saved
}

fn results(node: &Node) -> impl Iterator<Item = &str> {
    node.outputs.iter().map(String::as_str).filter(|wire| !wire.is_empty())
}
