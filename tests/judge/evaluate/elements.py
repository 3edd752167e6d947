"""What works on each element: functions of one variable and of several, comparisons, choices."""

import torch
import torch.nn.functional as F


def simple(function):
    return lambda call: function(*call.inputs)


op_Abs = simple(torch.abs)
op_Add = simple(torch.add)
op_Sub = simple(torch.sub)
op_Mul = simple(torch.mul)
op_Neg = simple(torch.neg)
op_Exp = simple(torch.exp)
op_Log = simple(torch.log)
op_Sqrt = simple(torch.sqrt)
op_Erf = simple(torch.erf)
op_Sin = simple(torch.sin)
op_Cos = simple(torch.cos)
op_Floor = simple(torch.floor)
op_Ceil = simple(torch.ceil)
op_Round = simple(torch.round)
op_Sign = simple(torch.sign)
op_Reciprocal = simple(torch.reciprocal)
op_Relu = simple(torch.relu)
op_Sigmoid = simple(torch.sigmoid)
op_Tanh = simple(torch.tanh)
op_Softplus = simple(lambda x: -F.logsigmoid(-x))
op_Softsign = simple(F.softsign)
op_Mish = simple(F.mish)
op_HardSwish = simple(F.hardswish)
op_Greater = simple(torch.gt)
op_GreaterOrEqual = simple(torch.ge)
op_Less = simple(torch.lt)
op_LessOrEqual = simple(torch.le)
op_Equal = simple(torch.eq)
op_And = simple(torch.logical_and)
op_Or = simple(torch.logical_or)
op_Xor = simple(torch.logical_xor)
op_Not = simple(torch.logical_not)
op_Where = simple(torch.where)
op_Identity = simple(lambda x: x)


def op_Dropout(call):
    return call[0]


def op_Div(call):
    x, y = call.inputs
    return torch.div(x, y, rounding_mode="trunc") if not x.is_floating_point() else x / y


def op_Mod(call):
    return torch.fmod(call[0], call[1]) if call.get("fmod", 0) else torch.remainder(call[0], call[1])


def op_Pow(call):
    x, y = call.inputs
    return x ** (y.item() if y.numel() == 1 and not y.requires_grad else y.to(x.dtype))


def several(function):
    def run(call):
        result = call[0]
        for other in call.inputs[1:]:
            result = function(result, other)
        return result

    return run


op_Max = several(torch.maximum)
op_Min = several(torch.minimum)
op_Sum = several(torch.add)


def op_Mean(call):
    return op_Sum(call) / len(call.inputs)


def op_Clip(call):
    low = call.get("min") if call[1] is None else call[1].item()
    high = call.get("max") if call[2] is None else call[2].item()
    if not call[0].is_floating_point():
        return torch.clamp(call[0], low, high)
    # No gradient at the bounds, as PyTorch's relu6.
    if low is not None and high is not None:
        return F.hardtanh(call[0], low, high)
    if low is not None:
        return torch.where(call[0] > low, call[0], torch.full_like(call[0], low))
    return call[0] if high is None else torch.where(call[0] < high, call[0], torch.full_like(call[0], high))


def op_LeakyRelu(call):
    return F.leaky_relu(call[0], call.get("alpha", 0.01))


def op_PRelu(call):
    return torch.where(call[0] > 0, call[0], call[0] * call[1])


def op_Elu(call):
    return F.elu(call[0], call.get("alpha", 1.0))


op_Celu = op_Elu


def op_Selu(call):
    return call.get("gamma", 1.05070102214813232) * F.elu(call[0], call.get("alpha", 1.67326319217681884))


def op_HardSigmoid(call):
    alpha, beta = call.get("alpha", 0.2), call.get("beta", 0.5)
    # The attribute is 1/6 rounded to f32, and so it stays: the head has the same number.
    return F.hardtanh(call[0] * alpha + beta, 0.0, 1.0)


def op_Gelu(call):
    how = call.get("approximate", b"none")
    return F.gelu(call[0], approximate=how.decode() if isinstance(how, bytes) else how)
