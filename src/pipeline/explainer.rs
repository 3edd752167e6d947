//! Frame → HeatMap: the middle of a frame's way as one step, for stills and video alike.

use super::stats::Stage;
use crate::cam::methods::Method;
use crate::cam::temporal::Follower;
use crate::cam::{HeatMap, heat_map};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::model::Info;
use crate::model::metadata::NullLevels;
use crate::preprocess::{Input, Preprocess};
use crate::target::{Selector, Target};
use std::time::{Duration, Instant};

/// How many classes are ranked.
const TOP: usize = 3;

/// How long each stage took.
pub type Times = [(Stage, Duration); 3];

/// Explains frames with one model.
pub struct Explainer {
    engine: Engine,
    preprocess: Preprocess,
    input: Input,
    null: NullLevels,
    /// Which class is explained.
    pub selector: Selector,
    /// Steadies scale and gate over a video; `None` for stills.
    follower: Option<Follower>,
}

impl Explainer {
    /// `null` are the model's null levels; they are in the engine's info, or measured.
    ///
    /// # Errors
    /// [`Error::Model`] where the null levels are not known.
    pub fn new(engine: Engine, selector: Selector) -> Result<Explainer> {
        let info = &engine.info;
        let null = info.null_levels.clone();
        let null = null.ok_or_else(|| Error::model(&info.file, "its null levels have not been measured"))?;
        Ok(Explainer {
            preprocess: Preprocess::new(&info.preprocessing),
            input: Input::new(&info.preprocessing),
            null,
            selector,
            follower: None,
            engine,
        })
    }

    /// For frames that follow one another.
    pub fn following(mut self) -> Explainer {
        self.follower = Some(Follower::default());
        self
    }

    pub fn info(&self) -> &Info {
        &self.engine.info
    }

    /// Explains one frame.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn explain(&mut self, frame: &Frame, method: &dyn Method) -> Result<(HeatMap, Times)> {
        let start = Instant::now();
        self.preprocess.run(frame, &mut self.input);
        let preprocessed = Instant::now();
        let forward = self.engine.forward(&self.input)?;
        let classified = Instant::now();
        let target: Target = self.selector.choose(forward.scores(), frame.time);
        let evidence = self.engine.gradients(&forward, target)?;
        let mut map = heat_map(&evidence, method, &self.engine.info, &self.null, TOP, (frame.number, frame.time));
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
