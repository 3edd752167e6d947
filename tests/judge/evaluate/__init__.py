"""What an ONNX file says in another precision: its nodes one by one, as calls of PyTorch.

Weights and constants become f64 (or stay f32), so that a file of f32 numbers is evaluated without the rounding of
f32, and corners (a ReLU at almost 0) fall as the weights say. PyTorch differentiates what it is given, so that the
gradients of any wire come with it. Corners as in PyTorch's own layers.
"""

import numpy as np
import torch
from onnx import helper, numpy_helper

from . import elements, norms, shapes, windows

# By their names in ONNX.
OPERATORS = {
    name.removeprefix("op_"): function
    for family in (elements, windows, norms, shapes)
    for name, function in vars(family).items()
    if name.startswith("op_")
}


class Graph:
    """An ONNX graph whose floats are of `kind`."""

    def __init__(self, model, kind=torch.float64):
        self.kind = kind
        self.graph = model.graph
        self.opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self.weights = {tensor.name: self.tensor(tensor) for tensor in self.graph.initializer}
        self.nodes = [
            (node, {a.name: helper.get_attribute_value(a) for a in node.attribute}) for node in self.graph.node
        ]
        self.inputs = [port.name for port in self.graph.input if port.name not in self.weights]
        self.outputs = [port.name for port in self.graph.output]
        # For `corners.py`: is shown every call that gradients go through; each (wire, place, step) moves one element
        # of the first input of the node that makes the wire.
        self.look, self.nudges = None, ()

    def tensor(self, proto):
        values = torch.from_numpy(np.array(numpy_helper.to_array(proto)))
        return values.to(self.kind) if values.is_floating_point() else values

    def needed(self, wires, known):
        """The nodes that make `wires`, in order, where those of `known` are there already."""
        wanted, nodes = set(wires) - set(known), []
        for node, attributes in reversed(self.nodes):
            if wanted.intersection(node.output):
                nodes.append((node, attributes))
                wanted.update(wire for wire in node.input if wire not in known)
        return nodes[::-1]

    def run(self, known, wires, leaf=None):
        """Adds to `known` (wire to value) what makes `wires`. `leaf` is cut off: gradients end at it."""
        for node, attributes in self.needed(wires, known):
            inputs = [None if not wire else known[wire] if wire in known else self.weights[wire] for wire in node.input]
            operator = OPERATORS.get(node.op_type)
            if operator is None:
                raise NotImplementedError(f"the evaluator does not know {node.op_type}")
            for wire, place, step in self.nudges:
                if wire == node.output[0]:
                    inputs[0] = moved(inputs[0], place, step)
            call = Call(self, node, attributes, inputs)
            if self.look and inputs and inputs[0] is not None and inputs[0].requires_grad:
                self.look(call)
            outputs = operator(call)
            for wire, value in zip(node.output, outputs if isinstance(outputs, (tuple, list)) else (outputs,)):
                known[wire] = value.detach().requires_grad_() if wire == leaf else value
        return known


def moved(values, place, step):
    by = torch.zeros(values.numel(), dtype=values.dtype)
    by[place] = step
    return values + by.reshape(values.shape)


class Call:
    """A node with its inputs; None for one that is left out."""

    def __init__(self, graph, node, attributes, inputs):
        self.graph, self.node, self.attributes, self.inputs = graph, node, attributes, inputs
        self.opset = graph.opset

    def __getitem__(self, at):
        return self.inputs[at] if at < len(self.inputs) else None

    def get(self, name, otherwise=None):
        return self.attributes.get(name, otherwise)

    def integers(self, name, at, otherwise=None):
        """A list that is an attribute in some opsets and an input in others."""
        if self[at] is not None:
            return [int(value) for value in self[at].reshape(-1)]
        return list(self.get(name, otherwise) or []) if self.get(name, otherwise) is not None else None
