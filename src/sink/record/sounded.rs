//! A recording that ffmpeg has put sound to: its head says again what the recording's own said.
//!
//! ffmpeg writes a head without durations (`delay_moov`), and without the rate at which pictures can be counted
//! (`steps.rs`). There is room for both: what ffmpeg says of itself at the head's end (`udta`) makes way.

use super::mp4::TIMESCALE;
use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

/// Heads are far smaller.
const LONGEST: u64 = 1 << 20;
/// Bytes of an entry of `stts`.
const ENTRY: u32 = 8;

/// Copies duration and steps of `film` into the head of `sounded`, whose first track is the film's.
///
/// # Errors
/// Where one of them is not as it is written here; then nothing was changed.
pub fn settle(film: &Path, sounded: &Path) -> Result<()> {
    let own = head(&mut File::open(film)?)?;
    let mut file = OpenOptions::new().read(true).write(true).open(sounded)?;
    let bytes = head(&mut file)?;
    let settled = settled(&own, bytes).ok_or_else(|| Error::other("its head is of an unknown form"))?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&settled)
}

/// All up to the end of `moov`.
fn head(file: &mut File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    let moov = find(&bytes, 0..bytes.len(), &["moov"]).ok_or_else(|| Error::other("it has no head"))?;
    bytes.truncate(moov.end);
    Ok(bytes)
}

fn settled(own: &[u8], mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    const TRACK: [&str; 3] = ["moov", "trak", "mdia"];
    let own_mdhd = find(own, 0..own.len(), &[&TRACK[..], &["mdhd"]].concat())?;
    let own_stts = find(own, 0..own.len(), &[&TRACK[..], &["minf", "stbl", "stts"]].concat())?;
    // Version 1: flags, two dates, time scale, duration. Flags, one entry of no pictures, their duration.
    let duration = u64::from_be_bytes(own.get(own_mdhd.start + 24..)?.first_chunk().copied()?);
    let step = word(own, own_stts.start + 12)?;

    // Version 0 has half the bits for dates and durations.
    let all = 0..bytes.len();
    let seconds = duration as f64 / f64::from(TIMESCALE);
    for (path, scale, at) in [
        (&["moov", "mvhd"][..], Some(12), 16),
        (&["moov", "trak", "tkhd"], None, 20),
        (&["moov", "trak", "mdia", "mdhd"], Some(12), 16),
    ] {
        let place = find(&bytes, all.clone(), path)?.start;
        // A track's head counts as the movie's does.
        let movie = find(&bytes, all.clone(), &["moov", "mvhd"])?.start;
        let scale = word(&bytes, scale.map_or(movie + 12, |at| place + at))?;
        if word(&bytes, place)? >> 24 != 0 {
            return None;
        }
        put(&mut bytes, place + at, (seconds * f64::from(scale)).round() as u32)?;
    }

    let path = [&TRACK[..], &["minf", "stbl", "stts"]].concat();
    let stts = find(&bytes, all.clone(), &path)?;
    let udta = find(&bytes, all.clone(), &["moov", "udta"])?;
    if stts.len() != 8 || word(&bytes, stts.start + 4)? != 0 || udta.end != bytes.len() || udta.len() < ENTRY as usize {
        return None;
    }
    // Each box around the entry but `moov` grows by it, and free space takes the place of what is left of `udta`.
    for depth in 2..=path.len() {
        let start = find(&bytes, all.clone(), &path[..depth])?.start - 8;
        let size = word(&bytes, start)?;
        put(&mut bytes, start, size + ENTRY)?;
    }
    put(&mut bytes, stts.start + 4, 1)?;
    put(&mut bytes, udta.start - 8, udta.len() as u32 + 8 - ENTRY)?;
    bytes[udta.start - 4..udta.start].copy_from_slice(b"free");
    let mut tail = bytes.split_off(stts.end);
    tail.truncate(tail.len() - ENTRY as usize);
    [0, step].into_iter().for_each(|word| bytes.extend(word.to_be_bytes()));
    bytes.extend(tail);
    Some(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

fn put(bytes: &mut [u8], at: usize, word: u32) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = word.to_be_bytes();
    Some(())
}

/// Where the content of the first box lies that `path` leads to.
fn find(bytes: &[u8], within: Range<usize>, path: &[&str]) -> Option<Range<usize>> {
    let [name, rest @ ..] = path else { return Some(within) };
    let mut at = within.start;
    while at + 8 <= within.end {
        let end = at.checked_add(word(bytes, at)? as usize).filter(|end| *end >= at + 8 && *end <= within.end)?;
        if &bytes[at + 4..at + 8] == name.as_bytes() {
            return find(bytes, at + 8..end, rest);
        }
        at = end;
    }
    None
}
