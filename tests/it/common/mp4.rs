//! A strict reader of the fragmented MP4 that recordings are, in obvious code, and what ffprobe says of a file.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A picture of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Ticks of 1/90000 s.
    pub time: u64,
    pub duration: u32,
    pub key: bool,
    /// Bytes of the file.
    pub start: usize,
    pub end: usize,
}

/// What a reader finds in a file that may be cut anywhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Film {
    pub width: u16,
    pub height: u16,
    /// Of movie, track, media and fragments (0 where that box is missing).
    pub durations: [u64; 4],
    /// Ticks of the steps in which its pictures can be counted.
    pub step: u32,
    /// Those of whole fragments.
    pub pictures: Vec<Picture>,
    /// Where fragments begin, in order.
    pub fragments: Vec<(u64, u64)>,
    /// Time and place of what the index lists, if there is one.
    pub index: Option<Vec<(u64, u64)>>,
    /// Where the last whole box ends.
    pub whole: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The whole boxes between two places: name, start of the content, end.
fn boxes(bytes: &[u8], mut at: usize, end: usize) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    while at + 8 <= end {
        let size = u32_at(bytes, at) as usize;
        assert!(size >= 8, "a box of {size} bytes at {at}");
        if at + size > end {
            break;
        }
        found.push((String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned(), at + 8, at + size));
        at += size;
    }
    found
}

fn inside(bytes: &[u8], (start, end): (usize, usize), path: &[&str]) -> (usize, usize) {
    path.iter().fold((start, end), |(start, end), name| {
        let found = boxes(bytes, start, end).into_iter().find(|(other, ..)| other == name);
        let (_, start, end) = found.unwrap_or_else(|| panic!("there is no {name} of {path:?}"));
        (start, end)
    })
}

/// Reads a film.
pub fn read(bytes: &[u8]) -> Film {
    let mut film = Film::default();
    let mut moof = None;
    for (name, start, end) in boxes(bytes, 0, bytes.len()) {
        match name.as_str() {
            "ftyp" | "free" => {}
            "moov" => {
                let place = |path: &[&str]| inside(bytes, (start, end), path).0;
                let has_mehd = boxes(bytes, place(&["mvex"]), inside(bytes, (start, end), &["mvex"]).1)
                    .iter()
                    .any(|(name, ..)| name == "mehd");
                film.durations = [
                    u64_at(bytes, place(&["mvhd"]) + 24),
                    u64_at(bytes, place(&["trak", "tkhd"]) + 28),
                    u64_at(bytes, place(&["trak", "mdia", "mdhd"]) + 24),
                    if has_mehd { u64_at(bytes, place(&["mvex", "mehd"]) + 4) } else { 0 },
                ];
                let stts = place(&["trak", "mdia", "minf", "stbl", "stts"]);
                assert_eq!((u32_at(bytes, stts + 4), u32_at(bytes, stts + 8)), (1, 0), "one entry, of no pictures");
                film.step = u32_at(bytes, stts + 12);
                let tkhd = place(&["trak", "tkhd"]);
                (film.width, film.height) = (u16_at(bytes, tkhd + 88), u16_at(bytes, tkhd + 92));
            }
            "moof" => moof = Some((start - 8, start, end)),
            "mdat" => {
                let (at, first, last) = moof.take().expect("a mdat comes behind its moof");
                let (time, pictures) = fragment(bytes, at, (first, last));
                assert_eq!(pictures.first().map(|picture| picture.start), Some(start));
                assert_eq!(pictures.last().map(|picture| picture.end), Some(end));
                film.fragments.push((time, at as u64));
                film.pictures.extend(pictures);
            }
            "mfra" => {
                let (tfra, _) = inside(bytes, (start, end), &["tfra"]);
                let count = u32_at(bytes, tfra + 12) as usize;
                let entry = |n: usize| tfra + 16 + n * 19;
                film.index = Some((0..count).map(|n| (u64_at(bytes, entry(n)), u64_at(bytes, entry(n) + 8))).collect());
                assert_eq!(u32_at(bytes, end - 4) as usize, end - start + 8);
            }
            other => panic!("a box {other}"),
        }
        film.whole = end;
    }
    film
}

fn fragment(bytes: &[u8], moof: usize, place: (usize, usize)) -> (u64, Vec<Picture>) {
    let tfdt = u64_at(bytes, inside(bytes, place, &["traf", "tfdt"]).0 + 4);
    let (trun, _) = inside(bytes, place, &["traf", "trun"]);
    let (mut time, mut start) = (tfdt, moof + u32_at(bytes, trun + 8) as usize);
    let mut pictures = Vec::new();
    for n in 0..u32_at(bytes, trun + 4) as usize {
        let entry = trun + 12 + n * 12;
        let (duration, size) = (u32_at(bytes, entry), u32_at(bytes, entry + 4) as usize);
        let key = u32_at(bytes, entry + 8) & 0x0001_0000 == 0;
        pictures.push(Picture { time, duration, key, start, end: start + size });
        time += u64::from(duration);
        start += size;
    }
    (tfdt, pictures)
}

/// What ffprobe says: streams, format and packets.
pub fn probe(path: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_streams", "-show_format", "-show_packets", "-of", "json"])
        .arg(path)
        .output()
        .expect("ffprobe is installed (`make test` does it)");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// What ffmpeg complains of when it plays a file and is told nothing of how.
pub fn complaints(path: &Path) -> String {
    let mut played = Command::new("ffmpeg");
    played.args(["-v", "error", "-nostdin", "-i"]).arg(path).args(["-f", "null", "-"]);
    let output = played.output().expect("ffmpeg is installed (`make test` does it)");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Decodes all of a file with ffmpeg and returns what it complains of, and RGB pictures.
pub fn decode(path: &Path) -> (String, Vec<u8>) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        // Else it fills gaps with copies, up to the rate at which pictures can be counted.
        .args(["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .expect("ffmpeg is installed (`make test` does it)");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout)
}
