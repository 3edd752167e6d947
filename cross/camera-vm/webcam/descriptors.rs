//! What the simulated camera says of itself: USB 2.0 chapter 9, and the USB Video Class 1.1 with its payload formats.

/// Pixels; frame descriptors 1 and 2 of both formats.
pub const SIZES: [(u16, u16); 2] = [(640, 480), (320, 240)];
/// Frames per second that are offered, the first one by default.
pub const RATES: [u32; 3] = [30, 15, 5];
/// Bytes of one payload with its header. One transfer carries one payload.
pub const PAYLOAD: u32 = 16_384;
/// Number of the endpoint that pictures come from.
pub const VIDEO_ENDPOINT: u8 = 1;

/// UVC formats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    Mjpeg,
    Yuyv,
    Grey,
}

/// What a camera offers, in the order of its format descriptors, of which the first has number 1.
pub type Formats = &'static [Format];
pub const COLOUR: Formats = &[Format::Mjpeg, Format::Yuyv];
/// Cameras for the dark have nothing else.
pub const INFRARED: Formats = &[Format::Grey];

pub const SERIAL: &str = "0001";
pub const MAKER: &str = "Simulated";
pub const PRODUCT: &str = "Webcam";

/// Numbers of the units that have controls.
pub const CAMERA: u8 = 1;
pub const PROCESSING: u8 = 2;
const USB: u8 = 3;

const INTERFACE: u8 = 4;
const CLASS_INTERFACE: u8 = 0x24;
const VIDEO: u8 = 0x0e;

/// A descriptor: its length, its kind, its bytes.
fn descriptor(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = vec![u8::try_from(body.len() + 2).expect("descriptors are short"), kind];
    bytes.extend(body);
    bytes
}

/// The interval between frames in units of 100 ns.
pub fn interval(fps: u32) -> u32 {
    10_000_000 / fps
}

pub fn device() -> Vec<u8> {
    // USB 2.0, a class for each function (interface association), 64 bytes for endpoint 0; strings 1 to 3.
    let (version, vendor, product, release) = (0x0200u16, 0x1209u16, 1u16, 0x0100u16);
    let class = [0xef, 2, 1, 64];
    let ids = [vendor.to_le_bytes(), product.to_le_bytes(), release.to_le_bytes()].concat();
    descriptor(1, &[&version.to_le_bytes(), &class, &ids, &[1, 2, 3, 1]])
}

pub fn string(index: u8) -> Option<Vec<u8>> {
    let text = match index {
        0 => return Some(vec![4, 3, 0x09, 0x04]),
        1 => MAKER,
        2 => PRODUCT,
        3 => SERIAL,
        _ => return None,
    };
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Some(descriptor(3, &[&utf16]))
}

pub fn configuration(formats: Formats) -> Vec<u8> {
    let body = [control_interface(), streaming_interface(formats)].concat();
    // Interfaces 0 and 1 are one function: a video collection.
    let association = [8, 0x0b, 0, 2, VIDEO, 3, 0, 2];
    let total = (9 + association.len() + body.len()) as u16;
    // Two interfaces, configuration 1, powered by the bus, 500 mA.
    let head = descriptor(2, &[&total.to_le_bytes(), &[2, 1, 0, 0x80, 250]]);
    [head, association.into(), body].concat()
}

/// Camera → processing → USB. The camera's controls are exposure mode and time (bits 1 and 3), those of the processing
/// unit brightness and gain (bits 0 and 9).
fn control_interface() -> Vec<u8> {
    let interface = descriptor(INTERFACE, &[&[0, 0, 0, VIDEO, 1, 0, 2]]);
    let camera =
        descriptor(CLASS_INTERFACE, &[&[2, CAMERA], &0x0201u16.to_le_bytes(), &[0, 0], &[0; 6], &[3, 0x0a, 0, 0]]);
    let processing = descriptor(CLASS_INTERFACE, &[&[5, PROCESSING, CAMERA], &[0, 0], &[2, 0x01, 0x02, 0]]);
    let usb = descriptor(CLASS_INTERFACE, &[&[3, USB], &0x0101u16.to_le_bytes(), &[0, PROCESSING, 0]]);
    let units = [camera, processing, usb].concat();
    let (version, clock) = (0x0100u16, 48_000_000u32);
    let total = (13 + units.len()) as u16;
    let head = descriptor(
        CLASS_INTERFACE,
        &[&[1], &version.to_le_bytes(), &total.to_le_bytes(), &clock.to_le_bytes(), &[1, 1]],
    );
    [interface, head, units].concat()
}

fn streaming_interface(formats: Formats) -> Vec<u8> {
    let interface = descriptor(INTERFACE, &[&[1, 0, 1, VIDEO, 2, 0, 0]]);
    let body: Vec<u8> =
        formats.iter().zip(1..).flat_map(|(format, number)| streaming_format(*format, number)).collect();
    let count = formats.len() as u8;
    let total = (13 + formats.len() + body.len()) as u16;
    let what = [0x80 | VIDEO_ENDPOINT, 0, 3, 0, 0, 0, 1];
    // No control of any format.
    let head = descriptor(CLASS_INTERFACE, &[&[1, count], &total.to_le_bytes(), &what, &vec![0; formats.len()]]);
    // A bulk endpoint: what simulates USB here carries no isochronous transfers.
    let endpoint = descriptor(5, &[&[0x80 | VIDEO_ENDPOINT, 2], &512u16.to_le_bytes(), &[0]]);
    [interface, head, body, endpoint].concat()
}

fn streaming_format(format: Format, number: u8) -> Vec<u8> {
    let sizes = SIZES.len() as u8;
    // A GUID: four letters and the tail that all such formats have; then the bits of a pixel.
    let raw = |letters: &[u8; 4], bits: u8| {
        let tail = [0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
        descriptor(CLASS_INTERFACE, &[&[4, number, sizes], letters, &tail, &[bits, 1, 0, 0, 0, 0]])
    };
    let (head, kind) = match format {
        Format::Mjpeg => (descriptor(CLASS_INTERFACE, &[&[6, number, sizes, 1, 1, 0, 0, 0, 0]]), 7),
        Format::Yuyv => (raw(b"YUY2", 16), 5),
        Format::Grey => (raw(b"Y800", 8), 5),
    };
    [head, frames(format, kind)].concat()
}

/// The frame descriptors of one format, and its colour matching (sRGB, BT.709 transfer, BT.601 matrix).
fn frames(format: Format, kind: u8) -> Vec<u8> {
    let mut all = Vec::new();
    for (index, (width, height)) in SIZES.into_iter().enumerate() {
        let size = frame_bytes(format, width, height);
        let bits = |fps: u32| (size * 8).saturating_mul(fps).to_le_bytes();
        let intervals: Vec<u8> = RATES.iter().flat_map(|&fps| interval(fps).to_le_bytes()).collect();
        let head = [kind, index as u8 + 1, 0];
        let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
        let count = [RATES.len() as u8];
        let default = interval(RATES[0]).to_le_bytes();
        let (slowest, fastest) = (bits(5), bits(30));
        all.extend(descriptor(
            CLASS_INTERFACE,
            &[&head, &sides, &slowest, &fastest, &size.to_le_bytes(), &default, &count, &intervals],
        ));
    }
    all.extend(descriptor(CLASS_INTERFACE, &[&[0x0d, 1, 1, 4]]));
    all
}

/// The largest picture in a format.
pub fn frame_bytes(format: Format, width: u16, height: u16) -> u32 {
    let bytes = if format == Format::Grey { 1 } else { 2 };
    u32::from(width) * u32::from(height) * bytes
}
