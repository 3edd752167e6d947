//! Fragmented MP4 (ISO/IEC 14496-12, with AVC as in 14496-15): one H.264 track, whole up to the last fragment whatever
//! happens to the program.
//!
//! ```text
//! ftyp  moov  (moof mdat)  (moof mdat)  …  mfra
//! ```
//!
//! `moov` says what the track is, each `moof` says time and size of the pictures in the `mdat` behind it. Durations that
//! are not known at the start have their place in `moov` and are filled in at the end, and the index (`mfra`) is
//! appended. A file without either plays too.

/// Ticks a second: whole numbers for all usual frame rates.
pub const TIMESCALE: u32 = 90_000;

/// Entries of the index. Where a recording has more fragments, every second, fourth … is listed.
const MOST_ENTRIES: usize = 4096;

/// `sample_is_non_sync_sample` 0, `sample_depends_on` 2: needs no other picture.
const KEY: u32 = 0x0200_0000;
/// `sample_is_non_sync_sample` 1, `sample_depends_on` 1.
const DELTA: u32 = 0x0101_0000;

/// What the track is.
pub struct Track<'a> {
    /// Pixels.
    pub width: u16,
    pub height: u16,
    /// Sequence and picture parameter set, without start codes.
    pub sps: &'a [u8],
    pub pps: &'a [u8],
    /// Seconds since 1970.
    pub created: u64,
}

/// A coded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Ticks at which it begins.
    pub time: u64,
    /// Bytes.
    pub size: u32,
    /// Whether it can be decoded alone.
    pub key: bool,
}

/// The beginning of a file, and where in it is what changes later.
pub struct Head {
    pub bytes: Vec<u8>,
    durations: [usize; 4],
    step: usize,
    /// Of the box that keeps room for `mehd`.
    reserved: usize,
}

impl Head {
    /// `step` as in [`Head::step`].
    pub fn new(track: &Track, step: u32) -> Head {
        let mut out = Boxes::default();
        out.put("ftyp", |out| {
            out.text("isom");
            out.u32(0x200);
            ["isom", "iso5", "iso6", "avc1", "mp41"].iter().for_each(|brand| out.text(brand));
        });
        let mut durations = [0; 4];
        let (mut at_step, mut reserved) = (0, 0);
        out.put("moov", |out| {
            // Version 1 throughout: 64 bits of time.
            out.full("mvhd", 1, 0, |out| {
                out.dates(track.created);
                out.u32(TIMESCALE);
                durations[0] = out.u64(0);
                out.u32(0x0001_0000);
                out.u16(0x0100);
                out.zeros(10);
                out.matrix();
                out.zeros(24);
                out.u32(2);
            });
            out.put("trak", |out| {
                // Enabled, in the presentation, in its preview.
                out.full("tkhd", 1, 7, |out| {
                    out.dates(track.created);
                    out.u32(1);
                    out.zeros(4);
                    durations[1] = out.u64(0);
                    out.zeros(16);
                    out.matrix();
                    out.u32(u32::from(track.width) << 16);
                    out.u32(u32::from(track.height) << 16);
                });
                out.put("mdia", |out| {
                    out.full("mdhd", 1, 0, |out| {
                        out.dates(track.created);
                        out.u32(TIMESCALE);
                        durations[2] = out.u64(0);
                        // Language `und`, five bits a letter.
                        out.u32(0x55C4_0000);
                    });
                    out.full("hdlr", 0, 0, |out| {
                        out.zeros(4);
                        out.text("vide");
                        out.zeros(12);
                        out.text("gradcam\0");
                    });
                    out.put("minf", |out| {
                        out.full("vmhd", 0, 1, |out| out.zeros(8));
                        out.put("dinf", |out| {
                            out.full("dref", 0, 0, |out| {
                                out.u32(1);
                                // The data is in this file.
                                out.full("url ", 0, 1, |_| {});
                            });
                        });
                        out.put("stbl", |out| {
                            out.full("stsd", 0, 0, |out| {
                                out.u32(1);
                                sample_entry(out, track);
                            });
                            // All pictures are in fragments: no picture, of that duration.
                            out.full("stts", 0, 0, |out| {
                                [1, 0].into_iter().for_each(|word| out.u32(word));
                                at_step = out.0.len();
                                out.u32(step);
                            });
                            out.full("stsc", 0, 0, |out| out.zeros(4));
                            out.full("stsz", 0, 0, |out| out.zeros(8));
                            out.full("stco", 0, 0, |out| out.zeros(4));
                        });
                    });
                });
            });
            out.put("mvex", |out| {
                // A duration of 0 would be believed, so that until it is known there is no `mehd`.
                reserved = out.0.len();
                out.full("free", 1, 0, |out| durations[3] = out.u64(0));
                out.full("trex", 0, 0, |out| [1, 1, 0, 0, DELTA].into_iter().for_each(|word| out.u32(word)));
            });
        });
        Head { bytes: out.0, durations, step: at_step, reserved }
    }

    /// What is to be written where once the duration (in ticks) is known.
    pub fn patches(&self, duration: u64) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let times = self.durations.map(|at| (at as u64, duration.to_be_bytes().to_vec()));
        times.into_iter().chain([(self.reserved as u64 + 4, b"mehd".to_vec())])
    }

    /// What is to be written where, so that the file says in what steps (of so many ticks) its pictures can be counted.
    pub fn step(&self, step: u32) -> (u64, [u8; 4]) {
        (self.step as u64, step.to_be_bytes())
    }
}

fn sample_entry(out: &mut Boxes, track: &Track) {
    out.put("avc1", |out| {
        out.zeros(6);
        out.u16(1);
        out.zeros(16);
        out.u16(track.width);
        out.u16(track.height);
        // 72 dots an inch, one picture a sample, no name, 24 bits deep.
        out.u32(0x0048_0000);
        out.u32(0x0048_0000);
        out.zeros(4);
        out.u16(1);
        out.zeros(32);
        out.u16(24);
        out.u16(0xFFFF);
        out.put("avcC", |out| {
            let Track { sps, pps, .. } = track;
            // Version, profile, compatibility, level; lengths of 4 bytes; one set of each.
            out.bytes(&[1, sps[1], sps[2], sps[3], 0xFF, 0xE1]);
            out.u16(sps.len() as u16);
            out.bytes(sps);
            out.bytes(&[1]);
            out.u16(pps.len() as u16);
            out.bytes(pps);
        });
        // BT.709, limited range, as the pictures are converted.
        out.put("colr", |out| {
            out.text("nclx");
            [1, 1, 1].into_iter().for_each(|code| out.u16(code));
            out.bytes(&[0]);
        });
        out.put("pasp", |out| [1, 1].into_iter().for_each(|side| out.u32(side)));
    });
}

/// A fragment: `samples`, whose pictures are `data` one behind the other, until `end` (ticks). `number` counts from 1.
pub fn fragment(number: u32, samples: &[Sample], end: u64, data: &[u8]) -> Vec<u8> {
    let ends = samples.iter().skip(1).map(|next| next.time).chain([end]);
    let mut out = Boxes(Vec::with_capacity(data.len() + 128 + 12 * samples.len()));
    let mut offset = 0;
    out.put("moof", |out| {
        out.full("mfhd", 0, 0, |out| out.u32(number));
        out.put("traf", |out| {
            // Offsets count from the start of the moof.
            out.full("tfhd", 0, 0x0002_0000, |out| out.u32(1));
            out.full("tfdt", 1, 0, |out| {
                out.u64(samples.first().map_or(end, |first| first.time));
            });
            // With the data's offset and each sample's duration, size and flags.
            out.full("trun", 0, 0x0000_0701, |out| {
                out.u32(samples.len() as u32);
                offset = out.0.len();
                out.u32(0);
                for (sample, end) in samples.iter().zip(ends) {
                    out.u32((end - sample.time).min(u64::from(u32::MAX)) as u32);
                    out.u32(sample.size);
                    out.u32(if sample.key { KEY } else { DELTA });
                }
            });
        });
    });
    let first = (out.0.len() as u32 + 8).to_be_bytes();
    out.0[offset..offset + 4].copy_from_slice(&first);
    out.put("mdat", |out| out.bytes(data));
    out.0
}

/// Makes free space of a fragment, all of it, and returns the 8 bytes that make it a fragment again.
pub fn hide(fragment: &mut [u8]) -> [u8; 8] {
    let whole = (fragment.len() as u32).to_be_bytes();
    let (head, _) = fragment.split_first_chunk_mut::<8>().expect("a fragment begins with the head of a box");
    let kept = *head;
    head[..4].copy_from_slice(&whole);
    head[4..].copy_from_slice(b"free");
    kept
}

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

/// Boxes in memory: 4 bytes of size, 4 of name, content.
#[derive(Default)]
struct Boxes(Vec<u8>);

impl Boxes {
    fn put(&mut self, name: &str, content: impl FnOnce(&mut Boxes)) {
        let start = self.0.len();
        self.u32(0);
        self.text(name);
        content(self);
        let size = ((self.0.len() - start) as u32).to_be_bytes();
        self.0[start..start + 4].copy_from_slice(&size);
    }

    fn full(&mut self, name: &str, version: u32, flags: u32, content: impl FnOnce(&mut Boxes)) {
        self.put(name, |out| {
            out.u32(version << 24 | flags);
            content(out);
        });
    }

    /// Returns where the number is.
    fn u64(&mut self, value: u64) -> usize {
        self.bytes(&value.to_be_bytes());
        self.0.len() - 8
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    /// Created and changed; the format counts seconds from 1904.
    fn dates(&mut self, seconds: u64) {
        const FROM_1904_TO_1970: u64 = 2_082_844_800;
        self.u64(seconds + FROM_1904_TO_1970);
        self.u64(seconds + FROM_1904_TO_1970);
    }

    /// Neither turned nor stretched.
    fn matrix(&mut self) {
        [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000].into_iter().for_each(|word| self.u32(word));
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
