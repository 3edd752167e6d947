//! Frames of a camera that is mounted on its side or upside down.

use crate::frame::{Frame, Turn};

/// Pixels of the square tiles in which a picture is turned: rows of both pictures stay in the cache.
const TILE: usize = 32;

/// Turns a frame. `spare` is memory that is used again.
pub fn turn(frame: &mut Frame, turn: Turn, spare: &mut Vec<u8>) {
    let (width, height) = (frame.width, frame.height);
    match turn {
        Turn::None => {}
        Turn::Half => frame.rgb.as_chunks_mut::<3>().0.reverse(),
        Turn::Quarter | Turn::ThreeQuarters => {
            spare.resize(frame.rgb.len(), 0);
            let (lying, _) = frame.rgb.as_chunks::<3>();
            let (upright, _) = spare.as_chunks_mut::<3>();
            // The picture that results has `width` rows of `height` pixels.
            let tiles = |side: usize| (0..side).step_by(TILE).map(move |start| start..(start + TILE).min(side));
            for rows in tiles(width) {
                for columns in tiles(height) {
                    for row in rows.clone() {
                        for column in columns.clone() {
                            upright[row * height + column] = match turn {
                                Turn::Quarter => lying[(height - 1 - column) * width + row],
                                _ => lying[column * width + (width - 1 - row)],
                            };
                        }
                    }
                }
            }
            std::mem::swap(&mut frame.rgb, spare);
            (frame.width, frame.height) = (height, width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(degrees: Turn, (width, height): (usize, usize)) -> Frame {
        let rgb = (0..width * height).flat_map(|at| [at as u8, (at >> 8) as u8, 7]).collect();
        let mut frame = Frame { width, height, rgb, ..Frame::default() };
        turn(&mut frame, degrees, &mut Vec::new());
        frame
    }

    #[test]
    fn a_turn_is_clockwise() {
        // 0 1 2
        // 3 4 5
        for (degrees, size, first) in [
            (Turn::None, (3, 2), [0, 1, 2, 3, 4, 5]),
            (Turn::Quarter, (2, 3), [3, 0, 4, 1, 5, 2]),
            (Turn::Half, (3, 2), [5, 4, 3, 2, 1, 0]),
            (Turn::ThreeQuarters, (2, 3), [2, 5, 1, 4, 0, 3]),
        ] {
            let frame = turned(degrees, (3, 2));
            assert_eq!((frame.width, frame.height), size, "{degrees:?}");
            assert_eq!(frame.rgb.chunks(3).map(|pixel| pixel[0]).collect::<Vec<_>>(), first, "{degrees:?}");
        }
    }

    #[test]
    fn four_quarters_are_a_whole_turn_at_any_size() {
        for size in [(1, 1), (1, 70), (33, 31), (64, 32), (101, 67)] {
            let (mut frame, mut spare) = (turned(Turn::None, size), Vec::new());
            (0..2).for_each(|_| turn(&mut frame, Turn::Quarter, &mut spare));
            assert_eq!(frame, turned(Turn::Half, size), "{size:?}");
            turn(&mut frame, Turn::Quarter, &mut spare);
            assert_eq!(frame, turned(Turn::ThreeQuarters, size), "{size:?}");
            turn(&mut frame, Turn::Quarter, &mut spare);
            assert_eq!(frame, turned(Turn::None, size), "{size:?}");
        }
    }
}
