//! The process that tries the files. It may die of one: whoever started it knows which, and starts another.

use crate::allocator;
use crate::check::{Reached, check};
use crate::seeds::Seeds;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The processor time that a file may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// What a worker says when a file took longer.
pub const TOO_LONG: &str = "more than 10 s of processor time";
/// How often a worker looks, and how many looks it waits for a file that only waits: two minutes. Looks, because the clock
/// goes on while the whole process is stopped.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: usize = 1200;
pub const TOO_IDLE: &str = "more than two minutes without an end";
/// The smallest stack on which the program handles models: that of a thread.
const STACK: usize = 2 << 20;

/// What one file came to.
pub struct Trial {
    pub outcome: Result<Reached, String>,
    /// Bytes.
    pub peak: usize,
    pub time: Duration,
}

/// Tries inputs `first`, `first` + `step`, … for `seconds`, and tells of each on standard output: `begin NUMBER`, then
/// `end NUMBER PEAK MICROSECONDS OUTCOME`.
pub fn work(seed: u64, first: u64, step: u64, seconds: f64) {
    let seeds = Seeds::new();
    let start = Instant::now();
    let mut number = first;
    while start.elapsed().as_secs_f64() < seconds {
        let input = seeds.input(seed, number);
        say(&format!("begin {number}"));
        let Trial { outcome, peak, time } = attempt(input.bytes);
        let outcome = match outcome {
            Ok(reached) => reached.to_string(),
            Err(finding) => format!("finding {}", finding.escape_debug()),
        };
        say(&format!("end {number} {peak} {} {outcome}", time.as_micros()));
        number += step;
    }
}

fn say(line: &str) {
    let out = &mut std::io::stdout().lock();
    // A parent that is gone needs no report.
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Tries one file. Too much memory or time ends the process.
pub fn attempt(bytes: Vec<u8>) -> Trial {
    let panic = Arc::new(Mutex::new(String::new()));
    let told = panic.clone();
    drop(std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        *told.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string().replace('\n', ": ");
    }));
    gradcam::error::silence_guarded_panics();
    allocator::forget_peak();
    let before = processor_time();
    let done = Arc::new(AtomicU64::new(0));
    let watched = done.clone();
    let watch = std::thread::spawn(move || {
        for look in 0.. {
            if watched.load(Relaxed) != 0 {
                return;
            }
            let busy = processor_time().saturating_sub(before) > PATIENCE;
            if busy || look > LOOKS {
                eprintln!("{}", if busy { TOO_LONG } else { TOO_IDLE });
                std::process::exit(3);
            }
            std::thread::park_timeout(LOOK);
        }
    });
    let trial = std::thread::Builder::new().stack_size(STACK).spawn(move || check(&bytes));
    let outcome = trial.expect("a thread can be started").join();
    done.store(1, Relaxed);
    watch.thread().unpark();
    watch.join().expect("it only waits");
    let outcome = outcome.unwrap_or_else(|_| {
        let panic = panic.lock().unwrap_or_else(PoisonError::into_inner);
        Err(format!("panic: {panic}"))
    });
    Trial { outcome, peak: allocator::peak(), time: processor_time().saturating_sub(before) }
}

/// What this process has computed so far.
#[cfg(unix)]
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of this function.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the clock of the process is there on every Unix");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn processor_time() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}
