"""Which corners were turned the other way in f32: units so near a corner (a ReLU at almost 0, two almost equal cells
in a pool's window) that rounding decides the side.

The derivative jumps there, so that a single unit can move a gradient by a hundredth, and both sides are right for
inputs that differ in the last digit. For each of the nearest units the gradient is computed in f64 with that unit on
its other side. If the difference between f32 and f64 is a sum of such jumps, each taken once or not at all, and what
is left is rounding, then corners explain it; an error of the head or of an engine would be left over.
"""

import numpy as np
import torch
import torch.nn.functional as F

# How many units are tried at most, and at once.
UNITS, BATCH = 200, 8
# Jumps below this share of the gradients do not matter.
LEAST = 1e-7


def near(call):
    """(distance, place, step to the other side) for each unit of the first input that is near a corner."""
    x = call[0].detach()
    operator = call.node.op_type
    if operator in ("Relu", "LeakyRelu", "PRelu", "Abs"):
        return bounds(x, [0.0])
    if operator == "Clip":
        inputs = [
            call.get("min") if call[1] is None else call[1].item(),
            call.get("max") if call[2] is None else call[2].item(),
        ]
        return bounds(x, [bound for bound in inputs if bound is not None])
    if operator == "HardSwish":
        return bounds(x, [-3.0, 3.0])
    if operator == "HardSigmoid":
        alpha, beta = call.get("alpha", 0.2), call.get("beta", 0.5)
        return bounds(x, [-beta / alpha, (1 - beta) / alpha])
    if operator == "MaxPool" and x.dim() == 4:
        return ties(call, x)
    return []


def bounds(x, corners):
    found = []
    size = x.pow(2).mean().sqrt()
    for corner in corners:
        away = (x - corner).reshape(-1)
        least = torch.topk(away.abs(), min(UNITS, away.numel()), largest=False).indices
        found += [((away[at].abs() / size).item(), at.item(), (-2 * away[at]).item()) for at in least]
    return found


def ties(call, x):
    """The second of each window, with what lifts it above the first."""
    kernel, strides = call.get("kernel_shape"), call.get("strides") or [1, 1]
    border = call.get("pads") or [0, 0, 0, 0]
    flat = (border[1], border[3], border[0], border[2])
    places = torch.arange(x.numel(), dtype=x.dtype).reshape(x.shape)
    unfold = (
        lambda values: F.pad(values, flat, value=float("-inf"))
        .unfold(2, kernel[0], strides[0])
        .unfold(3, kernel[1], strides[1])
    )
    cells, numbers = unfold(x).reshape(-1, kernel[0] * kernel[1]), unfold(places).reshape(-1, kernel[0] * kernel[1])
    top = torch.topk(cells, 2, dim=-1)
    away = top.values[:, 0] - top.values[:, 1]
    away = torch.where((away > 0) & away.isfinite(), away, torch.full_like(away, float("inf")))
    size = x.pow(2).mean().sqrt()
    least = torch.topk(away, min(UNITS, away.numel()), largest=False).indices
    return [
        ((away[at] / size).item(), int(numbers[at, top.indices[at, 1]].item()), (2 * away[at]).item())
        for at in least
        if away[at].isfinite()
    ]


class Jumps:
    """What the gradients of one class at the wire `leaf` become where units near a corner are on their other side."""

    def __init__(self, graph, known, leaf, scores, class_number, reach):
        """`known` has the wires up to the leaf; units are tried that are no farther from a corner than `reach`, in
        units of the root mean square of their feature maps."""
        self.graph, self.known, self.leaf, self.output = graph, known, leaf, (scores, class_number)
        units = []
        graph.look = lambda call: units.extend(
            (far, (call.node.output[0], place, step)) for far, place, step in near(call)
        )
        self.exact = self.gradient()
        graph.look = None
        self.units = [unit for unit in sorted(set(units))[:UNITS] if unit[0] <= reach]
        self.jumps = []

    def try_more(self):
        """Computes the jumps of the next nearest units; false where there are none."""
        more, self.units = self.units[:BATCH], self.units[BATCH:]
        for far, nudge in more:
            jump = self.gradient(nudge) - self.exact
            if jump.norm() > LEAST * self.exact.norm():
                self.jumps.append((far, nudge, jump))
        return bool(more)

    def gradient(self, *nudges):
        values = dict(self.known)
        values[self.leaf] = values[self.leaf].detach().requires_grad_()
        self.graph.nudges = nudges
        self.graph.run(values, [self.output[0]])
        self.graph.nudges = ()
        return torch.autograd.grad(values[self.output[0]][0, self.output[1]], values[self.leaf])[0].detach()

    def explain(self, rough, enough):
        """How many units the difference of `rough` takes, how far the farthest of them is from its corner, and what
        is left of the difference, relative to the gradients. Units are tried until that is `enough`."""
        difference = (rough - self.exact).reshape(-1)
        best, left = [], difference.norm()
        while True:
            for taken in self.together(difference), self.one_by_one(difference):
                # A step to the other side may take units with it that are nearer to their corners: what counts is all
                # at once.
                rest = (rough - self.gradient(*(self.jumps[at][1] for at in taken))).norm()
                if rest < left:
                    best, left = taken, rest
            if left <= enough * self.exact.norm() or not self.try_more():
                break
        return dict(
            units=len(best),
            distance=max((self.jumps[at][0] for at in best), default=0.0),
            left=(left / self.exact.norm()).item(),
        )

    def together(self, difference):
        """The jumps that have a share of 1 in the difference rather than 0."""
        if not self.jumps:
            return []
        columns = torch.stack([jump.reshape(-1) for _, _, jump in self.jumps], dim=1)
        shares = torch.linalg.lstsq(columns, difference[:, None], driver="gelsd").solution[:, 0]
        return [at for at, share in enumerate(shares.tolist()) if share > 0.5]

    def one_by_one(self, difference):
        """Each time the jump that explains most of what is left."""
        taken, left = [], difference
        while len(taken) < len(self.jumps):
            rests = [(left - jump.reshape(-1)).norm().item() for _, _, jump in self.jumps]
            best = int(np.argmin(rests))
            if rests[best] >= left.norm().item() or best in taken:
                break
            taken.append(best)
            left = left - self.jumps[best][2].reshape(-1)
        return taken
