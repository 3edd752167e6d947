//! The memory of a network's feature maps.

use std::cell::UnsafeCell;

/// Floats to a cache line.
const LINE: usize = 16;

/// One cache line; vectors of any width lie within it.
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Zeroed floats, aligned to cache lines, that kernels read and write by offsets: every offset is checked, once a row.
///
/// Kernels on several threads may work in it at the same time. The plan that hands out the offsets must see to it that
/// none writes what another reads or writes.
pub struct Arena(Box<[UnsafeCell<Line>]>);

// SAFETY: plain floats; who may touch which is the plan's business, as documented.
unsafe impl Sync for Arena {}

impl Arena {
    pub fn new(floats: usize) -> Arena {
        Arena((0..floats.div_ceil(LINE)).map(|_| UnsafeCell::new(Line([0.0; LINE]))).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len() * LINE
    }

    /// The first of `length` floats at `offset`.
    ///
    /// # Panics
    /// Where they are not all inside.
    #[inline(always)]
    pub(super) fn at(&self, offset: usize, length: usize) -> *mut f32 {
        assert!(offset <= self.len() && length <= self.len() - offset, "a plan beyond its memory");
        // SAFETY: just checked; lines follow each other without gaps.
        unsafe { self.0.as_ptr().cast::<f32>().cast_mut().add(offset) }
    }
}

/// `times` steps behind `at`. The loops of the kernels go through offsets that were checked before: a check for overflow
/// at each would take them a tenth of their time.
#[inline(always)]
pub(super) fn behind(at: usize, times: usize, step: usize) -> usize {
    at.wrapping_add(times.wrapping_mul(step))
}

/// Floats that lie at cache lines: weights.
pub struct Aligned {
    lines: Vec<Line>,
    floats: usize,
}

impl Aligned {
    pub fn new(values: impl ExactSizeIterator<Item = f32>) -> Aligned {
        let floats = values.len();
        let mut lines: Vec<Line> = (0..floats.div_ceil(LINE)).map(|_| Line([0.0; LINE])).collect();
        for (at, value) in values.enumerate() {
            lines[at / LINE].0[at % LINE] = value;
        }
        Aligned { lines, floats }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines hold at least as many floats, without gaps.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.floats) }
    }
}
