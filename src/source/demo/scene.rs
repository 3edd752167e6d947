//! What the simulated camera looks at. Every frame is a function of its number alone.

use ::image::ImageFormat;
use std::f32::consts::TAU;
use std::sync::Arc;

/// Pixels.
pub const WIDTH: usize = 640;
pub const HEIGHT: usize = 480;
const ROW: usize = WIDTH * 3;

/// After this many frames everything comes again (24 s, but for the noise).
pub const CYCLE_FRAMES: u64 = 720;

/// Frames of a cross-fade (0.5 s).
const FADE: u64 = 15;

pub struct Scene {
    views: [View; 4],
    noise: Noise,
    /// One line of a view, blended from two lines of its photograph: 256 times the value.
    line: Vec<u16>,
    columns: Vec<(usize, u16)>,
    fading: Vec<u8>,
}

/// A stretch of the cycle in which the camera moves over one photograph.
struct View {
    photograph: Arc<Photograph>,
    /// First frame of the stretch, and frames until the fade to the next begins.
    start: u64,
    frames: u64,
    /// The middle of what is to be seen, as a part of width and height.
    middle: (f32, f32),
}

struct Photograph {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Scene {
    pub fn new() -> Scene {
        let cat = Photograph::embedded(include_bytes!("chelsea.jpg"));
        let cup = Photograph::embedded(include_bytes!("coffee.jpg"));
        let wall = Photograph::wall();
        let view = |photograph: &Arc<Photograph>, start, frames, middle| View {
            photograph: photograph.clone(),
            start,
            frames,
            middle,
        };
        Scene {
            views: [
                view(&cat, 0, 240, (0.5, 0.5)),
                view(&wall, 255, 90, (0.5, 0.5)),
                view(&cup, 360, 240, (0.47, 0.5)),
                view(&wall, 615, 90, (0.5, 0.5)),
            ],
            noise: Noise::new(),
            line: Vec::new(),
            columns: Vec::with_capacity(WIDTH),
            fading: Vec::new(),
        }
    }

    /// Writes frame `number`, `WIDTH * HEIGHT * 3` bytes.
    pub fn render(&mut self, number: u64, rgb: &mut Vec<u8>) {
        let at = number % CYCLE_FRAMES;
        let present = self.views.iter().rposition(|view| view.start <= at).unwrap_or(0);
        let since = at - self.views[present].start;
        rgb.resize(ROW * HEIGHT, 0);
        self.look(present, since + FADE, rgb);
        if let Some(faded) = since.checked_sub(self.views[present].frames) {
            let mut next = std::mem::take(&mut self.fading);
            next.resize(ROW * HEIGHT, 0);
            self.look((present + 1) % self.views.len(), faded, &mut next);
            let weight = ((faded + 1) * 256 / (FADE + 1)) as u16;
            for (to, from) in rgb.iter_mut().zip(&next) {
                *to = ((u16::from(*to) * (256 - weight) + u16::from(*from) * weight) >> 8) as u8;
            }
            self.fading = next;
        }
        self.noise.add(number, rgb);
    }

    /// The camera sways once from side to side and twice up and down in eight seconds, and comes closer and goes back.
    fn look(&mut self, view: usize, frame: u64, rgb: &mut [u8]) {
        let View { photograph, middle, .. } = &self.views[view];
        let phase = frame as f32 / 240.0 * TAU;
        let widest = (photograph.width as f32).min(photograph.height as f32 * WIDTH as f32 / HEIGHT as f32);
        let step = widest * (0.87 - 0.09 * phase.cos()) / WIDTH as f32;
        let origin = |size: usize, out: usize, middle: f32, sway: f32| {
            let seen = out as f32 * step;
            ((middle + sway) * size as f32 - seen / 2.0).clamp(0.0, size as f32 - seen)
        };
        let left = origin(photograph.width, WIDTH, middle.0, 0.04 * phase.sin());
        let top = origin(photograph.height, HEIGHT, middle.1, 0.025 * (2.0 * phase).sin());

        self.columns.clear();
        self.columns.extend((0..WIDTH).map(|x| {
            let (x, weight) = between(left + (x as f32 + 0.5) * step - 0.5, photograph.width);
            (x * 3, weight)
        }));
        self.line.resize(photograph.width * 3, 0);
        for (y, row) in rgb.chunks_exact_mut(ROW).enumerate() {
            let (y, weight) = between(top + (y as f32 + 0.5) * step - 0.5, photograph.height);
            let (upper, lower) = (photograph.row(y), photograph.row(y + 1));
            for ((to, &upper), &lower) in self.line.iter_mut().zip(upper).zip(lower) {
                *to = u16::from(upper) * (256 - weight) + u16::from(lower) * weight;
            }
            for (pixel, &(x, weight)) in row.as_chunks_mut::<3>().0.iter_mut().zip(&self.columns) {
                let pair = &self.line[x..x + 6];
                let weight = u32::from(weight);
                for (channel, to) in pixel.iter_mut().enumerate() {
                    let (a, b) = (u32::from(pair[channel]), u32::from(pair[channel + 3]));
                    *to = ((a * (256 - weight) + b * weight + (1 << 15)) >> 16) as u8;
                }
            }
        }
    }
}

/// The neighbours `i` and `i + 1` between which `position` lies, and 256 times the weight of the second.
fn between(position: f32, size: usize) -> (usize, u16) {
    let position = position.clamp(0.0, (size - 1) as f32);
    let i = (position as usize).min(size - 2);
    (i, ((position - i as f32) * 256.0) as u16)
}

impl Photograph {
    fn embedded(jpeg: &[u8]) -> Arc<Photograph> {
        let picture = ::image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg)
            .expect("the embedded photographs are whole")
            .into_rgb8();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Arc::new(Photograph { width, height, rgb: picture.into_raw() })
    }

    /// A painted wall in two tones that run softly into each other, a little darker away from the window.
    fn wall() -> Arc<Photograph> {
        let (width, height) = (480, 360);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let lower = ((y as f32 - 190.0) / 60.0).clamp(0.0, 1.0);
                let lower = lower * lower * (3.0 - 2.0 * lower);
                let light = 1.0 - 0.08 * x as f32 / width as f32;
                for (upper, below) in [(186.0, 166.0), (182.0, 164.0), (172.0, 158.0)] {
                    rgb.push(((upper + (below - upper) * lower) * light) as u8);
                }
            }
        }
        Arc::new(Photograph { width, height, rgb })
    }

    fn row(&self, y: usize) -> &[u8] {
        &self.rgb[y * self.width * 3..(y + 1) * self.width * 3]
    }
}

/// Sensor noise: every line takes another piece of one table.
struct Noise(Vec<i8>);

impl Noise {
    const LENGTH: usize = 1 << 15;

    /// The sum of four uniform values, standard deviation 2.
    fn new() -> Noise {
        let value = |i: u64| {
            let sum: u32 = scramble(i).to_le_bytes()[..4].iter().map(|&byte| u32::from(byte)).sum();
            // Four bytes have the mean 510 and the standard deviation 147.8.
            ((sum as f32 - 510.0) * (2.0 / 147.8)).round() as i8
        };
        Noise((0..Noise::LENGTH as u64).map(value).collect())
    }

    fn add(&self, number: u64, rgb: &mut [u8]) {
        for (y, row) in rgb.chunks_exact_mut(ROW).enumerate() {
            let from = scramble(number * HEIGHT as u64 + y as u64) as usize % (Noise::LENGTH - ROW);
            for (value, &noise) in row.iter_mut().zip(&self.0[from..from + ROW]) {
                *value = value.saturating_add_signed(noise);
            }
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn scramble(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
