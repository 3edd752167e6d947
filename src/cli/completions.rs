//! `gradcam completions`: what shells complete its command line with.

use super::SUCCESS;
use clap::Args;
use clap_complete::Shell;
use std::io::Write;

#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> anyhow::Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "gradcam", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(SUCCESS)
    }
}
