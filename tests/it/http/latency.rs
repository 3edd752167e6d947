//! From the moment at which a camera has a picture to the moment at which a client has it: `make bench-http`.

use crate::common::explainer;
use crate::common::http::Parts;
use gradcam::cam::methods::GradCam;
use gradcam::clock::SystemClock;
use gradcam::error::Result;
use gradcam::frame::{PixelFormat, RawFrame};
use gradcam::source::{Event, Source};
use std::time::{Duration, Instant};

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
/// Side of a block that is one bit of the time code.
const BLOCK: usize = 16;
/// Blocks beside each other. They lie at the left edge, where the network does not look and no heat is drawn.
const ACROSS: usize = 4;
const BITS: usize = 32;

/// A camera of thirty pictures a second, in which each picture has the time at which it was taken.
pub struct TimeCode {
    start: Instant,
    next: Duration,
    picture: Vec<u8>,
}

impl TimeCode {
    pub fn new(start: Instant) -> TimeCode {
        let picture =
            image::load_from_memory(include_bytes!("../../../src/source/demo/coffee.jpg")).expect("it is JPEG");
        let picture = picture.resize_exact(WIDTH as u32, HEIGHT as u32, image::imageops::FilterType::Triangle);
        TimeCode { start, next: start.elapsed(), picture: picture.into_rgb8().into_raw() }
    }
}

impl Source for TimeCode {
    fn name(&self) -> String {
        "time code".to_owned()
    }

    fn read(&mut self, raw: &mut RawFrame) -> Result<Event> {
        std::thread::sleep(self.next.saturating_sub(self.start.elapsed()));
        self.next += Duration::from_nanos(1_000_000_000 / 30);
        let time = self.start.elapsed();
        (raw.format, raw.width, raw.height, raw.time) = (PixelFormat::Rgb8, WIDTH, HEIGHT, time);
        raw.data.clone_from(&self.picture);
        write(time.as_micros() as u32, &mut raw.data);
        Ok(Event::Frame)
    }
}

fn block(bit: usize) -> (usize, usize) {
    (bit % ACROSS * BLOCK, bit / ACROSS * BLOCK)
}

fn write(code: u32, rgb: &mut [u8]) {
    for bit in 0..BITS {
        let (x, y) = block(bit);
        let value = if code >> bit & 1 == 1 { 255 } else { 0 };
        for row in y..y + BLOCK {
            let start = (row * WIDTH + x) * 3;
            rgb[start..start + BLOCK * 3].fill(value);
        }
    }
}

fn read(jpeg: &[u8]) -> u32 {
    let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).expect("it is JPEG").to_rgb8();
    let bits = (0..BITS).map(|bit| {
        let (x, y) = block(bit);
        let middle = picture.get_pixel((x + BLOCK / 2) as u32, (y + BLOCK / 2) as u32);
        // What the network does not see is dimmed to 0.4.
        u32::from(middle[1] > 48) << bit
    });
    bits.sum()
}

#[test]
fn the_time_code_survives_a_jpeg() {
    for code in [0, u32::MAX, 0x5555_5555, 1, 0xdead_beef] {
        let mut rgb = vec![90; WIDTH * HEIGHT * 3];
        write(code, &mut rgb);
        let mut jpeg = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 80);
        image::ImageEncoder::write_image(encoder, &rgb, WIDTH as u32, HEIGHT as u32, image::ExtendedColorType::Rgb8)
            .expect("it is a picture");
        assert_eq!(read(&jpeg), code);
    }
}

/// A measurement, not a test: it prints.
#[test]
#[ignore = "make bench-http"]
fn glass_to_browser() {
    use gradcam::pipeline::live::{Controls, run};
    let start = Instant::now();
    let mut table = Vec::new();
    let explainer = explainer().following();
    let info = explainer.info().clone();
    let controls = Controls { method: &GradCam, locked: None, frozen: None, layer: None, limits: Default::default() };
    let clock = std::sync::Arc::new(SystemClock::new());
    let (screen, address) = super::screen(info, &explainer);
    run(Box::new(TimeCode::new(start)), explainer, controls, clock, Default::default(), |mut view| {
        let mut screen = screen;
        let client = std::thread::spawn(move || {
            ["/raw.mjpg", "/stream.mjpg"].map(|path| {
                let mut times: Vec<f64> = Parts::open(address, path)
                    .skip(30)
                    .take(300)
                    .map(|part| {
                        let now = start.elapsed().as_micros() as f64;
                        (now - f64::from(read(&part.jpeg))) / 1e3
                    })
                    .collect();
                times.sort_by(f64::total_cmp);
                (path, times)
            })
        });
        while !client.is_finished() {
            while let Some(explained) = view.explained(Duration::ZERO) {
                screen.take(explained, &view);
            }
            screen.step(&mut view, Duration::from_millis(20));
        }
        table.extend(client.join().expect("the client reads"));
        Ok(())
    })
    .expect("it runs");
    println!(
        "glass to browser, {WIDTH}x{HEIGHT}, 30 pictures a second, loopback, ms from the picture to its last byte:"
    );
    for (path, times) in table {
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!("  {path:<13} p50 {:6.1}  p95 {:6.1}  of {}", at(0.5), at(0.95), times.len());
    }
}
