//! The live view for browsers: a server with a view that is a few lines, and the whole program.

mod control;
mod door;
mod latency;
mod load;
mod streams;
mod tools;

use gradcam::frame::Frame;
use gradcam::logbook::{ModelFacts, Recorded};
use gradcam::overlay::Look;
use gradcam::pipeline::explainer::Explainer;
use gradcam::pipeline::recorder::Plan;
use gradcam::pipeline::screen::{Screen, Settings};
use gradcam::pipeline::serve::{Serving, Shot};
use gradcam::sink::http::{Answer, Kind, ModelInfo, Server, Shelf, State, Status, Token};
use gradcam::sink::record::Encoding;
use gradcam::sink::record::name::Destination;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the view of a test has been through.
#[derive(Default)]
struct Seen {
    /// Requests that came through to the view.
    wishes: AtomicUsize,
    /// Number of the newest frame.
    frame: AtomicU64,
    end: AtomicBool,
}

/// A server whose view shows frames of one grey after another, a hundred a second.
struct Board {
    address: SocketAddr,
    seen: Arc<Seen>,
    view: Option<JoinHandle<()>>,
}

fn board(token: Option<&str>, folder: &Path) -> Board {
    let token = token.map(|token| Token::given(token).expect("it is one"));
    let shelf = Shelf { kind: Kind::Snapshot, folder: folder.to_owned(), stem: "gradcam".to_owned() };
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(address, token, &["board.example".to_owned()], vec![shelf]).expect("there is a port");
    let address = server.address();
    let serving = Serving::start(server, model(), 80).expect("there are threads");
    let seen = Arc::new(Seen::default());
    let view = std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || show(serving, &seen)
    });
    Board { address, seen, view: Some(view) }
}

fn model() -> ModelInfo {
    ModelInfo {
        model: "test".to_owned(),
        labels: vec!["cat".to_owned(), "dog".to_owned()],
        methods: Vec::new(),
        layers: Vec::new(),
        colormaps: Vec::new(),
        signed_colours: Vec::new(),
    }
}

fn show(mut serving: Serving, seen: &Seen) {
    let start = std::time::Instant::now();
    for number in 0.. {
        if seen.end.load(Ordering::Relaxed) {
            return;
        }
        let status = Status { state: State::Live, source: "test".to_owned(), ..Status::default() };
        let status = serving.tell(status, start.elapsed());
        for wish in serving.wishes() {
            seen.wishes.fetch_add(1, Ordering::Relaxed);
            wish.answer(Ok(Answer { status: Arc::clone(&status), saved: None }));
        }
        let (width, height) = (640, 480);
        // Noise makes a picture as large as a camera's.
        let mut noise = number as u32 + 1;
        let rgb = (0..width * height * 3)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (number % 200) as u8 + (noise >> 28) as u8
            })
            .collect();
        let frame = Arc::new(Frame { number, time: start.elapsed(), width, height, rgb });
        serving.show(Shot { frame, map: None, look: Look::default() });
        seen.frame.store(number, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The program's view without a window, with a server.
fn screen(info: gradcam::model::Info, explainer: &Explainer) -> (Screen, SocketAddr) {
    let server = Server::bind("127.0.0.1:0".parse().expect("an address"), None, &[], Vec::new());
    let server = server.expect("there is a port");
    let address = server.address();
    let serving = Serving::start(server, model(), 80).expect("there are threads");
    let facts = ModelFacts {
        file: info.file.clone(),
        sha256: String::new(),
        layer: info.layer.wire.clone(),
        preprocessing: info.preprocessing.clone(),
        probabilities: info.probabilities,
        coinciding: Vec::new(),
    };
    let plan = Plan {
        destination: Destination::Folder("recordings".into()),
        encoding: Encoding { size: None, fps: None, bitrate: None },
        view: Recorded::Overlay,
        segment: None,
        source: "time code".to_owned(),
        turn: Default::default(),
        model: facts,
    };
    let settings = Settings {
        look: Look::default(),
        sync: false,
        snapshots: "snapshots".into(),
        heat_share: None,
        watch: None,
        coinciding: explainer.coinciding(),
        start: std::time::Instant::now(),
        recordings: plan,
        recording: false,
        serving: Some(serving),
        say: |_| {},
    };
    (Screen::new(info, settings), address)
}

impl Board {
    fn wishes(&self) -> usize {
        self.seen.wishes.load(Ordering::Relaxed)
    }

    /// The value of a metric.
    #[track_caller]
    fn metric(&self, name: &str) -> f64 {
        let text = String::from_utf8(crate::common::http::get(self.address, "/metrics").body).expect("it is text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("there is no {name} in {text}"))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.seen.end.store(true, Ordering::Relaxed);
        let ended = self.view.take().map(JoinHandle::join);
        assert!(ended.is_some_and(|ended| ended.is_ok()) || std::thread::panicking(), "the view ends");
    }
}
