//! The live view in a real window, looked at and used as by a person.

use crate::common::display::{Display, wait_for};
#[cfg(feature = "serve")]
use crate::common::http::{get, told};
use crate::common::program::command;
use image::RgbImage;
use std::process::{Child, Stdio};

/// Mean difference per colour in the middle of the picture, where the demo shows its objects and the HUD is not.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let (width, height) = a.dimensions();
    let (mut sum, mut count) = (0u64, 0u64);
    for y in height / 3..height * 2 / 3 {
        for x in width * 2 / 5..width * 3 / 5 {
            for (a, b) in a.get_pixel(x, y).0.into_iter().zip(b.get_pixel(x, y).0) {
                sum += u64::from(a.abs_diff(b));
                count += 1;
            }
        }
    }
    sum as f64 / count as f64
}

fn exit_code(mut program: Child) -> Option<i32> {
    wait_for(|| program.try_wait().expect("it can be waited for")).code()
}

/// Frames come and go while nobody looks, so the program is asked for its state.
#[cfg(feature = "serve")]
#[test]
fn the_keys_do_what_the_help_says() {
    use crate::common::program::Folder;
    use gradcam::cam::methods::ALL;
    use serde_json::Value;

    let display = Display::start();
    let folder = Folder::new();
    let arguments = ["live", "--source", "demo", "--serve", "127.0.0.1:0", "--snapshots", &folder.name()];
    let mut program = display.on(command(&arguments).stderr(Stdio::piped()));
    let address = told(&mut std::io::BufReader::new(program.stderr.as_mut().expect("it is piped")));
    let window = display.window("gradcam");
    let look = || display.screenshot(&window);
    let until = |is_so: &dyn Fn(&Value) -> bool| wait_for(|| Some(get(address, "/status.json").json()).filter(is_so));
    // The best class is explained, not one that was best before (it gives way when another is clearly ahead).
    let is_best = |status: &Value| status["target"]["class"] == status["top"][0]["class"];
    let is_hot = |status: &Value| status["gate"].as_f64().is_some_and(|gate| gate > 0.99) && is_best(status);

    // It lives: the picture moves.
    let first = look();
    wait_for(|| (difference(&first, &look()) > 1.0).then_some(()));

    // Frozen, on a frame with heat, it stands; taking the heat away changes it, and giving it back brings it back.
    wait_for(|| {
        until(&is_hot);
        display.tap("space");
        let frozen = until(&|status| status["state"] == "frozen");
        wait_for(|| (get(address, "/map.json").json()["frame"]["number"] == frozen["frame"]["number"]).then_some(()));
        if is_hot(&get(address, "/status.json").json()) {
            return Some(());
        }
        display.tap("space");
        until(&|status| status["state"] == "live");
        None
    });
    // It comes behind the map, when that is drawn.
    until(&|status| status["drop_test"].is_object());
    let frozen = look();
    display.tap("o");
    let bare = wait_for(|| Some(look()).filter(|now| difference(&frozen, now) > 8.0));
    display.tap("o");
    wait_for(|| (difference(&frozen, &look()) < 0.5).then_some(()));

    // Another colour map, another class, more and less opacity.
    display.tap("c");
    let recoloured = wait_for(|| Some(look()).filter(|now| difference(&frozen, now) > 4.0));
    display.tap("2");
    wait_for(|| (difference(&recoloured, &look()) > 0.5).then_some(()));
    display.tap("0");
    wait_for(|| (difference(&recoloured, &look()) < 0.5).then_some(()));
    (0..12).for_each(|_| display.tap("minus"));
    wait_for(|| (difference(&bare, &look()) < 0.5).then_some(()));

    // What speaks against the class; then all methods in turn, which lead back to the first.
    (0..12).for_each(|_| display.tap("plus"));
    until(&|status| status["look"]["opacity"].as_f64().is_some_and(|opacity| opacity > 0.999));
    // What is told may not be drawn yet; what is drawn after another key is.
    display.tap("o");
    until(&|status| status["look"]["heat"] == false);
    wait_for(|| (difference(&bare, &look()) < 0.5).then_some(()));
    display.tap("o");
    let opaque = wait_for(|| Some(look()).filter(|now| difference(&bare, now) > 8.0));
    display.tap("n");
    wait_for(|| (difference(&opaque, &look()) > 4.0).then_some(()));
    display.tap("n");
    wait_for(|| (difference(&opaque, &look()) < 0.5).then_some(()));
    display.tap("m");
    wait_for(|| (difference(&opaque, &look()) > 0.5).then_some(()));
    (1..ALL.len()).for_each(|_| display.tap("m"));
    wait_for(|| (difference(&opaque, &look()) < 0.5).then_some(()));

    // A snapshot is four files that can be read.
    display.tap("s");
    let files =
        wait_for(|| Some(folder.files()).filter(|files| files.len() == 4 && !files.iter().any(|f| f.starts_with('.'))));
    let file = |ending: &str| {
        let name = files.iter().find(|name| name.ends_with(ending)).unwrap_or_else(|| panic!("{ending} in {files:?}"));
        folder.path(name)
    };
    let raw = image::open(file(".raw.png")).expect("the frame is a picture");
    assert_eq!((raw.width(), raw.height()), (640, 480));
    let map: ndarray::Array2<f32> = ndarray_npy::read_npy(file(".npy")).expect("the map is an array");
    assert_eq!(map.dim(), (7, 7));
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file(".json")).expect("readable")).expect("JSON");
    assert!(json["explanation"]["target"]["label"].is_string(), "{json}");

    // Thawed, it moves again.
    display.tap("space");
    let still = look();
    wait_for(|| (difference(&still, &look()) > 1.0).then_some(()));
    display.tap("q");
    assert_eq!(exit_code(program), Some(0));
}

#[test]
fn escape_ends_it_too() {
    let display = Display::start();
    let program = display.on(command(&["live", "--source", "demo"]).stderr(Stdio::inherit()));
    let window = display.window("gradcam");
    let first = display.screenshot(&window);
    wait_for(|| (difference(&first, &display.screenshot(&window)) > 0.0).then_some(()));
    display.tap("Escape");
    assert_eq!(exit_code(program), Some(0));
}

#[cfg(unix)]
#[test]
fn a_signal_closes_the_window() {
    let display = Display::start();
    let program = display.on(command(&["live", "--source", "demo"]).stderr(Stdio::inherit()));
    display.window("gradcam");
    // SAFETY: kill takes numbers only, and the child has not been waited for, so its number is its own.
    unsafe { libc::kill(program.id() as i32, libc::SIGTERM) };
    assert_eq!(exit_code(program), Some(0));
}
