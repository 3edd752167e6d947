//! The list of keys.

use super::canvas::Area;
use super::pen::{AMBER, Align, BODY, Pen, WHITE};

const KEYS: [(&str, &str); 13] = [
    ("space", "freeze the picture"),
    ("1 2 3", "explain and lock that class"),
    ("0", "unlock: follow the best class"),
    ("m", "next method"),
    ("c", "next colour map"),
    ("+ −", "more or less opaque"),
    ("o", "heat on or off"),
    ("n", "negative evidence on or off"),
    ("f", "mirror the picture"),
    ("s", "save a snapshot"),
    ("r", "record, or stop recording"),
    ("h", "close this list"),
    ("q  Esc", "quit"),
];

pub fn draw(pen: &mut Pen) {
    let (pad, step, keys) = (pen.px(14.0), pen.px(21.0), pen.px(72.0));
    let mut panel = pen.centred(pen.px(310.0), 2 * pad + KEYS.len() as i32 * step);
    // Between the classes above and a message below, where the canvas has that much room.
    panel.y += pen.px(32.0);
    pen.cover(panel);
    let inner = panel.shrink(pad);
    for (row, (key, meaning)) in KEYS.iter().enumerate() {
        let line = Area { y: inner.y + row as i32 * step, height: step, ..inner };
        pen.line(Area { width: keys, ..line }, key, BODY, AMBER, Align::Left);
        pen.line(Area { x: line.x + keys, width: line.width - keys, ..line }, meaning, BODY, WHITE, Align::Left);
    }
}
