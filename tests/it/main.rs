//! The behaviour of the library and the program, one module for each. One binary, because each links tract.

mod common;

mod bad_models;
mod golden;
mod gradients;
mod layers;
mod stored_heads;
