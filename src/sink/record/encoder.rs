//! Canvas → H.264, with Cisco's OpenH264. The only file that knows it.

#[cfg(feature = "record")]
use crate::kernels::{
    Isa,
    yuv420::{Rows, yuv420},
};
use crate::overlay::Canvas;

/// The largest sides that the encoder takes, in pixels (level 5.2).
pub const LARGEST: (usize, usize) = (3840, 2160);
/// The smallest side.
pub const SMALLEST: usize = 16;

/// A picture as the encoder takes it. Sides are even.
#[cfg(feature = "record")]
struct Planes {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    blue: Vec<u8>,
    red: Vec<u8>,
}

#[cfg(feature = "record")]
impl Planes {
    fn new(width: usize, height: usize) -> Planes {
        let (luma, chroma) = (vec![0; width * height], vec![0; width * height / 4]);
        Planes { width, height, luma, blue: chroma.clone(), red: chroma }
    }

    fn load(&mut self, isa: Isa, canvas: &Canvas) {
        let width = self.width;
        let pairs = canvas.pixels.chunks_exact(width * 2).zip(self.luma.chunks_exact_mut(width * 2));
        let chroma = self.blue.chunks_exact_mut(width / 2).zip(self.red.chunks_exact_mut(width / 2));
        for ((pixels, luma), (blue, red)) in pairs.zip(chroma) {
            let (top, bottom) = pixels.split_at(width);
            let (first, second) = luma.split_at_mut(width);
            yuv420(isa, top, bottom, Rows { luma: [first, second], blue, red });
        }
    }
}

/// What an encoder made of a canvas.
pub struct Coded<'a> {
    /// Units of the picture, each behind its length in 4 bytes.
    pub data: &'a [u8],
    /// Whether it can be decoded alone.
    pub key: bool,
    /// The parameter sets, where they came along.
    pub sps: &'a [u8],
    pub pps: &'a [u8],
}

#[cfg(feature = "record")]
pub use with_openh264::Encoder;

#[cfg(feature = "record")]
mod with_openh264 {
    use super::{Coded, Planes};
    use crate::kernels::Isa;
    use crate::overlay::Canvas;
    use openh264::encoder::{
        BitRate, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, RateControlMode, SpsPpsStrategy, UsageType,
        VuiConfig,
    };
    use openh264::formats::YUVSlices;
    use openh264::{OpenH264API, Timestamp};
    use std::time::Duration;

    /// Kinds of units (Table 7-1 of H.264).
    const SPS: u8 = 7;
    const PPS: u8 = 8;

    /// Encodes canvases of one size.
    pub struct Encoder {
        encoder: openh264::encoder::Encoder,
        planes: Planes,
        isa: Isa,
        data: Vec<u8>,
        sps: Vec<u8>,
        pps: Vec<u8>,
    }

    impl Encoder {
        /// For canvases of `width` × `height` pixels, both even. `bitrate` in bits a second, at about `fps` frames.
        ///
        /// # Errors
        /// The reason in words.
        pub fn new(width: usize, height: usize, fps: f32, bitrate: u32) -> Result<Encoder, String> {
            let config = EncoderConfig::new()
                .usage_type(UsageType::CameraVideoRealTime)
                .rate_control_mode(RateControlMode::Bitrate)
                .bitrate(BitRate::from_bps(bitrate))
                .max_frame_rate(FrameRate::from_hz(fps))
                // Every picture that is given is in the file.
                .skip_frames(false)
                .intra_frame_period(IntraFramePeriod::from_num_frames(0))
                // All pictures go with the one set in the file's head.
                .sps_pps_strategy(SpsPpsStrategy::ConstantId)
                .num_threads(1)
                .vui(VuiConfig::bt709());
            let encoder = openh264::encoder::Encoder::with_api_config(OpenH264API::from_source(), config);
            let mut encoder = encoder.map_err(|error| format!("the encoder cannot be started: {error}"))?;
            quieten(&mut encoder);
            let planes = Planes::new(width, height);
            Ok(Encoder { encoder, planes, isa: Isa::best(), data: Vec::new(), sps: Vec::new(), pps: Vec::new() })
        }

        /// Encodes one canvas, so that it can be decoded alone where `key` asks for it.
        ///
        /// # Errors
        /// The reason in words.
        pub fn encode(&mut self, canvas: &Canvas, time: Duration, key: bool) -> Result<Coded<'_>, String> {
            let Planes { width, height, .. } = self.planes;
            assert_eq!((canvas.width, canvas.height), (width, height), "the canvas has the size of the recording");
            self.planes.load(self.isa, canvas);
            let planes = &self.planes;
            let source = YUVSlices::new(
                (&planes.luma, &planes.blue, &planes.red),
                (width, height),
                (width, width / 2, width / 2),
            );
            if key {
                self.encoder.force_intra_frame();
            }
            let stream = self.encoder.encode_at(&source, Timestamp::from_millis(time.as_millis() as u64));
            let stream = stream.map_err(|error| format!("the encoder failed: {error}"))?;
            self.data.clear();
            for layer in (0..stream.num_layers()).filter_map(|layer| stream.layer(layer)) {
                for unit in (0..layer.nal_count()).filter_map(|unit| layer.nal_unit(unit)) {
                    let unit = without_start_code(unit);
                    match unit.first().map(|first| first & 0x1F) {
                        None => {}
                        Some(SPS) => self.sps = unit.to_vec(),
                        Some(PPS) => self.pps = unit.to_vec(),
                        Some(_) => {
                            self.data.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                            self.data.extend_from_slice(unit);
                        }
                    }
                }
            }
            if self.data.is_empty() {
                return Err("the encoder made nothing of a picture".to_owned());
            }
            let key = stream.frame_type() == FrameType::IDR;
            Ok(Coded { data: &self.data, key, sps: &self.sps, pps: &self.pps })
        }
    }

    /// Keeps the encoder from writing to standard error while it is being set up, which is before the crate would ask it
    /// to be quiet.
    fn quieten(encoder: &mut openh264::encoder::Encoder) {
        /// `ENCODER_OPTION_TRACE_LEVEL` and `WELS_LOG_QUIET` of OpenH264's `codec_app_def.h`.
        const TRACE_LEVEL: i32 = 25;
        let mut quiet: std::ffi::c_int = 0;
        // SAFETY: the option takes a pointer to an int, which it reads before the call returns, and it may be set before
        // the encoder is initialised. What the crate relies on is not touched.
        unsafe { encoder.raw_api().set_option(TRACE_LEVEL as _, (&raw mut quiet).cast()) };
    }

    /// A unit comes behind 00 00 01 or 00 00 00 01.
    fn without_start_code(unit: &[u8]) -> &[u8] {
        let zeros = unit.iter().take_while(|byte| **byte == 0).count();
        unit.get(zeros + 1..).unwrap_or_default()
    }
}

/// Stands for the encoder in a program that was built without.
#[cfg(not(feature = "record"))]
pub enum Encoder {}

#[cfg(not(feature = "record"))]
impl Encoder {
    /// # Errors
    /// Always.
    pub fn new(_width: usize, _height: usize, _fps: f32, _bitrate: u32) -> Result<Encoder, String> {
        Err("this program was built without recording (cargo's feature `record`)".to_owned())
    }

    pub fn encode(&mut self, _canvas: &Canvas, _time: std::time::Duration, _key: bool) -> Result<Coded<'_>, String> {
        match *self {}
    }
}
