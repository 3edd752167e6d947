//! Does the score really hang on what the map points at? The hot cells are hidden from the network, and as many others.

use super::HeatMap;
use crate::engine::Engine;
use crate::error::Result;
use crate::preprocess::Input;
use crate::target::Target;
use ndarray::{Array2, s};

/// Cells above this share of the maximum are hidden.
const HOT: f32 = 0.5;
/// Masks of as many cells anywhere, whose mean is compared.
const RANDOM_MASKS: usize = 8;
/// What hidden cells show, of 255.
const GREY: f32 = 127.5;
/// The random masks are the same in every run.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// By how much the target's score falls when cells of the picture are greyed.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct DropTest {
    /// The fall for the cells whose value is above half the map's maximum.
    pub masked: f32,
    /// The mean fall for 8 random choices of as many cells.
    pub random: f32,
    /// How many cells these are.
    pub cells: usize,
}

/// Nine runs of the network: `input` with the hot cells of its `map` greyed, and with 8 random choices of as many cells
/// of all. A cell is its share of the network's input, in which grey is 127.5 after preprocessing. `None` where nothing
/// is positive, or where `go_on`, asked before each run, says no.
///
/// # Errors
/// Those of the engine.
pub fn drop_test(
    engine: &mut Engine,
    input: &Input,
    map: &HeatMap,
    go_on: impl Fn() -> bool,
) -> Result<Option<DropTest>> {
    let max = map.max();
    let hot = map.values.mapv(|value| value > max * HOT);
    let cells = hot.iter().filter(|hot| **hot).count();
    if max <= 0.0 || cells == 0 {
        return Ok(None);
    }
    let target = Target { class: map.target.class, against: map.against.as_ref().map(|against| against.class) };
    let mut fall = |mask: &Array2<bool>| -> Result<Option<f32>> {
        if !go_on() {
            return Ok(None);
        }
        let forward = engine.forward(&greyed(input, mask, engine))?;
        Ok(Some(map.score() - target.score(forward.scores())))
    };
    let Some(masked) = fall(&hot)? else { return Ok(None) };
    let mut random = Random(SEED);
    let mut sum = 0.0;
    for _ in 0..RANDOM_MASKS {
        let Some(fall) = fall(&random.mask(map.values.dim(), cells))? else { return Ok(None) };
        sum += fall;
    }
    Ok(Some(DropTest { masked, random: sum / RANDOM_MASKS as f32, cells }))
}

/// `input` with the cells of `mask` in mid-grey.
fn greyed(input: &Input, mask: &Array2<bool>, engine: &Engine) -> Input {
    let wanted = &engine.info.preprocessing;
    let mut greyed = input.clone();
    let (_, colours, height, width) = greyed.tensor.dim();
    let (rows, columns) = mask.dim();
    let pixels = |cell: usize, cells: usize, pixels: usize| cell * pixels / cells..(cell + 1) * pixels / cells;
    for ((row, column), _) in mask.indexed_iter().filter(|(_, hidden)| **hidden) {
        for colour in 0..colours {
            // The planes stand in the network's order, mean and scale in that of red, green, blue.
            let channel = wanted.order.channel(colour);
            let grey = (GREY - wanted.mean[channel]) / wanted.scale[channel];
            let area = s![0, colour, pixels(row, rows, height), pixels(column, columns, width)];
            greyed.tensor.slice_mut(area).fill(grey);
        }
    }
    greyed
}

/// xorshift64*.
struct Random(u64);

impl Random {
    /// `count` of the cells, any choice as likely as another: the first places of a shuffle.
    fn mask(&mut self, (rows, columns): (usize, usize), count: usize) -> Array2<bool> {
        let mut order: Vec<usize> = (0..rows * columns).collect();
        let mut mask = Array2::from_elem((rows, columns), false);
        for at in 0..count {
            let other = at + (self.next() % (order.len() - at) as u64) as usize;
            order.swap(at, other);
            mask[(order[at] / columns, order[at] % columns)] = true;
        }
        mask
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_mask_has_as_many_cells_and_reaches_all() {
        let mut random = Random(SEED);
        let mut seen = Array2::from_elem((3, 4), 0);
        for _ in 0..200 {
            let mask = random.mask((3, 4), 5);
            assert_eq!(mask.iter().filter(|hidden| **hidden).count(), 5);
            seen.zip_mut_with(&mask, |seen, hidden| *seen += i32::from(*hidden));
        }
        // 200 · 5/12 = 83 times each, with a standard deviation of 7.
        assert!(seen.iter().all(|count| (48..=118).contains(count)), "{seen}");
        assert!(random.mask((3, 4), 12).iter().all(|hidden| *hidden));
    }
}
