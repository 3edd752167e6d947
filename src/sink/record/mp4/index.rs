//! Where in a file its fragments are.

use super::boxes::Boxes;

/// Entries of the index. Where a recording has more fragments, every second, fourth … is listed.
const MOST_ENTRIES: usize = 4096;

/// Where the fragments of a file begin.
#[derive(Default)]
pub struct Index {
    /// Time in ticks, and byte of the file.
    entries: Vec<(u64, u64)>,
    /// Of so many fragments one is listed.
    stride: u32,
    seen: u32,
}

impl Index {
    pub fn add(&mut self, time: u64, offset: u64) {
        if self.seen.is_multiple_of(self.stride.max(1)) {
            self.entries.push((time, offset));
        }
        self.seen += 1;
        if self.entries.len() > MOST_ENTRIES {
            let mut at = 0;
            self.entries.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// The box that ends a file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Boxes::default();
        out.put("mfra", |out| {
            out.full("tfra", 1, 0, |out| {
                out.u32(1);
                // One byte each for the numbers of track fragment, run and sample.
                out.u32(0);
                out.u32(self.entries.len() as u32);
                for (time, offset) in &self.entries {
                    out.u64(*time);
                    out.u64(*offset);
                    out.bytes(&[1, 1, 1]);
                }
            });
            // Counts itself: the size of the whole.
            let whole = out.0.len() as u32 + 16;
            out.full("mfro", 0, 0, |out| out.u32(whole));
        });
        out.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_recording_keeps_an_index_of_bounded_size_from_the_first_fragment_on() {
        let mut index = Index::default();
        (0..100_000).for_each(|fragment| index.add(fragment, 1000 * fragment));
        assert!(index.entries.len() <= MOST_ENTRIES);
        // 100,000 / 4096 < 32.
        let steps: Vec<u64> = index.entries.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert_eq!(index.entries[0], (0, 0));
        assert!(steps.iter().all(|step| *step == 32), "{steps:?}");
    }

    #[test]
    fn the_end_of_the_index_tells_its_size() {
        let mut index = Index::default();
        index.add(0, 700);
        let bytes = index.bytes();
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        assert_eq!((word(0), word(bytes.len() - 4)), (bytes.len() as u32, bytes.len() as u32));
    }
}
