//! What the stream says of its times, in the sequence parameter set (7.3.2.1 and annex E of H.264).
//!
//! OpenH264 says nothing of them. Readers then guess a rate of frames, and those that count in it, as ffmpeg does where it
//! is told nothing else, put some of a camera's uneven frames on one number and drop one.

/// Ticks a second that frames fall on: more than cameras send, and as much as ffmpeg believes (up to 210).
const TICKS: u32 = 200;

/// A sequence parameter set that says that frames fall on ticks of 1/200 s, unevenly. None where it says something of
/// times already, or has a form that OpenH264 does not write.
pub fn with_ticks(sps: &[u8]) -> Option<Vec<u8>> {
    let mut bits = Bits { bytes: unescaped(sps), at: 0 };
    // The unit's head, then profile, compatibility and level.
    bits.take(8)?;
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.code()?;
    if ![66, 77, 88].contains(&profile) {
        // Colours for each four pixels, depths, no bypass, no scaling lists.
        if bits.code()? != 1 {
            return None;
        }
        bits.code()?;
        bits.code()?;
        if bits.take(2)? & 1 != 0 {
            return None;
        }
    }
    bits.code()?;
    match bits.code()? {
        0 => {
            bits.code()?;
        }
        1 => return None,
        _ => {}
    }
    bits.code()?;
    bits.take(1)?;
    bits.code()?;
    bits.code()?;
    if bits.take(1)? == 0 {
        bits.take(1)?;
    }
    bits.take(1)?;
    if bits.take(1)? == 1 {
        (0..4).try_for_each(|_| bits.code().map(drop))?;
    }
    // Usability information: aspect ratio, overscan, signal type, place of the chroma.
    if bits.take(1)? == 0 {
        return None;
    }
    if bits.take(1)? == 1 && bits.take(8)? == 255 {
        bits.take(32)?;
    }
    if bits.take(1)? == 1 {
        bits.take(1)?;
    }
    if bits.take(1)? == 1 {
        bits.take(4)?;
        if bits.take(1)? == 1 {
            bits.take(24)?;
        }
    }
    if bits.take(1)? == 1 {
        bits.code()?;
        bits.code()?;
    }
    let before = bits.at;
    if bits.take(1)? == 1 {
        return None;
    }
    // All up to the bit that ends the set.
    let end = bits.bytes.len() * 8 - bits.bytes.last()?.trailing_zeros() as usize;
    let mut out = Written::default();
    (0..before).for_each(|at| out.put(bits.bit(at), 1));
    out.put(1, 1);
    // A frame is two ticks of a field.
    out.put(1, 32);
    out.put(2 * TICKS, 32);
    out.put(0, 1);
    (before + 1..end).for_each(|at| out.put(bits.bit(at), 1));
    Some(escaped(&out.bytes))
}

/// Reads bits from the highest on.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn bit(&self, at: usize) -> u32 {
        u32::from(self.bytes[at / 8] >> (7 - at % 8) & 1)
    }

    fn take(&mut self, count: usize) -> Option<u32> {
        if self.at + count > self.bytes.len() * 8 {
            return None;
        }
        let value = (self.at..self.at + count).fold(0u32, |value, at| value << 1 | self.bit(at));
        self.at += count;
        Some(value)
    }

    /// An Exp-Golomb code (9.1): n zeros, a one, n bits.
    fn code(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
        }
        if zeros > 31 {
            return None;
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    used: usize,
}

impl Written {
    fn put(&mut self, value: u32, count: usize) {
        for shift in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("one has just been added, or is not full");
            *last |= ((value >> shift & 1) as u8) << (7 - self.used % 8);
            self.used += 1;
        }
    }
}

/// Without the 3 that stands behind two zeros, so that nothing in a unit looks like a start code (7.4.1).
fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        bytes.push(*byte);
    }
    bytes
}

fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut unit = Vec::with_capacity(bytes.len() + 4);
    let mut zeros = 0;
    for byte in bytes {
        if zeros >= 2 && *byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        unit.push(*byte);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of a recording of 640×480 pixels, as OpenH264 wrote it. Its 104th bit says that nothing is said of times.
    const SPS: [u8; 17] =
        [0x67, 0x42, 0xC0, 0x1E, 0x8C, 0x68, 0x0A, 0x03, 0xDA, 0x6A, 0x02, 0x02, 0x02, 0x0F, 0x08, 0x84, 0x6A];

    #[test]
    fn escapes_come_and_go() {
        for bytes in [&[0, 0, 0, 0, 1][..], &[1, 0, 0, 3, 0, 0, 2], &[0, 0, 3], &[7; 9], &[]] {
            let unit = escaped(bytes);
            assert!(unit.windows(3).all(|three| three[..2] != [0, 0] || three[2] > 2), "{unit:?}");
            assert_eq!(unescaped(&unit), bytes);
        }
    }

    #[test]
    fn what_was_said_before_is_said_after_it_too() {
        let Some(told) = with_ticks(&SPS) else { panic!("it has the form that OpenH264 writes") };
        let (old, new) = (unescaped(&SPS), unescaped(&told));
        // 135 bits, and two numbers of 32 and a flag more: 25 bytes.
        assert_eq!((old.len(), new.len()), (17, 25));
        assert_eq!(old[..13], new[..13]);
        // 1, then 1, 400 and 0; then the last 30 bits, moved by one in their bytes.
        assert_eq!(new[13..21], [0x80, 0, 0, 0, 0x80, 0, 0, 0xC8]);
        let tail =
            |bytes: &[u8], at: usize| (at..at + 30).map(|at| bytes[at / 8] >> (7 - at % 8) & 1).collect::<Vec<u8>>();
        assert_eq!(tail(&old, 105), tail(&new, 170));
        // It says something of times now.
        assert_eq!(with_ticks(&told), None);
    }

    #[test]
    fn a_set_that_breaks_off_or_has_another_form_is_left_alone() {
        for length in 0..13 {
            assert_eq!(with_ticks(&SPS[..length]), None, "{length}");
        }
        assert_eq!(with_ticks(&[0; 40]), None);
        assert_eq!(with_ticks(&[255; 40]), None);
    }
}
