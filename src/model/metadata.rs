//! What a user would otherwise retype, stored in the ONNX file's `metadata_props`.

/// The order of the colour planes that the network wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColourOrder {
    Rgb,
    Bgr,
}

/// How a frame is brought to the network's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The largest centred part with the network's aspect ratio, scaled; what lies outside is not seen.
    CentreCrop,
}

/// From a frame to the network's input: crop, resize, then `(x − mean) / scale` for x in 0..=255.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Preprocessing {
    /// Input size in pixels.
    pub width: usize,
    pub height: usize,
    pub order: ColourOrder,
    /// Per colour, in the order red, green, blue.
    pub mean: [f32; 3],
    pub scale: [f32; 3],
    pub resize: Resize,
}
