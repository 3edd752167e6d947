//! The view's side of the server: telling what is shown, and doing what clients ask for.

use super::{Command, IDLE, Screen};
use crate::cam::methods;
use crate::overlay::{Colormap, State};
use crate::pipeline::live::{Explained, View};
pub use crate::pipeline::serve::Serving;
use crate::pipeline::serve::Shot;
use crate::sink::http::{self, Answer, Control, RecordingInfo, Refusal, ShownFrame, Status};
use crate::target::Followed;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Between two statuses, where nobody has asked for a change.
const PACE: Duration = Duration::from_millis(100);

impl Screen {
    pub(super) fn explained_to_clients(&mut self, explained: &Explained) {
        if let Some(serving) = &mut self.settings.serving {
            serving.explained(explained);
        }
    }

    /// Files have come: so many recordings were begun and snapshots taken, or one was closed.
    pub(super) fn files_changed(&mut self, recordings: u64, snapshots: u64) {
        if let Some(serving) = &mut self.settings.serving {
            serving.files += 1;
            serving.totals.recordings += recordings;
            serving.totals.snapshots += snapshots;
        }
    }

    /// Does what clients have asked for, and publishes what is new.
    pub(super) fn serve(&mut self, view: &View) {
        let wishes = self.settings.serving.as_ref().map(Serving::wishes);
        let Some(wishes) = wishes else { return };
        let asked = !wishes.is_empty();
        for wish in wishes {
            let answer = self.fulfil(&wish.control, view);
            let answer = answer.map(|saved| Answer { status: self.tell(view), saved });
            wish.answer(answer);
        }
        self.show_clients(view, asked);
        let now = view.now();
        let told = self.settings.serving.as_ref().and_then(|serving| serving.told);
        if told.is_none_or(|told| now.saturating_sub(told) >= PACE) {
            self.tell(view);
        }
    }

    /// Publishes the picture where it is another one. A new map is shown with the next frame, unless none comes.
    fn show_clients(&mut self, view: &View, asked: bool) {
        let moves = self.hud.state == State::Live && !self.settings.sync;
        let (Some(frame), look) = (&self.frame, self.settings.look) else { return };
        let now = view.now();
        let Some(serving) = &mut self.settings.serving else { return };
        let due = serving.shown.as_ref().is_none_or(|shown| {
            let same_map = match (&shown.map, &serving.map) {
                (Some(before), Some(map)) => Arc::ptr_eq(before, map),
                (before, map) => before.is_none() && map.is_none(),
            };
            let waited = now.saturating_sub(frame.time) >= IDLE;
            !Arc::ptr_eq(&shown.frame, frame) || shown.look != look || (!same_map && (asked || !moves || waited))
        });
        if due {
            let map = serving.map.clone();
            serving.show(Shot { frame: Arc::clone(frame), map, look });
        }
    }

    fn tell(&mut self, view: &View) -> Arc<Status> {
        self.refresh(view);
        let status = self.status(view);
        match &mut self.settings.serving {
            Some(serving) => serving.tell(status, view.now()),
            None => Arc::new(status),
        }
    }

    fn status(&self, view: &View) -> Status {
        let (capture, controls) = (view.capture(), view.controls());
        let serving = self.settings.serving.as_ref();
        let map = serving.and_then(|serving| serving.map.clone());
        let state = match (&self.frame, &self.hud.state) {
            (None, _) => http::State::Starting,
            (_, State::Frozen) => http::State::Frozen,
            (_, State::Lost { .. }) => http::State::Lost,
            (_, State::Live | State::Film) => http::State::Live,
        };
        let recording = self.recorder.as_ref().map(|recorder| {
            let progress = recorder.progress();
            let name = progress.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let elapsed = progress.elapsed.as_secs_f64();
            RecordingInfo { name, elapsed, frames: progress.frames, dropped: progress.dropped }
        });
        let method = map.as_ref().map_or(controls.method.name(), |map| map.method);
        let same = methods::with_coinciding(&self.hud.coinciding, method);
        let mut totals = serving.map_or_else(Default::default, |serving| serving.totals);
        (totals.frames, totals.lost) = (view.frames(), capture.dropped);
        (totals.broken, totals.skipped) = (capture.broken, view.skipped);
        let layer = self.hud.layer.clone();
        let layers = serving.map_or(&[][..], |serving| &serving.layers);
        let elsewhere = |name: &String| layers.iter().any(|known| known.name == *name && known.wire != layer);
        let layer_loading = controls.layer.filter(elsewhere);
        let named = layers.iter().find(|known| known.wire == layer).map(|known| known.name.clone());
        Status {
            number: 0,
            state,
            reason: capture.lost,
            source: capture.source,
            frame: self.frame.as_ref().map(|frame| ShownFrame {
                number: frame.number,
                time: frame.time.as_secs_f64(),
                width: frame.width,
                height: frame.height,
            }),
            camera_fps: self.hud.camera_fps,
            network_fps: self.hud.network_fps,
            map_age_ms: map.as_ref().map(|_| self.hud.map_age.as_secs_f64() * 1e3),
            drop_test: self.hud.drop_test.filter(|_| state == http::State::Frozen),
            map,
            locked: controls.locked.is_some(),
            layer: named.unwrap_or_else(|| layer.clone()),
            layer_wire: layer,
            layer_loading,
            same: same.into_iter().filter(|name| *name != method).collect(),
            method,
            look: self.settings.look,
            recording,
            note: self.hud.note.clone(),
            files: serving.map_or(0, |serving| serving.files),
            totals,
        }
    }

    /// Does all of it, or nothing. Returns the picture of the snapshot that was asked for.
    fn fulfil(&mut self, control: &Control, view: &View) -> Result<Option<PathBuf>, Refusal> {
        let mut saved = None;
        for command in self.commands(control, view)? {
            // What can fail now is a disk.
            saved = saved.or(self.obey(command, view).map_err(|reason| Refusal::new(500, reason))?);
        }
        Ok(saved)
    }

    fn commands(&self, control: &Control, view: &View) -> Result<Vec<Command>, Refusal> {
        let Control { target, method, layer, opacity, colormap, heat, signed, flip, freeze, snapshot, record } =
            control;
        let unusable = |error: crate::Error| Refusal::new(422, error.to_string());
        let mut commands = Vec::new();
        match target {
            None => {}
            Some(None) => commands.push(Command::Target(None)),
            Some(Some(asked)) => {
                let text = asked.text();
                let fixed = Followed::named(&text, &self.info).map_err(unusable)?.fixed();
                let rank = || Refusal::new(422, format!("{text}: a rank is chosen at the start, with --target"));
                commands.push(Command::Target(Some(fixed.ok_or_else(rank)?)));
            }
        }
        if let Some(method) = method {
            commands.push(Command::Method(methods::find(method).map_err(unusable)?));
        }
        if let Some(name) = layer {
            let layers = self.settings.serving.as_ref().map_or(&[][..], |serving| &serving.layers);
            let known = layers.iter().find(|layer| layer.name == *name);
            let known = known.ok_or_else(|| Refusal::new(422, format!("{name}: /model.json lists the layers")))?;
            if self.recorder.is_some() && known.wire != self.hud.layer {
                return Err(Refusal::new(409, "a recording is of one layer; end it first"));
            }
            // It is there already, or will be.
            let asked = view.controls().layer;
            if asked.as_ref() != Some(name) && (asked.is_some() || known.wire != self.hud.layer) {
                commands.push(Command::Layer(name.clone()));
            }
        }
        if let Some(opacity) = *opacity {
            if !(0.0..=1.0).contains(&opacity) {
                return Err(Refusal::new(422, format!("opacity {opacity}: expected a number from 0 to 1")));
            }
            commands.push(Command::Opacity(opacity));
        }
        if let Some(colormap) = colormap {
            commands.push(Command::Colormap(colormap.parse::<Colormap>().map_err(unusable)?));
        }
        commands.extend(heat.map(Command::Heat));
        commands.extend(signed.map(Command::Signed));
        commands.extend(flip.map(Command::Flip));
        let shoot = *snapshot == Some(true);
        if self.frame.is_none() && (*freeze == Some(true) || shoot || *record == Some(true)) {
            return Err(Refusal::new(503, "no frame has come yet"));
        }
        commands.extend(freeze.map(Command::Freeze));
        if *record == Some(true) && self.recorder.is_none() && self.closing.is_some() {
            return Err(Refusal::new(409, "the last recording is still being closed; try again"));
        }
        commands.extend(record.map(Command::Record));
        commands.extend(shoot.then_some(Command::Snapshot));
        Ok(commands)
    }
}
