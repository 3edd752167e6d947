//! Snapshots of the view: asked for, or taken when the wanted class is seen.

use super::Screen;
use crate::cam::HeatMap;
use crate::frame::Frame;
use crate::pipeline::live::{Explained, View};
use crate::pipeline::report::{Report, TimesReport};
use crate::sink::{Shown, snapshot};
use std::path::PathBuf;
use std::sync::Arc;

impl Screen {
    /// Takes a snapshot of the map that is new, on the very frame that it explains.
    pub(super) fn keep(&mut self, view: &View) {
        let Some(Explained { frame, map, .. }) = &self.explained else { return };
        let (frame, map) = (Arc::clone(frame), map.clone());
        let live = self.frame.replace(Arc::clone(&frame));
        self.draw(view);
        self.frame = live;
        let (json, canvas) = (self.report(view, &frame, Some(&map)), self.canvas.clone());
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch.keep(&self.settings.snapshots, &frame, &map, canvas, json)
        {
            self.kept(Err(error));
        }
    }

    /// Says what became of a snapshot, unless it is the same trouble again.
    pub(super) fn kept(&mut self, kept: crate::Result<PathBuf>) -> String {
        let trouble = kept.as_ref().err().map(ToString::to_string);
        let said = kept.map_or_else(|error| error.to_string(), |path| format!("saved {}", path.display()));
        if trouble.is_none() || trouble != self.trouble {
            (self.settings.say)(&format!("gradcam: {said}"));
        }
        self.files_changed(0, u64::from(trouble.is_none()));
        self.trouble = trouble;
        said
    }

    pub(super) fn snapshot(&mut self, view: &View) -> Result<PathBuf, String> {
        let Some(frame) = self.frame.clone() else { return Err("there is no frame yet".to_owned()) };
        // What other keys have just changed belongs into the picture too.
        self.draw(view);
        let map = self.explained.as_ref().map(|explained| &explained.map);
        let json = self.report(view, &frame, map);
        let shown = Shown { frame: &frame, map, canvas: &self.canvas };
        let saved = snapshot::save(&self.settings.snapshots, &snapshot::stem(), &shown, &json);
        let path = saved.map_err(|error| error.to_string())?;
        self.note(&format!("saved {}", path.display()), view);
        self.files_changed(0, 1);
        Ok(path)
    }

    fn report(&self, view: &View, frame: &Frame, map: Option<&HeatMap>) -> serde_json::Value {
        let mut times = TimesReport::default();
        if let Some(explained) = &self.explained {
            explained.times.iter().for_each(|(stage, duration)| times.add(*stage, *duration));
        }
        let source = view.capture().source;
        let report =
            map.map(|map| Report::new(&source, &self.info, map, self.settings.heat_share, times).of_frame(map));
        // The map is the newest one; it may explain a frame before the one that is shown.
        serde_json::json!({
            "shown_frame": { "number": frame.number, "time": frame.time.as_secs_f64() },
            "explanation": report,
        })
    }
}
