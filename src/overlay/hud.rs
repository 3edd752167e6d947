//! What the display over the picture says.

use crate::cam::drop_test::DropTest;
use crate::cam::{HeatMap, Ranked, Unit, methods};
use std::time::Duration;

/// Whether the picture moves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    #[default]
    Live,
    Frozen,
    /// Frames of a file that are drawn into another: there are no rates to tell.
    Film,
    /// No frames come. The last picture greys and the reason stands in the middle.
    Lost {
        reason: String,
    },
}

/// What the display says.
#[derive(Debug, Clone, PartialEq)]
pub struct Hud {
    /// The best classes, highest score first; three are shown.
    pub top: Vec<Ranked>,
    /// The class that is explained; none before the first map.
    pub target: Option<Ranked>,
    /// The class that it is held against, in a contrast.
    pub against: Option<Ranked>,
    /// Whether the user chose the target.
    pub locked: bool,
    /// As people write it, with those that give the same map: `Grad-CAM = HiResCAM, XGrad-CAM`.
    pub method: String,
    /// Groups of methods that give the same map, by name.
    pub coinciding: Vec<Vec<&'static str>>,
    pub layer: String,
    pub unit: Unit,
    /// The map value of full heat.
    pub scale: f32,
    /// 0 to 1, see [`HeatMap::gate`].
    pub gate: f32,
    /// What hiding the hot cells does to the score, where it was tried.
    pub drop_test: Option<DropTest>,
    pub camera: String,
    /// Frames a second.
    pub camera_fps: f32,
    pub network_fps: f32,
    /// Frames a second at most, where the user set a limit.
    pub max_camera_fps: Option<f32>,
    pub max_network_fps: Option<f32>,
    /// Time since the frame that the map explains was captured.
    pub map_age: Duration,
    /// Frames that the source lost, that were broken, or that came and went without being shown.
    pub dropped: u64,
    pub state: State,
    /// Whether the list of keys is shown.
    pub help: bool,
    /// A short message, e.g. where a snapshot went.
    pub note: Option<String>,
}

impl Default for Hud {
    fn default() -> Hud {
        Hud {
            top: Vec::new(),
            target: None,
            against: None,
            locked: false,
            method: String::new(),
            coinciding: Vec::new(),
            layer: String::new(),
            unit: Unit::Score,
            scale: 0.0,
            gate: 0.0,
            drop_test: None,
            camera: String::new(),
            camera_fps: 0.0,
            network_fps: 0.0,
            max_camera_fps: None,
            max_network_fps: None,
            map_age: Duration::ZERO,
            dropped: 0,
            state: State::Live,
            help: false,
            note: None,
        }
    }
}

impl Hud {
    /// Takes over what a map says of itself: classes, target, method, unit, scale, gate and drop test.
    pub fn describe(&mut self, map: &HeatMap) {
        self.top.clear();
        self.top.extend(map.top.iter().take(3).cloned());
        self.target = Some(map.target.clone());
        self.against.clone_from(&map.against);
        self.name_method(map.method);
        (self.unit, self.scale, self.gate, self.drop_test) = (map.unit, map.scale, map.gate, map.drop_test);
    }

    fn name_method(&mut self, name: &'static str) {
        let names = methods::with_coinciding(&self.coinciding, name);
        self.method.clear();
        for (at, name) in names.iter().enumerate() {
            self.method.push_str(["", " = ", ", "][at.min(2)]);
            self.method.push_str(methods::title(name));
        }
    }
}
