use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let start = Instant::now();
    // Of others errors alone: tract warns of opsets that work.
    let filter = env_logger::Env::default().default_filter_or("error,gradcam=warn");
    let mut log = env_logger::Builder::from_env(filter);
    log.format_timestamp(None);
    // What users see looks like all that the program says; who asks for more is told where it comes from.
    if std::env::var_os("RUST_LOG").is_none() {
        log.format(|out, record| writeln!(out, "gradcam: {}", record.args()));
    }
    log.init();
    gradcam::error::silence_guarded_panics();
    gradcam::cli::run(start)
}
