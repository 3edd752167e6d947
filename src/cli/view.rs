//! The options that say what to explain and how to show it.

use crate::error::Result;
use crate::frame::Rect;
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
    /// Region of interest in pixels; its share of the heat is reported
    #[arg(long, value_name = "X,Y,W,H", value_parser = parse_roi)]
    pub roi: Option<Rect>,
}

impl ViewArgs {
    /// What is explained whatever is seen; `None` is the best class.
    pub fn target(&self, info: &Info) -> Result<Option<Target>> {
        self.target.as_deref().map(|text| Target::named(text, info)).transpose()
    }
}

/// Parses `x,y,width,height` in pixels.
fn parse_roi(text: &str) -> std::result::Result<Rect, String> {
    let numbers: std::result::Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse::<f32>()).collect();
    match numbers.as_deref() {
        Ok([x, y, width, height]) if [x, y].iter().all(|side| side.is_finite()) && *width > 0.0 && *height > 0.0 => {
            Ok(Rect { x: *x, y: *y, width: *width, height: *height })
        }
        _ => Err("expected x,y,width,height in pixels, such as 0,0,320,240".to_owned()),
    }
}
