//! Recordings in memory.

use gradcam::overlay::Canvas;
use gradcam::sink::record::{Encoding, Recording, Storage};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A picture that differs from number to number: a bright square on its way over a shaded ground.
pub fn canvas(width: usize, height: usize, number: usize) -> Canvas {
    let (x0, y0) = (number * 5 % width, number * 3 % height);
    let pixel = |x: usize, y: usize| {
        if (x0..x0 + 16).contains(&x) && (y0..y0 + 16).contains(&y) {
            return 0x00FF_C040;
        }
        (64 + x * 100 / width) as u32 * 0x0001_0100 + (y * 120 / height) as u32
    };
    Canvas { width, height, pixels: (0..width * height).map(|at| pixel(at % width, at / width)).collect() }
}

/// What a file was before a piece was written behind it, and that piece.
pub type Written = (Vec<u8>, Vec<u8>);

/// A file in memory that others can look at, of limited size.
#[derive(Clone)]
pub struct Memory {
    bytes: Arc<Mutex<Vec<u8>>>,
    pub pieces: Arc<Mutex<Vec<Written>>>,
    room: usize,
}

impl Memory {
    pub fn new(room: usize) -> Memory {
        Memory { bytes: Arc::default(), pieces: Arc::default(), room }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("nobody panics").clone()
    }
}

impl Storage for Memory {
    /// Takes what it has room for before it fails, as a disk does.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut all = self.bytes.lock().expect("nobody panics");
        self.pieces.lock().expect("nobody panics").push((all.clone(), bytes.to_vec()));
        let fits = bytes.len().min(self.room - all.len());
        all.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = offset as usize;
        self.bytes.lock().expect("nobody panics")[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.bytes.lock().expect("nobody panics").truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn recording(storage: Memory, size: (usize, usize)) -> Recording<Memory> {
    Recording::on(Path::new("film.mp4"), storage, None, size, Encoding::default()).expect("the encoder starts")
}
