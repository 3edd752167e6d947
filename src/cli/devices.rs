//! `gradcam devices`: the cameras and what they offer.

use super::SUCCESS;
use crate::source::{self, DeviceInfo};
use clap::Args;
use std::io::Write;

#[derive(Args, Debug)]
pub struct Devices {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(self) -> anyhow::Result<u8> {
        let devices = source::devices()?;
        let out = &mut std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &devices)?;
            writeln!(out)?;
        } else if devices.is_empty() {
            writeln!(out, "no camera found")?;
        } else {
            devices.iter().try_for_each(|device| print(out, device))?;
        }
        Ok(SUCCESS)
    }
}

fn print(out: &mut impl Write, device: &DeviceInfo) -> std::io::Result<()> {
    writeln!(out, "{:<3} {}  {}", device.index, device.name, device.path)?;
    for format in &device.formats {
        let rates: Vec<String> = format.fps.iter().map(|fps| format!("{fps:.0}")).collect();
        let size = format!("{}x{}", format.width, format.height);
        writeln!(out, "    {:<6} {size:<10} {} fps", format.format, rates.join(", "))?;
    }
    Ok(())
}
