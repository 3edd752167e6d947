//! The options that say what to explain and how to show it.

use crate::error::Result;
use crate::frame::{Rect, Region, Turn};
use crate::model::Info;
use crate::overlay::Colormap;
use crate::target::{Followed, Selector};
use clap::Args;

#[derive(Args, Debug)]
pub struct ViewArgs {
    /// Class number or label to explain, or top2 for the second best class; two with a minus sign between them for the
    /// contrast, also top1-top2 [default: top1, the best class]
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
    /// What is explained: one target whatever is seen, or the class of a rank.
    pub fn selector(&self, info: &Info) -> Result<Selector> {
        let followed = self.target.as_deref().map(|text| Followed::named(text, info)).transpose()?;
        Ok(Selector::following(followed.unwrap_or_default()))
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
