"""Networks of PyTorch with random weights, their export, and what they say themselves in f64."""

import copy
import os
import sys

import numpy as np
import onnx
import torch
from torch import nn

import models

# Relative L2 within which a module's output is what the file has on a wire: exporters fold weights in f32.
SAME = 1e-4
# Where named layers are taken from: outputs of these, in the later part of the file.
TARGETS = (
    "Add",
    "Concat",
    "Mul",
    "Relu",
    "Clip",
    "Conv",
    "BatchNormalization",
    "Sigmoid",
    "HardSwish",
    "Slice",
    "Split",
)
LATER = 0.4


def made(case):
    torch.manual_seed(case["seed"])
    network = models.make(case["library"], case["name"])
    randomise(network, case["size"], case["seed"])
    generator = torch.Generator().manual_seed(case["seed"] + 5)
    return network, torch.randn(1, 3, case["size"], case["size"], generator=generator)


def randomise(network, size, seed):
    """Weights that hide nothing: no factor is 1, no offset 0, and norms know what comes through the network."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
        if (
            isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm))
            and module.weight is not None
        ):
            module.weight.data.uniform_(0.6, 1.4, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.2, generator=generator)
        elif isinstance(getattr(module, "bias", None), nn.Parameter):
            module.bias.data.normal_(0, 0.05, generator=generator)
    for name, weights in network.named_parameters():
        if name.split(".")[-1] in ("gamma", "layer_scale", "ls", "gain", "skipinit_gain", "alpha"):
            weights.data.uniform_(0.3, 1.0, generator=generator)
        if torch.all(weights.data == 0):
            weights.data.normal_(0, 0.05, generator=generator)
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for module in norms:
        module.train()
        module.momentum = 1.0
    if norms:
        with torch.no_grad():
            network(torch.randn(4, 3, size, size, generator=generator))
    for module in norms:
        # One cell of one picture has no variance.
        module.running_var.data.clamp_(min=1e-2)
    network.eval().requires_grad_(False)


def colours_last(model):
    return model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value == 3


def picture_for(path, seed):
    """Noise of the size that a file wants, as `[1, 3, height, width]`."""
    model = onnx.load(path)
    sides = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim][1:]
    height, width = sides[:2] if colours_last(model) else sides[1:]
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def export(network, picture, path, exporter):
    names = dict(input_names=["image"], output_names=["logits"])
    with open(os.devnull, "w") as nowhere:
        kept, sys.stdout = sys.stdout, nowhere
        try:
            if exporter == "dynamo":
                program = torch.onnx.export(network, (picture,), dynamo=True, opset_version=18, verbose=False, **names)
                program.save(path, external_data=False)
            else:
                torch.onnx.export(network, (picture,), path, dynamo=False, opset_version=17, **names)
        finally:
            sys.stdout = kept


def named(path, name, count):
    """Wires of feature maps with more than one cell, the same ones each time."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    shapes = {v.name: [side.dim_value for side in v.type.tensor_type.shape.dim] for v in model.graph.value_info}
    wires = [node.output[0] for node in model.graph.node if node.op_type in TARGETS]
    wires = [wire for wire in wires if len(shapes.get(wire, [])) == 4 and min(shapes[wire][2:]) > 1]
    # An explainable model has a head already.
    wires = [wire for wire in wires if not wire.startswith("gradient_head/")]
    later = np.arange(int(len(wires) * LATER), len(wires))
    chosen = np.random.default_rng(sum(map(ord, name))).choice(later, min(count, len(later)), replace=False)
    return [wires[at] for at in sorted(chosen)]


class Reference:
    """The network itself in f64, with what its modules put out."""

    def __init__(self, network, picture):
        self.put_out = []
        self.network = network.double()
        hooks = [module.register_forward_hook(self.note) for module in network.modules()]
        self.picture = picture.double().requires_grad_()
        scores = network(self.picture)
        for hook in hooks:
            hook.remove()
        self.scores = scores[0] if isinstance(scores, (tuple, list)) else scores

    def note(self, module, inputs, output):
        for value in output if isinstance(output, (tuple, list)) else (output,):
            if isinstance(value, torch.Tensor) and value.requires_grad:
                # Of a gradient that lies in memory in another order a backward pass of PyTorch 2.15 makes another one than
                # finite differences (efficientformer_l1, by 100 %).
                value.register_hook(lambda gradient: gradient.clone(memory_format=torch.contiguous_format))
            if isinstance(value, torch.Tensor) and value.requires_grad and value.dim() == 4:
                if not any(value is other for other in self.put_out):
                    self.put_out.append(value)

    def gradients(self, value, class_number):
        found = torch.autograd.grad(self.scores[0, class_number], value, retain_graph=True, allow_unused=True)[0]
        return torch.zeros_like(value) if found is None else found

    def moved(self, class_number):
        """How far the gradient at the picture goes, in relative L2, where every weight is off by what rounding it to f32
        may do: the largest of three draws."""
        before = self.gradients(self.picture, class_number)
        furthest = 0.0
        for draw in range(3):
            chance = torch.Generator().manual_seed(draw)
            network = copy.deepcopy(self.network)
            with torch.no_grad():
                for weights in [*network.parameters(), *network.buffers()]:
                    if weights.is_floating_point():
                        weights.mul_(1 + (2 * torch.rand(weights.shape, generator=chance, dtype=weights.dtype) - 1) * 2**-24)
            other = Reference(network, self.picture.detach())
            furthest = max(furthest, relative(other.gradients(other.picture, class_number), before))
        return furthest

    def nearest(self, exact, classes):
        """The gradients of what a module puts out with the activations' values; None where none does.

        A ReLU behind a ReLU has the same values and another gradient: those that are nearest count."""
        places = []
        for value in self.put_out:
            for order in ((0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 3, 1)):
                turned = value.detach().permute(order)
                if turned.shape == exact["activations"].shape and relative(turned, exact["activations"]) < SAME:
                    places.append({c: self.gradients(value, c).permute(order) for c in classes})
        far = lambda place: max(relative(place[c], exact[f"autograd{c}"]) for c in classes)
        return min(places, key=far, default=None)


def relative(one, other):
    """Relative L2 difference."""
    one, other = (
        np.asarray(value.detach() if isinstance(value, torch.Tensor) else value, np.float64) for value in (one, other)
    )
    if one.reshape(-1).shape != other.reshape(-1).shape:
        return float("inf")
    size = np.linalg.norm(other)
    return float(np.linalg.norm((one - other.reshape(one.shape)).ravel()) / (size if size > 0 else 1.0))
