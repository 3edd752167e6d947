//! Clients that people have: curl, ffmpeg, OpenCV, Prometheus. Each is asked where it is installed.

use super::board;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a tool; nothing where it is not installed.
fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(tool).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("{tool} is not installed");
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const TOKEN: &str = "a-token-of-the-test";

#[test]
fn curl_reads_and_sets() {
    let folder = tempfile::tempdir().expect("there is room");
    let board = board(Some(TOKEN), folder.path());
    let url = |path: &str| format!("http://{}{path}", board.address);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let Some(output) = run("curl", &["-fsS", "-H", &bearer, &url("/status.json")]) else { return };
    assert!(succeeds(&output).contains("\"state\":\"live\""));
    let json = "Content-Type: application/json";
    let set = ["-fsS", "-H", &bearer, "-H", json, "-d", "{\"freeze\":true}", &url("/control")];
    succeeds(&run("curl", &set).expect("it is installed"));
    assert_eq!(board.wishes(), 1);
    let head = run("curl", &["-fsSI", "-H", &bearer, &url("/stream.mjpg")]).expect("it is installed");
    assert!(succeeds(&head).contains("multipart/x-mixed-replace; boundary=gradcam"));
}

#[test]
fn ffmpeg_reads_the_stream() {
    let folder = tempfile::tempdir().expect("there is room");
    let board = board(Some(TOKEN), folder.path());
    let url = format!("http://{}/stream.mjpg?token={TOKEN}", board.address);
    let arguments = ["-v", "error", "-i", &url, "-frames:v", "10", "-f", "framemd5", "-"];
    let Some(output) = run("ffmpeg", &arguments) else { return };
    let frames: Vec<String> =
        succeeds(&output).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let sums: std::collections::BTreeSet<&str> = frames.iter().filter_map(|line| line.rsplit(", ").next()).collect();
    assert_eq!(frames.len(), 10, "{frames:?}");
    assert!(sums.len() > 5, "the pictures change: {frames:?}");
}

/// `make test-http` installs it.
#[test]
fn opencv_reads_the_stream() {
    let Ok(python) = std::env::var("GRADCAM_TEST_OPENCV") else { return };
    let folder = tempfile::tempdir().expect("there is room");
    let board = board(None, folder.path());
    let program = "import cv2, sys\nstream = cv2.VideoCapture(sys.argv[1])\nfor _ in range(10):\n    \
        ok, picture = stream.read()\n    assert ok\n    print(*picture.shape, int(picture.mean()))\n";
    let url = format!("http://{}/stream.mjpg", board.address);
    let output = run(&python, &["-c", program, &url]).expect("the environment has it");
    let text = succeeds(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 10, "{text}");
    assert!(lines.iter().all(|line| line.starts_with("480 640 3 ")), "{text}");
}

#[test]
fn prometheus_takes_the_metrics_and_the_rules() {
    let folder = tempfile::tempdir().expect("there is room");
    let board = board(None, folder.path());
    let text = crate::common::http::get(board.address, "/metrics").body;
    let file = folder.path().join("metrics");
    std::fs::write(&file, &text).expect("written");
    let check = |what: &[&str], input: &Path| {
        let input = std::fs::File::open(input).expect("it is there");
        match Command::new("promtool").args(what).stdin(input).output() {
            Ok(output) => {
                let said =
                    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "promtool {what:?}: {said}");
            }
            Err(_) => println!("promtool is not installed"),
        }
    };
    check(&["check", "metrics"], &file);
    // What the page tells people to copy is checked as it stands there.
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fleet.md")).expect("it is there");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("it ends")).collect();
    assert_eq!(blocks.len(), 2, "the scrape and the rules");
    let (scrape, rules) = (folder.path().join("prometheus.yml"), folder.path().join("gradcam-rules.yml"));
    std::fs::write(&scrape, blocks[0]).expect("written");
    std::fs::write(&rules, blocks[1]).expect("written");
    std::fs::write(folder.path().join("gradcam-token"), TOKEN).expect("written");
    check(&["check", "config", &scrape.to_string_lossy()], &file);
    check(&["check", "rules", &rules.to_string_lossy()], &file);
    // Every metric has its row, and what the rules ask for is there.
    let told = String::from_utf8(text).expect("it is text");
    let names = told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in names {
        assert!(page.contains(&format!("`{name}")), "{name} is not in docs/fleet.md");
    }
}
