//! Starts workers, gathers what they tell, and keeps the files that they died of.

use crate::allocator::TOO_MUCH;
use crate::seeds::Seeds;
use crate::worker::{TOO_IDLE, TOO_LONG};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// After so many the run ends: there is enough to do.
const ENOUGH: usize = 200;

/// What a run is asked for.
pub struct Run {
    pub seed: u64,
    pub first: u64,
    pub jobs: u64,
    pub time: Duration,
}

#[derive(Default)]
struct Report {
    /// How many files got how far.
    reached: BTreeMap<String, u64>,
    /// The largest, with the number of the input.
    peak: (usize, u64),
    slowest: (u64, u64),
    findings: Vec<PathBuf>,
}

impl Run {
    /// Whether nothing was found.
    pub fn run(&self, folder: &Path) -> bool {
        let start = Instant::now();
        let seeds = Seeds::new();
        let report = Mutex::new(Report::default());
        let tried = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for job in 0..self.jobs {
                let (seeds, report, tried) = (&seeds, &report, &tried);
                scope.spawn(move || self.job(job, start, seeds, folder, report, tried));
            }
        });
        let report = report.into_inner().expect("the threads that filled it are done");
        let tried = tried.into_inner();
        let seconds = start.elapsed().as_secs_f64();
        let reached: Vec<String> = report.reached.iter().map(|(name, count)| format!("{count} {name}")).collect();
        println!(
            "fuzz: seed {}, {tried} files in {seconds:.0} s ({:.0}/s): {}; peak {:.0} MB (input {}), slowest {:.1} s \
             (input {}), {} findings",
            self.seed,
            tried as f64 / seconds,
            reached.join(", "),
            report.peak.0 as f64 / f64::from(1 << 20),
            report.peak.1,
            report.slowest.0 as f64 / 1e6,
            report.slowest.1,
            report.findings.len()
        );
        report.findings.is_empty()
    }

    /// One worker after the other, each from where the last one died.
    fn job(&self, job: u64, start: Instant, seeds: &Seeds, folder: &Path, report: &Mutex<Report>, tried: &AtomicU64) {
        let mut next = self.first + job;
        loop {
            let left = self.time.saturating_sub(start.elapsed()).as_secs_f64();
            if left <= 0.0 || report.lock().expect("no thread panics").findings.len() >= ENOUGH {
                return;
            }
            let mut worker = self.start(next, left);
            // Read on the side: a worker that has much to say must not wait for whoever listens.
            let mut stderr = worker.stderr.take().expect("it is piped");
            let last_words = std::thread::spawn(move || {
                let mut words = Vec::new();
                // What cannot be read is not told.
                let _ = stderr.read_to_end(&mut words);
                String::from_utf8_lossy(&words).into_owned()
            });
            let stdout = BufReader::new(worker.stdout.take().expect("it is piped"));
            let mut busy = None;
            for line in stdout.lines().map_while(Result::ok) {
                let mut words = line.splitn(5, ' ');
                let kind = words.next();
                let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
                let input = number();
                next = input + self.jobs;
                if kind == Some("begin") {
                    busy = Some(input);
                    continue;
                }
                let (peak, time) = (number(), number());
                let outcome = words.next().unwrap_or_default();
                busy = None;
                tried.fetch_add(1, Relaxed);
                let mut report = report.lock().expect("no thread panics");
                report.peak = report.peak.max((peak as usize, input));
                report.slowest = report.slowest.max((time, input));
                let finding = outcome.strip_prefix("finding ");
                *report.reached.entry(finding.map_or(outcome, |_| "found").to_owned()).or_default() += 1;
                if let Some(reason) = finding {
                    report.findings.push(self.keep(seeds, input, reason, "", folder));
                }
            }
            let status = worker.wait().expect("a child can be waited for");
            let words = last_words.join().expect("it only reads");
            if let Some(input) = busy {
                let reason = match words.lines().last().unwrap_or_default() {
                    last if last.starts_with(TOO_MUCH) || [TOO_LONG, TOO_IDLE].contains(&last) => last.to_owned(),
                    last => format!("died, {status}: {last}"),
                };
                tried.fetch_add(1, Relaxed);
                let mut report = report.lock().expect("no thread panics");
                *report.reached.entry("found".to_owned()).or_default() += 1;
                report.findings.push(self.keep(seeds, input, &reason, &words, folder));
            } else {
                assert!(status.success(), "a worker ended without a file: {status}\n{words}");
            }
        }
    }

    fn start(&self, first: u64, seconds: f64) -> Child {
        let own = std::env::current_exe().expect("the program knows where it lies");
        Command::new(own)
            .arg("--worker")
            .args([self.seed, first, self.jobs].map(|number| number.to_string()))
            .arg(seconds.to_string())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started again")
    }

    /// Writes the file down, and why.
    fn keep(&self, seeds: &Seeds, number: u64, reason: &str, words: &str, folder: &Path) -> PathBuf {
        let input = seeds.input(self.seed, number);
        let path = folder.join(format!("{}-{number}.onnx", self.seed));
        println!("fuzz: {} ({}): {reason}", path.display(), input.origin);
        let write = || {
            std::fs::create_dir_all(folder)?;
            std::fs::write(&path, &input.bytes)?;
            std::fs::write(path.with_extension("txt"), format!("{}\n{reason}\n{words}", input.origin))
        };
        write().unwrap_or_else(|error| println!("fuzz: {}: {error}", path.display()));
        path
    }
}
