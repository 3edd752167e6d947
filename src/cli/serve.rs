//! The options that say to whom the view is shown beside the window, and opening the server.

use super::model::ModelArgs;
use super::say;
use crate::cam::methods;
use crate::error::Result;
use crate::model::{Classifier, Info, Reading, layers};
use crate::onnx::ACTIVATIONS;
use crate::overlay::{Colormap, diverging};
use crate::pipeline::explainer::Explainer;
use crate::pipeline::screen::Serving;
use crate::sink::http::{Address, ColormapInfo, Kind, LayerInfo, MethodInfo, ModelInfo, Server, Shelf, Token};
use crate::sink::record::name::Destination;
use crate::sink::snapshot;
use clap::Args;
use std::path::Path;

/// Layers of a smaller stride have more cells than anyone looks at, and are slow to measure.
const FINEST: usize = 8;
/// Colours of a scale that is sent.
const COLOURS: usize = 17;

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Show the view in browsers, at 127.0.0.1:4912 or another address; one that others reach, such as 0.0.0.0:4912,
    /// needs a token, which is made and said
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:4912")]
    pub serve: Option<Address>,
    /// The token that browsers need, instead of one that is made; 12 letters or digits at least
    // Looked at later: what clap refuses it repeats, and logs are read by others.
    #[arg(long, value_name = "TOKEN", env = "GRADCAM_SERVE_TOKEN", hide_env_values = true)]
    pub serve_token: Option<String>,
    /// A name by which browsers call this machine, beside its addresses and its own name; may be given several times
    #[arg(long, value_name = "NAME", requires = "serve")]
    pub serve_name: Vec<String>,
    /// Quality of the pictures in browsers, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub serve_quality: u8,
}

impl ServeArgs {
    /// Binds the address, if one was asked for, and says how to get there.
    pub fn bind(&self, destination: &Destination, snapshots: &Path) -> Result<Option<Server>> {
        let Some(address) = self.serve else { return Ok(None) };
        let token = match &self.serve_token {
            Some(token) => Some(Token::given(token)?),
            None if address.is_loopback() => None,
            None => Some(Token::made()?),
        };
        let (folder, stem) = destination.parts();
        let recordings = Shelf { kind: Kind::Recording, folder, stem };
        let snapshots = Shelf { kind: Kind::Snapshot, folder: snapshots.to_owned(), stem: snapshot::STEM.to_owned() };
        let server = Server::bind(address, token, &self.serve_name, vec![recordings, snapshots])?;
        let links = server.links();
        say(&format!("gradcam: the live view is at {}", links.join(" and ")));
        Ok(Some(server))
    }

    /// Starts to serve the view, if there is a server. The explainer that it gives back can be moved to other layers.
    pub fn start(
        &self,
        server: Option<Server>,
        model: &ModelArgs,
        explainer: Explainer,
    ) -> Result<(Explainer, Option<Serving>)> {
        let Some(server) = server else { return Ok((explainer, None)) };
        let info = explainer.info();
        let layers = model.layers(info)?;
        let first = layers.iter().find(|layer| layer.wire == info.layer.wire).map(|layer| layer.name.clone());
        let about = about(info, &explainer.coinciding(), layers);
        let explainer = explainer.moving(model.loader(first.unwrap_or_default()));
        Ok((explainer, Some(Serving::start(server, about, self.serve_quality)?)))
    }
}

impl ModelArgs {
    /// The layers that may be chosen while the program runs: the one it starts with, and the last of each stride.
    fn layers(&self, info: &Info) -> Result<Vec<LayerInfo>> {
        let (file, bytes) = self.bytes()?;
        let reading = Reading { keep_head: false, ..self.options.options()?.reading() };
        let Classifier { graph, scores, facts, .. } = Classifier::read(&file, &bytes, &reading)?;
        let mut strides: Vec<usize> = layers::all(&graph, &scores, &facts).iter().map(|layer| layer.stride).collect();
        strides.retain(|stride| *stride >= FINEST);
        strides.sort_unstable_by(|a, b| b.cmp(a));
        strides.dedup();
        let named = |stride: usize| {
            let name = format!("stride{stride}");
            let layer = layers::named(&graph, &name, &scores, &facts).ok()?;
            // In an exported file the target layer's wire has another name than in the classifier.
            let wire = if layer.wire == ACTIVATIONS { info.layer.wire.clone() } else { layer.wire };
            Some(LayerInfo { name, wire, height: layer.shape[2], width: layer.shape[3] })
        };
        let mut layers: Vec<LayerInfo> = strides.into_iter().filter_map(named).collect();
        if !layers.iter().any(|layer| layer.wire == info.layer.wire) {
            let name = self.options.layer.clone().unwrap_or_else(|| info.layer.wire.clone());
            let (wire, shape) = (info.layer.wire.clone(), &info.layer.shape);
            layers.insert(0, LayerInfo { name, wire, height: shape[2], width: shape[3] });
        }
        Ok(layers)
    }
}

fn about(info: &Info, coinciding: &[Vec<&'static str>], layers: Vec<LayerInfo>) -> ModelInfo {
    let method = |method: &&'static dyn methods::Method| {
        let methods::About { name, title, unit, signed } = *method.about();
        let same = methods::with_coinciding(coinciding, name).into_iter().filter(|other| *other != name).collect();
        MethodInfo { name, title, unit, signed, same }
    };
    let scale = |table: [[u8; 3]; 256], first: usize| {
        let last = COLOURS - 1;
        let place = |at: usize| first + ((255 - first) * at + last / 2) / last;
        (0..COLOURS)
            .map(|at| table[place(at)])
            .map(|[red, green, blue]| format!("#{red:02x}{green:02x}{blue:02x}"))
            .collect()
    };
    let colormap = |map: Colormap| ColormapInfo { name: map.name(), colours: scale(map.table(), 0) };
    ModelInfo {
        model: info.file.clone(),
        labels: info.labels.clone(),
        methods: methods::ALL.iter().map(method).collect(),
        layers,
        colormaps: Colormap::ALL.map(colormap).into(),
        signed_colours: scale(diverging(), 1),
    }
}
