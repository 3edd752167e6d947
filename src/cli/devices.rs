//! `gradcam devices`: the cameras and what they offer.

use super::SUCCESS;
use crate::source::devices;
use clap::Args;
use std::io::Write;

#[derive(Args, Debug)]
pub struct Devices {
    /// As JSON
    #[arg(long)]
    json: bool,
}
