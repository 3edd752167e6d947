//! `gradcam devices`: the cameras and what they offer.

use super::SUCCESS;
use crate::source::{self, ControlInfo, DeviceInfo};
use clap::Args;
use serde::Serialize;
use std::io::Write;

/// A camera as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    device: &'a DeviceInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    controls: Option<Vec<ControlInfo>>,
}

#[derive(Args, Debug)]
pub struct Devices {
    /// List what can be set, too: exposure, gain, focus, …
    #[arg(long)]
    controls: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(self) -> anyhow::Result<u8> {
        let devices = source::devices()?;
        let controls = |device| self.controls.then(|| source::controls(device)).transpose();
        let listed = devices.iter().map(|device| Ok(Listed { device, controls: controls(device)? }));
        let listed = listed.collect::<crate::Result<Vec<_>>>()?;
        let out = &mut std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &listed)?;
            writeln!(out)?;
        } else if devices.is_empty() {
            writeln!(out, "no camera found")?;
        } else {
            for Listed { device, controls } in &listed {
                print(out, device)?;
                print_controls(out, controls.as_deref().unwrap_or_default())?;
            }
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

/// Name, value, default and what else it may be.
fn print_controls(out: &mut impl Write, controls: &[ControlInfo]) -> std::io::Result<()> {
    let width = controls.iter().map(|control| control.name.len()).max().unwrap_or_default();
    for control in controls {
        let value = control.value.map_or("?".to_owned(), |value| control.show(value));
        let default = control.show(control.default);
        let state = control.state.map(|state| format!(", {state}")).unwrap_or_default();
        writeln!(out, "    {:<width$} {value} (default {default}; {}{state})", control.name, control.values())?;
    }
    Ok(())
}
