//! The options that say what to explain and how to show it.

use crate::frame::Rect;
use crate::model::Info;
use crate::overlay::Colormap;
use clap::Args;

#[derive(Args, Debug)]
pub struct ViewArgs {
    /// Class number or label to explain [default: the best class]
    #[arg(long, value_name = "CLASS")]
    pub target: Option<String>,
    /// grad-cam, grad-cam++
    #[arg(long, value_name = "NAME", default_value = "grad-cam")]
    pub method: String,
    /// Colour map: turbo, viridis, inferno, magma, cividis, jet
    #[arg(long, value_name = "NAME", default_value_t = Colormap::default())]
    pub colormap: Colormap,
    /// Region of interest in pixels; its share of the heat is reported
    #[arg(long, value_name = "X,Y,W,H", value_parser = parse_roi)]
    pub roi: Option<Rect>,
}

impl ViewArgs {
    /// The class that is explained whatever is seen; `None` is the best one.
    pub fn class(&self, info: &Info) -> crate::error::Result<Option<usize>> {
        self.target.as_deref().map(|name| info.class(name)).transpose()
    }
}

/// Parses `x,y,width,height` in pixels.
fn parse_roi(text: &str) -> Result<Rect, String> {
    let numbers: Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse::<f32>()).collect();
    match numbers.as_deref() {
        Ok([x, y, width, height]) if [x, y].iter().all(|side| side.is_finite()) && *width > 0.0 && *height > 0.0 => {
            Ok(Rect { x: *x, y: *y, width: *width, height: *height })
        }
        _ => Err("expected x,y,width,height in pixels, such as 0,0,320,240".to_owned()),
    }
}
