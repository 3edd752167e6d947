//! The live view for browsers, beside the view: a thread that answers clients, and one that draws and encodes what they
//! look at. The view hands over the newest and goes on.

use super::latest::{Latest, Next};
use super::live::Explained;
use super::stats::Stage;
use crate::cam::HeatMap;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::overlay::Look;
use crate::sink::http::{Encoder, Hub, LayerInfo, ModelInfo, Picture, Server, Status, Stopper, Totals, Wish, stop};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long the encoder waits before it looks again whether anybody has come to see a picture that stands still.
const PATIENCE: Duration = Duration::from_millis(50);

/// What is to be seen.
pub struct Shot {
    pub frame: Arc<Frame>,
    pub map: Option<Arc<HeatMap>>,
    pub look: Look,
}

/// A server that runs until this is dropped; dropping waits until it has ended.
pub struct Serving {
    hub: Arc<Hub>,
    wishes: Receiver<Wish>,
    shots: Arc<Latest<Shot>>,
    stopper: Option<Stopper>,
    threads: Vec<JoinHandle<()>>,
    /// The layers that may be chosen.
    pub layers: Vec<LayerInfo>,
    /// The newest map.
    pub map: Option<Arc<HeatMap>>,
    /// What has been counted of explained frames and files.
    pub totals: Totals,
    /// Rises when files may have come or gone.
    pub files: u64,
    /// What was shown last.
    pub shown: Option<Shot>,
    /// When the status was told last.
    pub told: Option<Duration>,
    /// How often.
    statuses: u64,
}

impl Serving {
    /// Starts serving. Pictures are encoded with `quality`, 1 to 100.
    ///
    /// # Errors
    /// [`Error::Device`] where no thread can be started.
    pub fn start(server: Server, model: ModelInfo, quality: u8) -> Result<Serving> {
        let layers = model.layers.clone();
        let (hub, wishes) = Hub::new(model, Status::default());
        let shots = Arc::new(Latest::new());
        let (stopper, stop) = stop();
        let mut serving = Serving {
            hub: Arc::clone(&hub),
            wishes,
            shots: Arc::clone(&shots),
            stopper: Some(stopper),
            threads: Vec::new(),
            layers,
            map: None,
            totals: Totals::default(),
            files: 0,
            shown: None,
            told: None,
            statuses: 0,
        };
        serving.spawn("encoder", {
            let hub = Arc::clone(&hub);
            move || encode(&hub, &shots, quality)
        })?;
        serving.spawn("http", move || {
            if let Err(error) = server.run(hub, stop) {
                log::error!("{error}");
            }
        })?;
        Ok(serving)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = Builder::new().name(name.to_owned()).spawn(work);
        self.threads.push(thread.map_err(|error| Error::device(name, error))?);
        Ok(())
    }

    /// What clients have asked for since the last call.
    pub fn wishes(&self) -> Vec<Wish> {
        self.wishes.try_iter().collect()
    }

    /// Replaces what is told, for all who listen, and returns it with its number.
    pub fn tell(&mut self, status: Status, now: Duration) -> Arc<Status> {
        self.statuses += 1;
        let status = Arc::new(Status { number: self.statuses, ..status });
        self.hub.tell(Arc::clone(&status));
        self.told = Some(now);
        status
    }

    /// Replaces what is to be seen.
    pub fn show(&mut self, shot: Shot) {
        let Shot { frame, map, look } = &shot;
        self.shots.put(Arc::new(Shot { frame: Arc::clone(frame), map: map.clone(), look: *look }));
        self.shown = Some(shot);
    }

    /// Takes note of an explained frame.
    pub fn explained(&mut self, explained: &Explained) {
        self.map = Some(Arc::new(explained.map.clone()));
        // A drop test follows its map, with the same times.
        if explained.map.drop_test.is_some() {
            return;
        }
        self.totals.maps += 1;
        for (stage, duration) in explained.times {
            let at = match stage {
                Stage::Preprocess => 0,
                Stage::Forward => 1,
                Stage::HeatMap => 2,
                Stage::Decode | Stage::Overlay | Stage::Show => continue,
            };
            self.totals.stages[at] += duration.as_secs_f64();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shots.close();
        self.stopper = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of the server failed unexpectedly");
            }
        }
    }
}

/// Draws and encodes the newest shot, once for all who look, and not at all while nobody does.
fn encode(hub: &Hub, shots: &Latest<Shot>, quality: u8) {
    let mut encoder = Encoder::new(quality);
    let mut seen = 0;
    let mut newest: Option<Arc<Shot>> = None;
    // What each picture shows.
    let mut done: [Option<Arc<Shot>>; 2] = [None, None];
    loop {
        match shots.newer(seen, PATIENCE) {
            Next::Value(number, shot) => (seen, newest) = (number, Some(shot)),
            Next::Nothing => {}
            Next::Closed => return,
        }
        for picture in Picture::ALL {
            let done = &mut done[picture as usize];
            if !hub.is_watched(picture) {
                *done = None;
                continue;
            }
            let Some(shot) = &newest else { continue };
            let same = done.as_ref().is_some_and(|done| match picture {
                Picture::Overlay => Arc::ptr_eq(done, shot),
                Picture::Raw => Arc::ptr_eq(&done.frame, &shot.frame),
            });
            if !same {
                let Shot { frame, map, look } = &**shot;
                if let Err(error) = encoder.show(hub, picture, frame, map.as_deref(), look) {
                    log::info!("frame {}: {error}", frame.number);
                }
                *done = Some(Arc::clone(shot));
            }
        }
    }
}
