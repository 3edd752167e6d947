//! The options that say what to explain and how to show it.

use crate::error::{Error, Result};
use crate::frame::{Rect, Region, Turn};
use crate::model::Info;
use crate::overlay::Colormap;
use crate::target::Target;
use clap::Args;

#[derive(Args, Debug)]
pub struct ViewArgs {
    /// Class number or label to explain, or two with a minus sign between them for the contrast [default: the best class]
    #[arg(long, value_name = "CLASS[-CLASS]")]
    pub target: Option<String>,
    /// How the map is made: grad-cam, grad-cam++, hires-cam, xgrad-cam, layer-cam, element-wise, eigen-cam,
    /// eigen-grad-cam; for `explain` also score-cam, ablation-cam, which run the network many times
    #[arg(long, value_name = "NAME", default_value = "grad-cam")]
    pub method: String,
    /// Colour map: turbo, viridis, inferno, magma, cividis, jet
    #[arg(long, value_name = "NAME", default_value_t = Colormap::default())]
    pub colormap: Colormap,
    /// Keep what speaks against the class: negative values in a second colour
    #[arg(long)]
    pub signed: bool,
    /// Turn pictures clockwise by that many degrees before anything else: 0, 90, 180, 270
    #[arg(long, value_name = "DEGREES", default_value = "0", value_parser = parse_turn)]
    pub rotate: Turn,
    /// Mirror what is shown (the network sees it as it is)
    #[arg(long)]
    pub flip: bool,
    /// The region of the picture that the network sees, in pixels [default: all]
    #[arg(long, value_name = "X,Y,W,H", value_parser = parse_region)]
    pub roi: Option<Region>,
    /// Report the share of the heat inside this rectangle, in pixels
    #[arg(long, value_name = "X,Y,W,H", value_parser = parse_rectangle)]
    pub heat_share: Option<Rect>,
}

impl ViewArgs {
    /// What is explained whatever is seen; `None` is the best class.
    pub fn target(&self, info: &Info) -> Result<Option<Target>> {
        self.target.as_deref().map(|text| target(text, info)).transpose()
    }
}

/// A class, or two with a minus sign between them. Labels may have minus signs of their own.
fn target(text: &str, info: &Info) -> Result<Target> {
    let alone = match info.class(text) {
        Ok(class) => return Ok(Target::class(class)),
        Err(error) => error,
    };
    let pair = |(at, _)| {
        let (class, against) = (text[..at].trim(), text[at + 1..].trim());
        if class.is_empty() || against.is_empty() {
            return None;
        }
        Some(info.class(class).and_then(|class| Ok(Target { class, against: Some(info.class(against)?) })))
    };
    let mut pairs: Vec<Result<Target>> = text.match_indices('-').filter_map(pair).collect();
    match pairs.iter().position(Result::is_ok) {
        Some(at) => match pairs.swap_remove(at) {
            Ok(Target { class, against }) if against == Some(class) => {
                Err(Error::input(text, "a contrast is between two different classes"))
            }
            found => found,
        },
        // One minus sign: the error is about the class that is not there.
        None if pairs.len() == 1 => pairs.swap_remove(0),
        None => Err(alone),
    }
}

fn parse_turn(text: &str) -> std::result::Result<Turn, String> {
    let degrees = text.parse::<u16>().map_err(|_| "expected 0, 90, 180 or 270")?;
    Ok(Turn::try_from(degrees)?)
}

/// Parses `x,y,width,height` in whole pixels.
fn parse_region(text: &str) -> std::result::Result<Region, String> {
    let numbers: std::result::Result<Vec<usize>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    match numbers.as_deref() {
        Ok(&[x, y, width, height]) if width > 0 && height > 0 => Ok(Region { x, y, width, height }),
        _ => Err("expected x,y,width,height in whole pixels, such as 0,0,320,240".to_owned()),
    }
}

/// Parses `x,y,width,height` in pixels.
fn parse_rectangle(text: &str) -> std::result::Result<Rect, String> {
    let numbers: std::result::Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse::<f32>()).collect();
    match numbers.as_deref() {
        Ok([x, y, width, height]) if [x, y].iter().all(|side| side.is_finite()) && *width > 0.0 && *height > 0.0 => {
            Ok(Rect { x: *x, y: *y, width: *width, height: *height })
        }
        _ => Err("expected x,y,width,height in pixels, such as 0,0,320,240".to_owned()),
    }
}
