//! Files from strangers, by the thousand: whatever the bytes are, reading, validating, differentiating and exporting
//! ends in a model or in one line that says why not, within 512 MB and 10 s, and what is exported can be read again.
//!
//! `cargo test` runs it for some seconds; CONTRIBUTING.md says how to run it for longer and how to repeat a finding.

mod allocator;
mod check;
mod mutate;
mod parent;
mod random;
mod seeds;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: allocator::Bounded = allocator::Bounded;

/// How long a run takes that nobody gave a time.
const SHORT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut run = parent::Run { seed: 1, first: 0, jobs: cores(), time: SHORT };
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse::<f64>().ok());
            value.filter(|value| *value >= 0.0).unwrap_or_else(|| panic!("{word} needs a number"))
        };
        match word {
            "--minutes" => run.time = Duration::from_secs_f64(number() * 60.0),
            "--seconds" => run.time = Duration::from_secs_f64(number()),
            "--seed" => run.seed = number() as u64,
            "--first" => run.first = number() as u64,
            "--jobs" => run.jobs = (number() as u64).max(1),
            "--worker" => {
                allocator::bound();
                let [seed, first, step] = [number(), number(), number()].map(|number| number as u64);
                worker::work(seed, first, step, number());
                return ExitCode::SUCCESS;
            }
            "--write" => return write(&run, number() as u64),
            "--replay" => return replay(&words.map(PathBuf::from).collect::<Vec<_>>()),
            "--list" => {
                println!("fuzz: test");
                return ExitCode::SUCCESS;
            }
            // What `cargo test` passes on to all its programs.
            option if option.starts_with('-') => {}
            filter if !"fuzz".contains(filter) => return ExitCode::SUCCESS,
            _ => {}
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz/findings");
    if run.run(&folder) {
        return ExitCode::SUCCESS;
    }
    println!("fuzz: once more with `cargo test --release --test fuzz -- --replay {}/*.onnx`", folder.display());
    ExitCode::FAILURE
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u64)
}

/// Writes the file of an input that a report names by its number.
fn write(run: &parent::Run, number: u64) -> ExitCode {
    let input = seeds::Seeds::new().input(run.seed, number);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/fuzz/{}-{number}.onnx", run.seed));
    std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder can be made");
    std::fs::write(&path, input.bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("{} ({})", path.display(), input.origin);
    ExitCode::SUCCESS
}

/// Tries files by name, in this process: the first that needs too much ends it.
fn replay(files: &[PathBuf]) -> ExitCode {
    allocator::bound();
    let mut sound = true;
    for file in files {
        let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        println!("{} …", file.display());
        let worker::Trial { outcome, peak, time } = worker::attempt(bytes);
        let outcome = outcome.map_or_else(|finding| format!("FOUND {finding}"), |reached| reached.to_string());
        sound &= !outcome.starts_with("FOUND");
        println!("  {outcome}; peak {:.0} MB, {:.2} s", peak as f64 / f64::from(1 << 20), time.as_secs_f64());
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
