//! `gradcam explain` on real pictures.

use crate::common::display::wait_for;
use crate::common::program::{Folder, command, gradcam};
use crate::common::{data, npy, relative_l2};
use image::{DynamicImage, ImageFormat};
use ndarray::Array2;
use std::path::Path;

fn map(path: &Path) -> Array2<f32> {
    ndarray_npy::read_npy(path).expect("the map is f32 [h, w]")
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).expect("it was written")).expect("it is JSON")
}

#[test]
fn a_photograph_gives_overlay_map_and_numbers() {
    let out = Folder::new();
    let input = data("lite0/chelsea_224.png");
    let run =
        gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name(), "--json", "--heat-share", "0,0,224,224"]);
    run.succeeds();
    let overlay = image::open(out.path("chelsea_224.overlay.png")).expect("the overlay is a picture");
    assert_eq!((overlay.width(), overlay.height()), (224, 224));
    let golden = npy("lite0/chelsea_cam_GradCAM_class285.npy").mapv(|value| value.max(0.0));
    assert!(relative_l2(&map(&out.path("chelsea_224.map.npy")), &golden) < 1e-4);

    let numbers = json(&out.path("chelsea_224.json"));
    let printed: serde_json::Value = serde_json::from_str(run.stdout.trim()).expect("one object on one line");
    assert_eq!(numbers, printed);
    assert_eq!(numbers["target"]["class"], 285);
    assert_eq!(numbers["target"]["label"], "Egyptian cat");
    assert_eq!(numbers["method"], "grad-cam");
    assert_eq!(numbers["layer"], "head/conv/relu6");
    assert_eq!(numbers["map"]["height"], 7);
    assert_eq!(numbers["top"].as_array().expect("a list").len(), 5);
    let logit = numbers["top"][0]["logit"].as_f64().expect("a number");
    assert!((logit - 9.011_848).abs() < 1e-3, "PyTorch says 9.011848, this {logit}");
    assert!((numbers["focus"]["heat_share"].as_f64().expect("a number") - 1.0).abs() < 1e-4);
    let max = golden.iter().copied().fold(0.0, f32::max);
    assert!((numbers["focus"]["peak"]["value"].as_f64().expect("a number") - f64::from(max)).abs() < 1e-3);
    for stage in ["decode", "preprocess", "forward", "heatmap", "overlay"] {
        assert!(numbers["times_ms"][stage].as_f64().is_some_and(|ms| ms > 0.0), "{stage}");
    }
}

/// In one run: under an emulator, loading the model is most of it.
#[test]
fn both_photographs_have_the_maps_of_pytorch() {
    let out = Folder::new();
    let photographs = ["chelsea", "coffee"].map(|name| data(&format!("lite0/{name}_224.png")));
    let [chelsea, coffee] = photographs.each_ref().map(|path| path.to_string_lossy());
    gradcam(&["explain", &chelsea, &coffee, "-o", &out.name(), "--json"]).succeeds();
    for (name, class) in [("chelsea", 285), ("coffee", 967)] {
        assert_eq!(json(&out.path(&format!("{name}_224.json")))["target"]["class"], class);
        let golden = npy(&format!("lite0/{name}_cam_GradCAM_class{class}.npy")).mapv(|value| value.max(0.0));
        let error = relative_l2(&map(&out.path(&format!("{name}_224.map.npy"))), &golden);
        println!("{name}: {error:.1e}");
        assert!(error < 1e-4, "{name}: {error:.1e}");
    }
}

#[test]
fn the_heat_is_drawn_on_the_cat() {
    let out = Folder::new();
    let input = data("lite0/chelsea_224.png");
    gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name()]).succeeds();
    let before = image::open(&input).expect("the photograph").into_rgb8();
    let after = image::open(out.path("chelsea_224.overlay.png")).expect("the overlay").into_rgb8();
    let golden: Vec<f32> = npy("lite0/chelsea_cam_GradCAM_class285.npy").into_iter().collect();
    // Mean change of the picture in each cell of the map.
    let mut changes = Vec::new();
    for row in 0..7 {
        for column in 0..7 {
            let mut change = 0;
            for (x, y) in (0..32).flat_map(|y| (0..32).map(move |x| (column * 32 + x, row * 32 + y))) {
                let pairs = before.get_pixel(x, y).0.into_iter().zip(after.get_pixel(x, y).0);
                change += pairs.map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>();
            }
            changes.push((golden[(row * 7 + column) as usize], change / 1024));
        }
    }
    let max = changes.iter().map(|(heat, _)| *heat).fold(0.0, f32::max);
    let mean = |picked: Vec<u32>| picked.iter().sum::<u32>() as f32 / picked.len() as f32;
    let hot = mean(changes.iter().filter(|(heat, _)| *heat > 0.7 * max).map(|(_, change)| *change).collect());
    let cold = mean(changes.iter().filter(|(heat, _)| *heat < 0.2 * max).map(|(_, change)| *change).collect());
    assert!(hot > 60.0 && cold < 12.0, "hot cells change by {hot}, cold ones by {cold}");
}

#[test]
fn a_class_is_explained_by_number_and_by_label() {
    let out = Folder::new();
    let input = data("lite0/coffee_224.png");
    let input = input.to_string_lossy();
    gradcam(&["explain", &input, "-o", &out.name(), "--target", "968", "--signed"]).succeeds();
    let by_number = map(&out.path("coffee_224.map.npy"));
    assert!(relative_l2(&by_number, &npy("lite0/coffee_cam_GradCAM_class968.npy")) < 1e-4, "the signed map");
    gradcam(&["explain", &input, "-o", &out.name(), "--target", "CUP", "--signed"]).succeeds();
    assert_eq!(by_number, map(&out.path("coffee_224.map.npy")));
    let run = gradcam(&["explain", &input, "-o", &out.name(), "--target", "espres"]);
    run.fails_saying(&["espres", "`espresso`"]);
    gradcam(&["explain", &input, "-o", &out.name(), "--target", "1000"]).fails_saying(&["1000", "0 to 999"]);
    gradcam(&["explain", &input, "-o", &out.name(), "--method", "grad"]).fails_saying(&["grad-cam++"]);
}

#[test]
fn grad_cam_plus_plus_is_another_map() {
    let out = Folder::new();
    let input = data("lite0/coffee_224.png");
    gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name(), "--method", "grad-cam++"]).succeeds();
    let plus = map(&out.path("coffee_224.map.npy"));
    // Without its ε the golden map has another scale (15 % off), but nearly the same form.
    let golden = npy("lite0/coffee_cam_GradCAMPlusPlus_class967.npy").mapv(|value| value.max(0.0));
    let peak = |values: Vec<f32>| values.iter().copied().fold(0.0, f32::max);
    let (ours, theirs) = (peak(plus.iter().copied().collect()), peak(golden.iter().copied().collect()));
    assert!(relative_l2(&plus.mapv(|value| value / ours), &golden.mapv(|value| value / theirs)) < 0.1);
    assert_eq!(json(&out.path("coffee_224.json"))["map"]["unit"], "relative");
}

#[test]
fn a_folder_goes_on_behind_a_bad_picture() {
    let (folder, out) = (Folder::new(), Folder::new());
    std::fs::copy(data("lite0/chelsea_224.png"), folder.path("a.png")).expect("copied");
    std::fs::write(folder.path("b.png"), "this is a text file\n").expect("written");
    std::fs::copy(data("lite0/coffee_224.png"), folder.path("c.png")).expect("copied");
    let run = gradcam(&["explain", &folder.name(), "-o", &out.name()]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("b.png") && run.stderr.lines().count() == 1, "{}", run.stderr);
    assert!(out.path("a.json").exists() && out.path("c.json").exists());
    assert_eq!(out.files().len(), 6, "{:?}", out.files());
}

#[test]
fn two_pictures_of_one_name_have_two_results() {
    let (folder, out) = (Folder::new(), Folder::new());
    std::fs::copy(data("lite0/chelsea_224.png"), folder.path("a.png")).expect("copied");
    let photo = image::open(data("lite0/coffee_224.png")).expect("the photograph");
    photo.save_with_format(folder.path("a.bmp"), ImageFormat::Bmp).expect("written");
    gradcam(&["explain", &folder.name(), "-o", &out.name()]).succeeds();
    let classes: Vec<i64> = out
        .files()
        .iter()
        .filter(|name| name.ends_with(".json"))
        .map(|name| json(&out.path(name))["target"]["class"].as_i64().expect("a number"))
        .collect();
    assert_eq!(classes.len(), 2);
    assert!(classes.contains(&285) && classes.contains(&967));
}

/// The class that is found in a photograph that was stored in another way.
fn class_of(store: impl FnOnce(DynamicImage, &Path)) -> i64 {
    let (folder, out) = (Folder::new(), Folder::new());
    store(image::open(data("lite0/coffee_224.png")).expect("the photograph"), &folder.path("photo.png"));
    gradcam(&["explain", &folder.path("photo.png").to_string_lossy(), "-o", &out.name()]).succeeds();
    json(&out.path("photo.json"))["target"]["class"].as_i64().expect("a number")
}

#[test]
fn sixteen_bits_alpha_and_grey_are_good_input() {
    assert_eq!(class_of(|photo, path| photo.into_rgb16().save(path).expect("written")), 967);
    assert_eq!(class_of(|photo, path| photo.into_rgba8().save(path).expect("written")), 967);
    assert_eq!(class_of(|photo, path| photo.into_rgba16().save(path).expect("written")), 967);
    let grey = class_of(|photo, path| photo.to_luma8().save(path).expect("written"));
    assert_eq!(class_of(|photo, path| photo.to_luma16().save(path).expect("written")), grey);
    assert_eq!(
        class_of(|photo, path| DynamicImage::from(photo.to_luma8()).into_rgb8().save(path).expect("written")),
        grey
    );
}

#[test]
fn a_large_picture_keeps_its_size_and_the_map_lies_in_the_middle() {
    let (folder, out) = (Folder::new(), Folder::new());
    let photo = image::open(data("lite0/coffee_224.png")).expect("the photograph");
    let mut wide = image::RgbImage::from_pixel(1600, 700, image::Rgb([90, 90, 90]));
    let photo = photo.resize_exact(700, 700, image::imageops::FilterType::Triangle).into_rgb8();
    image::imageops::replace(&mut wide, &photo, 450, 0);
    wide.save(folder.path("wide.png")).expect("written");
    gradcam(&["explain", &folder.path("wide.png").to_string_lossy(), "-o", &out.name()]).succeeds();
    let numbers = json(&out.path("wide.json"));
    assert_eq!(numbers["target"]["class"], 967);
    let x = numbers["focus"]["centroid"]["x"].as_f64().expect("a number");
    assert!((650.0..950.0).contains(&x), "the cup is in the middle, the heat at {x}");
    let overlay = image::open(out.path("wide.overlay.png")).expect("the overlay").into_rgb8();
    assert_eq!(overlay.dimensions(), (1600, 700));
    // What the network did not see is dimmed and carries no heat: grey stays grey.
    let [red, green, blue] = overlay.get_pixel(100, 350).0;
    assert!(red < 70 && red == green && green == blue, "{red} {green} {blue}");
}

#[test]
fn a_picture_that_was_given_is_never_written_over() {
    let folder = Folder::new();
    std::fs::copy(data("lite0/chelsea_224.png"), folder.path("x.png")).expect("copied");
    std::fs::copy(data("lite0/coffee_224.png"), folder.path("x.overlay.png")).expect("copied");
    let run = gradcam(&["explain", &folder.name(), "-o", &folder.name()]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("x.png") && run.stderr.contains("written over"), "{}", run.stderr);
    let kept = std::fs::read(folder.path("x.overlay.png")).expect("it is there");
    assert!(kept == std::fs::read(data("lite0/coffee_224.png")).expect("it is there"), "the picture was changed");
    assert!(folder.path("x.overlay.json").exists());
}

#[test]
fn a_name_that_is_too_long_ends_nothing() {
    let (folder, out) = (Folder::new(), Folder::new());
    let long = format!("{}.png", "a".repeat(246));
    std::fs::copy(data("lite0/chelsea_224.png"), folder.path(&long)).expect("copied");
    std::fs::copy(data("lite0/coffee_224.png"), folder.path("b.png")).expect("copied");
    let run = gradcam(&["explain", &folder.name(), "-o", &out.name()]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("too long"), "{}", run.stderr);
    assert!(out.path("b.json").exists());
}

#[test]
fn a_contrast_says_between_which_classes_it_is() {
    let out = Folder::new();
    let input = data("lite0/coffee_224.png");
    gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name(), "--target", "967-cup"]).succeeds();
    let numbers = json(&out.path("coffee_224.json"));
    assert_eq!(numbers["target"]["class"], 967);
    assert_eq!(numbers["target"]["against"], serde_json::json!({"class": 968, "label": "cup"}));
    // PyTorch's scores are 10.984107 and 6.955564.
    let score = numbers["target"]["score"].as_f64().expect("a number");
    assert!((score - 4.028_543).abs() < 1e-3, "{score}");
    assert!(numbers["target"].get("probability").is_none(), "a contrast has no probability");
    assert!(numbers["focus"].get("drop_test").is_none(), "it was not asked for");

    gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name()]).succeeds();
    let single = json(&out.path("coffee_224.json"));
    assert!(single["target"].get("against").is_none());
    assert_eq!(single["target"]["probability"], single["top"][0]["probability"]);
}

#[test]
fn classes_are_named_by_their_rank() {
    let out = Folder::new();
    let input = data("lite0/coffee_224.png");
    let explained = |target: &str| {
        gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name(), "--signed", "--target", target]).succeeds();
        (json(&out.path("coffee_224.json"))["target"].clone(), map(&out.path("coffee_224.map.npy")))
    };
    // 967 is the best class, and 968 the second.
    let (second, heat) = explained("top2");
    assert_eq!(second["class"], 968);
    assert!(relative_l2(&heat, &npy("lite0/coffee_cam_GradCAM_class968.npy")) < 1e-4);
    for target in ["top1-top2", "967-top1", "top1-968"] {
        let (contrast, heat) = explained(target);
        assert_eq!((&contrast["class"], &contrast["against"]["class"]), (&967.into(), &968.into()), "{target}");
        assert_eq!(heat, explained("967-968").1, "{target}");
    }
    let refused = |target: &str, words: &[&str]| {
        gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name(), "--target", target]).fails_saying(words);
    };
    refused("top0", &["top0", "top1 to top1000"]);
    refused("top1001", &["top1001"]);
    refused("top2-top2", &["two different classes"]);
}

#[test]
fn hidden_cells_cost_the_score_what_another_runtime_says() {
    let out = Folder::new();
    // ONNX Runtime with the cells above half of pytorch-grad-cam's maximum set to (127.5 − 127) / 128.
    for (name, cells, fall) in [("chelsea", 24, -2.094_183), ("coffee", 11, 1.997_518)] {
        let input = data(&format!("lite0/{name}_224.png"));
        gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name(), "--drop-test"]).succeeds();
        let test = &json(&out.path(&format!("{name}_224.json")))["focus"]["drop_test"];
        assert_eq!(test["cells"], cells);
        let masked = test["masked"].as_f64().expect("a number");
        assert!((masked - fall).abs() < 1e-3, "{name}: {masked} for {fall}");
        assert!(test["random"].as_f64().is_some_and(f64::is_finite));
    }
}

#[test]
fn methods_for_stills_explain_a_picture_and_are_refused_for_video() {
    let (folder, out) = (Folder::new(), Folder::new());
    let input = data("lite0/coffee_224.png");
    let run = gradcam(&["explain", &input.to_string_lossy(), "-o", &out.name(), "--method", "ablation-cam"]);
    run.succeeds();
    assert!(run.stderr.is_empty(), "no bar without a terminal: {}", run.stderr);
    let numbers = json(&out.path("coffee_224.json"));
    assert_eq!((&numbers["method"], &numbers["map"]["unit"]), (&"ablation-cam".into(), &"relative".into()));
    let golden = npy("lite0/coffee_cam_AblationCAM_class967.npy").mapv(|value| value.max(0.0));
    assert!(relative_l2(&map(&out.path("coffee_224.map.npy")), &golden) < 1e-3);

    // Score-CAM of a small classifier: 320 runs.
    let model = data("zoo/mobilenet_v2/model.onnx");
    let arguments = ["--model", &model.to_string_lossy(), "--preprocess", "imagenet", "--method", "score-cam"];
    gradcam(&[&["explain", &input.to_string_lossy(), "-o", &folder.name()], &arguments[..]].concat()).succeeds();
    assert_eq!(json(&folder.path("coffee_224.json"))["method"], "score-cam");

    for arguments in [&["live", "--headless"][..], &["bench"]] {
        gradcam(&[arguments, &["--method", "score-cam"]].concat()).fails_saying(&["score-cam", "gradcam explain"]);
    }
    let signed = ["explain", &input.to_string_lossy(), "-o", &out.name(), "--method", "layer-cam", "--signed"];
    gradcam(&signed).fails_saying(&["--signed", "LayerCAM"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_method_of_many_runs_at_once() {
    let (folder, input) = (Folder::new(), data("lite0/coffee_224.png"));
    let out = folder.path("out");
    let (input, output) = (input.to_string_lossy().into_owned(), out.to_string_lossy().into_owned());
    let arguments = ["explain", &input, "-o", &output, "--method", "score-cam"];
    let mut child = command(&arguments).spawn().expect("the program starts");
    // The folder is made just before the first of 1280 runs.
    wait_for(|| out.exists().then_some(()));
    // SAFETY: kill takes numbers only, and the child has not been waited for, so its number is its own.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(out.read_dir().expect("it is readable").next().is_none(), "nothing is there in part");
}
