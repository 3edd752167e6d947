use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let start = Instant::now();
    // RUST_LOG asks for more; tract warns of opsets that work.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).format_timestamp(None).init();
    gradcam::error::silence_guarded_panics();
    gradcam::cli::run(start)
}
