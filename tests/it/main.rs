mod overlay_draw;
mod overlay_scene;
mod overlay_snapshot;
mod preprocess_reference;
