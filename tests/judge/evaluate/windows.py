"""Convolutions, pools, and sizes of maps."""

import torch
import torch.nn.functional as F

from .shapes import flat


def pads(call, x, kernel, strides, dilations):
    """Before and after along each axis."""
    axes = len(kernel)
    how = call.get("auto_pad", b"NOTSET")
    how = how.decode() if isinstance(how, bytes) else how
    if how in ("NOTSET", "VALID"):
        given = list(call.get("pads") or [0] * 2 * axes)
        return list(zip(given[:axes], given[axes:]))
    result = []
    for side, k, s, d in zip(x.shape[2:], kernel, strides, dilations):
        total = max((-(-side // s) - 1) * s + (k - 1) * d + 1 - side, 0)
        less = total // 2
        result.append((less, total - less) if how == "SAME_UPPER" else (total - less, less))
    return result


def op_Conv(call):
    x, weights = call[0], call[1]
    axes = x.dim() - 2
    kernel = list(weights.shape[2:])
    strides, dilations = call.get("strides") or [1] * axes, call.get("dilations") or [1] * axes
    borders = pads(call, x, kernel, strides, dilations)
    if all(before == after for before, after in borders):
        padding = [before for before, _ in borders]
    else:
        x, padding = F.pad(x, flat(borders)), 0
    function = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    return function(x, weights, call[2], strides, padding, dilations, call.get("group", 1))


def op_ConvTranspose(call):
    x, weights = call[0], call[1]
    axes = x.dim() - 2
    kernel = list(weights.shape[2:])
    strides, dilations = call.get("strides") or [1] * axes, call.get("dilations") or [1] * axes
    if call.get("auto_pad", b"NOTSET") not in (b"NOTSET", "NOTSET") or call.get("output_shape"):
        raise NotImplementedError("ConvTranspose with a wished shape")
    borders = pads(call, x, kernel, strides, dilations)
    extra = call.get("output_padding") or [0] * axes
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
    # PyTorch bounds its output padding by the stride; what is asked for beyond is a border of the whole result.
    whole = function(x, weights, None, strides, 0, 0, call.get("group", 1), dilations)
    whole = F.pad(whole, flat([(-before, more - after) for (before, after), more in zip(borders, extra)]))
    return whole if call[2] is None else whole + call[2].reshape([1, -1] + [1] * axes)


def windows(call, x):
    kernel = call.get("kernel_shape")
    strides, dilations = call.get("strides") or [1] * len(kernel), call.get("dilations") or [1] * len(kernel)
    borders = pads(call, x, kernel, strides, dilations)
    counts = []
    for at, (side, k, s, d) in enumerate(zip(x.shape[2:], kernel, strides, dilations)):
        before, after = borders[at]
        span = side + before + after - (k - 1) * d - 1
        count = span // s + 1
        if call.get("ceil_mode", 0):
            count = -(-span // s) + 1
            # No window begins in the border behind.
            if (count - 1) * s >= side + before:
                count -= 1
        counts.append(count)
    # The last window may reach beyond the border.
    reach = [
        max((n - 1) * s + (k - 1) * d + 1 - side - before, 0)
        for n, s, k, d, side, (before, _) in zip(counts, strides, kernel, dilations, x.shape[2:], borders)
    ]
    return kernel, strides, dilations, borders, reach


def op_MaxPool(call):
    x = call[0]
    kernel, strides, dilations, borders, reach = windows(call, x)
    padded = F.pad(x, flat([(before, after) for (before, _), after in zip(borders, reach)]), value=float("-inf"))
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]
    return function(padded, kernel, strides, 0, dilations)


def op_AveragePool(call):
    x = call[0]
    kernel, strides, dilations, borders, reach = windows(call, x)
    if any(step != 1 for step in dilations):
        raise NotImplementedError("AveragePool with dilations")
    border = flat([(before, after) for (before, _), after in zip(borders, reach)])
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel) - 1]
    sums = function(F.pad(x, border), kernel, strides)
    ones = torch.ones_like(x[:1, :1])
    if call.get("count_include_pad", 0):
        # Borders count, what reaches beyond them does not.
        ones = F.pad(ones, flat(borders), value=1.0)
        border = flat([(0, most - after) for (_, after), most in zip(borders, reach)])
    return sums / function(F.pad(ones, border), kernel, strides)


def op_GlobalAveragePool(call):
    return call[0].mean(tuple(range(2, call[0].dim())), keepdim=True)


def op_GlobalMaxPool(call):
    x = call[0]
    return (
        F.max_pool2d(x, x.shape[2:])
        if x.dim() == 4
        else x.flatten(2).max(-1).values.reshape(x.shape[:2] + (1,) * (x.dim() - 2))
    )


def op_Resize(call):
    x, text = call[0], lambda name, otherwise: (call.get(name) or otherwise).decode()
    sides = call.integers("", 3) or [int(side * scale) for side, scale in zip(x.shape, call[2].tolist())]
    how = (
        text("mode", b"nearest"),
        text("coordinate_transformation_mode", b"half_pixel"),
        text("nearest_mode", b"round_prefer_floor"),
    )
    if x.dim() == 4 and how[0] == "nearest" and how[1:] == ("asymmetric", "floor"):
        return F.interpolate(x, sides[2:], mode="nearest")
    if (
        x.dim() == 4
        and how[0] in ("linear", "cubic")
        and how[1] in ("half_pixel", "pytorch_half_pixel", "align_corners")
    ):
        return F.interpolate(x, sides[2:], mode="bi" + how[0], align_corners=how[1] == "align_corners")
    raise NotImplementedError(f"Resize {how}")
