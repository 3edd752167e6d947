//! What clients ask of the program, and what becomes of it.

use crate::common::http::{LONG, get, post, told};
use crate::common::program::{Folder, command, gradcam};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Stdio};
use std::time::Instant;

/// The program, serving the demo without a window.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    lines: BufReader<ChildStderr>,
    folder: Folder,
}

pub fn served(more: &[&str]) -> Served {
    let folder = Folder::new();
    let mut arguments = vec!["live", "--headless", "--source", "demo", "--serve", "127.0.0.1:0"];
    arguments.extend(more);
    let child = command(&arguments).current_dir(folder.root()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped"));
    let address = told(&mut lines);
    let served = Served { child, address, lines, folder };
    served.until(|status| status["map"].is_object());
    served
}

impl Served {
    pub fn status(&self) -> Value {
        get(self.address, "/status.json").json()
    }

    /// Reads the status until it is so.
    #[track_caller]
    pub fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            assert!(start.elapsed() < 2 * LONG, "it never was: {status}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Asks for what is possible.
    #[track_caller]
    pub fn set(&self, change: Value) -> Value {
        let reply = post(self.address, &change.to_string());
        assert_eq!(reply.status, 200, "{change}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    #[track_caller]
    fn refuses(&self, body: &str, status: u16) {
        let reply = post(self.address, body);
        assert_eq!(reply.status, status, "{body}: {}", String::from_utf8_lossy(&reply.body));
        assert!(reply.json()["error"].as_str().is_some_and(|error| !error.is_empty()), "{body}");
    }

    /// Ends it as a user does, and returns what it said since.
    #[cfg(unix)]
    fn interrupt(mut self) -> String {
        // SAFETY: a signal to a child that has not been waited for.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGINT) };
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut said).expect("it is text");
        assert!(self.child.wait().expect("it ran").success(), "{said}");
        said
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
#[test]
fn a_client_chooses_what_is_explained_and_keeps_it() {
    let served = served(&[]);
    let is = |status: &Value, class: u64| status["target"]["class"] == class && status["locked"] == true;

    served.set(json!({ "target": 285 }));
    let status = served.until(|status| is(status, 285));
    assert_eq!((&status["target"]["label"], status["top"].as_array().map(Vec::len)), (&json!("Egyptian cat"), Some(5)));
    let cat = get(served.address, "/map.json").json();
    served.set(json!({ "target": "espresso", "method": "hires-cam", "opacity": 0.25, "colormap": "magma" }));
    let status = served.until(|status| is(status, 967) && status["method"] == "hires-cam");
    assert_eq!((&status["look"]["opacity"], &status["look"]["colormap"]), (&json!(0.25), &json!("magma")));
    served.set(json!({ "target": "Egyptian cat-espresso" }));
    let status = served.until(|status| status["target"]["against"]["class"] == 967);
    assert_eq!((&status["target"]["class"], status["target"].get("probability")), (&json!(285), None));
    served.set(json!({ "target": null, "method": "grad-cam" }));
    served.until(|status| status["locked"] == false && status["target"].get("against").is_none());

    served.set(json!({ "freeze": true }));
    let frozen = served.until(|status| status["state"] == "frozen" && status["drop_test"].is_object());
    served.set(json!({ "target": 967 }));
    let status = served.until(|status| is(status, 967));
    assert_eq!(status["frame"], frozen["frame"], "the picture stands");
    let cup = get(served.address, "/map.json").json();
    assert_eq!(cup["frame"]["number"], frozen["frame"]["number"]);
    assert!(cup["values"] != cat["values"] && cup["target"]["class"] == 967, "another class has another map");
    let (rows, columns) = (cup["values"].as_array().expect("rows"), cup["values"][0].as_array().expect("a row"));
    assert_eq!((rows.len(), columns.len()), (7, 7));

    let answer = served.set(json!({ "snapshot": true }));
    let saved = answer["saved"].as_array().expect("files").clone();
    assert_eq!(saved.len(), 4, "{answer}");
    for file in &saved {
        let path = format!("/files/{}", file["id"].as_str().expect("a name"));
        let reply = get(served.address, &path);
        let name = file["name"].as_str().expect("a name");
        let written = std::fs::read(served.folder.path("snapshots").join(name)).expect("it is there");
        assert_eq!((reply.status, reply.body.len()), (200, written.len()), "{name}");
        assert!(reply.body == written, "{name}");
    }
    served.set(json!({ "freeze": false }));
    served.until(|status| status["state"] == "live");
    served.interrupt();
}

#[cfg(unix)]
#[test]
fn another_layer_is_loaded_while_the_picture_goes_on() {
    let served = served(&[]);
    let model = get(served.address, "/model.json").json();
    let layers = model["layers"].as_array().expect("a list");
    let first = served.status();
    assert!(layers.iter().any(|layer| layer["name"] == first["layer"] && layer["wire"] == first["layer_wire"]));
    let finer = layers.iter().find(|layer| layer["height"] == 14).expect("there is a layer of 14 rows");
    let asked = served.set(json!({ "layer": finer["name"] }));
    served.until(|status| status["frame"]["number"].as_u64() > asked["frame"]["number"].as_u64());
    let status = served.until(|status| status["layer"] == finer["name"]);
    assert_eq!((&status["map"]["height"], &status["layer_wire"]), (&json!(14), &finer["wire"]));
    served.set(json!({ "layer": first["layer"] }));
    let back = served.until(|status| status["map"]["height"] == 7);
    assert_eq!((&back["layer"], &back["layer_wire"]), (&first["layer"], &first["layer_wire"]));
    served.refuses(r#"{"layer":"stride999"}"#, 422);
    served.interrupt();
}

#[cfg(all(unix, feature = "record"))]
#[test]
fn a_recording_begins_and_ends_from_afar() {
    let served = served(&[]);
    let answer = served.set(json!({ "record": true }));
    let name = answer["recording"]["name"].as_str().expect("it records").to_owned();
    let status = served.until(|status| status["recording"]["frames"].as_u64() > Some(5));
    served.refuses(&json!({ "layer": "stride16" }).to_string(), 409);
    assert_eq!(served.set(json!({ "record": true }))["recording"]["name"], *name, "it goes on");
    let listed = get(served.address, "/files.json").json();
    let open = |files: &Value| {
        files["files"].as_array().expect("a list").iter().any(|file| file["name"] == *name && file["open"] == true)
    };
    assert!(open(&listed), "{listed}");
    served.set(json!({ "record": false }));
    let ended = served.until(|now| now["recording"].is_null() && now["files"].as_u64() > status["files"].as_u64());
    assert!(ended["note"].as_str().is_some_and(|note| note.contains(&name)), "{ended}");
    let listed = get(served.address, "/files.json").json();
    let files = listed["files"].as_array().expect("a list");
    let video = files.iter().find(|file| file["name"] == *name).expect("it is listed");
    let part = get(served.address, &format!("/files/{}", video["id"].as_str().expect("a name")));
    assert_eq!((part.status, &part.body[4..8]), (200, &b"ftyp"[..]));
    assert_eq!(files.iter().filter(|file| file["kind"] == "recording").count(), 3, "video, numbers and maps: {listed}");
    served.interrupt();
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn of(&mut self, values: &[&str]) -> String {
        values[self.below(values.len())].to_owned()
    }
}

/// A field with a value as text, and whether it can be used: 200, 422, or 400 where it is of another kind.
fn field(random: &mut Random) -> (String, String, u16) {
    const KINDS: [&str; 8] = ["[]", "{}", "[null]", "1e400", "{\"a\":1}", "\"\\ud800\"", "tru", "'x'"];
    let (name, good, bad): (&str, &[&str], &[&str]) = match random.below(8) {
        0 => (
            "target",
            &["0", "285", "\"967\"", "\"espresso\"", "null", "\"Egyptian cat-espresso\"", "\"285-967\""],
            &[
                "1000",
                "18446744073709551615",
                "\"no such thing\"",
                "\"285-285\"",
                "\"\"",
                "\"-\"",
                "\"1-\"",
                "\"\\u0000\"",
            ],
        ),
        1 => (
            "method",
            &["\"grad-cam\"", "\"eigen-cam\"", "\"layer-cam\""],
            &["\"score-cam\"", "\"\"", "\"Grad-CAM\"", "\"../grad-cam\"", "\"💥\""],
        ),
        2 => ("opacity", &["0", "1", "0.5", "1e-3"], &["-1", "1.0001", "1e30", "-1e-30"]),
        3 => ("colormap", &["\"turbo\"", "\"jet\"", "\"magma\""], &["\"rainbow\"", "\"\""]),
        4 => ("layer", &["\"stride32\""], &["\"stride0\"", "\"/etc/passwd\"", "\"stride99999999999999999999\""]),
        5 => ("signed", &["true", "false"], &[]),
        6 => ("heat", &["true", "false"], &[]),
        _ => ("flip", &["true", "false"], &[]),
    };
    match random.below(8) {
        0 => (name.to_owned(), random.of(&KINDS), 400),
        1 | 2 if !bad.is_empty() => (name.to_owned(), random.of(bad), 422),
        3 => (random.of(&["", "Target", "__proto__", "targets", "frieze", "\\u0000"]), "true".to_owned(), 400),
        _ => (name.to_owned(), random.of(good), 200),
    }
}

#[cfg(unix)]
#[test]
fn a_thousand_random_requests_do_what_they_say_or_nothing() {
    let served = served(&[]);
    assert!(served.status()["layer"] == "stride32");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut counts = [0; 3];
    let mut look = served.status()["look"].clone();
    for _ in 0..1000 {
        let fields: Vec<_> = (0..random.below(4)).map(|_| field(&mut random)).collect();
        let mut text: String = fields.iter().map(|(name, value, _)| format!("\"{name}\":{value},")).collect();
        text.pop();
        let mut body = format!("{{{text}}}");
        let twice = (0..fields.len()).any(|at| fields[..at].iter().any(|(name, ..)| *name == fields[at].0));
        let mut expected = fields.iter().map(|(.., status)| *status).find(|status| *status == 400);
        expected = expected.or(twice.then_some(400));
        if random.below(20) == 0 {
            // Cut off, within a character perhaps.
            let end = random.below(body.len());
            body = String::from_utf8_lossy(&body.as_bytes()[..end]).into_owned();
            expected = Some(400);
        }
        let expected = expected.or(fields.iter().map(|(.., status)| *status).max()).unwrap_or(200);
        let reply = post(served.address, &body);
        assert_eq!(reply.status, expected, "{body}: {}", String::from_utf8_lossy(&reply.body));
        if reply.status == 200 {
            for (name, value, _) in fields {
                if look.get(&name).is_some() {
                    look[&name] = serde_json::from_str(&value).expect("it was understood");
                }
            }
            let opacity = look["opacity"].as_f64().expect("a number") as f32;
            look["opacity"] = json!(opacity);
            let told = reply.json()["look"].clone();
            let close = (told["opacity"].as_f64().expect("a number") - f64::from(opacity)).abs() < 1e-6;
            assert!(close, "{body}: {told}");
            look["opacity"] = told["opacity"].clone();
            assert_eq!(told, look, "{body}");
        } else {
            assert!(reply.json()["error"].is_string(), "{body}");
            assert_eq!(served.status()["look"], look, "{body}");
        }
        counts[match reply.status {
            200 => 0,
            400 => 1,
            _ => 2,
        }] += 1;
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
    let said = served.interrupt();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn addresses_and_tokens_that_cannot_be_are_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let taken = taken.local_addr().expect("it is bound").to_string();
    let live = |more: &[&str]| gradcam(&[&["live", "--headless", "--source", "demo"], more].concat());
    live(&["--serve", &taken]).fails_saying(&[&taken, "--serve"]);
    let usage = live(&["--serve", "nowhere"]);
    assert!(usage.code == 2 && usage.stderr.contains("127.0.0.1:4912"), "{}", usage.stderr);
    let refused = live(&["--serve", "127.0.0.1:0", "--serve-token", "s3cret"]);
    refused.fails_saying(&["the token", "12 characters"]);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
}

#[test]
fn whoever_sees_nothing_is_told_how_to_see_something() {
    let run = gradcam(&["live", "--headless", "--source", "demo", "--frames", "1"]);
    run.succeeds();
    for way in ["nothing", "--serve", "--record", "--json"] {
        assert!(run.stderr.contains(way), "{}", run.stderr);
    }
    let run = gradcam(&["live", "--headless", "--source", "demo", "--frames", "1", "--json"]);
    assert!(!run.stderr.contains("nothing"), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn beyond_loopback_a_token_is_made_and_needed() {
    let folder = Folder::new();
    let child = command(&["live", "--headless", "--source", "demo", "--serve", "0.0.0.0:0"])
        .current_dir(folder.root())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("http://")).expect("it says where it serves");
    let link = line.split("http://127.0.0.1:").nth(1).expect("loopback is among the addresses");
    let (port, token) = link.split_once("/?token=").expect("there is a token");
    let token = token.split(' ').next().expect("it ends");
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
    assert_eq!(token.len(), 20, "100 bits: {token}");
    assert_eq!(get(address, "/status.json").status, 401);
    assert_eq!(get(address, &format!("/status.json?token={token}")).status, 200);
    assert_eq!(get(address, &format!("/status.json?token={token}x")).status, 401);
    child.kill().expect("it runs");
    child.wait().expect("it ran");
}
