"""Normalisations, reductions, softmax and matrix products."""

import torch
import torch.nn.functional as F


def op_BatchNormalization(call):
    x, scale, bias, mean, variance = call.inputs[:5]
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, call.get("epsilon", 1e-5))


def op_InstanceNormalization(call):
    return F.instance_norm(call[0], weight=call[1], bias=call[2], eps=call.get("epsilon", 1e-5))


def op_GroupNormalization(call):
    x, groups = call[0], call.get("num_groups")
    scale, bias = call[1], call[2]
    if scale.numel() != x.shape[1]:
        scale, bias = (v.repeat_interleave(x.shape[1] // groups) for v in (scale, bias))
    return F.group_norm(x, groups, scale, bias, call.get("epsilon", 1e-5))


def op_LayerNormalization(call):
    x = call[0]
    axis = call.get("axis", -1) % x.dim()
    axes = tuple(range(axis, x.dim()))
    centred = x - x.mean(axes, keepdim=True)
    y = centred / torch.sqrt((centred * centred).mean(axes, keepdim=True) + call.get("epsilon", 1e-5)) * call[1]
    return y if call[2] is None else y + call[2]


def op_LRN(call):
    return F.local_response_norm(
        call[0], call.get("size"), call.get("alpha", 1e-4), call.get("beta", 0.75), call.get("bias", 1.0)
    )


def op_LpNormalization(call):
    size = torch.linalg.vector_norm(call[0], call.get("p", 2), call.get("axis", -1), keepdim=True)
    return torch.where(size == 0, torch.zeros_like(call[0]), call[0] / size)


def reduction(function):
    def run(call):
        x = call[0]
        axes = call.integers("axes", 1)
        if not axes:
            if call.get("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.dim()))
        return function(x, tuple(axis % x.dim() for axis in axes), bool(call.get("keepdims", 1)))

    return run


op_ReduceMean = reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep))
op_ReduceSum = reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep))
op_ReduceMax = reduction(lambda x, axes, keep: x.amax(axes, keepdim=keep))
op_ReduceMin = reduction(lambda x, axes, keep: x.amin(axes, keepdim=keep))
op_ReduceSumSquare = reduction(lambda x, axes, keep: (x * x).sum(axes, keepdim=keep))
op_ReduceL1 = reduction(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep))
op_ReduceL2 = reduction(lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keepdim=keep))


def op_ReduceProd(call):
    x = call[0]
    axes = call.integers("axes", 1) or range(x.dim())
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=bool(call.get("keepdims", 1)))
    return x


def op_MatMul(call):
    return call[0] @ call[1]


def op_Gemm(call):
    a = call[0].T if call.get("transA", 0) else call[0]
    b = call[1].T if call.get("transB", 0) else call[1]
    y = call.get("alpha", 1.0) * (a @ b)
    return y if call[2] is None else y + call.get("beta", 1.0) * call[2]


def op_Einsum(call):
    how = call.get("equation")
    return torch.einsum(how.decode() if isinstance(how, bytes) else how, *call.inputs)


def op_Softmax(call):
    return softmax(call, torch.softmax)


def op_LogSoftmax(call):
    return softmax(call, torch.log_softmax)


def softmax(call, function):
    x = call[0]
    if call.opset >= 13:
        return function(x, call.get("axis", -1))
    axis = call.get("axis", 1) % x.dim()
    return function(x.flatten(axis), -1).reshape(x.shape)
