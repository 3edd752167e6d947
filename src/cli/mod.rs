//! The program's commands, one file each.

mod bench;
mod completions;
mod cores;
mod devices;
mod explain;
mod film;
mod export;
mod inspect;
mod live;
mod lost;
mod model;
mod record;
mod replay;
#[cfg(feature = "serve")]
mod serve;
mod view;

use crate::error::Error;
use crate::pipeline::stats::{Percentiles, Stages};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Everything went well.
pub const SUCCESS: u8 = 0;
/// Part of a batch failed; the rest is done.
pub const PARTLY: u8 = 1;
/// Nothing could be done: wrong usage, unreadable input, no device.
pub const FAILURE: u8 = 2;
/// What a shell says of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;
/// What messages call it.
const STANDARD_OUTPUT: &str = "standard output";

/// Shows, live, where a neural network looks.
///
/// Without a command: the live view of the first camera, or of the built-in demo where there is none. All options of
/// `gradcam live` may be given then.
#[derive(Parser)]
#[command(name = "gradcam", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    live: live::Live,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // a program has one command line
enum Command {
    /// Explain a camera, pictures or the demo, live in a window
    Live(live::Live),
    /// Explain pictures (overlay, raw map and numbers for each) or a video
    Explain(explain::Explain),
    /// Draw a recording anew from its maps, with another look and without the model
    Replay(replay::Replay),
    /// Write the gradient head of a classifier into one ONNX file with it
    Export(export::Export),
    /// Show the layers of a classifier, and the target layer and why
    Inspect(inspect::Inspect),
    /// List the cameras with their formats, sizes and rates
    Devices(devices::Devices),
    /// Measure the stages of a frame's way
    Bench(bench::Bench),
    /// Print what a shell completes the command line with
    Completions(completions::Completions),
}

/// Parses `640x480`.
fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once(['x', 'X', '×']);
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides.filter(|(width, height)| *width > 0 && *height > 0).ok_or("expected WIDTHxHEIGHT, such as 640x480".to_owned())
}

fn parse_share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("expected a number from 0 to 1".to_owned())
}

/// In hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses `90`, `30s`, `10min`, `1h` (seconds where there is no unit).
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let duration = number.parse().ok().and_then(|number: f64| Duration::try_from_secs_f64(number * seconds).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or("expected a time such as 30s, 10min or 1h".to_owned())
}

/// The command line, for manual pages and shells.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program on its command line. `start` is when it started.
pub fn run(start: std::time::Instant) -> ExitCode {
    // The commands are not to be lost among the options of one of them.
    let usage = "gradcam [OPTIONS]\n       gradcam <COMMAND>";
    let matches = command().mut_args(|option| option.hide(true)).override_usage(usage).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let outcome = match cli.command.unwrap_or(Command::Live(cli.live)) {
        Command::Live(command) => command.run(start),
        Command::Explain(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Devices(command) => command.run(),
        Command::Bench(command) => command.run(start),
        Command::Completions(command) => command.run(),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("gradcam: {}", one_line(&error)));
            ExitCode::from(FAILURE)
        }
    }
}

/// Tells the user a line. Whoever read standard error may have gone; that is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// An error in one line, with what to do next where the error does not say it.
fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    // All other files are named by the errors of the library.
    if error.is::<std::io::Error>() || error.is::<serde_json::Error>() {
        return format!("{STANDARD_OUTPUT}: {text}");
    }
    match error.downcast_ref::<Error>() {
        Some(Error::UnsupportedOperator { .. }) => {
            format!("{text}; `gradcam inspect` lists all operators without one, and the layers")
        }
        Some(Error::Device { device, .. }) if device == "window" => format!("{text}; --headless works without"),
        _ => text,
    }
}

/// Whoever read our output has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|json| json.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe))
    };
    error.chain().any(io)
}

/// The times of the stages as a table.
fn print_stages(out: &mut impl Write, stages: &Stages) -> std::io::Result<()> {
    writeln!(out, "  {:<11} {:>8} {:>8} {:>8}  ms", "", "p50", "p95", "p99")?;
    let rows = [
        ("decode", stages.decode),
        ("preprocess", stages.preprocess),
        ("forward", stages.forward),
        ("heat map", stages.heatmap),
        ("overlay", stages.overlay),
        ("show", stages.show),
    ];
    for (name, times) in rows {
        if let Some(Percentiles { p50, p95, p99 }) = times {
            writeln!(out, "  {name:<11} {p50:>8.3} {p95:>8.3} {p99:>8.3}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_options_have_one_name() {
        command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("90", Some(90.0)), ("30s", Some(30.0)), ("1.5 min", Some(90.0)), ("2h", Some(7200.0))]
        {
            assert_eq!(parse_duration(text).ok().map(|time| time.as_secs_f64()), seconds, "{text}");
        }
        for text in ["", "0s", "-1s", "10 days", "s", "1e9999"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
