//! JPEG pictures as cameras send them: often without Huffman tables, and in a buffer whose rest is older frames.
//! Section and table numbers are those of ITU-T T.81.

use super::{BrokenFrame, check_size};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;
const TEM: u8 = 0x01;

const COMPLETED: BrokenFrame =
    BrokenFrame { reason: Cow::Borrowed("the JPEG picture is completed by an older one's data") };

/// Bytes at the end of a picture that may equal an older one's by chance: the marker, and two before it.
const COINCIDENCE: usize = 4;

const SHOWN: usize = 64;

#[derive(Default)]
pub struct Mjpeg {
    /// The picture with the tables that it lacked.
    completed: Vec<u8>,
    recent: Recent,
    /// The last pictures that were decoded, as hashes. One that comes again (a still of another program) may find its
    /// own end in the buffer.
    shown: VecDeque<u64>,
}

impl Mjpeg {
    /// Writes `width * height * 3` bytes to `rgb` and returns width and height.
    pub fn decode(
        &mut self,
        data: &[u8],
        stale_from: Option<usize>,
        rgb: &mut Vec<u8>,
    ) -> Result<(usize, usize), BrokenFrame> {
        let layout = Layout::of(data)?;
        let picture = &data[..layout.end];
        let content = hash(picture);
        let shown_before = self.shown.contains(&content);
        if !shown_before && stale_from.is_some_and(|stale| stale + COINCIDENCE < layout.end) {
            return Err(COMPLETED);
        }
        self.recent.check(picture, layout.scan)?;
        let picture = if layout.has_tables {
            picture
        } else {
            self.completed.clear();
            self.completed.extend_from_slice(&picture[..layout.scan]);
            self.completed.extend_from_slice(&STANDARD_TABLES);
            self.completed.extend_from_slice(&picture[layout.scan..]);
            &self.completed
        };
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| to_rgb(picture, rgb))) else {
            return Err(BrokenFrame::new("the JPEG decoder gave up on damaged data"));
        };
        if result.is_ok() && !shown_before {
            if self.shown.len() == SHOWN {
                self.shown.pop_front();
            }
            self.shown.push_back(content);
        }
        result
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn to_rgb(picture: &[u8], rgb: &mut Vec<u8>) -> Result<(usize, usize), BrokenFrame> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(picture), options);
    let damaged = |e| BrokenFrame::new(format!("damaged JPEG data ({e})"));
    decoder.decode_headers().map_err(damaged)?;
    let Some((width, height)) = decoder.dimensions() else {
        return Err(BrokenFrame::new("a JPEG without a size"));
    };
    check_size(width, height)?;
    rgb.resize(width * height * 3, 0);
    decoder.decode_into(rgb).map_err(damaged)?;
    Ok((width, height))
}

/// Where the parts of the first picture in a buffer lie.
#[derive(Debug, PartialEq)]
struct Layout {
    /// Offset of the first start-of-scan marker.
    scan: usize,
    /// One past the end-of-image marker.
    end: usize,
    /// Whether a Huffman table comes before the first scan.
    has_tables: bool,
}

impl Layout {
    /// Walks the marker segments (B.1.1) and the entropy-coded data between them, so that neither a thumbnail inside a
    /// segment nor an older picture behind this one is taken for its end.
    fn of(data: &[u8]) -> Result<Layout, BrokenFrame> {
        if data.len() < 2 || data[..2] != [0xff, SOI] {
            return Err(BrokenFrame::new("the data does not start as a JPEG picture"));
        }
        let truncated = || BrokenFrame::new("the JPEG picture ends too early");
        let mut has_tables = false;
        let mut scan = None;
        let mut at = 2;
        loop {
            let marker_at = at;
            if *data.get(at).ok_or_else(truncated)? != 0xff {
                return Err(BrokenFrame::new("damaged JPEG data (no marker where one must be)"));
            }
            while *data.get(at).ok_or_else(truncated)? == 0xff {
                at += 1;
            }
            let marker = data[at];
            at += 1;
            match marker {
                EOI => {
                    let scan = scan.ok_or_else(|| BrokenFrame::new("a JPEG without a picture in it"))?;
                    return Ok(Layout { scan, end: at, has_tables });
                }
                TEM => continue,
                0 | SOI | 0xd0..=0xd7 => {
                    return Err(BrokenFrame::new("damaged JPEG data (a marker where none may be)"));
                }
                _ => {}
            }
            let length = data.get(at..at + 2).ok_or_else(truncated)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            if length < 2 {
                return Err(BrokenFrame::new("damaged JPEG data (a segment without length)"));
            }
            at += length;
            match marker {
                DHT if scan.is_none() => has_tables = true,
                SOS => {
                    scan.get_or_insert(marker_at);
                    at = end_of_scan(data, at).ok_or_else(truncated)?;
                }
                _ => {}
            }
        }
    }
}

/// The offset of the next marker that is neither a stuffed byte (F.1.2.3) nor a restart (B.1.1.3).
fn end_of_scan(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += data.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match data.get(at + 1)? {
            0 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

/// How the last pictures ended. A picture whose end got lost on the way is completed by what an older one left in the
/// same buffer: it then ends at the same offset with the same bytes, although it is another picture. (The device's
/// count of received bytes would tell, but the camera library does not hand it out.)
#[derive(Default)]
struct Recent {
    ends: Vec<End>,
    next: usize,
}

#[derive(PartialEq)]
struct End {
    length: usize,
    tail: [u8; Recent::TAIL],
    content: u64,
}

impl Recent {
    /// Drivers rotate four to eight buffers; a shorter picture in between leaves an older tail behind its own.
    const KEPT: usize = 32;
    const TAIL: usize = 64;
    /// A flat picture (a lens cap, a wall) ends with a few bytes again and again: two that end alike prove nothing.
    const TELLING: usize = 20;

    fn check(&mut self, picture: &[u8], scan: usize) -> Result<(), BrokenFrame> {
        let coded = &picture[scan..];
        let Some((_, tail)) = coded.split_last_chunk() else { return Ok(()) };
        if distinct(tail) < Recent::TELLING {
            return Ok(());
        }
        let end = End { length: picture.len(), tail: *tail, content: hash(coded) };
        let mut alike = self.ends.iter().filter(|old| old.length == end.length && old.tail == end.tail).peekable();
        if alike.peek().is_some() {
            return match alike.any(|old| old.content == end.content) {
                true => Ok(()),
                false => Err(COMPLETED),
            };
        }
        if self.ends.len() < Recent::KEPT {
            self.ends.push(end);
        } else {
            self.ends[self.next] = end;
            self.next = (self.next + 1) % Recent::KEPT;
        }
        Ok(())
    }
}

fn distinct(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    for &byte in bytes {
        seen[usize::from(byte)] = true;
    }
    seen.into_iter().filter(|&seen| seen).count()
}

/// The DHT segment with the typical tables of K.3 (K.3 to K.6), which a camera that sends none means.
#[rustfmt::skip]
const STANDARD_TABLES: [u8; 420] = {
    const PARTS: [&[u8]; 5] = [
        &[0xff, DHT, 0x01, 0xa2],
        &[0x00,
          0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
          0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        &[0x10,
          0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d,
          0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
          0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
          0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
          0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
          0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
          0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
          0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
          0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
          0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
          0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
          0xf9, 0xfa],
        &[0x01,
          0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
          0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        &[0x11,
          0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77,
          0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
          0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
          0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
          0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
          0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
          0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
          0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
          0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
          0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
          0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
          0xf9, 0xfa],
    ];
    let mut segment = [0; 420];
    let (mut part, mut at) = (0, 0);
    while part < PARTS.len() {
        let mut i = 0;
        while i < PARTS[part].len() {
            segment[at] = PARTS[part][i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    assert!(at == segment.len());
    segment
};

#[cfg(test)]
mod tests {
    use super::*;

    const SCAN: [u8; 4] = [0xff, SOS, 0, 2];

    fn layout(parts: &[&[u8]]) -> Result<Layout, BrokenFrame> {
        Layout::of(&parts.concat())
    }

    #[test]
    fn a_thumbnail_in_a_segment_does_not_end_the_picture() {
        let app = [0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 1, 2];
        let found = layout(&[&[0xff, 0xd8], &app, &SCAN, &[1, 2, 0xff, 0xd9]]).unwrap();
        assert_eq!(found, Layout { scan: 12, end: 20, has_tables: false });
    }

    #[test]
    fn stuffed_bytes_restarts_and_fill_bytes_do_not_end_the_scan() {
        let coded = [7, 0xff, 0, 0xff, 0xd0, 9, 0xff, 0xff, 0xd9];
        let found = layout(&[&[0xff, 0xd8], &SCAN, &coded, &[0xff, 0xd9]]).unwrap();
        assert_eq!(found, Layout { scan: 2, end: 15, has_tables: false });
    }

    #[test]
    fn a_second_scan_may_bring_its_own_tables() {
        let tables = [0xff, DHT, 0, 3, 0];
        let found = layout(&[&[0xff, 0xd8], &tables, &SCAN, &[1], &tables, &SCAN, &[2, 0xff, 0xd9]]).unwrap();
        assert_eq!(found, Layout { scan: 7, end: 24, has_tables: true });
    }

    #[test]
    fn a_picture_that_starts_within_the_scan_is_damage() {
        assert!(layout(&[&[0xff, 0xd8], &SCAN, &[1, 0xff, 0xd8, 0xff, 0xd9]]).is_err());
    }

    #[test]
    fn nothing_and_nearly_nothing_are_refused() {
        for data in [&[][..], &[0xff], &[0xff, 0xd8], &[0xff, 0xd8, 0xff], &[0xff, 0xd8, 0xff, 0xd9], &[0; 100]] {
            assert!(Layout::of(data).is_err(), "{data:x?}");
        }
    }
}
