use crate::overlay_scene::{over, patterned};
use gradcam::overlay::{Canvas, Look, Overlay};
use gradcam::sink::Shown;
use gradcam::sink::snapshot::save;
use ndarray::Array2;
use ndarray_npy::ReadNpyExt;
use std::fs;

#[test]
fn a_snapshot_keeps_what_was_shown_and_what_it_was_made_from() {
    let frame = patterned(64, 48);
    let map = over(&frame, Array2::from_shape_fn((7, 5), |(y, x)| y as f32 - x as f32));
    let mut canvas = Canvas::default();
    Overlay::new().draw(&frame, Some(&map), &Look::default(), None, &mut canvas);
    let shown = Shown { frame: &frame, map: Some(&map), canvas: &canvas };
    let folder = tempfile::tempdir().unwrap();
    let json = serde_json::json!({"target": "Egyptian cat"});

    let inner = folder.path().join("made/on/demand");
    let path = save(&inner, "moment", &shown, &json).unwrap();
    assert_eq!(path, inner.join("moment.png"));
    assert_eq!(image::open(&path).unwrap().to_rgb8().into_raw(), canvas.to_rgb());
    assert_eq!(image::open(inner.join("moment.raw.png")).unwrap().to_rgb8().into_raw(), frame.rgb);
    let values = Array2::<f32>::read_npy(fs::File::open(inner.join("moment.npy")).unwrap()).unwrap();
    assert_eq!(values, map.values);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&fs::read(inner.join("moment.json")).unwrap()).unwrap(),
        json
    );

    let first = fs::read(inner.join("moment.json")).unwrap();
    let second = save(&inner, "moment", &Shown { map: None, ..shown }, &serde_json::json!(2)).unwrap();
    assert_eq!(second, inner.join("moment-2.png"));
    assert_eq!(fs::read(inner.join("moment.json")).unwrap(), first);
    let mut names: Vec<_> =
        fs::read_dir(&inner).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = [
        "moment-2.json",
        "moment-2.png",
        "moment-2.raw.png",
        "moment.json",
        "moment.npy",
        "moment.png",
        "moment.raw.png",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (frame, canvas) = (patterned(2, 2), Canvas { width: 2, height: 2, pixels: vec![0; 4] });
    let error = save(
        &file.join("below"),
        "moment",
        &Shown { frame: &frame, map: None, canvas: &canvas },
        &serde_json::json!(1),
    );
    let message = error.unwrap_err().to_string();
    assert!(message.contains("below") && !message.contains('\n'), "{message}");
}
