//! One binary for all integration tests, one module for each behaviour.

mod decode_mjpeg;
mod decode_raw;
mod source_demo;
mod source_pictures;
mod source_reconnect;
mod source_spec;
mod source_watchdog;
