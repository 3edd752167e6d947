//! Pictures that can be recognised: every band of 16 rows says the picture's number, so that one that was put together
//! from two is seen, and has the same colours.

use super::descriptors::{Format, SIZES};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// Different pictures; they come in turn.
pub const COUNT: usize = 16;

/// The left half: upright bars.
const COLOURS: [[u8; 3]; 8] = [
    [230, 230, 230],
    [200, 200, 40],
    [40, 200, 200],
    [40, 180, 40],
    [200, 40, 200],
    [200, 40, 40],
    [40, 40, 200],
    [30, 30, 30],
];
/// The right half: the four bits of the number, highest first.
const BITS: [u8; 2] = [40, 210];
const BAND: usize = 16;
/// Grain, as any sensor has it: JPEG data of flat pictures repeats itself.
const GRAIN: u64 = 9;
/// The largest error of a mean colour. JPEG at this quality is off by up to 3, 8-bit YUV by 2.
const TOLERANCE: f64 = 8.0;

fn rgb(number: usize, width: usize, height: usize, flat: bool) -> Vec<u8> {
    let mut random = super::usb::Random::new(number as u64 + 1);
    let mut pixels = Vec::with_capacity(width * height * 3);
    for _ in 0..height {
        for x in 0..width {
            let colour = match x * 16 / width {
                bar @ 0..8 => COLOURS[bar],
                right => [BITS[number >> (3 - (right - 8) / 2) & 1]; 3],
            };
            let grain = if flat { 0 } else { (random.next() % GRAIN) as i16 - GRAIN as i16 / 2 };
            pixels.extend(colour.map(|value| (i16::from(value) + grain).clamp(0, 255) as u8));
        }
    }
    pixels
}

/// All pictures of one format and size, as the camera sends them.
pub fn encoded(format: Format, size: usize, flat: bool) -> Vec<Vec<u8>> {
    let (width, height) = SIZES[size];
    (0..COUNT)
        .map(|number| {
            let pixels = rgb(number, width.into(), height.into(), flat);
            match format {
                Format::Mjpeg => jpeg(&pixels, width, height),
                Format::Yuyv => yuyv(&pixels),
                Format::Grey => pixels.chunks_exact(3).map(|c| luma([c[0], c[1], c[2]])).collect(),
            }
        })
        .collect()
}

/// ITU-R BT.601, full range.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)).round() as u8
}

fn jpeg(pixels: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85)
        .write_image(pixels, width.into(), height.into(), ExtendedColorType::Rgb8)
        .expect("memory takes everything");
    bytes
}

/// ITU-R BT.601, limited range.
fn yuyv(pixels: &[u8]) -> Vec<u8> {
    let luma = |c: &[f64]| 16.0 + (65.481 * c[0] + 128.553 * c[1] + 24.966 * c[2]) / 255.0;
    let blue = |c: &[f64]| 128.0 + (-37.797 * c[0] - 74.203 * c[1] + 112.0 * c[2]) / 255.0;
    let red = |c: &[f64]| 128.0 + (112.0 * c[0] - 93.786 * c[1] - 18.214 * c[2]) / 255.0;
    let pair = |pair: &[u8]| {
        let both: Vec<f64> = pair.iter().map(|&value| f64::from(value)).collect();
        let mean: Vec<f64> = (0..3).map(|c| (both[c] + both[c + 3]) / 2.0).collect();
        [luma(&both[..3]), blue(&mean), luma(&both[3..]), red(&mean)].map(|value| value.round() as u8)
    };
    pixels.chunks_exact(6).flat_map(pair).collect()
}

/// The JPEG without its Huffman tables: cameras that use the standard ones leave them out.
pub fn bare(jpeg: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let (kind, length) = (jpeg[at + 1], usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])));
        if kind == 0xda {
            bytes.extend(&jpeg[at..]);
            return bytes;
        }
        if kind != 0xc4 {
            bytes.extend(&jpeg[at..at + 2 + length]);
        }
        at += 2 + length;
    }
}

/// The number of the picture that was decoded.
///
/// # Errors
/// What is wrong with it: the colours, or bands of different pictures.
pub fn check(pixels: &[u8], width: usize, height: usize) -> Result<usize, String> {
    number(pixels, (width, height), COLOURS)
}

/// [`check`] for pictures that came without colour.
pub fn check_grey(pixels: &[u8], width: usize, height: usize) -> Result<usize, String> {
    number(pixels, (width, height), COLOURS.map(|colour| [luma(colour); 3]))
}

fn number(pixels: &[u8], (width, height): (usize, usize), colours: [[u8; 3]; 8]) -> Result<usize, String> {
    let mut numbers = Vec::new();
    for top in (0..height - height % BAND).step_by(BAND) {
        // The mean of an area that stays off the edges of bars and bands.
        let mean = |cell: usize| {
            let (left, right) = (cell * width / 16 + 4, (cell + 1) * width / 16 - 4);
            let mut sum = [0.0; 3];
            for y in top + 4..top + BAND - 4 {
                for x in left..right {
                    (0..3).for_each(|c| sum[c] += f64::from(pixels[(y * width + x) * 3 + c]));
                }
            }
            sum.map(|sum| sum / ((BAND - 8) * (right - left)) as f64)
        };
        for (bar, colour) in colours.into_iter().enumerate() {
            let seen = mean(bar);
            if (0..3).any(|c| (seen[c] - f64::from(colour[c])).abs() > TOLERANCE) {
                return Err(format!("rows from {top}: bar {bar} is {seen:.0?}, not {colour:?}"));
            }
        }
        let mut number = 0;
        for bit in 0..4 {
            let grey = mean(8 + 2 * bit)[1];
            let value = BITS.iter().position(|&level| (grey - f64::from(level)).abs() <= TOLERANCE);
            number = number * 2 + value.ok_or(format!("rows from {top}: bit {bit} is {grey:.0}"))?;
        }
        numbers.push(number);
    }
    let first = numbers[0];
    match numbers.iter().position(|&number| number != first) {
        None => Ok(first),
        Some(band) => Err(format!("picture {first} goes over into {} at row {}", numbers[band], band * BAND)),
    }
}
