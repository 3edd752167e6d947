//! Where the windows of convolutions and pools lie.

use super::Call;
use gradcam::onnx::graph::Attribute;

pub struct Windows {
    pub kernel: Vec<usize>,
    /// Of the output, along each axis.
    pub cells: Vec<usize>,
    strides: Vec<i64>,
    dilations: Vec<i64>,
    before: Vec<i64>,
    after: Vec<i64>,
    input: Vec<i64>,
}

impl Windows {
    pub fn of(call: &Call, input: &[usize], kernel: &[usize]) -> Windows {
        let rank = kernel.len();
        let listed =
            |name: &str, missing: i64, count: usize| call.node.ints(name).map_or(vec![missing; count], <[i64]>::to_vec);
        let (strides, dilations) = (listed("strides", 1, rank), listed("dilations", 1, rank));
        let pads = listed("pads", 0, 2 * rank);
        let (mut before, mut after) = (pads[..rank].to_vec(), pads[rank..].to_vec());
        let automatic = match call.node.attributes.get("auto_pad") {
            Some(Attribute::String(value)) => String::from_utf8(value.clone()).expect("it is text"),
            _ => "NOTSET".to_owned(),
        };
        let input: Vec<i64> = input.iter().map(|side| *side as i64).collect();
        let mut cells = Vec::new();
        for axis in 0..rank {
            let extent = (kernel[axis] as i64 - 1) * dilations[axis] + 1;
            if automatic.starts_with("SAME") {
                let steps = (input[axis] as f64 / strides[axis] as f64).ceil() as i64;
                let border = ((steps - 1) * strides[axis] + extent - input[axis]).max(0);
                before[axis] = if automatic == "SAME_UPPER" { border / 2 } else { border - border / 2 };
                after[axis] = border - before[axis];
            }
            let room = (input[axis] + before[axis] + after[axis] - extent) as f64 / strides[axis] as f64;
            cells.push(if call.node.int("ceil_mode") == Some(1) {
                let count = room.ceil() as i64 + 1;
                // No window starts in the border behind the input.
                if (count - 1) * strides[axis] >= input[axis] + before[axis] { count - 1 } else { count }
            } else {
                room.floor() as i64 + 1
            } as usize);
        }
        Windows { kernel: kernel.to_vec(), cells, strides, dilations, before, after, input }
    }

    fn places(&self, cell: &[usize], tap: &[usize]) -> Vec<i64> {
        let place = |axis: usize| {
            cell[axis] as i64 * self.strides[axis] - self.before[axis] + tap[axis] as i64 * self.dilations[axis]
        };
        (0..self.kernel.len()).map(place).collect()
    }

    /// The position of the input that a cell's tap reads; `None` in the border.
    pub fn position(&self, cell: &[usize], tap: &[usize]) -> Option<Vec<usize>> {
        let places = self.places(cell, tap);
        let inside = places.iter().zip(&self.input).all(|(place, side)| (0..*side).contains(place));
        inside.then(|| places.iter().map(|place| *place as usize).collect())
    }

    /// Whether a tap reads the input or the border that was declared.
    pub fn is_counted(&self, cell: &[usize], tap: &[usize]) -> bool {
        let places = self.places(cell, tap);
        (0..places.len()).all(|axis| places[axis] < self.input[axis] + self.after[axis])
    }
}
