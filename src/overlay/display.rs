//! The display over the picture: what is explained, how sure the network is, how fast everything runs.

use super::canvas::Area;
use super::heat::presence;
use super::pen::{AMBER, Align, BODY, GREEN, GREY, Pen, RED, SLATE, SMALL, WHITE};
use super::text::Text;
use super::{Canvas, Hud, Look, State, help};
use crate::cam::drop_test::DropTest;
use crate::cam::{Ranked, Unit};
use crate::kernels::blend::Tint;
use std::time::Duration;

/// Below this gate the network recognises nothing.
const RECOGNISED: f32 = 0.1;
/// Text size of what is explained, in units.
const TITLE: f32 = 16.0;

/// Draws the display. `colours` are those of the heat, cold to hot.
pub fn draw(hud: &Hud, look: &Look, colours: &[[u8; 3]; 256], text: &mut Text, canvas: &mut Canvas) {
    let mut pen = Pen::new(text, canvas);
    classes(&mut pen, hud);
    state(&mut pen, &hud.state);
    if hud.target.is_some() && look.heat {
        legend(&mut pen, hud, look, colours);
    }
    if hud.state != State::Film {
        status(&mut pen, hud);
    }
    if let State::Lost { reason } = &hud.state {
        lost(&mut pen, reason);
    }
    if hud.help {
        help::draw(&mut pen);
    }
    if let Some(note) = &hud.note {
        message(&mut pen, note);
    }
}

/// Below the state: that the view is recorded, for how long, and what the recording has lost.
pub fn recording(elapsed: Duration, dropped: u64, text: &mut Text, canvas: &mut Canvas) {
    let mut pen = Pen::new(text, canvas);
    let (margin, height, dot) = (pen.px(10.0), pen.px(24.0), pen.px(10.0));
    let seconds = elapsed.as_secs();
    let mut words = format!("{}:{:02}", seconds / 60, seconds % 60);
    if seconds >= 3600 {
        words = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    if dropped > 0 {
        words += &format!("  {dropped} lost");
    }
    let width = pen.width(&words, BODY) + dot + pen.px(26.0);
    let x = pen.canvas.width as i32 - margin - width;
    let panel = Area { x, y: margin + height + pen.px(6.0), width, height };
    pen.panel(panel);
    let mark = Area { x: panel.x + pen.px(10.0), y: panel.y + (height - dot) / 2, width: dot, height: dot };
    pen.canvas.round(mark, dot / 2, [235, 40, 40], 1.0);
    pen.line(Area { x: mark.x + dot + pen.px(6.0), ..panel }, &words, BODY, WHITE, Align::Left);
}

/// Top left: the target, the best classes with bars, method, layer, and the drop test where there is one.
fn classes(pen: &mut Pen, hud: &Hud) {
    let (margin, pad, step) = (pen.px(10.0), pen.px(9.0), pen.px(20.0));
    let (heading, foot) = (pen.px(24.0), pen.px(17.0));
    let rows = hud.top.len().min(3) as i32;
    let recognised = hud.gate >= RECOGNISED;
    let (lines, colour) = title(pen, hud, recognised, pen.px(236.0) - 2 * pad);
    let feet: Vec<String> = feet(hud).collect();
    let title = heading + (lines.len() as i32 - 1) * step;
    let height = 2 * pad + title + rows * step + feet.len() as i32 * foot;
    let panel = Area { x: margin, y: margin, width: pen.px(236.0), height };
    pen.panel(panel);
    let inner = panel.shrink(pad);

    for (at, words) in lines.iter().enumerate() {
        let mut line = Area { y: inner.y + at as i32 * step, height: heading - pen.px(4.0), ..inner };
        if hud.locked && at == 0 {
            line.width -= pen.badge(line, "locked", AMBER) + pen.px(6.0);
        }
        pen.line(line, words, TITLE, colour, Align::Left);
    }

    for (rank, class) in hud.top.iter().take(3).enumerate() {
        let is = |other: &Option<Ranked>| other.as_ref().is_some_and(|other| other.class == class.class);
        let row = Area { y: inner.y + title + rank as i32 * step, height: step - pen.px(3.0), ..inner };
        let number = Area { width: pen.px(14.0), ..row };
        pen.line(number, ["1", "2", "3"][rank], SMALL, GREY, Align::Left);
        let track = Area { x: row.x + number.width, width: row.width - number.width, ..row };
        pen.canvas.round(track, pen.px(3.0), [255; 3], 0.10);
        let filled = (track.width as f32 * class.probability.clamp(0.0, 1.0)).round() as i32;
        let fill = if !recognised {
            GREY
        } else if is(&hud.target) {
            AMBER
        } else if is(&hud.against) {
            RED
        } else {
            SLATE
        };
        pen.canvas.round(Area { width: filled, ..track }, pen.px(3.0), fill, if recognised { 0.62 } else { 0.25 });
        let words = Area { x: track.x + pen.px(6.0), width: track.width - pen.px(12.0), ..track };
        let percent = format!("{:.0} %", class.probability * 100.0);
        let label = Area { width: words.width - pen.px(42.0), ..words };
        let colour = if recognised { WHITE } else { GREY };
        pen.line(label, &class.label, BODY, colour, Align::Left);
        pen.line(words, &percent, BODY, colour, Align::Right);
    }
    for (at, words) in feet.iter().enumerate() {
        let y = inner.y + title + rows * step + pen.px(2.0) + at as i32 * foot;
        pen.line(Area { y, height: foot, ..inner }, words, SMALL, GREY, Align::Left);
    }
}

/// What is explained, in two lines where a contrast does not fit in one, and its colour.
fn title(pen: &mut Pen, hud: &Hud, recognised: bool, room: i32) -> (Vec<String>, [u8; 3]) {
    let Some(target) = &hud.target else { return (vec!["waiting for the first map".to_owned()], GREY) };
    let locked = if hud.locked { pen.width("locked", SMALL) + pen.px(18.0) } else { 0 };
    match &hud.against {
        _ if !recognised => (vec!["nothing recognised".to_owned()], GREY),
        None => (vec![target.label.clone()], WHITE),
        Some(against) => {
            let line = format!("{} − {}", target.label, against.label);
            let fits = pen.width(&line, TITLE) <= room - locked;
            let two = || vec![target.label.clone(), format!("− {}", against.label)];
            (if fits { vec![line] } else { two() }, WHITE)
        }
    }
}

/// Small print below the classes.
fn feet(hud: &Hud) -> impl Iterator<Item = String> {
    let drop_test = hud.drop_test.filter(|_| hud.state == State::Frozen);
    let falls = |test: DropTest| format!("drop test {}, random {}", number(test.masked), number(test.random));
    let drop_test = drop_test.map(falls);
    let named = |text: &String| (!text.is_empty()).then(|| text.clone());
    [named(&hud.method), named(&hud.layer), drop_test].into_iter().flatten()
}

/// Top right: whether the picture moves.
fn state(pen: &mut Pen, state: &State) {
    let (words, colour) = match state {
        // A film is neither live nor lost.
        State::Film => return,
        State::Live => ("live", GREEN),
        State::Frozen => ("frozen", AMBER),
        State::Lost { .. } => ("no signal", RED),
    };
    let (margin, height, dot) = (pen.px(10.0), pen.px(24.0), pen.px(8.0));
    let width = pen.width(words, BODY) + dot + pen.px(26.0);
    let panel = Area { x: pen.canvas.width as i32 - margin - width, y: margin, width, height };
    pen.panel(panel);
    let mark = Area { x: panel.x + pen.px(10.0), y: panel.y + (height - dot) / 2, width: dot, height: dot };
    if *state == State::Frozen {
        let bar = Area { width: pen.px(3.0), ..mark };
        pen.canvas.fill(bar, Tint::new(colour, 1.0));
        pen.canvas.fill(Area { x: mark.x + dot - bar.width, ..bar }, Tint::new(colour, 1.0));
    } else {
        pen.canvas.round(mark, dot / 2, colour, 1.0);
    }
    let words_at = Area { x: mark.x + dot + pen.px(6.0), ..panel };
    pen.line(words_at, words, BODY, colour, Align::Left);
}

/// Right: the colours with their values. Cold heat is as clear here as in the picture.
fn legend(pen: &mut Pen, hud: &Hud, look: &Look, colours: &[[u8; 3]; 256]) {
    let (margin, pad, caption) = (pen.px(10.0), pen.px(8.0), pen.px(20.0));
    let (width, bar_height) = (pen.px(if look.signed { 74.0 } else { 66.0 }), pen.px(150.0));
    let height = bar_height + caption + 2 * pad + pen.px(8.0);
    let y = (pen.canvas.height as i32 - height) / 2;
    let panel = Area { x: pen.canvas.width as i32 - margin - width, y, width, height };
    pen.panel(panel);
    let unit = match hud.unit {
        Unit::Score => "score",
        Unit::Relative => "relative",
    };
    pen.line(Area { y: panel.y + pad / 2, height: caption, ..panel }, unit, SMALL, GREY, Align::Middle);

    let bar = Area { x: panel.x + pad, y: panel.y + pad + caption, width: pen.px(13.0), height: bar_height };
    pen.canvas.fill(bar.shrink(-1), Tint::new([255; 3], 0.25));
    pen.canvas.fill(bar, Tint::new([70; 3], 1.0));
    for row in 0..bar.height {
        let step = 255 - row * 255 / (bar.height - 1).max(1);
        let heat = if look.signed { (step as f32 - 127.5).abs() / 127.5 } else { step as f32 / 255.0 };
        let tint = Tint::new(colours[step as usize], presence(heat, look));
        pen.canvas.fill(Area { y: bar.y + row, height: 1, ..bar }, tint);
    }
    let low = if look.signed { -hud.scale } else { 0.0 };
    for (row, value) in [(0, hud.scale), (bar.height / 2, (hud.scale + low) / 2.0), (bar.height - 1, low)] {
        let tick = Area { x: bar.x + bar.width + 1, y: bar.y + row, width: pen.px(3.0), height: 1 };
        pen.canvas.fill(tick, Tint::new(GREY, 1.0));
        let half = pen.px(8.0);
        let (x, right) = (tick.x + pen.px(6.0), panel.x + panel.width);
        let line = Area { x, y: tick.y - half, width: right - x - 2, height: 2 * half };
        pen.line(line, &number(value), SMALL, WHITE, Align::Left);
    }
}

/// Bottom: the camera on the left, rates on the right.
fn status(pen: &mut Pen, hud: &Hud) {
    let (height, pad) = (pen.px(24.0), pen.px(12.0));
    let strip = Area { x: 0, y: pen.canvas.height as i32 - height, width: pen.canvas.width as i32, height };
    pen.strip(strip);
    let inner = Area { x: pad, width: strip.width - 2 * pad, ..strip };
    let (camera, network) = (rate(hud.camera_fps, hud.max_camera_fps), rate(hud.network_fps, hud.max_network_fps));
    let mut facts = format!("camera {camera}   network {network}");
    if hud.target.is_some() {
        facts += &format!("   age {}", age(hud.map_age));
    }
    facts += &format!("   dropped {}", hud.dropped);
    pen.line(inner, &facts, SMALL, WHITE, Align::Right);
    let room = inner.width - pen.width(&facts, SMALL) - 2 * pad;
    pen.line(Area { width: room, ..inner }, &hud.camera, SMALL, GREY, Align::Left);
}

fn lost(pen: &mut Pen, reason: &str) {
    let (title, line) = (pen.px(30.0), pen.px(22.0));
    let room = pen.canvas.width as i32 - pen.px(40.0);
    let width = (pen.width(reason, BODY).max(pen.px(160.0)) + pen.px(40.0)).min(room);
    let panel = pen.centred(width, title + line + pen.px(24.0));
    pen.panel(panel);
    let inner = panel.shrink(pen.px(12.0));
    pen.line(Area { height: title, ..inner }, "no signal", 20.0, RED, Align::Middle);
    pen.line(Area { y: inner.y + title, height: line, ..inner }, reason, BODY, WHITE, Align::Middle);
}

fn message(pen: &mut Pen, note: &str) {
    let height = pen.px(26.0);
    let room = pen.canvas.width as i32 - pen.px(40.0);
    let width = (pen.width(note, BODY) + pen.px(28.0)).min(room);
    let panel = Area { y: pen.canvas.height as i32 - height - pen.px(34.0), ..pen.centred(width, height) };
    pen.panel(panel);
    pen.line(panel.shrink(pen.px(2.0)), note, BODY, WHITE, Align::Middle);
}

/// Three figures that count, e.g. `0.42`, `3.17`, `12.5`, `130`.
fn number(value: f32) -> String {
    let size = value.abs();
    let digits = match size {
        0.0 => 0,
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.0995 => 2,
        _ if size >= 0.00095 => 4,
        _ => return format!("{value:.0e}").replace('-', "−"),
    };
    format!("{value:.digits$}").replace('-', "−")
}

/// Frames a second, with the limit where there is one: `14.9/15 fps`.
fn rate(fps: f32, limit: Option<f32>) -> String {
    limit.map_or_else(|| format!("{fps:.1} fps"), |limit| format!("{fps:.1}/{limit} fps"))
}

fn age(age: Duration) -> String {
    match age.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        1000..10_000 => format!("{:.1} s", age.as_secs_f32()),
        _ => format!("{} s", age.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_counts() {
        for (value, shown) in [
            (0.0, "0"),
            (0.4213, "0.42"),
            (3.171, "3.17"),
            (12.46, "12.5"),
            (130.2, "130"),
            (-0.5, "−0.50"),
            (0.0123, "0.0123"),
            (0.00002, "2e−5"),
        ] {
            assert_eq!(number(value), shown);
        }
        assert_eq!((rate(14.93, None), rate(14.93, Some(15.0))), ("14.9 fps".into(), "14.9/15 fps".into()));
        for (millis, shown) in [(0, "0 ms"), (999, "999 ms"), (1234, "1.2 s"), (61_000, "61 s")] {
            assert_eq!(age(Duration::from_millis(millis)), shown);
        }
    }
}
