//! YUV4MPEG2: the plain video that programs hand to each other through pipes (as the man page yuv4mpeg(5) of mjpegtools
//! describes it), 8 bits a sample, progressive or not.

use super::feed::Reader;
use crate::frame::{MAX_PIXELS, MAX_SIDE, PixelFormat, RawFrame};
use std::io::{BufRead, ErrorKind, Read};
use std::time::Duration;

/// A longer line is none of a header.
const LONGEST_LINE: u64 = 1024;

/// What the first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub width: usize,
    pub height: usize,
    pub format: PixelFormat,
    /// Frames a second, as a fraction.
    pub rate: (u64, u64),
}

impl Header {
    fn parse(line: &str) -> Result<Header, String> {
        let mut words = line.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(
                "is no YUV4MPEG2 stream (as `ffmpeg -i IN -f yuv4mpegpipe -pix_fmt yuv420p -` writes it)".into()
            );
        }
        let mut header = Header { width: 0, height: 0, format: PLANAR_420, rate: (30, 1) };
        for word in words.filter(|word| !word.is_empty()) {
            let (tag, value) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
            let number = || value.parse::<usize>().map_err(|_| format!("its header says `{word}`"));
            match tag {
                "W" => header.width = number()?,
                "H" => header.height = number()?,
                "F" => {
                    let rate = value.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                    // 0:0 stands for an unknown rate.
                    header.rate = rate.filter(|(a, b)| *a > 0 && *b > 0).unwrap_or((30, 1));
                }
                "C" => header.format = format(value)?,
                _ => {}
            }
        }
        let Header { width, height, .. } = header;
        if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
            return Err(format!("its pictures are {width}x{height} pixels"));
        }
        Ok(header)
    }

    fn bytes(&self) -> usize {
        let PixelFormat::Planar { across, down } = self.format else { return self.width * self.height };
        let chroma = self.width.div_ceil(usize::from(across)) * self.height.div_ceil(usize::from(down));
        self.width * self.height + 2 * chroma
    }

    /// When frame `number` is shown.
    fn time(&self, number: u64) -> Duration {
        let nanoseconds = u128::from(number) * u128::from(self.rate.1) * 1_000_000_000 / u128::from(self.rate.0);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

const PLANAR_420: PixelFormat = PixelFormat::Planar { across: 2, down: 2 };

fn format(name: &str) -> Result<PixelFormat, String> {
    Ok(match name {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => PLANAR_420,
        "422" => PixelFormat::Planar { across: 2, down: 1 },
        "444" => PixelFormat::Planar { across: 1, down: 1 },
        "mono" => PixelFormat::Luma,
        _ => return Err(format!("its colours are `{name}`; 420, 422, 444 and mono of 8 bits can be read")),
    })
}

/// Reads frames from a stream.
pub struct Y4m<R> {
    input: R,
    header: Option<Header>,
    number: u64,
}

impl<R: BufRead> Y4m<R> {
    pub fn new(input: R) -> Y4m<R> {
        Y4m { input, header: None, number: 0 }
    }

    /// Nothing at the end of the stream.
    fn line(&mut self) -> Result<Option<String>, String> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| error.to_string())?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => String::from_utf8(line).map(Some).map_err(|_| "its header is not text".to_owned()),
            Some(_) => Err("breaks off in a header".to_owned()),
        }
    }
}

impl<R: BufRead + Send + 'static> Reader for Y4m<R> {
    fn next(&mut self, raw: &mut RawFrame) -> Result<bool, String> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let line = self.line()?.ok_or("is empty")?;
                *self.header.insert(Header::parse(&line)?)
            }
        };
        let Some(line) = self.line()? else { return Ok(false) };
        if !line.starts_with("FRAME") {
            return Err(format!("frame {} does not begin with FRAME", self.number));
        }
        raw.data.resize(header.bytes(), 0);
        self.input.read_exact(&mut raw.data).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => format!("breaks off in frame {}", self.number),
            _ => error.to_string(),
        })?;
        (raw.format, raw.width, raw.height) = (header.format, header.width, header.height);
        raw.time = header.time(self.number);
        self.number += 1;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> (Vec<RawFrame>, Result<bool, String>) {
        let mut y4m = Y4m::new(std::io::Cursor::new(bytes.to_vec()));
        let mut frames = Vec::new();
        loop {
            let mut raw = RawFrame::new();
            match y4m.next(&mut raw) {
                Ok(true) => frames.push(raw),
                end => return (frames, end),
            }
        }
    }

    #[test]
    fn frames_come_with_size_and_time() {
        let (found, end) =
            frames(b"YUV4MPEG2 W3 H1 F30000:1001 Ip A1:1 C422 XYSCSS=422\nFRAME\nabcdefgFRAME Ix\nABCDEFG");
        assert_eq!(end, Ok(false));
        assert_eq!(found[1].data, b"ABCDEFG");
        assert_eq!((found[1].width, found[1].height), (3, 1));
        assert_eq!(found[1].time, Duration::from_nanos(33_366_666));
        assert_eq!(found[0].format, PixelFormat::Planar { across: 2, down: 1 });
    }

    #[test]
    fn what_is_not_whole_is_said() {
        for (bytes, words) in [
            (&b""[..], "is empty"),
            (b"RIFF", "breaks off in a header"),
            (b"RIFF\n", "no YUV4MPEG2"),
            (b"YUV4MPEG2 W0 H4\n", "0x4"),
            (b"YUV4MPEG2 W99999 H99999\n", "99999x99999"),
            (b"YUV4MPEG2 W-3 H4\n", "`W-3`"),
            (b"YUV4MPEG2 W2 H2 C420p10\n", "`420p10`"),
            (b"YUV4MPEG2 W2 H2\nFRAME\nabc", "breaks off in frame 0"),
            (b"YUV4MPEG2 W2 H2\nFRAME\nabcdefgarbage\n", "frame 1 does not begin"),
        ] {
            let (_, end) = frames(bytes);
            let reason = end.expect_err("it is not whole");
            assert!(reason.contains(words), "{reason}");
        }
    }
}
