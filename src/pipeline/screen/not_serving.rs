//! In place of `serving.rs` in a program that was built without the server.

use super::Screen;
use crate::pipeline::live::{Explained, View};

/// There is none.
pub enum Serving {}

impl Screen {
    pub(super) fn explained_to_clients(&mut self, _explained: &Explained) {}

    pub(super) fn files_changed(&mut self, _recordings: u64, _snapshots: u64) {}

    pub(super) fn serve(&mut self, _view: &View) {}
}
