//! The behaviour of the library and the program, one module for each. One binary, because each links tract.

mod common;

mod bad_models;
mod decode_mjpeg;
mod decode_raw;
mod golden;
mod gradients;
mod layers;
mod source_demo;
mod source_pictures;
mod source_reconnect;
mod source_spec;
mod source_watchdog;
mod stored_heads;
