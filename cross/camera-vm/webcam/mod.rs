//! A USB webcam in software: it speaks USB/IP (Documentation/usb/usbip_protocol in the kernel's source) over a socket
//! pair to the kernel's own `vhci-hcd`, so that the real `uvcvideo` driver binds to it.

mod descriptors;
mod pictures;
mod settings;
mod usb;

pub use descriptors::{Format, SIZES};
pub use pictures::{check, check_grey};
pub use settings::Settings;
pub use usb::{Random, prepare};

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const HOST_CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";

/// What is wrong with one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Only this share of its bytes is sent.
    Truncated(f64),
    /// So many bytes of its coded data are random, from this seed.
    Garbage { bytes: usize, seed: u64 },
    /// A frame without any data.
    Empty,
    /// Its first 200 bytes are missing.
    HeaderLess,
    /// It is whole, and the camera marks it as broken.
    ErrorBit,
    /// A whole JPEG of another size than was agreed.
    OtherSize,
}

/// What the test tells the camera, and the camera the test.
#[derive(Default)]
pub struct Controls {
    /// Each is for one picture, in turn.
    pub faults: Vec<Fault>,
    /// Nothing is sent while this is set; the camera stays plugged in.
    pub frozen: bool,
    /// JPEGs come without Huffman tables.
    pub bare: bool,
    /// Pictures without grain.
    pub flat: bool,
    pub unplug: bool,
    /// What the host has set.
    pub settings: Settings,
    /// Pictures that were sent, whole or not.
    pub sent: u64,
}

/// A camera that is plugged in until it is dropped.
pub struct Webcam {
    controls: Arc<Mutex<Controls>>,
    thread: Option<JoinHandle<()>>,
    /// E.g. `/dev/video0`.
    pub node: String,
}

/// The link that udev would make.
pub const BY_ID: &str = "/dev/v4l/by-id/usb-Simulated_Webcam_0001-video-index0";

impl Webcam {
    /// Plugs a camera into one of the ports 0 to 7, and waits for its node.
    pub fn plug(port: u8) -> Webcam {
        Webcam::with(port, descriptors::COLOUR)
    }

    /// One that has no colours.
    pub fn plug_infrared(port: u8) -> Webcam {
        Webcam::with(port, descriptors::INFRARED)
    }

    fn with(port: u8, formats: descriptors::Formats) -> Webcam {
        let (ours, kernels) = UnixStream::pair().expect("a socket pair can be made");
        let before = nodes();
        // Port, socket, device id (bus 1, device 2), speed (3: high).
        let line = format!("{port} {} {} 3", kernels.as_raw_fd(), 0x10002);
        fs::write(format!("{HOST_CONTROLLER}/attach"), line).expect("the port is free");
        drop(kernels);
        let controls = Arc::new(Mutex::new(Controls::default()));
        let of_thread = controls.clone();
        let thread = std::thread::spawn(move || usb::serve(ours, &of_thread, formats));
        let node = wait(Duration::from_secs(20), || nodes().into_iter().find(|node| !before.contains(node)))
            .expect("uvcvideo binds to the camera");
        let _ = fs::create_dir_all("/dev/v4l/by-id");
        let _ = fs::remove_file(BY_ID);
        std::os::unix::fs::symlink(format!("../../{}", node.trim_start_matches("/dev/")), BY_ID)
            .expect("/dev is writable");
        Webcam { controls, thread: Some(thread), node }
    }

    pub fn tell(&self, change: impl FnOnce(&mut Controls)) {
        change(&mut self.controls.lock().expect("the camera lives"));
    }

    pub fn sent(&self) -> u64 {
        self.controls.lock().expect("the camera lives").sent
    }

    pub fn settings(&self) -> Settings {
        self.controls.lock().expect("the camera lives").settings
    }

    pub fn faults_left(&self) -> usize {
        self.controls.lock().expect("the camera lives").faults.len()
    }
}

impl Drop for Webcam {
    fn drop(&mut self) {
        self.tell(|controls| controls.unplug = true);
        let _ = fs::remove_file(BY_ID);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the simulated camera does not panic");
        }
        // A node that somebody still has open keeps its number, and its file is gone all the same.
        wait(Duration::from_secs(10), || (!nodes().contains(&self.node)).then_some(())).expect("the node goes away");
    }
}

/// The nodes that carry pictures: uvcvideo makes a second one for metadata.
fn nodes() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/video4linux").expect("the kernel has Video4Linux");
    let names = entries.flatten().map(|entry| entry.path());
    let pictures = names.filter(|path| fs::read_to_string(path.join("index")).is_ok_and(|index| index.trim() == "0"));
    let mut found: Vec<String> = pictures
        .filter_map(|path| Some(format!("/dev/{}", path.file_name()?.to_string_lossy())))
        .filter(|node| std::path::Path::new(node).exists())
        .collect();
    found.sort();
    found
}

/// Asks until there is an answer.
pub fn wait<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
