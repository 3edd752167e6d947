//! An X server without a screen, and a user's hands and eyes on it. `make test` installs what it needs.

use image::RgbImage;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Waiting is for a condition, and this long at most.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct Display {
    server: Child,
    name: String,
    /// Windows are tried one at a time, so that each has the machine for itself.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Display {
    pub fn start() -> Display {
        // A test that failed on its turn has no hold on the next.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = Command::new("Xvfb")
            // Without key repetition: on a busy machine a tap may take long enough to be repeated. Without a reset when
            // the last client goes: the first to come are tools that look for the window and go again.
            .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-r", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed (`make test` does it)");
        let mut number = String::new();
        let stdout = server.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut number).expect("the server tells its number");
        Display { server, name: format!(":{}", number.trim()), _turn: turn }
    }

    pub fn on(&self, command: &mut Command) -> Child {
        command.env("DISPLAY", &self.name).env_remove("WAYLAND_DISPLAY").spawn().expect("the program starts")
    }

    fn tool(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let output = Command::new(arguments[0]).args(&arguments[1..]).env("DISPLAY", &self.name).output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error} (`make test` installs it)", arguments[0]));
        output.status.success().then_some(output.stdout)
    }

    /// Waits for a window of that title and gives it the focus, which no window manager does here.
    pub fn window(&self, title: &str) -> String {
        let id = wait_for(|| self.tool(&["xdotool", "search", "--onlyvisible", "--name", title]));
        let id = String::from_utf8(id).expect("a number").lines().next().expect("there is one").to_owned();
        wait_for(|| self.tool(&["xdotool", "windowfocus", "--sync", &id]));
        id
    }

    /// A quick tap: pressed and released at once.
    pub fn tap(&self, key: &str) {
        self.tool(&["xdotool", "key", key]).expect("the key is known");
    }

    /// What the window shows.
    pub fn screenshot(&self, window: &str) -> RgbImage {
        let dump = wait_for(|| self.tool(&["import", "-silent", "-window", window, "png:-"]));
        image::load_from_memory(&dump).expect("it is a picture").into_rgb8()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // It may have gone by itself; either way it is gone then.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Asks until there is an answer.
#[track_caller]
pub fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "nothing came of it within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(30));
    }
}
