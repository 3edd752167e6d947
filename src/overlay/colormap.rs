//! Heat → colour.

use crate::error::Error;
use std::fmt;
use std::str::FromStr;

/// How heat becomes colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colormap {
    /// Mikhailov, "Turbo, an improved rainbow colormap for visualization", 2019.
    #[default]
    Turbo,
    Viridis,
    Inferno,
    Magma,
    /// Nuñez, Anderton, Renslow, "Optimizing colormaps with consideration for color vision deficiency", 2018.
    Cividis,
    /// The classic of most Grad-CAM figures; its steps of lightness suggest edges that are not there.
    Jet,
}

impl Colormap {
    pub const ALL: [Colormap; 6] =
        [Colormap::Turbo, Colormap::Viridis, Colormap::Inferno, Colormap::Magma, Colormap::Cividis, Colormap::Jet];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Colormap::Turbo => "turbo",
            Colormap::Viridis => "viridis",
            Colormap::Inferno => "inferno",
            Colormap::Magma => "magma",
            Colormap::Cividis => "cividis",
            Colormap::Jet => "jet",
        }
    }

    /// The one after this in [`Colormap::ALL`], round and round.
    pub fn next(self) -> Colormap {
        let here = Colormap::ALL.iter().position(|&map| map == self).expect("ALL lists every colour map");
        Colormap::ALL[(here + 1) % Colormap::ALL.len()]
    }

    /// Red, green, blue for heat 0 (entry 0) to full heat (entry 255).
    pub fn table(self) -> [[u8; 3]; 256] {
        let gradient = match self {
            Colormap::Turbo => colorous::TURBO,
            Colormap::Viridis => colorous::VIRIDIS,
            Colormap::Inferno => colorous::INFERNO,
            Colormap::Magma => colorous::MAGMA,
            Colormap::Cividis => colorous::CIVIDIS,
            Colormap::Jet => return std::array::from_fn(|i| jet(i as f32 / 255.0)),
        };
        std::array::from_fn(|i| gradient.eval_continuous(i as f64 / 255.0).as_array())
    }
}

/// Three trapezoids of width 3/4, a quarter apart, with slopes of 4.
fn jet(heat: f32) -> [u8; 3] {
    [3.0, 2.0, 1.0].map(|peak| ((1.5 - (4.0 * heat - peak).abs()).clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
}

/// Colours for −1 (entry 1) over 0 (entry 128) to 1 (entry 255): blue speaks against the class, red for it.
pub fn diverging() -> [[u8; 3]; 256] {
    std::array::from_fn(|i| {
        colorous::RED_YELLOW_BLUE.eval_continuous((1.0 - (i as f64 - 1.0) / 254.0).min(1.0)).as_array()
    })
}

impl fmt::Display for Colormap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Colormap {
    type Err = Error;

    fn from_str(name: &str) -> Result<Colormap, Error> {
        Colormap::ALL.into_iter().find(|map| map.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known = Colormap::ALL.map(Colormap::name).join(", ");
            Error::input(name, format!("no such colour map; there are {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_map_and_next_visits_all() {
        let mut map = Colormap::default();
        for _ in Colormap::ALL {
            assert_eq!(map.to_string().to_uppercase().parse::<Colormap>().unwrap(), map);
            map = map.next();
        }
        assert_eq!(map, Colormap::default());
        let message = "rainbow".parse::<Colormap>().unwrap_err().to_string();
        assert!(message.contains("rainbow") && message.contains("cividis"), "{message}");
    }

    #[test]
    fn the_ends_have_the_published_colours() {
        for (map, cold, hot) in [
            (Colormap::Viridis, [68, 1, 84], [253, 231, 37]),
            (Colormap::Inferno, [0, 0, 4], [252, 255, 164]),
            (Colormap::Magma, [0, 0, 4], [252, 253, 191]),
            (Colormap::Jet, [0, 0, 128], [128, 0, 0]),
        ] {
            let table = map.table();
            for (got, expected) in [(table[0], cold), (table[255], hot)] {
                // Interpolated from polynomials or samples of the published tables.
                assert!(got.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2), "{map}: {got:?} for {expected:?}");
            }
        }
        let signed = diverging();
        assert!(signed[255][0] > signed[255][2] && signed[1][2] > signed[1][0]);
    }
}
