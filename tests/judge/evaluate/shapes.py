"""What makes, moves, chooses or borders elements."""

import numpy as np
import torch
import torch.nn.functional as F


def flat(borders):
    """As `F.pad` wants them: the last axis first."""
    return [side for border in reversed(borders) for side in border]


def op_Constant(call):
    value = call.get("value")
    if value is not None:
        return call.graph.tensor(value)
    for name, kind in (
        ("value_float", call.graph.kind),
        ("value_floats", call.graph.kind),
        ("value_int", torch.int64),
        ("value_ints", torch.int64),
    ):
        if call.get(name) is not None:
            return torch.tensor(call.get(name), dtype=kind)
    raise NotImplementedError("a Constant of strings")


def op_ConstantOfShape(call):
    value = (
        call.graph.tensor(call.get("value")) if call.get("value") is not None else torch.zeros(1, dtype=call.graph.kind)
    )
    return value.reshape(-1)[0].expand(call.integers("", 0)).clone()


def op_Shape(call):
    return torch.tensor(list(call[0].shape)[call.get("start", 0) : call.get("end")], dtype=torch.int64)


def op_Size(call):
    return torch.tensor(call[0].numel(), dtype=torch.int64)


def op_Range(call):
    return torch.arange(*(value.item() for value in call.inputs), dtype=call[0].dtype)


def op_Cast(call):
    kinds = {
        1: call.graph.kind,
        10: call.graph.kind,
        11: call.graph.kind,
        6: torch.int32,
        7: torch.int64,
        9: torch.bool,
    }
    return call[0].to(kinds[call.get("to")])


def op_CastLike(call):
    return call[0].to(call[1].dtype)


def op_Flatten(call):
    x, axis = call[0], call.get("axis", 1)
    axis = axis % x.dim() if axis < 0 else axis
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def op_Reshape(call):
    shape = call.integers("shape", 1)
    if not call.get("allowzero", 0):
        shape = [call[0].shape[at] if side == 0 else side for at, side in enumerate(shape)]
    return call[0].reshape(shape)


def op_Squeeze(call):
    axes = call.integers("axes", 1)
    return call[0].squeeze() if axes is None else call[0].squeeze(tuple(axis % call[0].dim() for axis in axes))


def op_Unsqueeze(call):
    axes, x = call.integers("axes", 1), call[0]
    for axis in sorted(axis % (x.dim() + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def op_Transpose(call):
    return call[0].permute(call.get("perm") or list(range(call[0].dim()))[::-1])


def op_Concat(call):
    return torch.cat(call.inputs, call.get("axis"))


def op_Split(call):
    axis = call.get("axis", 0)
    sides = call.integers("split", 1)
    if sides is None:
        count = call.get("num_outputs") or len(call.node.output)
        sides = -(-call[0].shape[axis] // count)
    return torch.split(call[0], sides, axis)


def op_Slice(call):
    x = call[0]
    starts, ends = call.integers("starts", 1), call.integers("ends", 2)
    axes = call.integers("axes", 3) or list(range(len(starts)))
    steps = call.integers("steps", 4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        chosen = list(range(x.shape[axis]))[slice(start, end if end >= -x.shape[axis] or step > 0 else None, step)]
        if step == 1 and chosen:
            x = x.narrow(axis % x.dim(), chosen[0], len(chosen))
        else:
            x = x.index_select(axis % x.dim(), torch.tensor(chosen, dtype=torch.int64))
    return x


def op_Gather(call):
    x, at, axis = call[0], call[1], call.get("axis", 0) % call[0].dim()
    at = torch.where(at < 0, at + x.shape[axis], at)
    return x.index_select(axis, at.reshape(-1)).reshape(x.shape[:axis] + at.shape + x.shape[axis + 1 :])


def op_Expand(call):
    return call[0].expand(torch.broadcast_shapes(call[0].shape, tuple(call.integers("", 1))))


def op_Tile(call):
    return call[0].repeat(call.integers("", 1))


def op_Pad(call):
    x, widths = call[0], call.integers("pads", 1)
    how = call.get("mode", b"constant")
    how = how.decode() if isinstance(how, bytes) else how
    axes = call.integers("", 3) or list(range(x.dim()))
    borders = [(0, 0)] * x.dim()
    for at, axis in enumerate(axes):
        borders[axis % x.dim()] = (widths[at], widths[len(axes) + at])
    if how == "constant":
        value = call.get("value", 0.0) if call[2] is None else call[2].item()
        return F.pad(x, flat(borders), value=value)
    for axis, (before, after) in enumerate(borders):
        if before or after:
            at = torch.arange(-before, x.shape[axis] + after)
            last = x.shape[axis] - 1
            at = last - (last - at.abs()).abs() if how == "reflect" else at.clamp(0, last)
            x = x.index_select(axis, at)
    return x


def op_DepthToSpace(call):
    x, b = call[0], call.get("blocksize")
    n, c, h, w = x.shape
    if call.get("mode", b"DCR") in (b"CRD", "CRD"):
        return x.reshape(n, c // b**2, b, b, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)
    return x.reshape(n, b, b, c // b**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)


def op_SpaceToDepth(call):
    x, b = call[0], call.get("blocksize")
    n, c, h, w = x.shape
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)
