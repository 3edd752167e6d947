//! Shown pixels (0x00RRGGBB) → Y′CbCr 4:2:0, 8 bits, limited range, ITU-R BT.709: what video encoders take.

use super::multiversion;

/// Rows in shares of 2¹⁶: luma from 16 to 235, chroma from 16 to 240 around 128. Grey has no chroma: those rows sum to 0.
const LUMA: [i32; 3] = [11966, 40254, 4064];
const BLUE: [i32; 3] = [-6596, -22189, 28785];
const RED: [i32; 3] = [28785, -26145, -2640];

/// Two rows of luma, and one of each chroma, which is the mean of four pixels.
pub struct Rows<'a> {
    pub luma: [&'a mut [u8]; 2],
    pub blue: &'a mut [u8],
    pub red: &'a mut [u8],
}

multiversion! {
    /// Two rows of pixels, of the same even length.
    pub fn yuv420 = yuv420_body(top: &[u32], bottom: &[u32], rows: Rows<'_>)
}

#[inline(always)]
fn yuv420_body(top: &[u32], bottom: &[u32], rows: Rows) {
    let [luma_top, luma_bottom] = rows.luma;
    for (luma, pixels) in [(luma_top, top), (luma_bottom, bottom)] {
        for (luma, pixel) in luma.iter_mut().zip(pixels) {
            let value = (weigh(LUMA, colours(*pixel)) + (1 << 15)) >> 16;
            *luma = (value + 16) as u8;
        }
    }
    let fours = top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0);
    for ((blue, red), (top, bottom)) in rows.blue.iter_mut().zip(rows.red).zip(fours) {
        let mut sum = [0; 3];
        for pixel in [top[0], top[1], bottom[0], bottom[1]] {
            let colours = colours(pixel);
            sum = [sum[0] + colours[0], sum[1] + colours[1], sum[2] + colours[2]];
        }
        *blue = (((weigh(BLUE, sum) + (1 << 17)) >> 18) + 128) as u8;
        *red = (((weigh(RED, sum) + (1 << 17)) >> 18) + 128) as u8;
    }
}

#[inline(always)]
fn colours(pixel: u32) -> [i32; 3] {
    [(pixel >> 16 & 0xFF) as i32, (pixel >> 8 & 0xFF) as i32, (pixel & 0xFF) as i32]
}

#[inline(always)]
fn weigh(weights: [i32; 3], colours: [i32; 3]) -> i32 {
    weights[0] * colours[0] + weights[1] * colours[1] + weights[2] * colours[2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use proptest::prelude::*;

    fn converted(isa: Isa, top: &[u32], bottom: &[u32]) -> [Vec<u8>; 4] {
        let width = top.len();
        let (mut first, mut second) = (vec![0; width], vec![0; width]);
        let (mut blue, mut red) = (vec![0; width / 2], vec![0; width / 2]);
        yuv420(isa, top, bottom, Rows { luma: [&mut first, &mut second], blue: &mut blue, red: &mut red });
        [first, second, blue, red]
    }

    proptest! {
        #[test]
        fn every_path_gives_the_same_bits(pixels in prop::collection::vec(any::<[u32; 4]>(), 0..70)) {
            let rows = |at: usize| pixels.iter().flat_map(|four| [four[at], four[at + 1]]).collect::<Vec<u32>>();
            let (top, bottom) = (rows(0), rows(2));
            prop_assert_eq!(
                converted(Isa::best(), &top, &bottom),
                converted(Isa::SCALAR, &top, &bottom)
            );
        }

        /// BT.709 in real numbers: Y = 0.2126 R + 0.7152 G + 0.0722 B, Cb = (B − Y) / 1.8556, Cr = (R − Y) / 1.5748.
        #[test]
        fn a_plain_colour_is_that_of_the_standard(red in 0..=255u32, green in 0..=255u32, blue in 0..=255u32) {
            let pixel = red << 16 | green << 8 | blue;
            let [luma, _, cb, cr] = converted(Isa::best(), &[pixel; 2], &[pixel; 2]);
            let (r, g, b) = (f64::from(red) / 255.0, f64::from(green) / 255.0, f64::from(blue) / 255.0);
            let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            // Half a step of rounding, and the weights in 16 bits.
            let near = |value: u8, exact: f64| (f64::from(value) - exact).abs() < 0.51;
            prop_assert!(near(luma[0], 16.0 + 219.0 * y));
            prop_assert!(near(cb[0], 128.0 + 224.0 * (b - y) / 1.8556));
            prop_assert!(near(cr[0], 128.0 + 224.0 * (r - y) / 1.5748));
        }
    }

    #[test]
    fn black_white_and_grey_have_no_colour() {
        for (pixel, luma) in [(0, 16), (0x00FF_FFFF, 235), (0x0080_8080, 126)] {
            assert_eq!(
                converted(Isa::best(), &[pixel; 2], &[pixel; 2])[..],
                [vec![luma; 2], vec![luma; 2], vec![128], vec![128]]
            );
        }
    }
}
