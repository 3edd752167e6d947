"""Writes MobileNetV2, MobileNetV3-small and EfficientNet-B0 at full width with random weights, for 224×224 pictures.

The shapes are those of the papers (Sandler et al. 2018, table 2; Howard et al. 2019, table 2; Tan and Le 2019, table 1);
batch normalisation is in the convolutions, as exporters leave it. What such a network says means nothing, how long it
takes does.

    pip install onnx numpy
    python tests/benches/full_width.py FOLDER
    python tests/benches/compare.py FOLDER/*.onnx
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """A graph that grows by one layer after another."""

    def __init__(self, name):
        self.name, self.nodes, self.weights, self.random = name, [], [], np.random.default_rng(1)
        self.wire, self.channels = "image", 3

    def add(self, operator, *inputs, **attributes):
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values):
        name = f"weights_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def convolution(self, wire, channels, kernel=1, stride=1, groups=1, source=None):
        source = source or self.channels
        spread = np.sqrt(2.0 / (source // groups * kernel * kernel))
        weights = self.random.normal(size=(channels, source // groups, kernel, kernel)) * spread
        return self.add(
            "Conv",
            wire,
            self.constant(weights),
            self.constant(self.random.normal(size=channels) * 0.1),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            group=groups,
        )

    def activate(self, wire, kind):
        if kind == "relu":
            return self.add("Relu", wire)
        if kind == "relu6":
            return self.add("Clip", wire, self.constant(0.0), self.constant(6.0))
        if kind == "hard-swish":
            return self.add("HardSwish", wire)
        return self.add("Mul", wire, self.add("Sigmoid", wire))

    def gate(self, wire, channels, squeezed, inner, outer):
        """Squeeze-and-excite."""
        pooled = self.add("GlobalAveragePool", wire)
        pooled = self.activate(self.convolution(pooled, squeezed, source=channels), inner)
        pooled = self.add(outer, self.convolution(pooled, channels, source=squeezed))
        return self.add("Mul", wire, pooled)

    def block(self, wide, channels, kernel, stride, kind, squeezed=0, gate=("relu", "HardSigmoid")):
        """An inverted residual block."""
        before, wire = self.wire, self.wire
        if wide != self.channels:
            wire = self.activate(self.convolution(wire, wide), kind)
        wire = self.activate(self.convolution(wire, wide, kernel, stride, groups=wide, source=wide), kind)
        if squeezed:
            wire = self.gate(wire, wide, squeezed, *gate)
        wire = self.convolution(wire, channels, source=wide)
        if stride == 1 and channels == self.channels:
            wire = self.add("Add", before, wire)
        self.wire, self.channels = wire, channels

    def layer(self, channels, kind, kernel=1, stride=1):
        self.wire = self.activate(self.convolution(self.wire, channels, kernel, stride), kind)
        self.channels = channels

    def linear(self, wire, channels, source):
        weights = self.random.normal(size=(channels, source)) * np.sqrt(1.0 / source)
        bias = self.constant(np.zeros(channels))
        return self.add("Gemm", wire, self.constant(weights), bias, transB=1)

    def save(self, folder, hidden=None):
        wire = self.add("Flatten", self.add("GlobalAveragePool", self.wire))
        source = self.channels
        if hidden:
            wire, source = self.activate(self.linear(wire, hidden, source), "hard-swish"), hidden
        wire = self.linear(wire, 1000, source)
        picture = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])
        scores = helper.make_tensor_value_info(wire, TensorProto.FLOAT, [1, 1000])
        graph = helper.make_graph(self.nodes, self.name, [picture], [scores], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, folder / f"{self.name}.onnx")


def mobilenet_v2(folder):
    network = Network("full_mobilenet_v2")
    network.layer(32, "relu6", 3, 2)
    for expansion, channels, repeats, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for number in range(repeats):
            network.block(network.channels * expansion, channels, 3, stride if number == 0 else 1, "relu6")
    network.layer(1280, "relu6")
    network.save(folder)


def mobilenet_v3_small(folder):
    network = Network("full_mobilenet_v3_small")
    network.layer(16, "hard-swish", 3, 2)
    for kernel, wide, channels, squeezed, kind, stride in (
        (3, 16, 16, 8, "relu", 2),
        (3, 72, 24, 0, "relu", 2),
        (3, 88, 24, 0, "relu", 1),
        (5, 96, 40, 24, "hard-swish", 2),
        (5, 240, 40, 64, "hard-swish", 1),
        (5, 240, 40, 64, "hard-swish", 1),
        (5, 120, 48, 32, "hard-swish", 1),
        (5, 144, 48, 40, "hard-swish", 1),
        (5, 288, 96, 72, "hard-swish", 2),
        (5, 576, 96, 144, "hard-swish", 1),
        (5, 576, 96, 144, "hard-swish", 1),
    ):
        network.block(wide, channels, kernel, stride, kind, squeezed)
    network.layer(576, "hard-swish")
    network.save(folder, hidden=1024)


def efficientnet_b0(folder):
    network = Network("full_efficientnet_b0")
    network.layer(32, "silu", 3, 2)
    for expansion, channels, repeats, stride, kernel in (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ):
        for number in range(repeats):
            squeezed, first = network.channels // 4, stride if number == 0 else 1
            network.block(network.channels * expansion, channels, kernel, first, "silu", squeezed, ("silu", "Sigmoid"))
    network.layer(1280, "silu")
    network.save(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    to = pathlib.Path(sys.argv[1])
    to.mkdir(parents=True, exist_ok=True)
    for write in (mobilenet_v2, mobilenet_v3_small, efficientnet_b0):
        write(to)
