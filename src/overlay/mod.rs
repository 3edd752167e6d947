//! Frame + HeatMap → Canvas: colour, blend, display.

mod picture;
mod heat;
mod canvas;
mod colormap;
mod text;
mod pen;
mod hud;
mod display;
mod help;

pub use canvas::Canvas;
pub use colormap::{Colormap, diverging};
pub use hud::{Hud, State};

use crate::cam::HeatMap;
use crate::frame::Frame;
use crate::kernels::Isa;
use crate::kernels::blend::{Tint, blend, copy, fade, wash};
use heat::{Heat, Seen, presence};
use picture::Picture;
use std::time::Duration;
use text::Text;

/// What the network did not see keeps this much of its light.
const UNSEEN: f32 = 0.4;

/// How a heat map is shown.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Look {
    pub colormap: Colormap,
    /// 0 to 1: opacity of full heat where the gate is open.
    pub opacity: f32,
    /// Whether heat is shown at all.
    pub heat: bool,
    /// 0 to 1: share of full heat below which nothing is drawn.
    #[serde(default)]
    pub threshold: f32,
    /// Left and right swapped, as in a mirror.
    pub flip: bool,
    /// What speaks against the class is shown too, in blue; red speaks for it. The colour map is not used. Maps whose
    /// values below 0 say nothing against the class are shown as without it.
    pub signed: bool,
}

impl Default for Look {
    fn default() -> Look {
        Look { colormap: Colormap::default(), opacity: 0.65, heat: true, threshold: 0.0, flip: false, signed: false }
    }
}

/// The largest opacity (0 to 1) that any pixel gets when `map` is drawn with `look`.
pub fn max_opacity(map: &HeatMap, look: &Look) -> f32 {
    let look = &suited(look, Some(map));
    if !look.heat {
        return 0.0;
    }
    let hottest = map.values.iter().map(|value| if look.signed { value.abs() } else { *value }).fold(0.0, f32::max);
    let heat = if hottest > 0.0 { (hottest / map.scale).min(1.0) } else { 0.0 };
    strength(map, look) * presence(heat, look)
}

/// `look` as it is for a map.
fn suited(look: &Look, map: Option<&HeatMap>) -> Look {
    Look { signed: look.signed && map.is_none_or(|map| map.signed), ..*look }
}

/// The opacity of full heat.
fn strength(map: &HeatMap, look: &Look) -> f32 {
    look.opacity.clamp(0.0, 1.0) * map.gate.clamp(0.0, 1.0)
}

/// Draws canvases. Owns what is needed again for the next one, so that only a change of size allocates.
pub struct Overlay {
    isa: Isa,
    picture: Picture,
    heat: Heat,
    text: Text,
}

impl Default for Overlay {
    fn default() -> Overlay {
        Overlay::new()
    }
}

impl Overlay {
    pub fn new() -> Overlay {
        Overlay { isa: Isa::best(), picture: Picture::default(), heat: Heat::new(), text: Text::new() }
    }

    /// Marks a canvas with a display as one that is recorded: a red dot, the time that has been recorded, and how many
    /// pictures the recording has lost.
    pub fn mark_recorded(&mut self, elapsed: Duration, dropped: u64, canvas: &mut Canvas) {
        display::recording(elapsed, dropped, &mut self.text, canvas);
    }

    /// Draws `frame` with the heat of `map` over it, and the display if there is one. The canvas gets the frame's size;
    /// with a display, a frame of less than 480 rows is enlarged by a whole factor. The map may be of another frame, of
    /// another size even: it lies where it lay in its own. What the network did not see is dimmed and outlined.
    pub fn draw(&mut self, frame: &Frame, map: Option<&HeatMap>, look: &Look, hud: Option<&Hud>, canvas: &mut Canvas) {
        assert_eq!(frame.rgb.len(), frame.width * frame.height * 3, "frame {} is not whole", frame.number);
        let factor = if hud.is_some() { picture::enlargement(frame.width, frame.height) } else { 1 };
        canvas.resize(frame.width * factor, frame.height * factor);
        if canvas.pixels.is_empty() {
            return;
        }
        let look = &suited(look, map);
        self.picture.plan(frame, factor);
        self.heat.choose_colours(look);
        let seen = map.map(|map| Seen::new(&map.geometry, look.flip, (canvas.width, canvas.height)));
        let hot = match (map, &seen) {
            (Some(map), Some(seen)) if look.heat => self.heat.load(map, look, seen),
            _ => false,
        };

        let width = canvas.width;
        for (y, row) in canvas.pixels.chunks_exact_mut(width).enumerate() {
            let rgb = self.picture.row(self.isa, frame, look.flip, y);
            let inside = match &seen {
                Some(seen) if seen.rows.contains(&y) => seen.columns.clone(),
                Some(_) => 0..0,
                None => 0..width,
            };
            for outside in [0..inside.start, inside.end..width] {
                copy(self.isa, &rgb[outside.start * 3..], &mut row[outside.clone()]);
                wash(self.isa, Tint::new([0; 3], 1.0 - UNSEEN), &mut row[outside]);
            }
            let (rgb, row) = (&rgb[inside.start * 3..], &mut row[inside]);
            if hot && !row.is_empty() {
                let (heat, tints) = self.heat.row(self.isa, y);
                blend(self.isa, rgb, heat, tints, row);
            } else {
                copy(self.isa, rgb, row);
            }
        }
        if let Some(seen) = &seen {
            seen.outline(canvas);
        }
        if let Some(hud) = hud {
            if let State::Lost { .. } = hud.state {
                fade(self.isa, &mut canvas.pixels);
            }
            display::draw(hud, look, self.heat.colours(), &mut self.text, canvas);
        }
    }
}
