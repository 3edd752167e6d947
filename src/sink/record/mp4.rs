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

mod boxes;
mod index;

pub use index::Index;

use boxes::Boxes;

/// Ticks a second: whole numbers for all usual frame rates.
pub const TIMESCALE: u32 = 90_000;

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
