//! The camera's side of the wire: USB/IP packets, control requests, payloads.

use super::descriptors::{self, Format, Formats, PAYLOAD, RATES, SIZES, VIDEO_ENDPOINT, frame_bytes, interval};
use super::{Controls, Fault, Settings, pictures};
use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const SUBMITTED: u32 = 3;
const UNLINKED: u32 = 4;
const IN: u32 = 1;

/// A payload header with both time stamps.
const HEADER: usize = 12;

/// xorshift64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A packet of the host, its numbers in the order of the protocol.
struct Packet {
    words: [u32; 10],
    setup: [u8; 8],
    data: Vec<u8>,
}

impl Packet {
    const LENGTH: usize = 48;

    fn command(&self) -> u32 {
        self.words[0]
    }
    fn number(&self) -> u32 {
        self.words[1]
    }
    fn is_in(&self) -> bool {
        self.words[3] == IN
    }
    fn endpoint(&self) -> u32 {
        self.words[4]
    }
    /// The request that is to be taken back.
    fn victim(&self) -> u32 {
        self.words[5]
    }
    fn length(&self) -> usize {
        self.words[6] as usize
    }
}

/// None while nothing comes; an error when the host has closed.
fn receive(wire: &mut UnixStream) -> std::io::Result<Option<Packet>> {
    let mut bytes = [0; Packet::LENGTH];
    match wire.read(&mut bytes[..1]) {
        Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => {}
        Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => return Ok(None),
        Err(e) => return Err(e),
    }
    wire.set_read_timeout(None)?;
    wire.read_exact(&mut bytes[1..])?;
    let word = |i: usize| u32::from_be_bytes(bytes[4 * i..4 * i + 4].try_into().expect("four bytes"));
    let setup = bytes[40..].try_into().expect("eight bytes");
    let mut packet = Packet { words: std::array::from_fn(word), setup, data: Vec::new() };
    if packet.command() == SUBMIT && !packet.is_in() {
        packet.data.resize(packet.length(), 0);
        wire.read_exact(&mut packet.data)?;
    }
    Ok(Some(packet))
}

fn answer(wire: &mut UnixStream, words: [u32; 4], data: &[u8]) -> std::io::Result<()> {
    let [command, number, status, length] = words;
    let mut bytes = Vec::with_capacity(Packet::LENGTH + data.len());
    for word in [command, number, 0, 0, 0, status, length, 0, 0, 0, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(data);
    wire.write_all(&bytes)
}

fn negative(errno: i32) -> u32 {
    (-errno) as u32
}

/// What was agreed on: the fields of the UVC probe that this camera looks at.
struct Agreed {
    formats: Formats,
    /// Its place in `formats`.
    format: usize,
    size: usize,
    /// 100 ns.
    interval: u32,
}

impl Agreed {
    fn new(formats: Formats) -> Agreed {
        Agreed { formats, format: 0, size: 0, interval: interval(RATES[0]) }
    }

    fn format(&self) -> Format {
        self.formats[self.format]
    }

    /// The probe and commit controls of UVC 1.1: the first 26 bytes of the structure.
    fn to_bytes(&self) -> Vec<u8> {
        let (width, height) = SIZES[self.size];
        let mut bytes = vec![1, 0, self.format as u8 + 1, self.size as u8 + 1];
        bytes.extend(self.interval.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(32u16.to_le_bytes());
        bytes.extend(frame_bytes(self.format(), width, height).to_le_bytes());
        bytes.extend(PAYLOAD.to_le_bytes());
        bytes
    }

    fn set(&mut self, bytes: &[u8]) {
        if bytes.len() < 8 {
            return;
        }
        self.format = usize::from(bytes[2]).clamp(1, self.formats.len()) - 1;
        self.size = usize::from(bytes[3]).clamp(1, SIZES.len()) - 1;
        let asked = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes"));
        self.interval = if asked == 0 { interval(RATES[0]) } else { asked };
    }
}

/// What a control request gives back; None: the camera does not know it (a stall, in the words of USB).
fn control(agreed: &mut Agreed, settings: &mut Settings, setup: [u8; 8], data: &[u8]) -> Option<Vec<u8>> {
    let [kind, request, index, selector, ..] = setup;
    match (kind, request) {
        (0x80, 6) => match selector {
            1 => Some(descriptors::device()),
            2 => Some(descriptors::configuration(agreed.formats)),
            3 => descriptors::string(index),
            _ => None,
        },
        // Status; the present configuration and alternate setting; whatever is set is accepted.
        (0x80..=0x82, 0) => Some(vec![0, 0]),
        (0x80, 8) => Some(vec![1]),
        (0x81, 10) => Some(vec![0]),
        (0x00..=0x02, _) => Some(Vec::new()),
        // Probe (1) and commit (2) of the streaming interface.
        (0x21 | 0xa1, _) if setup[4] == 1 && matches!(selector, 1 | 2) => match request {
            0x01 => {
                agreed.set(data);
                Some(Vec::new())
            }
            0x81..=0x83 => Some(agreed.to_bytes()),
            0x87 => Some(Agreed::new(agreed.formats).to_bytes()),
            0x85 => Some(vec![26, 0]),
            0x86 => Some(vec![3]),
            _ => None,
        },
        // The units of the control interface.
        (0x21 | 0xa1, _) if setup[4] == 0 => settings.request(setup[5], selector, request, data),
        _ => None,
    }
}

type Pictures = Arc<Vec<Vec<u8>>>;
/// By format, size, and whether they are flat.
type Album = HashMap<(Format, usize, bool), Pictures>;

/// They take a while to make, so that each camera does not make its own.
fn pictures_of(format: Format, size: usize, flat: bool) -> Pictures {
    static MADE: LazyLock<Mutex<Album>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().expect("encoding does not panic");
    let make = || Arc::new(pictures::encoded(format, size, flat));
    made.entry((format, size, flat)).or_insert_with(make).clone()
}

struct Camera {
    agreed: Agreed,
    number: usize,
    /// Toggles from picture to picture.
    frame_id: u8,
    started: Instant,
}

impl Camera {
    /// The payloads of the next picture.
    fn picture(&mut self, controls: &mut Controls) -> Vec<Vec<u8>> {
        controls.sent += 1;
        self.number = (self.number + 1) % pictures::COUNT;
        let fault = (!controls.faults.is_empty()).then(|| controls.faults.remove(0));
        let size = if fault == Some(Fault::OtherSize) { SIZES.len() - 1 - self.agreed.size } else { self.agreed.size };
        let mut data = pictures_of(self.agreed.format(), size, controls.flat)[self.number].clone();
        if controls.bare && self.agreed.format() == Format::Mjpeg {
            data = pictures::bare(&data);
        }
        if self.agreed.format() == Format::Mjpeg {
            // No two pictures of a real sensor are the same, nor do they end at the same byte: a comment of another
            // length in each does that for pictures that come again.
            let comment = vec![b'.'; (controls.sent * 7 % 509) as usize];
            let length = (comment.len() as u16 + 2).to_be_bytes();
            data.splice(2..2, [&[0xff, 0xfe], &length[..], &comment].concat());
        }
        let mut error = 0;
        match fault {
            Some(Fault::Truncated(share)) => data.truncate((data.len() as f64 * share) as usize),
            Some(Fault::Garbage { bytes, seed }) => {
                let mut random = Random::new(seed);
                for _ in 0..bytes {
                    let at = 1300 + random.next() as usize % (data.len() - 1300);
                    data[at] = random.next() as u8;
                }
            }
            Some(Fault::Empty) => data.clear(),
            Some(Fault::HeaderLess) => drop(data.drain(..200)),
            Some(Fault::ErrorBit) => error = 0x40,
            Some(Fault::OtherSize) | None => {}
        }
        self.frame_id ^= 1;
        let parts: Vec<&[u8]> =
            if data.is_empty() { vec![&[]] } else { data.chunks(PAYLOAD as usize - HEADER).collect() };
        let last = parts.len() - 1;
        let time = self.started.elapsed();
        let stamp = (time.as_micros() as u64 * 48) as u32;
        let payload = |(index, part): (usize, &&[u8])| {
            // Bit 7 ends the header; 2 and 3 announce the two stamps; 1 ends the picture.
            let bits = 0x80 | 0x0c | self.frame_id | error | if index == last { 2 } else { 0 };
            let mut bytes = vec![HEADER as u8, bits];
            bytes.extend(stamp.to_le_bytes());
            bytes.extend(stamp.to_le_bytes());
            bytes.extend(((time.as_millis() % 2048) as u16).to_le_bytes());
            bytes.extend(*part);
            bytes
        };
        parts.iter().enumerate().map(payload).collect()
    }
}

/// Until the host closes or the camera is unplugged, which is closing the socket.
pub fn serve(mut wire: UnixStream, controls: &Mutex<Controls>, formats: Formats) {
    let controls = || controls.lock().expect("the test does not panic while it holds them");
    let mut camera = Camera { agreed: Agreed::new(formats), number: 0, frame_id: 0, started: Instant::now() };
    let mut waiting: VecDeque<(u32, usize)> = VecDeque::new();
    let mut payloads: VecDeque<Vec<u8>> = VecDeque::new();
    let mut due: Option<Instant> = None;
    while !controls().unplug {
        let pause = due.map_or(Duration::from_millis(50), |due| due.saturating_duration_since(Instant::now()));
        let pause = pause.clamp(Duration::from_millis(1), Duration::from_millis(50));
        if wire.set_read_timeout(Some(pause)).is_err() {
            return;
        }
        let outcome = match receive(&mut wire) {
            Err(_) => return,
            Ok(None) => Ok(()),
            Ok(Some(packet)) if packet.command() == UNLINK => {
                let found = waiting.iter().position(|(number, _)| *number == packet.victim());
                found.map(|at| waiting.remove(at));
                if waiting.is_empty() {
                    due = None;
                    payloads.clear();
                }
                let status = if found.is_some() { negative(libc::ECONNRESET) } else { 0 };
                answer(&mut wire, [UNLINKED, packet.number(), status, 0], &[])
            }
            Ok(Some(packet)) if packet.endpoint() == 0 => {
                let given = control(&mut camera.agreed, &mut controls().settings, packet.setup, &packet.data);
                match given {
                    Some(mut data) => {
                        data.truncate(packet.length());
                        let length = if packet.is_in() { data.len() } else { packet.length() };
                        answer(&mut wire, [SUBMITTED, packet.number(), 0, length as u32], &data)
                    }
                    None => answer(&mut wire, [SUBMITTED, packet.number(), negative(libc::EPIPE), 0], &[]),
                }
            }
            Ok(Some(packet)) if packet.is_in() && packet.endpoint() == u32::from(VIDEO_ENDPOINT) => {
                due.get_or_insert_with(Instant::now);
                waiting.push_back((packet.number(), packet.length()));
                Ok(())
            }
            Ok(Some(packet)) => answer(&mut wire, [SUBMITTED, packet.number(), negative(libc::EPIPE), 0], &[]),
        };
        if outcome.is_err() {
            return;
        }
        if let Some(time) = due
            && Instant::now() >= time
        {
            let next = time + Duration::from_nanos(u64::from(camera.agreed.interval) * 100);
            due = Some(next.max(Instant::now()));
            let mut controls = controls();
            // A host that is behind loses pictures, as with any camera.
            if !controls.frozen && payloads.is_empty() {
                payloads.extend(camera.picture(&mut controls));
            }
        }
        while !waiting.is_empty() && !payloads.is_empty() {
            let (Some((number, room)), Some(mut data)) = (waiting.pop_front(), payloads.pop_front()) else { break };
            data.truncate(room);
            if answer(&mut wire, [SUBMITTED, number, 0, data.len() as u32], &data).is_err() {
                return;
            }
        }
    }
}

/// Makes the pictures of a format and size, so that the first of a stream comes at once.
pub fn prepare(format: Format, size: usize) {
    pictures_of(format, size, false);
}
