//! What the user asks for, by a key or from a browser, and doing it.

use super::Screen;
use crate::cam::methods::{self, Method};
use crate::overlay::{Colormap, State};
use crate::pipeline::live::View;
use crate::sink::window::Key;
use crate::target::Target;
use std::path::PathBuf;
use std::sync::Arc;

/// By how much a key press changes the opacity.
const OPACITY_STEP: f32 = 0.1;

/// A wish of the user.
#[derive(Clone)]
pub enum Command {
    /// The list of keys is shown, or no longer.
    Help(bool),
    /// The picture stands, or goes on.
    Freeze(bool),
    /// What is explained whatever the scores are; `None` follows the best class.
    Target(Option<Target>),
    Method(&'static dyn Method),
    /// A target layer, by a name that the explainer's loader knows.
    Layer(String),
    Colormap(Colormap),
    /// 0 to 1.
    Opacity(f32),
    /// Heat is shown.
    Heat(bool),
    /// What speaks against the class is shown too.
    Signed(bool),
    /// Left and right are swapped.
    Flip(bool),
    Snapshot,
    /// A recording begins, or ends without waiting for the files to be closed.
    Record(bool),
}

impl Screen {
    /// What a key asks for as things are. [`Key::Quit`] is not for the screen.
    ///
    /// # Errors
    /// The reason why it cannot be.
    pub(super) fn asked(&self, key: Key, view: &View) -> Result<Command, String> {
        let look = &self.settings.look;
        Ok(match key {
            Key::Quit | Key::Help => Command::Help(!self.hud.help),
            Key::Freeze => Command::Freeze(self.hud.state != State::Frozen),
            Key::Lock(rank) => {
                let ranked = self.hud.top.get(rank).ok_or("there is no class of this rank yet")?;
                Command::Target(Some(Target::class(ranked.class)))
            }
            Key::Unlock => Command::Target(None),
            Key::Method => Command::Method(methods::after(view.controls().method)),
            Key::Colormap => Command::Colormap(look.colormap.next()),
            Key::MoreOpaque => Command::Opacity(look.opacity + OPACITY_STEP),
            Key::LessOpaque => Command::Opacity(look.opacity - OPACITY_STEP),
            Key::Heat => Command::Heat(!look.heat),
            Key::Signed => Command::Signed(!look.signed),
            Key::Flip => Command::Flip(!look.flip),
            Key::Snapshot => Command::Snapshot,
            Key::Record => Command::Record(self.recorder.is_none()),
        })
    }

    /// Does what was asked for, and says on the display what there is to say. Returns the picture of a snapshot.
    ///
    /// # Errors
    /// The reason why it was not done.
    pub fn obey(&mut self, command: Command, view: &View) -> Result<Option<PathBuf>, String> {
        self.stale = true;
        let look = &mut self.settings.look;
        match command {
            Command::Help(shown) => self.hud.help = shown,
            Command::Freeze(frozen) => self.freeze(frozen, view),
            Command::Target(target) => view.control(|controls| controls.locked = target),
            Command::Method(method) => view.control(|controls| controls.method = method),
            Command::Layer(name) => view.control(|controls| controls.layer = Some(name)),
            Command::Colormap(colormap) => look.colormap = colormap,
            Command::Opacity(opacity) => look.opacity = opacity.clamp(0.0, 1.0),
            Command::Heat(heat) => look.heat = heat,
            Command::Signed(signed) => {
                look.signed = signed;
                let about = view.controls().method.about();
                if signed && self.explained.as_ref().is_some_and(|explained| !explained.map.signed) {
                    self.note(&format!("{} has no values that speak against a class", about.title), view);
                }
            }
            Command::Flip(flip) => look.flip = flip,
            Command::Snapshot => return self.snapshot(view).map(Some),
            Command::Record(on) => self.record_or_end(on)?,
        }
        Ok(None)
    }

    /// Stops the picture, or lets it go on. A frozen frame is the one that the map on it explains.
    fn freeze(&mut self, freeze: bool, view: &View) {
        if freeze == (self.hud.state == State::Frozen) {
            return;
        }
        if !freeze {
            self.hud.state = State::Live;
            view.control(|controls| controls.frozen = None);
            return;
        }
        let explained = self.explained.as_ref().map(|explained| Arc::clone(&explained.frame));
        if let Some(frame) = explained.or_else(|| self.frame.clone()) {
            self.hud.state = State::Frozen;
            self.frame = Some(Arc::clone(&frame));
            view.control(|controls| controls.frozen = Some(frame));
        }
    }
}
