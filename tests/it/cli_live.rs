//! `gradcam live` without a window, `export`, `inspect`, `devices` and `bench`.

use crate::common::data;
use crate::common::graphs::Builder;
use crate::common::program::{Folder, command, gradcam};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is one object")).collect()
}

#[test]
fn the_demo_is_explained_frame_by_frame() {
    let run = gradcam(&["live", "--headless", "--frames", "20", "--json", "--source", "demo", "--sync"]);
    run.succeeds();
    let frames = objects(&run.stdout);
    assert_eq!(frames.len(), 20);
    // The demo begins with the cat.
    assert!(frames.iter().all(|frame| frame["target"]["label"].as_str().is_some_and(|label| label.contains("cat"))));
    let numbers: Vec<u64> = frames.iter().map(|frame| frame["frame"]["number"].as_u64().expect("a number")).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let times: Vec<f64> = frames.iter().map(|frame| frame["frame"]["time"].as_f64().expect("a time")).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}

#[test]
fn without_a_camera_the_demo_is_shown_and_named() {
    if gradcam::source::default_camera().is_some() {
        eprintln!("skipped: this machine has a camera");
        return;
    }
    let run = gradcam(&["--headless", "--frames", "1", "--json"]);
    run.succeeds();
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("no camera found") && run.stderr.contains("demo"), "{}", run.stderr);
}

#[test]
fn a_locked_class_is_explained_whatever_is_seen() {
    let picture = data("lite0/coffee_224.png");
    let picture = picture.to_string_lossy();
    let run = gradcam(&["live", "--headless", "--frames", "3", "--json", "--source", &picture, "--target", "285"]);
    run.succeeds();
    for frame in objects(&run.stdout) {
        assert_eq!(frame["target"]["class"], 285);
        assert_eq!(frame["top"][0]["class"], 967);
    }
}

#[cfg(unix)]
#[test]
fn both_signals_end_it_cleanly() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut child = command(&["live", "--headless", "--json", "--source", "demo"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        lines.next().expect("a frame is explained").expect("it is text");
        // SAFETY: kill takes numbers only, and the child has not been waited for, so its number is its own.
        unsafe { libc::kill(child.id() as i32, signal) };
        let last = lines.map(|line| line.expect("it is text")).last();
        assert!(last.is_none_or(|line| serde_json::from_str::<Value>(&line).is_ok()), "the last line is whole");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "signal {signal}");
    }
}

#[test]
fn an_exported_model_explains_without_questions() {
    let folder = Folder::new();
    // A random network: what counts is that it goes through without a word about preprocessing or labels.
    let labels: String = (0..10).map(|class| format!("thing {class}\n")).collect();
    std::fs::write(folder.path("labels.txt"), labels).expect("written");
    let path = |name: &str| folder.path(name).to_string_lossy().into_owned();
    let classifier = data("zoo/mobilenet_v2/model.onnx");
    let export = gradcam(&[
        "export",
        &classifier.to_string_lossy(),
        "-o",
        &path("explainable.onnx"),
        "--labels",
        &path("labels.txt"),
        "--preprocess",
        "imagenet",
        "--json",
    ]);
    export.succeeds();
    assert!(export.stderr.is_empty(), "{}", export.stderr);
    let report: Value = serde_json::from_str(&export.stdout).expect("the report is JSON");
    assert_eq!(report["layer"]["wire"], "wire_171", "the golden layer");
    assert_eq!(report["head"]["depends_on_picture"], false);
    let picture = data("lite0/coffee_224.png");
    let run = gradcam(&[
        "explain",
        &picture.to_string_lossy(),
        "-o",
        &path("out"),
        "--model",
        &path("explainable.onnx"),
        "--json",
    ]);
    run.succeeds();
    assert!(run.stderr.is_empty(), "{}", run.stderr);
    assert!(objects(&run.stdout)[0]["target"]["label"].as_str().is_some_and(|label| label.starts_with("thing ")));

    let plain =
        gradcam(&["explain", &picture.to_string_lossy(), "-o", &path("out"), "--model", &classifier.to_string_lossy()]);
    plain.succeeds();
    assert!(plain.stderr.contains("assuming imagenet") && plain.stderr.contains("blank pictures"), "{}", plain.stderr);
    assert_eq!(plain.stderr.lines().count(), 2, "{}", plain.stderr);
}

#[test]
fn inspect_names_the_layer_and_what_has_no_rule() {
    let report = |arguments: &[&str]| -> Value {
        let run = gradcam(&[&["inspect", "--json"], arguments].concat());
        run.succeeds();
        serde_json::from_str(&run.stdout).expect("the report is JSON")
    };
    let default = report(&[]);
    assert_eq!(default["target_layer"]["wire"], "head/conv/relu6");
    assert_eq!(default["target_layer"]["shape"], serde_json::json!([1, 1280, 7, 7]));
    assert_eq!(default["refused"], Value::Null);
    assert_eq!(default["stored_head"], true);
    assert!(default["completeness_error"].as_f64().is_some_and(|error| error < 1e-4));
    assert!(default["layers"].as_array().is_some_and(|layers| layers.len() > 80));

    // A norm over the cells, for which there is no rule.
    let folder = Folder::new();
    let normed = folder.path("normed.onnx");
    let builder = Builder::new(13, 8, 4)
        .node("Relu", &["features"], "warm", &[])
        .node("GlobalLpPool", &["warm"], "norms", &[])
        .node("Flatten", &["norms"], "scores", &[]);
    std::fs::write(&normed, builder.bytes(4)).expect("it is written");
    let normed = report(&[&normed.to_string_lossy()]);
    assert_eq!(normed["target_layer"]["op"], "Relu");
    assert!(normed["refused"].as_str().is_some_and(|reason| reason.contains("GlobalLpPool")), "{}", normed["refused"]);
    let without_rule: Vec<&String> = normed["without_rule"].as_object().expect("a table").keys().collect();
    assert_eq!(without_rule, ["GlobalLpPool"]);
}

#[test]
fn the_bench_measures_every_stage() {
    for source in ["demo", "demo:mjpeg", "demo:yuyv"] {
        let run = gradcam(&["bench", "--source", source, "--iterations", "5", "--json"]);
        run.succeeds();
        let report: Value = serde_json::from_str(&run.stdout).expect("the report is JSON");
        for stage in ["decode", "preprocess", "forward", "heatmap", "overlay"] {
            let times = &report["stages"][stage];
            let [p50, p95, p99] = ["p50", "p95", "p99"].map(|p| times[p].as_f64().expect("a number"));
            assert!(0.0 < p50 && p50 <= p95 && p95 <= p99, "{source} {stage}: {times}");
        }
        assert!(report["fps"].as_f64().is_some_and(|fps| fps > 0.0));
        assert!(report["start_to_first_map_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    }
    gradcam(&["bench", "--source", "0"]).fails_saying(&["demo"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_live_view_needs_at_most_120_megabytes() {
    let mut child = command(&["live", "--headless", "--json", "--source", "demo"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    // It goes on as long as somebody reads.
    assert_eq!(lines.by_ref().take(60).map_while(Result::ok).count(), 60, "it explains frames");
    // The high-water mark of its resident memory. (What the system tells of children that ended is at least what the
    // parent had.)
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it still runs");
    child.kill().expect("it still runs");
    child.wait().expect("it was killed");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    assert!(kilobytes <= 120.0 * 1024.0, "{} MB", kilobytes / 1024.0);
}

#[test]
fn a_snapshot_is_taken_when_a_class_is_seen_and_not_again_for_a_while() {
    let folder = crate::common::program::Folder::new();
    let (picture, snapshots) = ("tests/data/lite0/chelsea_224.png", folder.path("seen"));
    let run = |class: &str, more: &[&str]| {
        let arguments = ["live", "--headless", "--json", "--source", picture, "--frames", "20"];
        let to = snapshots.to_string_lossy();
        gradcam(&[&arguments[..], &["--snapshots", &to, "--snapshot-on", class], more].concat())
    };
    // The class need not be the one that is explained, nor among the best three.
    let seen = run("Egyptian cat", &["--min-probability", "0.2", "--every", "1h", "--target", "espresso"]);
    seen.succeeds();
    let said: Vec<&str> = seen.stderr.lines().filter(|line| line.contains("saved")).collect();
    assert_eq!(said.len(), 1, "{}", seen.stderr);
    let mut names: Vec<String> = std::fs::read_dir(&snapshots)
        .expect("it was made")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let endings: Vec<&str> = names.iter().map(|name| name.split_once('.').expect("it has one").1).collect();
    assert_eq!(endings, ["json", "npy", "png", "raw.png"]);
    let json = names.iter().find(|name| name.ends_with(".json")).expect("it is there");
    let report: Value =
        serde_json::from_slice(&std::fs::read(snapshots.join(json)).expect("readable")).expect("it is JSON");
    // On the very frame that the map explains.
    assert_eq!(report["shown_frame"]["number"], report["explanation"]["frame"]["number"]);
    assert_eq!(report["explanation"]["target"]["label"], "espresso");

    std::fs::remove_dir_all(&snapshots).expect("removed");
    for (class, least) in [("Egyptian cat", "0.999"), ("espresso", "0.2")] {
        run(class, &["--min-probability", least]).succeeds();
        assert!(!snapshots.exists(), "{class} is not seen with {least}");
    }
    run("unicorn", &[]).fails_saying(&["unicorn"]);
    // Where they cannot be written, the view goes on and says so once.
    std::fs::write(&snapshots, "a file").expect("written");
    let blocked = run("285", &["--min-probability", "0.2", "--every", "1ms"]);
    blocked.succeeds();
    assert_eq!(blocked.stdout.lines().count(), 20);
    assert_eq!(blocked.stderr.lines().filter(|line| line.contains("seen")).count(), 1, "{}", blocked.stderr);
    assert_eq!(gradcam(&["live", "--headless", "--every", "5s"]).code, 2);
}

/// Sums over the operators of a profile: the time in ms, the shares, and 10⁶ multiply-adds.
fn profile(engine: &str) -> [f64; 3] {
    let run = gradcam(&["bench", "--iterations", "3", "--profile", "--json", "--engine", engine]);
    run.succeeds();
    let report: Value = serde_json::from_str(&run.stdout).expect("the report is JSON");
    assert_eq!(report["engine"], engine);
    let operators = report["profile"].as_array().expect("a list");
    let sum = |of: &dyn Fn(&Value) -> f64| operators.iter().map(of).sum::<f64>();
    let ms = |operator: &Value| operator["ms"].as_f64().expect("a number");
    let rate = |operator: &Value| operator["giga_multiply_adds_per_second"].as_f64().unwrap_or(0.0);
    let all = sum(&ms);
    assert!(operators.iter().all(|operator| (operator["share"].as_f64().unwrap() - ms(operator) / all).abs() < 1e-9));
    [all, sum(&|operator| operator["share"].as_f64().unwrap()), sum(&|operator| rate(operator) * ms(operator))]
}

#[test]
fn both_engines_count_the_same_multiply_adds() {
    let [fused, tract] = ["fused", "tract"].map(profile);
    for [ms, shares, multiply_adds] in [fused, tract] {
        assert!(ms > 0.0 && (shares - 1.0).abs() < 1e-9, "{ms} ms, shares {shares}");
        // Over all Conv nodes of the file, cells of the output times weights of one of its maps: 383.907552 million;
        // and the classifier's 1280 × 1000. tract counts the additions of the mean, 1280 × 49, too.
        assert!((multiply_adds - 385.187_552).abs() < 0.07, "{multiply_adds} million");
    }
    gradcam(&["bench", "--engine", "onnx"]).fails_saying(&["onnx", "fused", "tract"]);
}

#[test]
fn devices_are_listed_as_json() {
    let run = gradcam(&["devices", "--json"]);
    run.succeeds();
    let devices: Value = serde_json::from_str(&run.stdout).expect("the list is JSON");
    assert!(
        devices
            .as_array()
            .expect("a list")
            .iter()
            .all(|device| device["index"].is_u64() && device["formats"].is_array())
    );
}
