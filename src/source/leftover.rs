//! How much of a driver's buffer is new, for a library that does not say how many bytes came: what equals the buffer's
//! contents of last time, up to its end, was not written.

/// What was in each of the driver's buffers, known by their addresses.
#[derive(Default)]
pub struct Leftovers(Vec<(usize, Vec<u8>)>);

impl Leftovers {
    /// More than any driver was seen to use; an address beyond them takes the oldest one's place.
    const BUFFERS: usize = 32;
    const BLOCK: usize = 4096;

    /// The offset behind the last byte that differs from what the buffer held before. None where that is not known, or
    /// where all is the same: the same picture again.
    pub fn stale_from(&mut self, buffer: &[u8]) -> Option<usize> {
        let address = buffer.as_ptr().addr();
        let Some((_, before)) = self.0.iter_mut().find(|(known, _)| *known == address) else {
            if self.0.len() == Leftovers::BUFFERS {
                self.0.remove(0);
            }
            self.0.push((address, buffer.to_vec()));
            return None;
        };
        let stale = last_difference(buffer, before).map(|last| last + 1);
        before.clear();
        before.extend_from_slice(buffer);
        stale
    }
}

/// From the back in blocks, which are compared much faster than bytes.
fn last_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len() != b.len() {
        return a.len().max(b.len()).checked_sub(1);
    }
    let starts = (0..a.len()).step_by(Leftovers::BLOCK).rev();
    for start in starts {
        let block = start..a.len().min(start + Leftovers::BLOCK);
        let (a, b) = (&a[block.clone()], &b[block]);
        if a != b {
            return a.iter().zip(b).rposition(|(a, b)| a != b).map(|at| start + at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_is_stale() {
        let mut leftovers = Leftovers::default();
        let (mut first, mut second) = (vec![1; 10_000], vec![1; 10_000]);
        assert_eq!(leftovers.stale_from(&first), None, "a new buffer");
        assert_eq!(leftovers.stale_from(&second), None, "another new buffer");
        assert_eq!(leftovers.stale_from(&first), None, "the same picture");
        first[..5000].fill(2);
        assert_eq!(leftovers.stale_from(&first), Some(5000));
        second[9_999] = 3;
        assert_eq!(leftovers.stale_from(&second), Some(10_000));
        second[0] = 3;
        assert_eq!(leftovers.stale_from(&second), Some(1));
    }
}
