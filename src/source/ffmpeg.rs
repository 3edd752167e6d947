//! Video files and network streams, decoded by the program `ffmpeg` as a child: raw pictures come through one pipe, and
//! their sizes and times through the other, where its filter `showinfo` writes a line for each.

use super::feed::{Fed, Feed, Reader};
use super::reconnect::{Device, Waited};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::frame::{MAX_PIXELS, MAX_SIDE, PixelFormat, RawFrame};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// What is said of a file or stream with sound alone, or with nothing.
pub const NO_PICTURES: &str = "holds no pictures";
/// Pixels become square, and each picture is told of on standard error.
const FILTERS: &str = "scale=w='max(1,round(iw*sar))':h=ih,setsar=1,showinfo=checksum=0";
/// Lines about pictures that have not been read yet.
const LINES: usize = 64;

/// What ffmpeg says of its input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// Of the whole, where the file says it.
    pub duration: Option<Duration>,
    /// Frames a second, about.
    pub fps: Option<f64>,
    /// Whether there is sound.
    pub sound: bool,
    /// What went wrong: its first complaint, and its last.
    pub complaints: Option<(String, String)>,
}

/// A running ffmpeg.
pub struct Stream {
    child: Child,
    feed: Option<Feed>,
    about: Arc<Mutex<About>>,
    listener: Option<JoinHandle<()>>,
    /// What the display calls it.
    name: String,
    /// Frames that were replaced by newer ones.
    dropped: u64,
}

fn lock(about: &Mutex<About>) -> MutexGuard<'_, About> {
    about.lock().expect("nothing panics while it holds what ffmpeg says")
}

/// Whether a string names a stream on the network.
pub fn is_network(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once("://") else { return false };
    ["http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "tcp", "udp", "rtp"].contains(&scheme)
}

/// A source's name as it may be shown to others: of an address, without the user's name and password.
pub fn shown(text: &str) -> String {
    if is_network(text)
        && let Some((scheme, rest)) = text.split_once("://")
    {
        let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        return format!("{scheme}://{host}{path}");
    }
    text.to_owned()
}

impl Stream {
    /// Starts ffmpeg on a file or an address.
    ///
    /// # Errors
    /// [`Error::Device`] where ffmpeg is missing or cannot be started.
    pub fn start(input: &str) -> Result<Stream> {
        // `-fps_mode` came with version 5.1, and `-vsync` is on its way out.
        let old = version().is_some_and(|version| version < (5, 1));
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-loglevel", "level+info"]);
        if input.starts_with("rtsp") {
            command.args(["-rtsp_transport", "tcp"]);
        }
        let address = if is_network(input) { input.to_owned() } else { format!("file:{input}") };
        command.args(["-i", &address, "-map", "0:v:0", "-vf", FILTERS]);
        command.args(if old { ["-vsync", "0"] } else { ["-fps_mode", "passthrough"] });
        command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
        // A terminal interrupts its whole group: ffmpeg would end before its pictures are read, as if it had failed.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::device(
                shown(input),
                "videos and network cameras are read by the program ffmpeg, which is not installed (Debian, Ubuntu: \
                 apt install ffmpeg)",
            ),
            _ => Error::device("ffmpeg", format!("cannot be started: {error}")),
        })?;
        let pictures = child.stdout.take().expect("it is piped");
        let words = BufReader::new(child.stderr.take().expect("it is piped"));
        let about = Arc::new(Mutex::new(About::default()));
        let (sender, lines) = sync_channel(LINES);
        let name = shown(input);
        let mut stream = Stream { child, feed: None, about, listener: None, name: name.clone(), dropped: 0 };
        let (heard, address) = (Arc::clone(&stream.about), address.clone());
        let listener = Builder::new().name("ffmpeg".to_owned()).spawn(move || listen(words, &address, &heard, &sender));
        stream.listener = Some(listener.map_err(|error| Error::device(&name, error))?);
        stream.feed = Some(Feed::start(&name, Pictures { pictures, lines, last: Duration::ZERO })?);
        Ok(stream)
    }

    pub fn about(&self) -> About {
        lock(&self.about).clone()
    }

    /// Waits at most `timeout` for the next frame, whose time is that within the stream.
    pub fn next(&mut self, raw: &mut RawFrame, timeout: Duration) -> Fed {
        let Some(feed) = &mut self.feed else { return Fed::End(None) };
        match feed.next(raw, timeout) {
            Fed::End(reason) => {
                // What it had to say is complete when it has closed its standard error.
                if let Some(listener) = self.listener.take() {
                    let _ = listener.join();
                }
                let failed = self.child.wait().is_ok_and(|status| !status.success());
                let said = self.complaint().filter(|_| failed || reason.is_some());
                Fed::End(said.or(reason))
            }
            fed => fed,
        }
    }

    /// What it complained of, in one line.
    pub fn complaint(&self) -> Option<String> {
        let (first, last) = lock(&self.about).complaints.clone()?;
        Some(if first.contains(&last) { first } else { format!("{first}; {last}") })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(feed) = self.feed.take() {
            feed.join();
        }
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// A stream that comes in real time, as a device that may come back.
pub struct Live {
    pub stream: Stream,
    pub clock: Arc<dyn Clock>,
}

impl Device for Live {
    fn name(&self) -> String {
        self.stream.name.clone()
    }

    fn read(&mut self, raw: &mut RawFrame, timeout: Duration) -> Waited {
        let Live { stream, clock } = self;
        match stream.next(raw, timeout) {
            Fed::Frame => {
                while stream.feed.as_mut().is_some_and(|feed| feed.newer(raw)) {
                    stream.dropped += 1;
                }
                raw.time = clock.now();
                Waited::Frame
            }
            Fed::Nothing => Waited::Nothing,
            Fed::End(reason) => {
                let reason = reason.unwrap_or_else(|| "the stream has ended".to_owned());
                Waited::Gone(format!("{}: {reason}", stream.name))
            }
        }
    }

    fn dropped(&self) -> u64 {
        self.stream.dropped
    }
}

/// Reads pictures as they are announced.
struct Pictures {
    pictures: ChildStdout,
    lines: Receiver<Announced>,
    last: Duration,
}

/// What a line of `showinfo` says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Announced {
    time: Option<Duration>,
    width: usize,
    height: usize,
}

impl Reader for Pictures {
    fn next(&mut self, raw: &mut RawFrame) -> std::result::Result<bool, String> {
        let Ok(Announced { time, width, height }) = self.lines.recv() else { return Ok(false) };
        if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
            return Err(format!("its pictures are {width}x{height} pixels"));
        }
        // A picture without a time follows the one before it.
        self.last = time.unwrap_or(self.last);
        raw.time = self.last;
        raw.data.resize(width * height * 3, 0);
        (raw.format, raw.width, raw.height) = (PixelFormat::Rgb8, width, height);
        match self.pictures.read_exact(&mut raw.data) {
            Ok(()) => Ok(true),
            // Announced, but not delivered: the end.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Takes what ffmpeg says line by line until it has nothing more to say.
fn listen(words: impl BufRead, address: &str, about: &Mutex<About>, pictures: &SyncSender<Announced>) {
    // Lines may hold file names in any encoding.
    for line in words.split(b'\n').map_while(std::result::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if let Some(announced) = announced(&line) {
            // Nobody reads pictures any more: the rest is heard to its end all the same.
            let _ = pictures.send(announced);
            continue;
        }
        let mut about = lock(about);
        if let Some(complaint) = complaint(&line, address) {
            let first = about.complaints.take().map_or_else(|| complaint.clone(), |(first, _)| first);
            about.complaints = Some((first, complaint));
        } else if about.duration.is_none() && line.contains("Duration: ") {
            about.duration = duration(&line);
        } else if about.fps.is_none() && line.contains("Video: ") {
            about.fps = fps(&line);
        } else if line.contains("Audio: ") {
            about.sound = true;
        }
    }
}

/// `[Parsed_showinfo_2 @ 0x…] [info] n:   0 pts:   512 pts_time:0.04  … s:640x480 …`
fn announced(line: &str) -> Option<Announced> {
    if !line.contains("showinfo") || !line.contains(" pts_time:") {
        return None;
    }
    let value = |key: &str| {
        let at = line.find(key)? + key.len();
        line[at..].split_whitespace().next()
    };
    let (width, height) = value(" s:")?.split_once('x')?;
    // Some files begin before 0.
    let time = value(" pts_time:").and_then(|time| time.parse::<f64>().ok());
    let time = time.and_then(|time| Duration::try_from_secs_f64(time.max(0.0)).ok());
    Some(Announced { time, width: width.parse().ok()?, height: height.parse().ok()? })
}

/// What a line of an error says, without the part that speaks and without the file's name.
fn complaint(line: &str, address: &str) -> Option<String> {
    let (_, said) = line.split_once("[error] ").or_else(|| line.split_once("[fatal] "))?;
    let said = said.trim().strip_prefix(address).map_or(said, |rest| rest.trim_start_matches(':'));
    let said = said.replace(address, &shown(address));
    let said: String = said.trim().trim_end_matches('.').chars().filter(|c| !c.is_control()).collect();
    // It speaks of its own arguments.
    let said = if said.ends_with("matches no streams") { NO_PICTURES.to_owned() } else { said };
    (!said.is_empty()).then_some(said)
}

/// `Duration: 00:01:02.50, start: …`
fn duration(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once("Duration: ")?;
    let mut parts = rest.split(',').next()?.split(':').map(str::parse::<f64>);
    let (hours, minutes, seconds) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Duration::try_from_secs_f64(hours * 3600.0 + minutes * 60.0 + seconds).ok()
}

/// `…, 640x480, 25 fps, 25 tbr, …`
fn fps(line: &str) -> Option<f64> {
    let number = line.split(", ").find_map(|part| part.trim().strip_suffix(" fps"))?;
    number.parse().ok().filter(|fps: &f64| fps.is_finite() && *fps > 0.0)
}

/// Puts the sound of `from` to the pictures of `film`, none of which is encoded anew; `to` must not exist. The first
/// picture of `film` is the one that `from` shows at `start`. Of the sound what comes later than `end` in the film, if that
/// is given, is left out.
///
/// # Errors
/// What ffmpeg complains of.
pub fn add_sound(
    film: &Path,
    from: &Path,
    start: Duration,
    end: Option<Duration>,
    to: &Path,
) -> std::result::Result<(), String> {
    let file = |path: &Path| {
        let mut name = std::ffi::OsString::from("file:");
        name.push(path);
        name
    };
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "level+error", "-i"]).arg(file(film));
    command.args(["-itsoffset", &format!("-{}", start.as_secs_f64()), "-i"]).arg(file(from));
    command.args(["-map", "0:v:0", "-map", "1:a", "-c", "copy", "-video_track_timescale", "90000"]);
    if let Some(end) = end {
        command.args(["-t", &end.as_secs_f64().to_string()]);
    }
    // In fragments, as the film is, with a head that knows by how much the sound begins earlier.
    command.args(["-movflags", "frag_keyframe+delay_moov+default_base_moof", "-f", "mp4"]);
    let output = command.arg(file(to)).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(words.lines().find_map(|line| complaint(line, "")).unwrap_or_else(|| "ffmpeg failed".to_owned()))
}

/// The version, where it is one that is counted (`6.1.1`, `n5.1`, `4.4.2-0ubuntu0.22.04.1`).
fn version() -> Option<(u32, u32)> {
    let output = Command::new("ffmpeg").arg("-version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = text.strip_prefix("ffmpeg version ")?.trim_start_matches('n');
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_announced_with_size_and_time() {
        let line = "[Parsed_showinfo_2 @ 0x5581] [info] n:   3 pts:  12012 pts_time:0.4004  duration:1 \
                    duration_time:0.03 fmt:rgb24 cl:unspecified sar:1/1 s:641x479 i:P iskey:1 type:I";
        let time = Some(Duration::from_micros(400_400));
        assert_eq!(announced(line), Some(Announced { time, width: 641, height: 479 }));
        let unknown = "[Parsed_showinfo_2 @ 0x1] [info] n:0 pts:NOPTS pts_time:NOPTS fmt:rgb24 s:2x2 i:P";
        assert_eq!(announced(unknown), Some(Announced { time: None, width: 2, height: 2 }));
        assert_eq!(announced("[Parsed_showinfo_2 @ 0x1] [info] config in time_base: 1/15360, frame_rate: 30/1"), None);
    }

    #[test]
    fn what_lets_one_into_a_camera_is_not_shown() {
        for (address, public) in [
            ("rtsp://admin:p@ss@cam.local:554/1?a=b@c", "rtsp://cam.local:554/1?a=b@c"),
            ("http://user@10.0.0.2", "http://10.0.0.2"),
            ("http://cam/a@b", "http://cam/a@b"),
            ("clips/a@b.mp4", "clips/a@b.mp4"),
        ] {
            assert_eq!(shown(address), public);
        }
    }

    #[test]
    fn what_ffmpeg_says_is_understood() {
        assert_eq!(duration("[info]   Duration: 01:00:02.50, start: 0.000000"), Some(Duration::from_millis(3_602_500)));
        assert_eq!(duration("[info]   Duration: N/A, start: 0.000000"), None);
        let video =
            "[info]   Stream #0:0[0x1](und): Video: h264 (avc1), yuv420p, 640x480, 2027 kb/s, 29.97 fps, 90k tbn";
        assert_eq!(fps(video), Some(29.97));
        let moov = "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55] [error] moov atom not found";
        assert_eq!(complaint(moov, "file:a.mp4").as_deref(), Some("moov atom not found"));
        let invalid = "[error] file:a.mp4: Invalid data found when processing input";
        assert_eq!(complaint(invalid, "file:a.mp4").as_deref(), Some("Invalid data found when processing input"));
        assert_eq!(complaint("[info] fine", "file:a.mp4"), None);
        let failed = "[error] Error opening input file rtsp://me:secret@cam/1.";
        let told = complaint(failed, "rtsp://me:secret@cam/1");
        assert_eq!(told.as_deref(), Some("Error opening input file rtsp://cam/1"));
        let sound = "[fatal] Stream map '0:v:0' matches no streams.";
        assert_eq!(complaint(sound, "file:a.mp3").as_deref(), Some(NO_PICTURES));
    }
}
