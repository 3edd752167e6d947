//! A video drawn into another: frame by frame, none left out, as fast as it goes.

use super::explainer::Explainer;
use super::recorder::Recorder;
use super::report::TimesReport;
use crate::cam::HeatMap;
use crate::cam::methods::AnyMethod;
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::frame::{Frame, RawFrame, Turn};
use crate::logbook::{self, Entries, Entry};
use crate::overlay::{Canvas, Hud, Look, Overlay, State};
use crate::source::video::Video;
use crate::source::{Event, Source};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A map, with its look and the times of the stages.
pub type Drawn = logbook::Explained;

/// Where maps come from.
pub trait Maps {
    /// The map that is new from `frame` on, if there is one.
    ///
    /// # Errors
    /// Those of the model or the file.
    fn at(&mut self, frame: &Frame) -> Result<Option<Drawn>>;
}

/// Maps of a model.
pub struct Explained {
    pub explainer: Explainer,
    pub method: AnyMethod,
    pub look: Look,
    /// Of so many frames one is explained.
    pub every: u64,
}

impl Maps for Explained {
    fn at(&mut self, frame: &Frame) -> Result<Option<Drawn>> {
        if !frame.number.is_multiple_of(self.every) {
            return Ok(None);
        }
        let (map, stages) = self.explainer.explain_still(frame, self.method, &mut |_, _| {})?;
        let mut times = TimesReport::default();
        stages.into_iter().for_each(|(stage, duration)| times.add(stage, duration));
        Ok(Some(Drawn { map, look: self.look, times_ms: times.named() }))
    }
}

/// Maps of a logbook.
pub struct Kept<F> {
    pub entries: Entries,
    /// Whether frames are counted as the source of the recording counted them, or else as its video does.
    pub by_source: bool,
    /// How they are to be shown.
    pub relook: F,
    /// The next one, which is not shown yet.
    pub next: Option<(Entry, HeatMap)>,
}

impl<F: FnMut(&mut HeatMap, Look) -> Look> Maps for Kept<F> {
    fn at(&mut self, frame: &Frame) -> Result<Option<Drawn>> {
        let mut shown = None;
        loop {
            if self.next.is_none() {
                self.next = self.entries.next().transpose()?;
            }
            let number = |entry: &Entry| if self.by_source { entry.frame.frame } else { entry.video.frame };
            match self.next.take_if(|(entry, _)| number(entry) <= frame.number) {
                Some(next) => shown = Some(next),
                None => break,
            }
        }
        Ok(shown.map(|(entry, mut map)| {
            let look = (self.relook)(&mut map, entry.look);
            Drawn { map, look, times_ms: entry.times_ms }
        }))
    }
}

/// The part of a video's frames that is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub columns: Range<usize>,
    pub rows: Range<usize>,
}

impl Part {
    /// Cuts the part out of a frame.
    fn cut(&self, frame: &mut Frame) {
        let (columns, rows) = (self.columns.end.min(frame.width), self.rows.end.min(frame.height));
        let (columns, rows) = (self.columns.start.min(columns)..columns, self.rows.start.min(rows)..rows);
        if (columns.len(), rows.len()) == (frame.width, frame.height) {
            return;
        }
        let cut = |row: &[u8]| row[columns.start * 3..columns.end * 3].to_vec();
        frame.rgb = frame.rgb.chunks_exact(frame.width * 3).skip(rows.start).take(rows.len()).flat_map(cut).collect();
        (frame.width, frame.height) = (columns.len(), rows.len());
    }
}

/// Left and right swapped.
fn mirror(frame: &mut Frame) {
    for row in frame.rgb.chunks_exact_mut(frame.width * 3) {
        let (pixels, _) = row.as_chunks_mut::<3>();
        pixels.reverse();
    }
}

/// What is done with a video.
pub struct Film<M> {
    pub video: Video,
    pub maps: M,
    /// How its frames are turned.
    pub turn: Turn,
    pub part: Option<Part>,
    /// Frames of the video are mirrored where the view that was recorded was.
    pub mirrored: bool,
    /// The display, where there is one.
    pub hud: Option<Hud>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Done {
    pub frames: u64,
    /// Frames that came faster than any recording's, and are not in it.
    pub dropped: u64,
    /// Time of the first frame in the video.
    pub start: Duration,
    /// Of the film.
    pub duration: Duration,
}

impl<M: Maps> Film<M> {
    /// Draws every frame of the video. `recorder` is opened with the size of the first canvas; `each` is told of each
    /// frame, and of its map where that is new.
    ///
    /// # Errors
    /// Those of the maps and of the recorder; [`Error::Input`] where a frame is broken.
    pub fn run(
        &mut self,
        mut open: impl FnMut((usize, usize)) -> Result<Recorder>,
        mut each: impl FnMut(&Frame, Option<&Drawn>) -> Result<()>,
    ) -> Result<Done> {
        let mut raw = RawFrame::new();
        let mut decoder = Decoder::new();
        let (mut overlay, mut canvas) = (Overlay::new(), Canvas::default());
        let mut recorder: Option<Recorder> = None;
        let mut shown: Option<Drawn> = None;
        let mut done = Done::default();
        while self.video.read(&mut raw)? == Event::Frame {
            raw.turn = self.turn;
            let mut frame = Frame { number: done.frames, ..Frame::default() };
            decoder.decode(&raw, &mut frame).map_err(|broken| Error::input(self.video.name(), broken))?;
            if let Some(part) = &self.part {
                part.cut(&mut frame);
            }
            if done.frames == 0 {
                done.start = frame.time;
            }
            frame.time = frame.time.saturating_sub(done.start);
            done.frames += 1;
            // The look of the frame's own map says whether it is mirrored.
            let new = self.maps.at(&frame)?;
            let flip = new.as_ref().or(shown.as_ref()).is_some_and(|drawn| drawn.look.flip);
            if self.mirrored && flip {
                mirror(&mut frame);
            }
            each(&frame, new.as_ref())?;
            let (is_new, begin) = (new.is_some(), Instant::now());
            shown = new.or(shown);
            let (map, look) = (shown.as_ref().map(|drawn| &drawn.map), shown.as_ref().map(|drawn| drawn.look));
            let look = look.unwrap_or_default();
            if let (Some(hud), Some(map)) = (&mut self.hud, map) {
                hud.state = State::Film;
                hud.describe(map);
            }
            overlay.draw(&frame, map, &look, self.hud.as_ref(), &mut canvas);
            let recorder = match &mut recorder {
                Some(recorder) => recorder,
                None => recorder.insert(open((canvas.width, canvas.height))?),
            };
            if let (true, Some(drawn)) = (is_new, &mut shown) {
                drawn.times_ms.insert("overlay".to_owned(), begin.elapsed().as_secs_f64() * 1e3);
                recorder.explained(drawn.clone());
            }
            let time = frame.time;
            recorder.take(&canvas, &Arc::new(frame), &look, time, true);
            if recorder.has_ended() {
                break;
            }
        }
        // A video that was opened has a first frame; whoever ends the program before it is read gets no film.
        let Some(recorder) = recorder else { return Ok(done) };
        match recorder.join() {
            super::recorder::Progress { failed: Some(reason), path, .. } => {
                // It names the file, which is named by the error.
                let named = format!("{}: ", path.display());
                Err(Error::output(&path, reason.replacen(&named, "", 1)))
            }
            super::recorder::Progress { dropped, end, .. } => {
                let duration = end.map_or(Duration::ZERO, |end| Duration::from_secs_f64(end.duration));
                Ok(Done { dropped, duration, ..done })
            }
        }
    }
}
