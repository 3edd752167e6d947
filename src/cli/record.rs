//! The options that say how to record.

use crate::error::Result;
use crate::frame::Turn;
use crate::logbook::{ModelFacts, Recorded};
use crate::pipeline::recorder::Plan;
use crate::sink::record::Encoding;
use crate::sink::record::name::Destination;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where recordings that the key `r` begins go, unless `--record` names another place.
const FOLDER: &str = "recordings";

#[derive(Args, Debug)]
pub struct EncodingArgs {
    /// What is recorded: overlay (what the view shows), side-by-side, raw (the frame), heat
    #[arg(long, value_name = "VIEW", default_value = "overlay", value_parser = parse_view)]
    pub record_view: Recorded,
    /// Size of the video [default: that of the view]
    #[arg(long, value_name = "WxH", value_parser = super::parse_size)]
    pub record_size: Option<(u32, u32)>,
    /// Frames per second of the video at most [default: all]
    #[arg(long, value_name = "N", value_parser = parse_fps)]
    pub record_fps: Option<f32>,
    /// Bits per second, such as 2M or 800k [default: by size, 2M at 640x480]
    #[arg(long, value_name = "RATE", value_parser = parse_bitrate)]
    pub bitrate: Option<u32>,
}

impl EncodingArgs {
    pub fn encoding(&self) -> Encoding {
        let size = self.record_size.map(|(width, height)| (width as usize, height as usize));
        Encoding { size, fps: self.record_fps, bitrate: self.bitrate }
    }
}

#[derive(Args, Debug)]
pub struct RecordArgs {
    /// Record from the start: an .mp4 file, or a folder (key r begins and ends recordings at any time)
    #[arg(long, value_name = "OUT")]
    pub record: Option<PathBuf>,
    /// Begin a new file after this much video, such as 30s, 10min, 1h
    #[arg(long, value_name = "TIME", value_parser = super::parse_duration)]
    pub segment: Option<Duration>,
    #[command(flatten)]
    pub encoding: EncodingArgs,
}

impl RecordArgs {
    /// Where recordings go. What `--record` names is looked at, and a folder is made; that of the key is made when it is
    /// needed.
    pub fn destination(&self) -> Result<Destination> {
        match &self.record {
            Some(path) => {
                let destination = Destination::at(path)?;
                // Said now rather than when the model is loaded.
                if self.segment.is_none() {
                    destination.first("")?;
                }
                Ok(destination)
            }
            None => Ok(Destination::Folder(Path::new(FOLDER).to_owned())),
        }
    }

    pub fn plan(&self, destination: Destination, source: String, turn: Turn, model: ModelFacts) -> Plan {
        let encoding = self.encoding.encoding();
        Plan { destination, encoding, view: self.encoding.record_view, segment: self.segment, source, turn, model }
    }
}

fn parse_view(text: &str) -> std::result::Result<Recorded, String> {
    match text {
        "overlay" => Ok(Recorded::Overlay),
        "side-by-side" => Ok(Recorded::SideBySide),
        "raw" => Ok(Recorded::Raw),
        "heat" => Ok(Recorded::Heat),
        _ => Err("expected overlay, side-by-side, raw or heat".to_owned()),
    }
}

pub fn parse_fps(text: &str) -> std::result::Result<f32, String> {
    let fps = text.parse().ok().filter(|fps| (0.01..=1000.0).contains(fps));
    fps.ok_or("expected a number from 0.01 to 1000".to_owned())
}

fn parse_bitrate(text: &str) -> std::result::Result<u32, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        _ => (text, 1.0),
    };
    let rate = number.parse::<f64>().ok().map(|number| number * unit).filter(|rate| (1e4..=1e9).contains(rate));
    rate.map(|rate| rate as u32).ok_or("expected bits per second from 10k to 1000M, such as 2M".to_owned())
}
