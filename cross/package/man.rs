//! Writes the manual pages, one for the program and one for each of its commands, into the folder that is named:
//! `cargo run --release --example man -- target/package/man`. Beside the program, which need not carry them.

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("usage: man FOLDER");
    std::fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(gradcam::cli::command(), folder)
}
