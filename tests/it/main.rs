//! The behaviour of the library and the program, one module for each. One binary, because each links tract.

mod common;

mod allocations;
mod bad_models;
mod classifiers;
mod cli_errors;
mod cli_explain;
mod cli_live;
mod computed;
mod decode_mjpeg;
mod decode_raw;
mod discrimination;
mod fused;
mod geometry;
mod golden;
mod gradients;
mod honesty;
#[cfg(feature = "serve")]
mod http;
mod layers;
mod methods;
mod module_order;
mod ordeals;
mod paddle;
mod overlay_draw;
mod overlay_scene;
mod overlay_snapshot;
mod pipeline;
mod preprocess_reference;
mod random_graphs;
mod films;
mod recording;
mod recording_times;
mod reference;
mod shared;
mod source_demo;
mod source_pictures;
mod source_reconnect;
mod source_spec;
mod source_watchdog;
mod stored_heads;
mod window;
