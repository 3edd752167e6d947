//! `gradcam replay RECORDING -o OUT.mp4`: the maps of a recording, drawn anew.

use super::film::{draw, open, stop_on_signals};
use super::record::EncodingArgs;
use super::{PARTLY, SUCCESS, say};
use crate::cam::{HeatMap, methods};
use crate::error::Error;
use crate::frame::Turn;
use crate::logbook::{Reader, Recorded, Start};
use crate::overlay::{Colormap, Hud, Look};
use crate::pipeline::film::{Film, Kept, Part};
use crate::pipeline::recorder::Plan;
use crate::sink::record::fit;
use crate::sink::record::name::Destination;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Replay {
    /// A recording with its .jsonl and .maps beside it, made with --record-view raw or side-by-side
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,
    /// The new video, an .mp4 file
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The video that was explained, for a recording that does not show its frames
    #[arg(long, value_name = "VIDEO")]
    source: Option<PathBuf>,
    /// Colour map: turbo, viridis, inferno, magma, cividis, jet [default: as recorded]
    #[arg(long, value_name = "NAME")]
    colormap: Option<Colormap>,
    /// Opacity of full heat, 0 to 1 [default: as recorded]
    #[arg(long, value_name = "X", value_parser = super::parse_share)]
    opacity: Option<f32>,
    /// Draw only what has at least this share of full heat, 0 to 1 [default: as recorded]
    #[arg(long, value_name = "X", value_parser = super::parse_share)]
    threshold: Option<f32>,
    /// Show what speaks against the class too, in a second colour
    #[arg(long)]
    signed: bool,
    /// The map's value for full heat [default: as recorded]
    #[arg(long, value_name = "X", value_parser = parse_positive)]
    scale: Option<f32>,
    /// Without classes and scale
    #[arg(long)]
    plain: bool,
    #[command(flatten, next_help_heading = "Video")]
    encoding: EncodingArgs,
}

impl Replay {
    pub fn run(self) -> anyhow::Result<u8> {
        let destination = Destination::at(&self.output)?;
        destination.first("")?;
        let shutdown = stop_on_signals()?;
        let Reader { start, entries } = Reader::open(&self.recording)?;
        let (pictures, part) = match (&self.source, part(&start)) {
            (Some(source), _) => (source, None),
            (None, Some(part)) => (&self.recording, Some(part)),
            (None, None) => {
                return Err(Error::input(
                    self.recording.display(),
                    "shows the heat already; name the video that was explained with --source, or record with \
                     --record-view raw or side-by-side",
                )
                .into());
            }
        };
        let video = open(pictures, &shutdown)?;
        let relook = |map: &mut HeatMap, look: Look| {
            map.scale = self.scale.unwrap_or(map.scale);
            Look {
                colormap: self.colormap.unwrap_or(look.colormap),
                opacity: self.opacity.unwrap_or(look.opacity),
                threshold: self.threshold.unwrap_or(look.threshold),
                signed: self.signed || look.signed,
                ..look
            }
        };
        let maps = Kept { entries, by_source: self.source.is_some(), relook, next: None };
        let hud = (!self.plain).then(|| Hud {
            layer: start.model.layer.clone(),
            coinciding: coinciding(&start),
            ..Hud::default()
        });
        // A recording's own frames are upright.
        let turn = if self.source.is_some() { start.rotate } else { Turn::None };
        let film = Film { video, maps, turn, part, mirrored: self.source.is_none(), hud };
        let (encoding, view) = (self.encoding.encoding(), self.encoding.record_view);
        let (source, turn, model) = (start.source, start.rotate, start.model);
        let plan = Plan { destination, encoding, view, segment: None, source, turn, model };
        let (_, done, broken) = draw(film, &plan, "", |_| Ok(()))?;
        if let Some(reason) = broken {
            say(&format!("gradcam: {}: breaks off after {} frames ({reason})", pictures.display(), done.frames));
            return Ok(PARTLY);
        }
        Ok(SUCCESS)
    }
}

/// Groups of methods that give the same map; those that this program does not know are left out.
fn coinciding(start: &Start) -> Vec<Vec<&'static str>> {
    let known = |name: &String| methods::find_any(name).ok().map(|method| method.about().name);
    start.model.coinciding.iter().map(|group| group.iter().filter_map(known).collect()).collect()
}

/// Where the frame lies in a recording's pictures, if it is there without heat.
fn part(start: &Start) -> Option<Part> {
    let across = match start.view {
        Recorded::Raw => 1,
        Recorded::SideBySide => 2,
        Recorded::Overlay | Recorded::Heat => return None,
    };
    let (columns, rows) = fit::place((start.frame_width, start.frame_height), (start.width / across, start.height));
    Some(Part { columns, rows })
}

fn parse_positive(text: &str) -> Result<f32, String> {
    let value = text.parse().ok().filter(|value: &f32| value.is_normal() && *value > 0.0);
    value.ok_or("expected a number above 0".to_owned())
}
