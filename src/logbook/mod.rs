//! What a recording says of itself, in two files beside the video: every explained frame in numbers (`OUT.jsonl`) and
//! its raw map (`OUT.maps`), so that the video can be drawn again without the model. `docs/recording.md` describes both.

mod read;
mod write;

pub use read::{Entries, Reader};
pub use write::Writer;

use crate::cam::methods;
use crate::cam::{HeatMap, Ranked, Unit};
use crate::error::{Error, Result};
use crate::frame::{Geometry, Turn};
use crate::model::metadata::Preprocessing;
use crate::model::scores::Probabilities;
use crate::overlay::Look;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a recording shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recorded {
    /// What the live view shows.
    #[default]
    Overlay,
    /// The frame on the left, the overlay without display on the right.
    SideBySide,
    /// The frame.
    Raw,
    /// The heat alone, on black.
    Heat,
}

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    Recording(Start),
    Explained(Entry),
    End(End),
}

/// The first line: how the recording was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// Version of the program.
    pub gradcam: String,
    /// Date and time, ISO 8601.
    pub started: String,
    pub view: Recorded,
    /// Size of the video in pixels.
    pub width: usize,
    pub height: usize,
    /// Size of the first frame, before it was fitted into the video.
    pub frame_width: usize,
    pub frame_height: usize,
    /// As it was named by the user.
    pub source: String,
    /// By how many degrees its frames were turned, clockwise.
    #[serde(default)]
    pub rotate: Turn,
    pub model: ModelFacts,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelFacts {
    pub file: String,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    /// The target layer's wire; several with commas between them.
    pub layer: String,
    pub preprocessing: Preprocessing,
    pub probabilities: Probabilities,
    /// Groups of methods that give the same map, by name.
    pub coinciding: Vec<Vec<String>>,
}

/// A place in the video.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Counts the frames of the video from 0.
    pub frame: u64,
    /// Seconds from its first frame.
    pub time: f64,
}

/// One explained frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The first frame of the video that shows this map; it is shown until the next entry's.
    pub video: Place,
    /// The frame that is explained: its number at the source, and seconds on the run's clock.
    pub frame: Place,
    pub target: Ranked,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub against: Option<Ranked>,
    /// The best classes, highest score first.
    pub top: Vec<Ranked>,
    pub method: String,
    pub signed: bool,
    pub unit: Unit,
    pub evidence: f32,
    pub contrast: f32,
    pub gate: f32,
    pub map: MapFacts,
    pub geometry: Geometry,
    pub look: Look,
    /// Milliseconds that each stage took.
    pub times_ms: BTreeMap<String, f64>,
}

/// Where a map is, and what it is shown with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MapFacts {
    /// The first byte in the file of maps: `height * width` numbers, f32, little-endian, row by row.
    pub offset: u64,
    pub height: usize,
    pub width: usize,
    pub max: f32,
    /// The value that is drawn with full heat.
    pub scale: f32,
}

/// The last line, where the recording was closed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Frames in the video.
    pub frames: u64,
    /// Seconds.
    pub duration: f64,
    /// Frames that were shown and are not in the video.
    pub dropped: u64,
}

/// A map as the view shows it.
#[derive(Debug, Clone)]
pub struct Explained {
    pub map: HeatMap,
    pub look: Look,
    /// Milliseconds that each stage took.
    pub times_ms: BTreeMap<String, f64>,
}

impl Entry {
    fn new(explained: &Explained, video: Place, offset: u64) -> Entry {
        let Explained { map, look, times_ms } = explained;
        let (height, width) = map.values.dim();
        Entry {
            video,
            frame: Place { frame: map.number, time: map.time.as_secs_f64() },
            target: map.target.clone(),
            against: map.against.clone(),
            top: map.top.clone(),
            method: map.method.to_owned(),
            signed: map.signed,
            unit: map.unit,
            evidence: map.evidence,
            contrast: map.contrast,
            gate: map.gate,
            map: MapFacts { offset, height, width, max: map.max(), scale: map.scale },
            geometry: map.geometry,
            look: *look,
            times_ms: times_ms.clone(),
        }
    }

    /// The heat map, of its values.
    ///
    /// # Errors
    /// [`Error::Input`] where the method is not known.
    fn heat_map(&self, values: ndarray::Array2<f32>) -> Result<HeatMap> {
        Ok(HeatMap {
            values,
            unit: self.unit,
            method: methods::find_any(&self.method)?.about().name,
            signed: self.signed,
            target: self.target.clone(),
            against: self.against.clone(),
            top: self.top.clone(),
            scale: self.map.scale,
            gate: self.gate,
            evidence: self.evidence,
            contrast: self.contrast,
            drop_test: None,
            geometry: self.geometry,
            number: self.frame.frame,
            time: Duration::try_from_secs_f64(self.frame.time)
                .map_err(|_| Error::input("time", "is not a time since the start"))?,
        })
    }
}

/// The two files beside a video: of numbers, and of maps.
pub fn beside(video: &Path) -> (PathBuf, PathBuf) {
    (video.with_extension("jsonl"), video.with_extension("maps"))
}
