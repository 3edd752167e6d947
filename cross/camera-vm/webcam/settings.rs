//! The controls of the simulated camera: UVC 1.1, 4.2.2.1 (camera terminal) and 4.2.2.3 (processing unit).

use super::descriptors::{CAMERA, PROCESSING};

/// What a host can set. A camera that is plugged in has the defaults: it keeps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// 1 manual, 8 aperture priority, which sets the exposure time automatically.
    pub auto_exposure: u8,
    /// 100 µs.
    pub exposure: u32,
    pub brightness: i16,
    pub gain: u16,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { auto_exposure: 8, exposure: 156, brightness: 0, gain: 16 }
    }
}

const SET_CURRENT: u8 = 0x01;
const CURRENT: u8 = 0x81;
const MINIMUM: u8 = 0x82;
const MAXIMUM: u8 = 0x83;
const RESOLUTION: u8 = 0x84;
const LENGTH: u8 = 0x85;
const INFO: u8 = 0x86;
const DEFAULT: u8 = 0x87;

impl Settings {
    /// Answers a class request for a unit's control; None: the camera does not know it.
    pub fn request(&mut self, unit: u8, selector: u8, request: u8, data: &[u8]) -> Option<Vec<u8>> {
        let defaults = Settings::default();
        // Bytes, minimum, maximum, resolution (of the mode: a mask of those that there are), default, current.
        let (bytes, [minimum, maximum, resolution, default, current]) = match (unit, selector) {
            (CAMERA, 0x02) => (1, [1, 8, 1 | 8, defaults.auto_exposure.into(), self.auto_exposure.into()]),
            (CAMERA, 0x04) => (4, [3, 2047, 1, defaults.exposure.into(), self.exposure.into()]),
            (PROCESSING, 0x02) => (2, [-64, 64, 1, defaults.brightness.into(), self.brightness.into()]),
            (PROCESSING, 0x04) => (2, [0, 100, 1, defaults.gain.into(), i64::from(self.gain)]),
            _ => return None,
        };
        let value = match request {
            SET_CURRENT => {
                let mut wide = [0; 4];
                wide[..bytes].copy_from_slice(data.get(..bytes)?);
                let value = u32::from_le_bytes(wide);
                match (unit, selector) {
                    (CAMERA, 0x02) => self.auto_exposure = value as u8,
                    (CAMERA, _) => self.exposure = value,
                    (_, 0x02) => self.brightness = value as i16,
                    _ => self.gain = value as u16,
                }
                return Some(Vec::new());
            }
            CURRENT => current,
            MINIMUM => minimum,
            MAXIMUM => maximum,
            RESOLUTION => resolution,
            DEFAULT => default,
            LENGTH => return Some((bytes as u16).to_le_bytes().into()),
            // It can be read and set.
            INFO => return Some(vec![3]),
            _ => return None,
        };
        Some(i64::to_le_bytes(value)[..bytes].into())
    }
}
