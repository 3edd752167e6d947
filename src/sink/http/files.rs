//! Recordings and snapshots, offered by names that say nothing of where they lie. No path of a client's ever reaches the
//! file system: a name is looked for in the list, which is made of what is in the folders.

use super::hub::Refusal;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use futures_util::stream;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tokio::task::spawn_blocking;

/// How many files are listed.
const LISTED: usize = 500;
/// Bytes that are read at a time.
const BLOCK: u64 = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Recording,
    Snapshot,
}

impl Kind {
    /// Endings of the files, with what they are to a browser.
    fn endings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Recording => {
                &[(".mp4", "video/mp4"), (".jsonl", "application/x-ndjson"), (".maps", "application/octet-stream")]
            }
            Kind::Snapshot => {
                &[(".png", "image/png"), (".npy", "application/octet-stream"), (".json", "application/json")]
            }
        }
    }
}

/// A folder whose files are offered: those that are called `stem`, or `stem` with a minus sign and more, and end as files
/// of its kind do.
#[derive(Debug, Clone)]
pub struct Shelf {
    pub kind: Kind,
    pub folder: PathBuf,
    pub stem: String,
}

/// A file as it is listed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    pub id: String,
    pub name: String,
    pub kind: Kind,
    pub bytes: u64,
    /// Seconds since 1970, UTC.
    pub modified: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    content: &'static str,
}

/// What lies on the shelves, newest first. A folder that is not there is empty.
pub(super) fn list(shelves: &[Shelf]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = shelves.iter().flat_map(Shelf::entries).collect();
    entries.sort_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
    entries.truncate(LISTED);
    entries
}

/// The files that were saved with `path`: those of its name up to the first dot.
pub(super) fn saved_with(shelves: &[Shelf], path: &Path) -> Vec<Entry> {
    let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let wanted = path.file_name().map(|name| stem(&name.to_string_lossy()));
    list(shelves).into_iter().filter(|entry| Some(stem(&entry.name)) == wanted).collect()
}

impl Shelf {
    fn entries(&self) -> Vec<Entry> {
        let folder = std::fs::read_dir(&self.folder).into_iter().flatten();
        folder.filter_map(|found| self.entry(&found.ok()?)).collect()
    }

    fn entry(&self, found: &std::fs::DirEntry) -> Option<Entry> {
        let name = found.file_name().into_string().ok()?;
        let (_, content) = self.kind.endings().iter().find(|(ending, _)| name.ends_with(ending))?;
        // Only what lies there itself: a link may lead anywhere.
        let data = found.metadata().ok().filter(|data| data.is_file())?;
        if !name.strip_prefix(&self.stem).is_some_and(|rest| rest.starts_with(['-', '.'])) {
            return None;
        }
        let modified = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let digest = Sha256::digest(format!("{:?}/{name}", self.kind));
        let id = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        let (path, bytes) = (found.path(), data.len());
        Some(Entry { id, name, kind: self.kind, bytes, modified, open: false, path, content })
    }
}

/// A part of a file: its first byte and its length.
type Part = (u64, u64);

/// The bytes that a request asks for of a file of `length` bytes; `None` is all of them.
///
/// # Errors
/// A refusal where there are no such bytes. Several parts are answered with all, as HTTP allows.
fn range(headers: &HeaderMap, length: u64) -> Result<Option<Part>, Refusal> {
    let field = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some((first, last)) = field.and_then(|field| field.strip_prefix("bytes=")?.split_once('-')) else {
        return Ok(None);
    };
    let refuse = || Refusal::new(416, format!("the file has {length} bytes"));
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(end)) if start <= end => (start, end.saturating_add(1).min(length)),
        (Some(start), None) if last.trim().is_empty() => (start, length),
        (None, Some(tail)) if first.trim().is_empty() && tail > 0 => (length.saturating_sub(tail), length),
        _ => return Ok(None),
    };
    if start >= end { Err(refuse()) } else { Ok(Some((start, end - start))) }
}

/// Sends the file of that name, as it is now.
///
/// # Errors
/// A refusal where there is none, or it cannot be read.
pub(super) async fn send(
    shelves: Vec<Shelf>,
    id: String,
    headers: HeaderMap,
    shown: bool,
) -> Result<Response<Body>, Refusal> {
    let opened = spawn_blocking(move || {
        let entry = list(&shelves).into_iter().find(|entry| entry.id == id);
        let entry = entry.ok_or_else(|| Refusal::new(404, "there is no such file; /files.json lists them"))?;
        let broken = |error: std::io::Error| Refusal::new(500, format!("{} cannot be read: {error}", entry.name));
        let mut file = File::open(&entry.path).map_err(broken)?;
        let length = file.metadata().map_err(broken)?.len();
        let part = range(&headers, length)?;
        file.seek(SeekFrom::Start(part.map_or(0, |(start, _)| start))).map_err(broken)?;
        Ok((entry, file, length, part))
    });
    let (entry, file, length, part) = opened.await.map_err(|_| Refusal::new(500, "the file cannot be read"))??;
    let (start, count) = part.unwrap_or((0, length));
    let mut response = Response::new(body(file, count));
    let (disposition, safe) = (if shown { "inline" } else { "attachment" }, ascii(&entry.name));
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, entry.content.to_owned());
    set(header::CONTENT_LENGTH, count.to_string());
    set(header::CONTENT_DISPOSITION, format!("{disposition}; filename=\"{safe}\""));
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    if part.is_some() {
        set(header::CONTENT_RANGE, format!("bytes {start}-{}/{length}", start + count - 1));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// A name that fits into a header's quotes.
fn ascii(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() && !"\"\\".contains(c) { c } else { '_' }).collect()
}

/// `count` bytes of a file from where it stands, read as the client takes them.
fn body(file: File, count: u64) -> Body {
    Body::from_stream(stream::unfold(Some((file, count)), |state| async move {
        let (mut file, left) = state.filter(|(_, left)| *left > 0)?;
        let read = spawn_blocking(move || {
            let mut block = vec![0; left.min(BLOCK) as usize];
            let read = file.read(&mut block).map(|count| {
                block.truncate(count);
                block
            });
            (file, read)
        });
        let (file, read) = match read.await {
            Ok((file, Ok(block))) if !block.is_empty() => (file, block),
            // It has become shorter, or cannot be read: the client sees that bytes are missing.
            Ok((_, Err(error))) => return Some((Err(error), None)),
            _ => return Some((Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)), None)),
        };
        let left = left - read.len() as u64;
        Some((Ok(Bytes::from(read)), Some((file, left))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_shelf_are_listed() {
        let folder = tempfile::tempdir().expect("there is room");
        let put = |name: &str| std::fs::write(folder.path().join(name), name).expect("written");
        for name in ["gradcam-1.png", "gradcam-1.raw.png", "gradcam-1.json", "other.png", "gradcam-1.txt", "secret"] {
            put(name);
        }
        std::fs::create_dir(folder.path().join("gradcam-2.png")).expect("made");
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("gradcam-3.png")).expect("linked");
        let shelf = |folder: &Path| Shelf { kind: Kind::Snapshot, folder: folder.into(), stem: "gradcam".to_owned() };
        let shelves = [shelf(folder.path()), shelf(Path::new("/nowhere"))];
        let mut names: Vec<String> = list(&shelves).into_iter().map(|entry| entry.name).collect();
        names.sort();
        assert_eq!(names, ["gradcam-1.json", "gradcam-1.png", "gradcam-1.raw.png"]);
        assert_eq!(saved_with(&shelves, Path::new("anywhere/gradcam-1.png")).len(), 3);
        assert!(saved_with(&shelves, Path::new("gradcam-9.png")).is_empty());
    }

    #[test]
    fn parts_are_those_of_the_standard() {
        let part = |field: &str| {
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_str(field).expect("text"))]);
            range(&headers, 100).map_err(|refusal| refusal.status)
        };
        // RFC 9110, 14.1.2.
        for (field, expected) in [
            ("bytes=0-9", Ok(Some((0, 10)))),
            ("bytes=90-", Ok(Some((90, 10)))),
            ("bytes=-10", Ok(Some((90, 10)))),
            ("bytes=-1000", Ok(Some((0, 100)))),
            ("bytes=90-1000", Ok(Some((90, 10)))),
            ("bytes=100-", Err(416)),
            ("bytes=9-0", Ok(None)),
            ("bytes=0-1,5-6", Ok(None)),
            ("bytes=-0", Ok(None)),
            ("lines=0-1", Ok(None)),
            ("bytes=0-18446744073709551615", Ok(Some((0, 100)))),
        ] {
            assert_eq!(part(field), expected, "{field}");
        }
    }
}
