//! The heat of a map at the pixels of a canvas.

use super::canvas::Area;
use super::{Canvas, Colormap, Look, colormap, strength};
use crate::cam::HeatMap;
use crate::frame::Geometry;
use crate::kernels::Isa;
use crate::kernels::blend::Tint;
use crate::kernels::upsample::Upsample;
use std::ops::Range;

/// The opacity of heat 0 to 1, before `look.opacity` and the gate: cold parts stay clear.
pub fn presence(heat: f32, look: &Look) -> f32 {
    if heat < look.threshold {
        return 0.0;
    }
    let t = ((heat - 0.12) / 0.54).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// What the network saw, on a canvas.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    /// The pixels whose centres lie inside.
    pub columns: Range<usize>,
    pub rows: Range<usize>,
}

impl Seen {
    pub fn new(geometry: &Geometry, flip: bool, canvas: (usize, usize)) -> Seen {
        let across = canvas.0 as f32 / geometry.width.max(1) as f32;
        let down = canvas.1 as f32 / geometry.height.max(1) as f32;
        let (width, height) = (geometry.seen.width * across, geometry.seen.height * down);
        let (left, top) = (geometry.seen.x * across, geometry.seen.y * down);
        let left = if flip { canvas.0 as f32 - left - width } else { left };
        let pixels = |first: f32, length: f32, limit: usize| {
            let start = (first.round().max(0.0) as usize).min(limit);
            start..((first + length).round().max(0.0) as usize).clamp(start, limit)
        };
        Seen { left, top, width, height, columns: pixels(left, width, canvas.0), rows: pixels(top, height, canvas.1) }
    }

    /// Light with a dark companion outside, so that one of them stands out from any picture. None around a canvas that
    /// was seen whole.
    pub fn outline(&self, canvas: &mut Canvas) {
        if self.columns.len() == canvas.width && self.rows.len() == canvas.height {
            return;
        }
        let thickness = (canvas.height as i32 / 480).max(1);
        let (x, y) = (self.columns.start as i32, self.rows.start as i32);
        let area = Area { x, y, width: self.columns.len() as i32, height: self.rows.len() as i32 };
        canvas.outline(area, thickness, Tint::new([255; 3], 0.8));
        canvas.outline(area.shrink(-thickness), thickness, Tint::new([0; 3], 0.7));
    }
}

pub struct Heat {
    upsample: Upsample,
    grid: Vec<f32>,
    row: Vec<u8>,
    colours: [[u8; 3]; 256],
    /// The colour map and sign that `colours` was made for.
    coloured: (Colormap, bool),
    tints: [Tint; 256],
    /// A row's heat is value × gain + offset.
    gain: f32,
    offset: f32,
    top: f32,
    height: f32,
}

impl Heat {
    pub fn new() -> Heat {
        Heat {
            upsample: Upsample::default(),
            grid: Vec::new(),
            row: Vec::new(),
            colours: Colormap::default().table(),
            coloured: (Colormap::default(), false),
            tints: [Tint::CLEAR; 256],
            gain: 0.0,
            offset: 0.0,
            top: 0.0,
            height: 1.0,
        }
    }

    pub fn choose_colours(&mut self, look: &Look) {
        if self.coloured != (look.colormap, look.signed) {
            self.coloured = (look.colormap, look.signed);
            self.colours = if look.signed { colormap::diverging() } else { look.colormap.table() };
        }
    }

    /// Red, green, blue from cold to hot; with signs 0 is in the middle.
    pub fn colours(&self) -> &[[u8; 3]; 256] {
        &self.colours
    }

    /// Takes a map for the rows to come. False if no pixel would show it.
    pub fn load(&mut self, map: &HeatMap, look: &Look, seen: &Seen) -> bool {
        let strength = strength(map, look);
        let visible = strength > 0.0 && map.scale > 0.0 && !seen.columns.is_empty();
        if !visible {
            return false;
        }
        self.tints = std::array::from_fn(|step| {
            let heat = if look.signed { (step as f32 - 128.0).abs() / 127.0 } else { step as f32 / 255.0 };
            Tint::new(self.colours[step], strength * presence(heat, look))
        });
        let (steps, offset) = if look.signed { (127.0, 128.0) } else { (255.0, 0.0) };
        let limit = |value: &f32| value.clamp(if look.signed { -map.scale } else { 0.0 }, map.scale);
        self.grid.clear();
        self.grid.extend(map.values.iter().map(limit));
        (self.gain, self.offset, self.top, self.height) = (steps / map.scale, offset, seen.top, seen.height);
        let span = (seen.left - seen.columns.start as f32, seen.width);
        self.row.resize(seen.columns.len(), 0);
        self.upsample.load(&self.grid, map.values.dim(), span, seen.columns.len(), look.flip);
        true
    }

    /// The heat of the seen pixels in row `y` of the canvas, and what each step of it looks like.
    pub fn row(&mut self, isa: Isa, y: usize) -> (&[u8], &[Tint; 256]) {
        let share = (y as f32 + 0.5 - self.top) / self.height;
        self.upsample.row(isa, share, self.gain, self.offset, &mut self.row);
        (&self.row, &self.tints)
    }
}
