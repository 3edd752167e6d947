//! A plain client, so that tests see what goes over the wire.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything takes; only what hangs reaches it.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Reply {
    pub status: u16,
    /// Header fields, names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Where a program says that it serves.
#[track_caller]
pub fn told(lines: &mut impl BufRead) -> SocketAddr {
    let mut said = String::new();
    loop {
        let before = said.len();
        assert!(lines.read_line(&mut said).expect("it is text") > 0, "it says where it serves: {said}");
        let link = said[before..].split("http://").nth(1).and_then(|link| link.split('/').next());
        if let Some(address) = link.and_then(|link| link.parse().ok()) {
            return address;
        }
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(LONG)).expect("it is a socket");
    stream.set_write_timeout(Some(LONG)).expect("it is a socket");
    stream
}

/// Sends text as it is and reads until the server closes. What cannot be sent any more is left.
pub fn send(address: SocketAddr, text: &[u8]) -> Option<Reply> {
    let mut stream = connect(address);
    let _ = stream.write_all(text);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    reply(&answer)
}

fn reply(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pairs = lines.filter_map(|line| line.split_once(':'));
    let fields = pairs.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    Some(Reply { status, fields, body: answer[end + 4..].to_vec() })
}

/// A request with further lines for its header, of HTTP/1.0 so that nothing comes in chunks.
pub fn request(method: &str, path: &str, lines: &[&str], body: &str) -> String {
    let more: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let host = if lines.iter().any(|line| line.starts_with("Host:")) { "" } else { "Host: 127.0.0.1\r\n" };
    let length = if method == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    format!("{method} {path} HTTP/1.0\r\n{host}{more}{length}\r\n{body}")
}

#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, request("GET", path, &[], "").as_bytes()).unwrap_or_else(|| panic!("{path}: no answer"))
}

#[track_caller]
pub fn post(address: SocketAddr, body: &str) -> Reply {
    let text = request("POST", "/control", &["Content-Type: application/json"], body);
    send(address, text.as_bytes()).unwrap_or_else(|| panic!("{body}: no answer"))
}

/// A picture of a stream.
pub struct Part {
    pub frame: u64,
    pub jpeg: Vec<u8>,
}

/// A stream that goes on.
pub struct Parts(BufReader<TcpStream>);

impl Parts {
    #[track_caller]
    pub fn open(address: SocketAddr, path: &str) -> Parts {
        let mut stream = connect(address);
        stream.write_all(request("GET", path, &[], "").as_bytes()).expect("it is read");
        let mut parts = Parts(BufReader::new(stream));
        assert!(parts.line().is_some_and(|line| line.contains(" 200 ")), "{path} is a stream");
        while parts.line().is_some_and(|line| !line.is_empty()) {}
        assert_eq!(parts.line().as_deref(), Some("--gradcam"));
        parts
    }

    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    }
}

impl Iterator for Parts {
    type Item = Part;

    /// The next picture; nothing when the stream has ended.
    fn next(&mut self) -> Option<Part> {
        let (mut length, mut frame) = (0, 0);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a number"),
                Some(("X-Frame", value)) => frame = value.parse().expect("a number"),
                Some(_) => {}
                None => break,
            }
        }
        let mut jpeg = vec![0; length];
        self.0.read_exact(&mut jpeg).ok()?;
        self.line()?;
        assert_eq!(self.line().as_deref(), Some("--gradcam"), "a part ends with the line that begins the next one");
        Some(Part { frame, jpeg })
    }
}
