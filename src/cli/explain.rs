//! `gradcam explain`: pictures → overlays, raw maps and numbers.

use super::film::{Scale, parse_scale};
use super::model::{ModelArgs, explainer};
use super::record::EncodingArgs;
use super::view::ViewArgs;
use super::{FAILURE, INTERRUPTED, PARTLY, SUCCESS, say};
use crate::cam::methods::{self, AnyMethod};
use crate::decode;
use crate::error::{Error, Result};
use crate::overlay::{Canvas, Look, Overlay};
use crate::pipeline::explainer::Explainer;
use crate::pipeline::report::{Report, TimesReport};
use crate::pipeline::stats::Stage;
use crate::sink::files;
use crate::source::image;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Instant;

/// A part of the list of options.
const VIDEO: &str = "Video";

#[derive(Args, Debug)]
pub struct Explain {
    /// Pictures, or folders of pictures; or one video (- is Y4M on standard input)
    #[arg(required = true, value_name = "IN")]
    pub(super) inputs: Vec<PathBuf>,
    /// Folder for the results, which is made where it does not exist; for a video an .mp4 file
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: PathBuf,
    /// Try the map: how far the score falls when the hot cells are greyed, against as many cells at random (nine more
    /// forward passes for each picture)
    #[arg(long)]
    pub(super) drop_test: bool,
    /// Also print the results to standard output, one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten, next_help_heading = "Model")]
    pub(super) model: ModelArgs,
    #[command(flatten, next_help_heading = "View")]
    pub(super) view: ViewArgs,
    /// Of a video's frames, explain each Nth; those between show the last map
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(help_heading = VIDEO)]
    pub(super) every: u64,
    /// Full heat of a video: following (the map's maximum, slowly) or fixed (one value for the whole video, which is
    /// read twice)
    #[arg(long, value_name = "RULE", default_value = "following", value_parser = parse_scale, help_heading = VIDEO)]
    pub(super) video_scale: Scale,
    /// Video without classes and scale
    #[arg(long, help_heading = VIDEO)]
    pub(super) plain: bool,
    #[command(flatten, next_help_heading = VIDEO)]
    pub(super) encoding: EncodingArgs,
}

impl Explain {
    pub fn run(self) -> anyhow::Result<u8> {
        let method = methods::find_any(&self.view.method)?;
        if self.view.signed && !method.about().signed {
            return Err(Error::input("--signed", unsigned(method)).into());
        }
        let engines = self.model.engines()?;
        if self.output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("mp4")) {
            return self.film(method, engines);
        }
        ctrlc::set_handler(|| process::exit(INTERRUPTED))?;
        let selector = self.view.selector(&engines[0].info)?;
        let mut work = Work {
            explainer: explainer(engines, selector)?.on(self.view.roi),
            method,
            overlay: Overlay::new(),
            canvas: Canvas::default(),
            spare: Vec::new(),
            names: HashSet::new(),
            inputs: HashSet::new(),
            arguments: &self,
        };
        let (pictures, mut failed) = self.pictures();
        work.inputs = pictures.iter().filter_map(|path| path.canonicalize().ok()).collect();
        if self.output.exists() && !self.output.is_dir() {
            return Err(Error::output(
                &self.output,
                "is no folder; results of pictures go into one, those of a video into an .mp4 file",
            )
            .into());
        }
        std::fs::create_dir_all(&self.output)
            .map_err(|error| Error::output(&self.output, format!("cannot be made: {error}")))?;

        let bar = self.progress(pictures.len(), method);
        let mut done = 0;
        for picture in &pictures {
            match work.picture(picture) {
                Ok(report) => {
                    done += 1;
                    if self.json {
                        let out = &mut std::io::stdout().lock();
                        serde_json::to_writer(&mut *out, &report)?;
                        writeln!(out)?;
                    }
                }
                // A folder that cannot be written will not take the next picture either.
                Err(error @ Error::Output { .. }) => return Err(error.into()),
                Err(error) => {
                    failed += 1;
                    bar.suspend(|| say(&format!("gradcam: {error}")));
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(match (done, failed) {
            (_, 0) => SUCCESS,
            (0, _) => FAILURE,
            _ => PARTLY,
        })
    }

    /// Every picture that is named or lies in a folder that is named, and how many arguments were of no use.
    fn pictures(&self) -> (Vec<PathBuf>, usize) {
        let mut pictures = Vec::new();
        let mut failed = 0;
        for input in &self.inputs {
            if !input.is_dir() {
                pictures.push(input.clone());
                continue;
            }
            match image::pictures_in(input) {
                Ok(found) if found.is_empty() => {
                    say(&format!("gradcam: {}: the folder holds no pictures", input.display()));
                    failed += 1;
                }
                Ok(found) => pictures.extend(found),
                Err(error) => {
                    say(&format!("gradcam: {error}"));
                    failed += 1;
                }
            }
        }
        (pictures, failed)
    }

    fn progress(&self, pictures: usize, method: AnyMethod) -> ProgressBar {
        // A method that runs the network many times has a bar for each picture.
        if pictures < 2 || matches!(method, AnyMethod::Still(_)) || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} pictures, {eta} left");
        ProgressBar::new(pictures as u64).with_style(style.expect("the template is a constant"))
    }
}

/// Why a method has nothing to show with `--signed`.
fn unsigned(method: AnyMethod) -> String {
    format!("values below 0 do not speak against the class in {} maps", method.about().title)
}

/// Whether what is no picture is likely to be meant as a video.
fn is_video(path: &Path) -> bool {
    const ENDINGS: [&str; 9] = ["mp4", "mkv", "mov", "avi", "webm", "m4v", "gif", "ts", "y4m"];
    let ending = path.extension().unwrap_or_default();
    path == Path::new("-") || ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// What is used for one picture after another.
struct Work<'a> {
    explainer: Explainer,
    method: AnyMethod,
    overlay: Overlay,
    canvas: Canvas,
    spare: Vec<u8>,
    /// Names of results that are taken.
    names: HashSet<String>,
    /// Nothing is written over a picture that was given.
    inputs: HashSet<PathBuf>,
    arguments: &'a Explain,
}

impl Work<'_> {
    fn picture(&mut self, path: &Path) -> Result<Report> {
        let start = Instant::now();
        let mut frame = image::load(path).map_err(|error| match error {
            Error::Input { name, reason } if is_video(path) => {
                Error::input(name, format!("{reason}; a video is explained into another: -o OUT.mp4"))
            }
            error => error,
        })?;
        decode::turn(&mut frame, self.arguments.view.rotate, &mut self.spare);
        let mut times = TimesReport::default();
        times.add(Stage::Decode, start.elapsed());
        let runs = self.runs(path);
        let mut tell = |done: usize, of: usize| {
            runs.set_length(of as u64);
            runs.set_position(done as u64);
        };
        let explained = self.explainer.explain_still(&frame, self.method, &mut tell);
        runs.finish_and_clear();
        let (mut map, stages) = explained.map_err(|error| match error {
            Error::Input { name, reason } => Error::input(path.display(), format!("{name} {reason}")),
            error => error,
        })?;
        if self.arguments.drop_test {
            map.drop_test = self.explainer.drop_test(&map, || true)?;
        }
        stages.into_iter().for_each(|(stage, duration)| times.add(stage, duration));

        let Explain { view, output, .. } = self.arguments;
        let start = Instant::now();
        let look = Look { colormap: view.colormap, signed: view.signed, flip: view.flip, ..Look::default() };
        self.overlay.draw(&frame, Some(&map), &look, None, &mut self.canvas);
        times.add(Stage::Overlay, start.elapsed());

        let report = Report::new(&path.display().to_string(), self.explainer.info(), &map, view.heat_share, times);
        let name = self.free_name(path);
        let beside = |ending: &str| output.join(format!("{name}.{ending}"));
        if beside("overlay.png").canonicalize().is_ok_and(|path| self.inputs.contains(&path)) {
            return Err(Error::input(
                path.display(),
                "its overlay would be written over another picture that was given",
            ));
        }
        files::write(&beside("overlay.png"), |out| files::png(out, &self.canvas.to_rgb(), frame.width, frame.height))?;
        let values = if view.signed { map.values } else { map.values.mapv(|value| value.max(0.0)) };
        files::write(&beside("map.npy"), |out| files::npy(out, &values))?;
        files::write(&beside("json"), |out| files::json(out, &report))?;
        Ok(report)
    }

    /// The progress of a method that runs the network many times, for whoever watches.
    fn runs(&self, path: &Path) -> ProgressBar {
        if !matches!(self.method, AnyMethod::Still(_)) || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {eta} left  {msg}");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ProgressBar::new(0).with_style(style.expect("the template is a constant")).with_message(name)
    }

    /// The file's name without its ending; where that is taken, with its ending, then with a number.
    fn free_name(&mut self, path: &Path) -> String {
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (stem, full) = (text(path.file_stem()), text(path.file_name()));
        let numbered = (2..).map(|count| format!("{full}-{count}"));
        let name = [stem, full.clone()].into_iter().chain(numbered).find(|name| !self.names.contains(name));
        let name = name.expect("there are more numbers than pictures");
        self.names.insert(name.clone());
        name
    }
}
