//! A camera for where there is none: 640 x 480 at 30 frames a second, looking at a cat, a wall, a cup, a wall.

mod scene;

use super::{Event, Source};
use crate::clock::Clock;
use crate::error::Result;
use crate::frame::{PixelFormat, RawFrame};
use crate::shutdown::Shutdown;
use ::image::codecs::jpeg::JpegEncoder;
use ::image::{ExtendedColorType, ImageEncoder};
use scene::Scene;
use std::sync::Arc;
use std::time::Duration;

pub use scene::{CYCLE_FRAMES, HEIGHT, WIDTH};

/// Frames per second.
pub const RATE: u32 = 30;

/// What the simulated camera delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Uncompressed, as the display takes it.
    Rgb8,
    /// JPEG, 4:2:2: thirty pictures spread over the cycle, encoded when the source is opened, each delivered for 0.8 s.
    Mjpeg,
    Yuyv,
}

/// When the next frame comes.
#[derive(Clone)]
pub enum Pace {
    /// Thirty times a second; a frame that is not read in time is lost, as with a camera.
    Camera { clock: Arc<dyn Clock>, shutdown: Shutdown },
    /// At once, and none is lost.
    Free { clock: Arc<dyn Clock> },
}

/// The simulated camera. The same frame of the same format has always the same bytes.
pub struct Demo {
    format: Format,
    pace: Pace,
    scene: Scene,
    jpegs: Vec<Vec<u8>>,
    rgb: Vec<u8>,
    started: Option<Duration>,
    next: u64,
    dropped: u64,
}

impl Demo {
    const JPEGS: u64 = 30;
    const JPEG_QUALITY: u8 = 85;

    pub fn new(format: Format, pace: Pace) -> Demo {
        let mut scene = Scene::new();
        let mut rgb = Vec::new();
        let mut jpegs = Vec::new();
        if format == Format::Mjpeg {
            for i in 0..Demo::JPEGS {
                scene.render(i * CYCLE_FRAMES / Demo::JPEGS, &mut rgb);
                jpegs.push(encode(&rgb));
            }
        }
        Demo { format, pace, scene, jpegs, rgb, started: None, next: 0, dropped: 0 }
    }

    /// The number of the frame that is due, waiting for it if need be. None when shutdown is requested.
    fn tick(&mut self) -> Option<u64> {
        if let Pace::Camera { clock, shutdown } = &self.pace {
            let now = clock.now();
            let running = now - *self.started.get_or_insert(now);
            let due = Duration::from_nanos(self.next * 1_000_000_000 / u64::from(RATE));
            if running < due {
                clock.sleep(due - running, shutdown);
            } else {
                let newest = (running.as_nanos() * u128::from(RATE) / 1_000_000_000) as u64;
                self.dropped += newest.saturating_sub(self.next);
                self.next = self.next.max(newest);
            }
            if shutdown.requested() {
                return None;
            }
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

impl Source for Demo {
    fn name(&self) -> String {
        match self.format {
            Format::Rgb8 => "demo".into(),
            Format::Mjpeg => "demo:mjpeg".into(),
            Format::Yuyv => "demo:yuyv".into(),
        }
    }

    fn read(&mut self, raw: &mut RawFrame) -> Result<Event> {
        let Some(number) = self.tick() else { return Ok(Event::End) };
        let (Pace::Camera { clock, .. } | Pace::Free { clock }) = &self.pace;
        raw.time = clock.now();
        raw.width = WIDTH;
        raw.height = HEIGHT;
        match self.format {
            Format::Rgb8 => {
                raw.format = PixelFormat::Rgb8;
                self.scene.render(number, &mut raw.data);
            }
            Format::Yuyv => {
                raw.format = PixelFormat::Yuyv;
                self.scene.render(number, &mut self.rgb);
                yuyv(&self.rgb, &mut raw.data);
            }
            Format::Mjpeg => {
                raw.format = PixelFormat::Mjpeg;
                let at = number % CYCLE_FRAMES * Demo::JPEGS / CYCLE_FRAMES;
                raw.data.clear();
                raw.data.extend_from_slice(&self.jpegs[at as usize]);
            }
        }
        Ok(Event::Frame)
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn encode(rgb: &[u8]) -> Vec<u8> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, Demo::JPEG_QUALITY)
        .write_image(rgb, WIDTH as u32, HEIGHT as u32, ExtendedColorType::Rgb8)
        .expect("a picture of this size fits in memory");
    jpeg
}

/// BT.601, limited range; two neighbours share the mean of their chroma. Factors are scaled by 2^16.
fn yuyv(rgb: &[u8], data: &mut Vec<u8>) {
    const HALF: i32 = 1 << 15;
    data.resize(rgb.len() / 3 * 2, 0);
    let (pairs, _) = rgb.as_chunks::<6>();
    let (packed, _) = data.as_chunks_mut::<4>();
    for (pair, packed) in pairs.iter().zip(packed) {
        let [r0, g0, b0, r1, g1, b1] = pair.map(i32::from);
        let luma = |r, g, b| ((16_829 * r + 33_039 * g + 6_416 * b + (16 << 16) + HALF) >> 16) as u8;
        let (r, g, b) = (r0 + r1, g0 + g1, b0 + b1);
        let u = (-9_714 * r - 19_071 * g + 28_784 * b + (256 << 16) + 2 * HALF) >> 17;
        let v = (28_784 * r - 24_103 * g - 4_681 * b + (256 << 16) + 2 * HALF) >> 17;
        *packed = [luma(r0, g0, b0), u as u8, luma(r1, g1, b1), v as u8];
    }
}
