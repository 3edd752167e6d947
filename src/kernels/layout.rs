//! Between feature maps, channels-first `[C, H, W]` as networks hold them or channels-last `[H, W, C]`, and rows of pixels in
//! the arena.

use super::arena::{Arena, behind};

/// Cells that are moved together, so that the lines they are written to stay in the cache.
const BLOCK: usize = 16;

/// Writes row `row` of `maps` (`[channels, height, width]`) to the pixels at `at`.
///
/// # Panics
/// Where a slice or the arena is too small.
pub fn row_from_maps(arena: &Arena, maps: &[f32], channels: usize, [row, width]: [usize; 2], at: usize, step: usize) {
    if channels == 0 || width == 0 {
        return;
    }
    let plane = maps.len() / channels;
    let base = arena.at(at, (width - 1) * step + channels);
    for first in (0..width).step_by(BLOCK) {
        for channel in 0..channels {
            let start = channel * plane + row * width;
            let cells = &maps[start + first..start + (first + BLOCK).min(width)];
            let to = first * step + channel;
            for (pixel, value) in cells.iter().enumerate() {
                // SAFETY: `at` checked all channels of all pixels.
                unsafe { *base.add(behind(to, pixel, step)) = *value };
            }
        }
    }
}

/// Writes the pixels at `at` to row `row` of `maps` (`[channels, height, width]`).
///
/// # Panics
/// Where a slice or the arena is too small.
pub fn row_to_maps(arena: &Arena, at: usize, step: usize, maps: &mut [f32], channels: usize, [row, width]: [usize; 2]) {
    if channels == 0 || width == 0 {
        return;
    }
    let plane = maps.len() / channels;
    assert!((row + 1) * width <= plane, "a row of the maps");
    let base = arena.at(at, (width - 1) * step + channels);
    for first in (0..channels).step_by(BLOCK) {
        for pixel in 0..width {
            let (from, to) = (pixel * step, row * width + pixel);
            for channel in first..(first + BLOCK).min(channels) {
                // SAFETY: `at` checked all channels of all pixels, and all planes have this row.
                unsafe { *maps.as_mut_ptr().add(behind(to, channel, plane)) = *base.add(behind(from, channel, 1)) };
            }
        }
    }
}

/// Writes row `row` of `maps` (`[height, width, channels]`) to the pixels at `at`.
///
/// # Panics
/// Where a slice or the arena is too small.
pub fn row_from_pixels(arena: &Arena, maps: &[f32], channels: usize, [row, width]: [usize; 2], at: usize, step: usize) {
    if channels == 0 || width == 0 {
        return;
    }
    let pixels = &maps[row * width * channels..(row + 1) * width * channels];
    let base = arena.at(at, (width - 1) * step + channels);
    for (number, pixel) in pixels.chunks_exact(channels).enumerate() {
        // SAFETY: `at` checked all channels of all pixels.
        unsafe { base.add(number * step).copy_from_nonoverlapping(pixel.as_ptr(), channels) };
    }
}

/// Writes the pixels at `at` to row `row` of `maps` (`[height, width, channels]`).
///
/// # Panics
/// Where a slice or the arena is too small.
pub fn row_to_pixels(
    arena: &Arena,
    at: usize,
    step: usize,
    maps: &mut [f32],
    channels: usize,
    [row, width]: [usize; 2],
) {
    if channels == 0 || width == 0 {
        return;
    }
    let pixels = &mut maps[row * width * channels..(row + 1) * width * channels];
    let base = arena.at(at, (width - 1) * step + channels);
    for (number, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
        // SAFETY: `at` checked all channels of all pixels.
        unsafe { pixel.as_mut_ptr().copy_from_nonoverlapping(base.add(number * step), channels) };
    }
}

/// Fills `floats` floats at `at` with zeros: the columns beside the picture.
///
/// # Panics
/// Where it reaches beyond the arena.
pub fn clear(arena: &Arena, at: usize, floats: usize) {
    // SAFETY: `at` checks the bounds.
    unsafe { arena.at(at, floats).write_bytes(0, floats) }
}

/// Copies one channel of a row of pixels.
///
/// # Panics
/// Where it reaches beyond the arena.
pub fn copy_channels(
    arena: &Arena,
    [from, from_step]: [usize; 2],
    [to, to_step]: [usize; 2],
    pixels: usize,
    channels: usize,
) {
    if pixels == 0 {
        return;
    }
    let source = arena.at(from, (pixels - 1) * from_step + channels);
    let target = arena.at(to, (pixels - 1) * to_step + channels);
    for pixel in 0..pixels {
        // SAFETY: checked; the plan gives every value its own memory, so the two do not overlap.
        unsafe { target.add(pixel * to_step).copy_from_nonoverlapping(source.add(pixel * from_step), channels) };
    }
}
