//! Luma and chroma to RGB, as ITU-R BT.601 defines it (section 2.5 with the limited range of section 2.5.3: luma 16 to
//! 235, chroma 16 to 240), which is what USB video class cameras send (UVC 1.5, Color Matching descriptor defaults) and
//! V4L2 assumes for these formats.
//!
//! ```text
//! R = 1.164383 (Y − 16)                        + 1.596027 (V − 128)
//! G = 1.164383 (Y − 16) − 0.391762 (U − 128)   − 0.812968 (V − 128)
//! B = 1.164383 (Y − 16) + 2.017232 (U − 128)
//! ```

/// Factors are scaled by 2^16; the largest sum stays below 2^26.
const SHIFT: i32 = 16;
const HALF: i32 = 1 << (SHIFT - 1);
const LUMA: i32 = 76_309;
const RED_V: i32 = 104_597;
const GREEN_U: i32 = -25_675;
const GREEN_V: i32 = -53_279;
const BLUE_U: i32 = 132_201;

/// What two pixels share: the chroma's part of red, green and blue, rounding and the luma's offset included.
#[derive(Clone, Copy)]
struct Chroma {
    red: i32,
    green: i32,
    blue: i32,
}

impl Chroma {
    #[inline(always)]
    fn new(u: u8, v: u8) -> Chroma {
        let u = i32::from(u) - 128;
        let v = i32::from(v) - 128;
        let base = HALF - 16 * LUMA;
        Chroma { red: base + RED_V * v, green: base + GREEN_U * u + GREEN_V * v, blue: base + BLUE_U * u }
    }

    #[inline(always)]
    fn write(self, y: u8, rgb: &mut [u8]) {
        let y = LUMA * i32::from(y);
        rgb[0] = ((y + self.red) >> SHIFT).clamp(0, 255) as u8;
        rgb[1] = ((y + self.green) >> SHIFT).clamp(0, 255) as u8;
        rgb[2] = ((y + self.blue) >> SHIFT).clamp(0, 255) as u8;
    }
}

/// `data`: rows of Y0 U Y1 V, `2 * width` bytes each. `rgb`: the same number of pixels, 3 bytes each. The last pixel of
/// a row of odd width has no V of its own and takes its neighbour's.
pub fn yuyv(data: &[u8], width: usize, rgb: &mut [u8]) {
    if width.is_multiple_of(2) {
        yuyv_pairs(data, rgb);
        return;
    }
    let even = width - 1;
    for (row, rgb) in data.chunks_exact(width * 2).zip(rgb.chunks_exact_mut(width * 3)) {
        yuyv_pairs(&row[..even * 2], &mut rgb[..even * 3]);
        let v = if even == 0 { 128 } else { row[even * 2 - 1] };
        Chroma::new(row[even * 2 + 1], v).write(row[even * 2], &mut rgb[even * 3..]);
    }
}

fn yuyv_pairs(data: &[u8], rgb: &mut [u8]) {
    let (pairs, _) = data.as_chunks::<4>();
    let (pixels, _) = rgb.as_chunks_mut::<6>();
    for (&[y0, u, y1, v], rgb) in pairs.iter().zip(pixels) {
        let chroma = Chroma::new(u, v);
        chroma.write(y0, &mut rgb[..3]);
        chroma.write(y1, &mut rgb[3..]);
    }
}

/// `data`: `height` rows of `width` Y, then half as many rows (rounded up) of as many U V pairs as half the width
/// (rounded up). Each pair holds for a block of 2 x 2 pixels.
pub fn nv12(data: &[u8], width: usize, height: usize, rgb: &mut [u8]) {
    let (luma, chroma) = data.split_at(width * height);
    let rows = luma.chunks_exact(width).zip(rgb.chunks_exact_mut(width * 3));
    for (y, (luma, rgb)) in rows.enumerate() {
        let pairs = chroma[y / 2 * 2 * width.div_ceil(2)..].as_chunks::<2>().0;
        for ((luma, rgb), &[u, v]) in luma.chunks(2).zip(rgb.chunks_mut(6)).zip(pairs) {
            let chroma = Chroma::new(u, v);
            for (&y, rgb) in luma.iter().zip(rgb.chunks_exact_mut(3)) {
                chroma.write(y, rgb);
            }
        }
    }
}

/// `data`: a plane of Y with `size` (width, height), then planes of U and V, whose values hold for `block` (across, down)
/// pixels each.
pub fn planar(data: &[u8], size: (usize, usize), block: (usize, usize), rgb: &mut [u8]) {
    let (width, across) = (size.0, size.0.div_ceil(block.0));
    let (luma, chroma) = data.split_at(width * size.1);
    let (blue, red) = chroma.split_at(across * size.1.div_ceil(block.1));
    for (y, (luma, rgb)) in luma.chunks_exact(width).zip(rgb.chunks_exact_mut(width * 3)).enumerate() {
        let row = y / block.1 * across;
        let blocks = luma.chunks(block.0).zip(rgb.chunks_mut(block.0 * 3));
        for ((luma, rgb), (u, v)) in blocks.zip(blue[row..].iter().zip(&red[row..])) {
            let chroma = Chroma::new(*u, *v);
            for (&y, rgb) in luma.iter().zip(rgb.chunks_exact_mut(3)) {
                chroma.write(y, rgb);
            }
        }
    }
}

/// Luma of limited range.
pub fn luma(data: &[u8], rgb: &mut [u8]) {
    let chroma = Chroma::new(128, 128);
    for (&y, rgb) in data.iter().zip(rgb.chunks_exact_mut(3)) {
        chroma.write(y, rgb);
    }
}

/// Luma of full range, as V4L2 defines GREY.
pub fn grey(data: &[u8], rgb: &mut [u8]) {
    for (&y, rgb) in data.iter().zip(rgb.chunks_exact_mut(3)) {
        rgb.fill(y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(y: u8, u: u8, v: u8) -> [u8; 3] {
        let (kr, kb) = (0.299, 0.114);
        let kg = 1.0 - kr - kb;
        let y = (f64::from(y) - 16.0) / 219.0;
        let pb = (f64::from(u) - 128.0) / 224.0;
        let pr = (f64::from(v) - 128.0) / 224.0;
        let red = y + 2.0 * (1.0 - kr) * pr;
        let blue = y + 2.0 * (1.0 - kb) * pb;
        let green = (y - kr * red - kb * blue) / kg;
        [red, green, blue].map(|x| (x * 255.0).round().clamp(0.0, 255.0) as u8)
    }

    #[test]
    fn every_colour_is_within_one_step_of_the_definition() {
        let mut off = 0;
        for u in 0..=255 {
            for v in 0..=255 {
                for y in 0..=255 {
                    let mut rgb = [0; 3];
                    Chroma::new(u, v).write(y, &mut rgb);
                    for (got, want) in rgb.into_iter().zip(reference(y, u, v)) {
                        assert!(got.abs_diff(want) <= 1, "Y {y} U {u} V {v}: {got}, not {want}");
                        off += u32::from(got != want);
                    }
                }
            }
        }
        // The factors have 16 binary places: only sums that lie next to a half can fall to the other side.
        assert!(off < 50_000, "{off} of 50 million values rounded to the other side");
    }

    #[test]
    fn a_row_of_odd_width_ends_with_its_neighbours_v() {
        let data = [100, 90, 110, 200, 120, 70, /* next row */ 50, 128, 60, 128, 70, 128];
        let mut rgb = [0; 18];
        yuyv(&data, 3, &mut rgb);
        assert_eq!(rgb[6..9], reference(120, 70, 200));
        assert_eq!(rgb[9..12], reference(50, 128, 128));
    }

    #[test]
    fn planes_of_any_sampling_give_each_pixel_its_block() {
        let (width, height) = (3_usize, 3_usize);
        let luma: [u8; 9] = [20, 40, 60, 80, 100, 120, 140, 160, 180];
        for (across, down) in [(1, 1), (2, 1), (2, 2)] {
            let columns = width.div_ceil(across);
            let blocks = columns * height.div_ceil(down);
            let blue: Vec<u8> = (0..blocks).map(|at| 100 + 5 * at as u8).collect();
            let red: Vec<u8> = (0..blocks).map(|at| 150 + 5 * at as u8).collect();
            let data = [&luma[..], &blue, &red].concat();
            let mut rgb = [0; 27];
            planar(&data, (width, height), (across, down), &mut rgb);
            for at in 0..9 {
                let block = at / 3 / down * columns + at % 3 / across;
                assert_eq!(
                    rgb[at * 3..at * 3 + 3],
                    reference(luma[at], blue[block], red[block]),
                    "{across}x{down} {at}"
                );
            }
        }
    }

    #[test]
    fn nv12_of_odd_size_takes_the_block_of_each_pixel() {
        let (width, height) = (3, 3);
        let luma = [20, 40, 60, 80, 100, 120, 140, 160, 180];
        let chroma = [[100, 150], [110, 160], [120, 170], [130, 180]];
        let data: Vec<u8> = luma.into_iter().chain(chroma.into_iter().flatten()).collect();
        let mut rgb = [0; 27];
        nv12(&data, width, height, &mut rgb);
        for y in 0..height {
            for x in 0..width {
                let [u, v] = chroma[y / 2 * 2 + x / 2];
                let at = (y * width + x) * 3;
                assert_eq!(rgb[at..at + 3], reference(luma[y * width + x], u, v), "pixel {x},{y}");
            }
        }
    }
}
