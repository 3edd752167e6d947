//! Picture and heat → shown pixels (0x00RRGGBB).

use super::multiversion;

/// What a step of heat does to the pixel below it: colour times opacity in the low 24 bits, and the part of the pixel
/// that stays (255 = all) in the high 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tint(u32);

impl Tint {
    /// Leaves the pixel as it is.
    pub const CLEAR: Tint = Tint(0xFF00_0000);

    /// `opacity` 0 to 1.
    pub fn new(colour: [u8; 3], opacity: f32) -> Tint {
        let alpha = (opacity.clamp(0.0, 1.0) * 255.0 + 0.5) as u32;
        let [red, green, blue] = colour.map(|part| (u32::from(part) * alpha + 127) / 255);
        Tint((255 - alpha) << 24 | red << 16 | green << 8 | blue)
    }

    /// The pixel below, seen through the tint.
    #[inline(always)]
    pub fn over(self, pixel: u32) -> u32 {
        // Two 8-bit parts in one word, 16 bits each. x/255 rounded is (x + 128 + (x + 128)/256) / 256 for x ≤ 65025.
        // The sum cannot carry: both terms are rounded from shares of one 255, which is odd, so never both up by half.
        let stays = self.0 >> 24;
        let divide =
            |parts: u32| ((parts + 0x0080_0080 + ((parts + 0x0080_0080) >> 8 & 0x00FF_00FF)) >> 8) & 0x00FF_00FF;
        let red_blue = divide((pixel & 0x00FF_00FF) * stays);
        let green = divide((pixel >> 8 & 0x0000_00FF) * stays) << 8;
        (self.0 & 0x00FF_FFFF) + (red_blue | green)
    }
}

multiversion! {
    /// `pixels[i]` = `rgb[3i..]` seen through `tints[heat[i]]`.
    pub fn blend = blend_body(rgb: &[u8], heat: &[u8], tints: &[Tint; 256], pixels: &mut [u32])
}

#[inline(always)]
fn blend_body(rgb: &[u8], heat: &[u8], tints: &[Tint; 256], pixels: &mut [u32]) {
    for ((pixel, rgb), &heat) in pixels.iter_mut().zip(rgb.chunks_exact(3)).zip(heat) {
        *pixel = tints[usize::from(heat)].over(u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]]));
    }
}

multiversion! {
    /// `pixels[i]` = `rgb[3i..]`.
    pub fn copy = copy_body(rgb: &[u8], pixels: &mut [u32])
}

#[inline(always)]
fn copy_body(rgb: &[u8], pixels: &mut [u32]) {
    for (pixel, rgb) in pixels.iter_mut().zip(rgb.chunks_exact(3)) {
        *pixel = u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]]);
    }
}

multiversion! {
    /// Looks at every pixel through one tint.
    pub fn wash = wash_body(tint: Tint, pixels: &mut [u32])
}

#[inline(always)]
fn wash_body(tint: Tint, pixels: &mut [u32]) {
    for pixel in pixels {
        *pixel = tint.over(*pixel);
    }
}

multiversion! {
    /// Takes the colour out of every pixel and leaves half its light (luma of ITU-R BT.601).
    pub fn fade = fade_body(pixels: &mut [u32])
}

#[inline(always)]
fn fade_body(pixels: &mut [u32]) {
    for pixel in pixels {
        let (red, green, blue) = (*pixel >> 16 & 0xFF, *pixel >> 8 & 0xFF, *pixel & 0xFF);
        *pixel = ((77 * red + 150 * green + 29 * blue) >> 9) * 0x0001_0101;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_same_bits(data in prop::collection::vec(any::<[u8; 4]>(), 0..70), opacity in 0f32..1.0) {
            let rgb: Vec<u8> = data.iter().flat_map(|d| [d[0], d[1], d[2]]).collect();
            let heat: Vec<u8> = data.iter().map(|d| d[3]).collect();
            let tints: [Tint; 256] = std::array::from_fn(|i| Tint::new([i as u8, 255 - i as u8, 128], opacity * i as f32 / 255.0));
            let all = |isa| {
                let mut pixels = vec![0; heat.len()];
                copy(isa, &rgb, &mut pixels);
                let plain = pixels.clone();
                blend(isa, &rgb, &heat, &tints, &mut pixels);
                let blended = pixels.clone();
                wash(isa, tints[9], &mut pixels);
                let washed = pixels.clone();
                fade(isa, &mut pixels);
                [plain, blended, washed, pixels]
            };
            prop_assert_eq!(all(Isa::SCALAR), all(Isa::best()));
        }

        #[test]
        fn a_tint_is_the_weighted_mean(colour in any::<[u8; 3]>(), below in any::<[u8; 3]>(), opacity in 0f32..=1.0) {
            let got = Tint::new(colour, opacity).over(u32::from_be_bytes([0, below[0], below[1], below[2]])).to_be_bytes();
            for ((got, colour), below) in got[1..].iter().zip(colour).zip(below) {
                let expected = f32::from(colour) * opacity + f32::from(below) * (1.0 - opacity);
                // Half a step each for the opacity (times the contrast, at most 255), the colour and the pixel.
                prop_assert!((f32::from(*got) - expected).abs() <= 1.51, "{got} for {expected}");
            }
        }
    }

    #[test]
    fn clear_and_full_are_exact() {
        for level in 0..=255u8 {
            let pixel = u32::from_be_bytes([0, level, 255 - level, level / 2]);
            assert_eq!(Tint::CLEAR.over(pixel), pixel);
            assert_eq!(Tint::new([level, 255 - level, level / 2], 1.0).over(0x00FF_FFFF), pixel);
        }
    }
}
