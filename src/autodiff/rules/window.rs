//! Where the windows of convolutions and pools lie.

use crate::autodiff::emit::Emitter;
use crate::onnx::few;
use crate::onnx::graph::{Attribute, Node};

/// The windows along one axis of the cells: number `o` reads the positions `o·stride − before + i·dilation` for i from 0
/// to `window` − 1, of which those outside of 0..`length` are border.
pub(super) struct Axis {
    /// Positions of the input.
    pub length: usize,
    /// Windows, which are the positions of the output.
    pub cells: usize,
    pub window: usize,
    pub stride: usize,
    pub dilation: usize,
    /// The border that the node puts around the input.
    pub before: usize,
    pub after: usize,
}

impl Axis {
    /// From the first to the last position of one window.
    pub fn extent(&self) -> usize {
        (self.window - 1) * self.dilation + 1
    }

    /// From the start of the border to the end of the last window.
    pub fn reach(&self) -> usize {
        (self.cells - 1) * self.stride + self.extent()
    }

    /// Whether each position is in exactly one window and no window reads the border.
    pub fn is_tiled(&self) -> bool {
        let apart = self.cells == 1 || self.stride == self.window;
        self.dilation == 1 && self.before == 0 && apart && self.window * self.cells == self.length
    }

    /// Whether the output is the input.
    pub fn is_identity(&self) -> bool {
        self.window == 1 && self.stride == 1 && self.before == 0 && self.cells == self.length
    }
}

/// The axes behind the first two, for a node that moves windows of the size `window` over its first input.
pub(super) fn axes(emitter: &Emitter, node: &Node, window: &[usize]) -> Result<Vec<Axis>, String> {
    let (from, to) = (emitter.shape(&node.inputs[0])?, emitter.shape(&node.outputs[0])?);
    let rank = window.len();
    if rank == 0 || from.len() != rank + 2 || to.len() != rank + 2 {
        return Err(format!("its window {window:?} does not fit an input of shape {from:?}"));
    }
    let listed = |name: &str, count: usize, missing: usize| sides(node, name, count, missing);
    let strides = listed("strides", rank, 1)?;
    let dilations = listed("dilations", rank, 1)?;
    let pads = listed("pads", 2 * rank, 0)?;
    let automatic = match node.attributes.get("auto_pad") {
        Some(Attribute::String(value)) => value.as_slice(),
        _ => b"NOTSET",
    };
    let ceil = node.int("ceil_mode").unwrap_or(0) != 0;
    let mut axes = Vec::new();
    for at in 0..rank {
        let (length, cells) = (from[at + 2], to[at + 2]);
        if strides[at] == 0 || dilations[at] == 0 || window[at] == 0 || length == 0 || cells == 0 {
            return Err("its windows have no place".into());
        }
        let mut axis = Axis {
            length,
            cells,
            window: window[at],
            stride: strides[at],
            dilation: dilations[at],
            before: pads[at],
            after: pads[at + rank],
        };
        match automatic {
            b"NOTSET" | b"VALID" => {}
            b"SAME_UPPER" | b"SAME_LOWER" => {
                // As many cells as strides fit, the border halved; an odd one goes to the named side.
                let border = ((length.div_ceil(axis.stride) - 1) * axis.stride + axis.extent()).saturating_sub(length);
                let (less, more) = (border / 2, border - border / 2);
                (axis.before, axis.after) = if automatic == b"SAME_UPPER" { (less, more) } else { (more, less) };
            }
            other => return Err(format!("its auto_pad is {:?}", String::from_utf8_lossy(other))),
        }
        if axis.cells != expected_cells(&axis, ceil) {
            return Err(format!(
                "its output has {cells} cells along axis {}, which its windows do not explain",
                at + 2
            ));
        }
        axes.push(axis);
    }
    Ok(axes)
}

/// ⌊(length + border − extent) / stride⌋ + 1. With `ceil` rounded up, but without a window that starts behind the input,
/// as PyTorch and ONNX Runtime do.
fn expected_cells(axis: &Axis, ceil: bool) -> usize {
    let Some(room) = (axis.length + axis.before + axis.after).checked_sub(axis.extent()) else { return 0 };
    let cells = if ceil { room.div_ceil(axis.stride) } else { room / axis.stride } + 1;
    let outside = ceil && (cells - 1) * axis.stride >= axis.length + axis.before;
    cells - usize::from(outside)
}

/// An attribute that lists `count` sizes.
pub(super) fn sides(node: &Node, name: &str, count: usize, missing: usize) -> Result<Vec<usize>, String> {
    let Some(listed) = node.ints(name) else { return Ok(vec![missing; count]) };
    let sides: Option<Vec<usize>> = listed.iter().map(|side| usize::try_from(*side).ok()).collect();
    sides.filter(|sides| sides.len() == count).ok_or_else(|| format!("its {name} are {}", few(listed)))
}
