//! Frame → HeatMap: the middle of a frame's way as one step, for stills and video alike.

use super::stats::Stage;
use crate::cam::drop_test::{DropTest, drop_test};
use crate::cam::layers::combine;
use crate::cam::methods::{self, About, AnyMethod, Method};
use crate::cam::temporal::Follower;
use crate::cam::{Context, HeatMap, Ranked, Unit, null, ranked};
use crate::engine::{Engine, Forward, Properties, Timed};
use crate::error::{Error, Result};
use crate::frame::{Frame, Region};
use crate::model::Info;
use crate::model::metadata::NullLevels;
use crate::preprocess::{Input, Preprocess};
use crate::target::{Selector, Target};
use ndarray::Array2;
use std::time::{Duration, Instant};

/// How many classes are ranked.
const TOP: usize = 5;

/// How long each stage took.
pub type Times = [(Stage, Duration); 3];

/// Loads the model at the target layer of that name, or at several with commas between them.
pub type Loader = Box<dyn FnMut(&str) -> Result<Vec<Engine>> + Send>;

/// The target layer, as far as a display wants to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtLayer {
    /// Its wire in the classifier; several with commas between them.
    pub wire: String,
    /// Groups of methods that give the same map there, by name.
    pub coinciding: Vec<Vec<&'static str>>,
}

/// Explains frames with one model, at one target layer or several.
pub struct Explainer {
    /// The first layer's, whose scores count; then one for each further layer.
    layers: Vec<Layer>,
    /// Of the first, with the names of all layers.
    info: Info,
    preprocess: Preprocess,
    input: Input,
    /// What the network sees of a frame, where that is not all.
    region: Option<Region>,
    /// Classes that are looked for in every frame, and how the last one fared.
    watched: Vec<usize>,
    found: Vec<Ranked>,
    /// Which class is explained.
    pub selector: Selector,
    /// Steadies scale and gate over a video; `None` for stills.
    follower: Option<Follower>,
    loader: Option<Loader>,
}

/// The model cut at one layer, and what it shows on pictures of nothing.
struct Layer {
    engine: Engine,
    null: NullLevels,
}

impl Layer {
    fn new(engine: Engine) -> Result<Layer> {
        let null = engine.info.null_levels.clone();
        let null = null.ok_or_else(|| Error::model(&engine.info.file, "its null levels have not been measured"))?;
        Ok(Layer { engine, null })
    }

    /// The null level of a method's map. One that the file does not hold is that of a method with the same map, or is
    /// measured now, once.
    fn level(&mut self, method: &dyn Method) -> Result<f32> {
        if let Some(level) = self.null.map_max.get(method.name()) {
            return Ok(*level);
        }
        let groups = methods::coinciding(self.engine.properties);
        let same = methods::with_coinciding(&groups, method.name());
        if let Some(level) = same.iter().find_map(|name| self.null.map_max.get(*name)) {
            return Ok(*level);
        }
        log::info!("{}: measuring the null level of {}", self.engine.info.file, method.name());
        let level = null::measure_map(&mut self.engine, method)?;
        self.null.map_max.insert(method.name().to_owned(), level);
        Ok(level)
    }
}

impl Explainer {
    /// Explains at the target layer of `engine`.
    ///
    /// # Errors
    /// [`Error::Model`] where the engine's info has no null levels.
    pub fn new(engine: Engine, selector: Selector) -> Result<Explainer> {
        let info = engine.info.clone();
        Ok(Explainer {
            preprocess: Preprocess::new(&info.preprocessing),
            input: Input::new(&info.preprocessing),
            layers: vec![Layer::new(engine)?],
            info,
            region: None,
            watched: Vec::new(),
            found: Vec::new(),
            selector,
            follower: None,
            loader: None,
        })
    }

    /// Explains at the target layer of `engine` too, which runs the same classifier: the maps of all layers become one
    /// (see [`combine`]). Scores, gate and drop test stay those of the first engine. Each layer costs a forward pass.
    ///
    /// # Errors
    /// [`Error::Model`] where the engine's info has no null levels, or is that of another classifier.
    pub fn and(mut self, engine: Engine) -> Result<Explainer> {
        let (first, other) = (&self.info, &engine.info);
        if (first.classes(), &first.preprocessing) != (other.classes(), &other.preprocessing) {
            return Err(Error::model(&other.file, format!("is not the same classifier as {}", first.file)));
        }
        self.info.layer.wire = format!("{},{}", first.layer.wire, other.layer.wire);
        self.layers.push(Layer::new(engine)?);
        Ok(self)
    }

    /// Gives the network `region` of each frame as if it were all of it.
    pub fn on(mut self, region: Option<Region>) -> Explainer {
        self.region = region;
        self
    }

    /// Looks for classes in every frame, whatever is explained.
    pub fn watching(mut self, classes: Vec<usize>) -> Explainer {
        self.watched = classes;
        self
    }

    /// The classes that are looked for, as they are in the last frame that was explained.
    pub fn found(&self) -> &[Ranked] {
        &self.found
    }

    /// For frames that follow one another.
    pub fn following(mut self) -> Explainer {
        self.follower = Some(Follower::default());
        self
    }

    /// Can be moved to other layers, which `loader` loads.
    pub fn moving(mut self, loader: Loader) -> Explainer {
        self.loader = Some(loader);
        self
    }

    /// Explains at another layer from now on. That of `name` is loaded, and takes the place of the present one when it is
    /// ready.
    ///
    /// # Errors
    /// Those of the loader; the present layer stays.
    pub fn move_to(&mut self, name: &str) -> Result<()> {
        let loader = self.loader.as_mut().ok_or_else(|| Error::input(name, "the layer is fixed here"))?;
        let mut engines = loader(name)?.into_iter();
        let first = engines.next().ok_or_else(|| Error::input(name, "names no layer"))?;
        let moved = engines.try_fold(Explainer::new(first, Selector::default())?, Explainer::and)?;
        (self.layers, self.info) = (moved.layers, moved.info);
        if self.follower.is_some() {
            // The values of another layer have another size.
            self.follower = Some(Follower::default());
        }
        Ok(())
    }

    /// Where it explains.
    pub fn at_layer(&self) -> AtLayer {
        AtLayer { wire: self.info.layer.wire.clone(), coinciding: self.coinciding() }
    }

    /// What is known of the model; the wires of several layers stand with commas between them.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Groups of methods that give the same map here, by name.
    pub fn coinciding(&self) -> Vec<Vec<&'static str>> {
        let all = |holds: fn(Properties) -> bool| self.layers.iter().all(|layer| holds(layer.engine.properties));
        methods::coinciding(Properties {
            uniform_gradients: all(|properties| properties.uniform_gradients),
            non_negative: all(|properties| properties.non_negative),
        })
    }

    /// What each operator of the network takes for a frame, in running order; of several layers the first one's.
    ///
    /// # Errors
    /// Those of [`Explainer::explain`].
    pub fn profile(&mut self, frame: &Frame) -> Result<Vec<Timed>> {
        self.see(frame)?;
        let engine = &mut self.layers[0].engine;
        let target = self.selector.choose(engine.forward(&self.input)?.scores(), frame.time);
        engine.profile(&self.input, target)
    }

    /// Brings a frame to the network.
    fn see(&mut self, frame: &Frame) -> Result<()> {
        let region = self.region.unwrap_or(Region::whole(frame));
        let Some(inside) = region.within(frame) else {
            let Region { x, y, width, height } = region;
            let reason = format!("lies outside of the frame, which has {}x{} pixels", frame.width, frame.height);
            return Err(Error::input(format!("the region {x},{y},{width},{height}"), reason));
        };
        self.preprocess.run_on(frame, inside, &mut self.input);
        Ok(())
    }

    /// Explains one frame.
    ///
    /// # Errors
    /// Those of the engine; [`Error::Input`] where the region lies outside of the frame.
    pub fn explain(&mut self, frame: &Frame, method: &dyn Method) -> Result<(HeatMap, Times)> {
        let levels = self.layers.iter_mut().map(|layer| layer.level(method)).collect::<Result<Vec<f32>>>()?;
        self.run(frame, method.about(), &levels, |engine, _, forward, target| {
            let evidence = engine.gradients(forward, target)?;
            Ok(method.map(forward.activations(), evidence.gradients()))
        })
    }

    /// Explains one still with a method of either kind. Methods for stills have no null level: the gate is the same, but
    /// full heat is always the map's maximum. `progress` is told how many runs of them are done, and of how many.
    ///
    /// # Errors
    /// Those of [`Explainer::explain`].
    pub fn explain_still(
        &mut self,
        frame: &Frame,
        method: AnyMethod,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(HeatMap, Times)> {
        match method {
            AnyMethod::Live(method) => self.explain(frame, method),
            AnyMethod::Still(method) => {
                let levels = vec![0.0; self.layers.len()];
                self.run(frame, method.about(), &levels, |engine, input, forward, target| {
                    method.map(engine, input, forward, target, progress)
                })
            }
        }
    }

    /// What hiding the hot cells of `map` does to the score, where `map` explains the last frame that was explained; see
    /// [`drop_test`]. `go_on` is asked before each of the nine forward passes.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn drop_test(&mut self, map: &HeatMap, go_on: impl Fn() -> bool) -> Result<Option<DropTest>> {
        drop_test(&mut self.layers[0].engine, &self.input, map, go_on)
    }

    /// `map_of` makes the map of one layer, whose null levels are `levels`.
    fn run(
        &mut self,
        frame: &Frame,
        about: &About,
        levels: &[f32],
        mut map_of: impl FnMut(&mut Engine, &Input, &Forward, Target) -> Result<Array2<f32>>,
    ) -> Result<(HeatMap, Times)> {
        let start = Instant::now();
        self.see(frame)?;
        let preprocessed = Instant::now();
        let input = &self.input;
        let passes =
            self.layers.iter_mut().map(|layer| layer.engine.forward(input)).collect::<Result<Vec<Forward>>>()?;
        let classified = Instant::now();
        if self.follower.is_none() {
            self.selector.forget();
        }
        let target: Target = self.selector.choose(passes[0].scores(), frame.time);
        let mut maps = Vec::with_capacity(passes.len());
        for ((layer, forward), level) in self.layers.iter_mut().zip(&passes).zip(levels) {
            maps.push((map_of(&mut layer.engine, input, forward, target)?, *level));
        }
        let null = &self.layers[0].null;
        self.found = self.watched.iter().map(|class| ranked(&self.info, passes[0].scores(), *class)).collect();
        let context = Context { info: &self.info, null, top: TOP, frame: (frame.number, frame.time) };
        let mut map = if maps.len() == 1 {
            let (values, level) = maps.remove(0);
            context.heat_map(&passes[0], target, values, about, level)
        } else {
            let (values, scale) = combine(&maps);
            let about = About { unit: Unit::Relative, signed: false, ..*about };
            context.heat_map(&passes[0], target, values, &about, scale)
        };
        if let Some(follower) = &mut self.follower {
            follower.follow(&mut map);
        }
        let explained = Instant::now();
        let times = [
            (Stage::Preprocess, preprocessed - start),
            (Stage::Forward, classified - preprocessed),
            (Stage::HeatMap, explained - classified),
        ];
        Ok((map, times))
    }
}
