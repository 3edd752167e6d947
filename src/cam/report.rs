//! What is said of a heat map to machines.

use super::{HeatMap, Unit};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetReport {
    pub class: usize,
    pub label: String,
    /// The class that it is held against, in a contrast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<AgainstReport>,
    /// The explained number: the class's score, less that of the other class in a contrast.
    pub score: f32,
    /// After softmax; a contrast has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstReport {
    pub class: usize,
    pub label: String,
}

impl TargetReport {
    pub fn of(map: &HeatMap) -> TargetReport {
        let against = map.against.as_ref();
        TargetReport {
            class: map.target.class,
            label: map.target.label.clone(),
            against: against.map(|other| AgainstReport { class: other.class, label: other.label.clone() }),
            score: map.score(),
            probability: against.is_none().then_some(map.target.probability),
        }
    }
}

/// The signed map at the target layer's resolution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapReport {
    pub height: usize,
    pub width: usize,
    pub min: f32,
    pub max: f32,
    /// The value that is drawn with full heat.
    pub scale: f32,
    pub unit: Unit,
}

impl MapReport {
    pub fn of(map: &HeatMap) -> MapReport {
        let (height, width) = map.values.dim();
        let fold = |start: f32, pick: fn(f32, f32) -> f32| map.values.iter().copied().fold(start, pick);
        MapReport {
            height,
            width,
            min: fold(f32::INFINITY, f32::min),
            max: fold(f32::NEG_INFINITY, f32::max),
            scale: map.scale,
            unit: map.unit,
        }
    }
}
