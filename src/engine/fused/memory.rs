//! Where feature maps lie while a program runs.

use super::program::Shape;

/// Floats in a cache line; what starts at one is read fastest.
const LINE: usize = 16;

/// Feature maps in the arena: rows of pixels, channels last, between columns of zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps {
    pub shape: Shape,
    /// Floats from one pixel to the next: whole vectors of channels.
    pub step: usize,
    /// Columns of zeros before each row, and after the last one.
    pub margin: usize,
    /// Rows that there is room for. Where that is less than the height, later rows take the place of earlier ones.
    pub rows: usize,
    /// The first float.
    pub at: usize,
}

impl Maps {
    /// Floats from one row to the next.
    pub fn pitch(&self) -> usize {
        (self.shape.width + self.margin) * self.step
    }

    pub fn floats(&self) -> usize {
        (self.margin * self.step + self.rows * self.pitch()).next_multiple_of(LINE)
    }

    /// The first pixel of a row.
    pub fn row(&self, y: usize) -> usize {
        self.at + self.margin * self.step + y % self.rows * self.pitch()
    }
}

/// Maps that are needed from one stage to another, both included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    pub maps: Maps,
    pub from: usize,
    pub to: usize,
}

/// Gives each buffer its place behind `start`, so that those needed at the same time do not overlap. Returns the floats
/// that all take.
pub(super) fn place(buffers: &mut [Buffer], start: usize) -> usize {
    let start = start.next_multiple_of(LINE);
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    // The largest first: the small ones fit into the gaps.
    order.sort_by_key(|at| std::cmp::Reverse(buffers[*at].maps.floats()));
    let (mut placed, mut end): (Vec<usize>, usize) = (Vec::new(), start);
    for at in order {
        let Buffer { maps, from, to } = buffers[at];
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .map(|other| &buffers[*other])
            .filter(|other| other.from <= to && from <= other.to)
            .map(|other| (other.maps.at, other.maps.at + other.maps.floats()))
            .collect();
        taken.sort_unstable();
        let mut free = start;
        for (first, behind) in taken {
            if free + maps.floats() <= first {
                break;
            }
            free = free.max(behind);
        }
        buffers[at].maps.at = free;
        end = end.max(free + maps.floats());
        placed.push(at);
    }
    end
}
