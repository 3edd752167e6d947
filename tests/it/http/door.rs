//! Who comes in, and what is refused without any effect.

use super::board;
use crate::common::http::{Reply, connect, get, post, request, send};
use std::io::{Read, Write};

const TOKEN: &str = "a-token-of-the-test";
const ROUTES: [&str; 9] = [
    "/stream.mjpg",
    "/raw.mjpg",
    "/frame.jpg",
    "/map.json",
    "/model.json",
    "/status.json",
    "/events",
    "/files.json",
    "/metrics",
];

fn nowhere() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

#[track_caller]
fn status(board: &super::Board, text: &str) -> u16 {
    send(board.address, text.as_bytes()).map_or(0, |reply| reply.status)
}

#[track_caller]
fn is_protected(reply: &Reply, what: &str) {
    let policy = reply.field("content-security-policy").unwrap_or_else(|| panic!("{what} has a policy"));
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(reply.field(name), Some(value), "{what}: {name}");
    }
    assert_eq!(reply.field("access-control-allow-origin"), None, "{what}");
}

#[test]
fn without_the_token_nothing_is_told_and_nothing_done() {
    let folder = nowhere();
    let board = board(Some(TOKEN), folder.path());
    for path in ROUTES.into_iter().chain(["/files/0123", "/nothing"]) {
        for wrong in [
            "X-Nothing: 1".to_owned(),
            "Authorization: Bearer a-token-of-the-tesx".to_owned(),
            "Authorization: Bearer ".to_owned(),
            format!("Authorization: Basic {TOKEN}"),
            "Cookie: gradcam=a-token-of-the-tes".to_owned(),
            format!("Cookie: gradcam-1={TOKEN}"),
        ] {
            let reply = send(board.address, request("GET", path, &[&wrong], "").as_bytes()).expect("an answer");
            assert_eq!(reply.status, 401, "{path} with {wrong}");
            assert!(reply.json()["error"].as_str().is_some_and(|error| !error.contains(TOKEN)), "{path}");
            is_protected(&reply, path);
        }
    }
    let json = ["Content-Type: application/json"];
    assert_eq!(status(&board, &request("POST", "/control", &json, "{}")), 401);
    // A token in the address of a POST would stand in logs, and a form of another site can have one.
    assert_eq!(status(&board, &request("POST", &format!("/control?token={TOKEN}"), &json, "{}")), 401);
    let page = get(board.address, "/");
    assert_eq!(page.status, 401);
    assert!(page.field("content-type").is_some_and(|kind| kind.starts_with("text/html")), "it asks for the token");
    is_protected(&page, "/");
    assert_eq!(get(board.address, "/page.css").status, 200);
    assert_eq!(board.wishes(), 0);
}

#[test]
fn the_link_gives_a_cookie_that_opens_the_rest() {
    let folder = nowhere();
    let board = board(Some(TOKEN), folder.path());
    let host = format!("Host: 127.0.0.1:{}", board.address.port());
    let reply = send(board.address, request("GET", &format!("/?token={TOKEN}"), &[&host], "").as_bytes());
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 200);
    is_protected(&reply, "/?token");
    let cookie = reply.field("set-cookie").expect("it sets the cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let pair = format!("Cookie: {}", cookie.split(';').next().expect("a pair"));
    assert_eq!(status(&board, &request("GET", "/status.json", &[&host, &pair], "")), 200);
    assert_eq!(status(&board, &request("GET", "/", &[&host, &pair], "")), 200);
    assert_eq!(status(&board, &request("GET", "/", &[&host, &format!("{pair}x")], "")), 401);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(status(&board, &request("GET", "/metrics", &[&bearer], "")), 200);
    let json = "Content-Type: application/json";
    assert_eq!(status(&board, &request("POST", "/control", &[&bearer, json], "{}")), 200);
    assert_eq!(board.wishes(), 1);
}

#[test]
fn other_names_and_other_sites_are_refused() {
    let folder = nowhere();
    let board = board(None, folder.path());
    for path in ROUTES.into_iter().chain(["/", "/page.js", "/control", "/nothing"]) {
        let foreign = |line: &str| status(&board, &request("GET", path, &[line], ""));
        assert_eq!(foreign("Host: evil.example"), 421, "{path}");
        assert_eq!(foreign("Host: 127.0.0.1.evil.example"), 421, "{path}");
        assert_eq!(foreign("Origin: http://evil.example"), 403, "{path}");
        assert_eq!(foreign("Sec-Fetch-Site: cross-site"), 403, "{path}");
    }
    let post = |lines: &[&str]| status(&board, &request("POST", "/control", lines, "{\"freeze\":true}"));
    let json = "Content-Type: application/json";
    assert_eq!(post(&[json, "Origin: http://evil.example"]), 403);
    assert_eq!(post(&[json, "Origin: null"]), 403);
    assert_eq!(post(&[json, "Origin: http://127.0.0.1:1"]), 403);
    assert_eq!(post(&[json, "Sec-Fetch-Site: same-site"]), 403);
    assert_eq!(post(&[json, "Host: evil.example"]), 421);
    assert_eq!(post(&[json, "Host: evil.example", "Origin: http://evil.example"]), 421, "DNS rebinding");
    assert_eq!(post(&["Content-Type: text/plain"]), 415);
    assert_eq!(post(&[]), 415);
    assert_eq!(board.wishes(), 0);
    assert_eq!(post(&[json, "Origin: http://127.0.0.1"]), 200);
    assert_eq!(post(&[json, "Host: board.example:80", "Origin: https://board.example:80"]), 200);
    // A link on another page leads here.
    let followed = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    assert_eq!(status(&board, &request("GET", "/", &followed, "")), 200);
    assert_eq!(board.wishes(), 2);
}

#[test]
fn what_is_too_large_or_no_http_is_refused() {
    let folder = nowhere();
    let board = board(None, folder.path());
    let json = "Content-Type: application/json";
    let large = format!("{{\"target\":\"{}\"}}", "x".repeat(5000));
    assert_eq!(status(&board, &request("POST", "/control", &[json], &large)), 413);
    let announced = "POST /control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n";
    assert_eq!(status_of_one(&board, announced), 413);
    // Without a length: the body is cut off where it is too long.
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let chunked = format!(
        "POST /control HTTP/1.1\r\nHost: 127.0.0.1\r\n{json}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    assert_eq!(status_of_one(&board, &chunked), 413);
    let field = format!("X-Large: {}", "x".repeat(20_000));
    assert_eq!(status(&board, &request("GET", "/status.json", &[&field], "")), 431);
    let many: Vec<String> = (0..100).map(|at| format!("X-{at}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(status(&board, &request("GET", "/status.json", &many, "")), 431);
    for text in
        ["nonsense\r\n\r\n", "GET /status.json\r\n\r\n", "GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n", "\0\0\0\0\r\n\r\n"]
    {
        let status = status(&board, text);
        assert!(status == 400 || status == 0, "{text:?}: {status}");
    }
    assert_eq!(status_of_one(&board, "GET /status.json HTTP/1.1\r\n\r\n"), 400, "HTTP/1.1 without Host");
    for (method, path) in
        [("POST", "/status.json"), ("DELETE", "/control"), ("GET", "/control"), ("PUT", "/"), ("TRACE", "/")]
    {
        assert_eq!(status(&board, &request(method, path, &[], "")), 405, "{method} {path}");
    }
    assert_eq!(post(board.address, "{\"freeze\":").status, 400);
    assert_eq!(board.wishes(), 0);
    assert_eq!(get(board.address, "/status.json").status, 200, "it still serves");
}

/// Of a request that need not be read to its end: only the first line of the answer.
#[track_caller]
fn status_of_one(board: &super::Board, text: &str) -> u16 {
    let mut stream = connect(board.address);
    stream.write_all(text.as_bytes()).expect("it is taken");
    let mut line = [0; 12];
    stream.read_exact(&mut line).expect("it answers");
    String::from_utf8_lossy(&line[9..]).parse().expect("a status")
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let outer = nowhere();
    std::fs::write(outer.path().join("gradcam-secret.png"), "secret").expect("written");
    let folder = outer.path().join("snapshots");
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join("gradcam-1.png"), "0123456789").expect("written");
    std::fs::write(folder.join("notes.txt"), "secret").expect("written");
    let board = board(None, &folder);
    for path in [
        "/files/../gradcam-secret.png",
        "/files/..%2fgradcam-secret.png",
        "/files/%2e%2e%2fgradcam-secret.png",
        "/files/..%5cgradcam-secret.png",
        "/files/gradcam-1.png",
        "/files/notes.txt",
        "/files/%00",
        "/files/",
        "/files//etc/passwd",
        "/../../etc/passwd",
        "/page.css/../../../etc/passwd",
        "/files/%ff%fe",
    ] {
        let reply = get(board.address, path);
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.status);
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{path}");
    }
    let listed = get(board.address, "/files.json").json();
    let files = listed["files"].as_array().expect("a list");
    assert_eq!(
        (files.len(), files[0]["name"].as_str(), files[0]["bytes"].as_u64()),
        (1, Some("gradcam-1.png"), Some(10))
    );
    let path = format!("/files/{}", files[0]["id"].as_str().expect("a name"));
    let whole = get(board.address, &path);
    assert_eq!((whole.status, whole.body.as_slice()), (200, &b"0123456789"[..]));
    assert_eq!(whole.field("content-disposition"), Some("attachment; filename=\"gradcam-1.png\""));
    is_protected(&whole, &path);
    let part = send(board.address, request("GET", &path, &["Range: bytes=2-4"], "").as_bytes()).expect("an answer");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"234"[..]));
    assert_eq!(part.field("content-range"), Some("bytes 2-4/10"));
    assert_eq!(status(&board, &request("GET", &path, &["Range: bytes=10-"], "")), 416);
}

#[test]
fn a_request_that_does_not_arrive_is_given_up() {
    let folder = nowhere();
    let board = board(None, folder.path());
    let mut silent = connect(board.address);
    let mut half = connect(board.address);
    half.write_all(b"GET /status.json HTTP/1.1\r\nHost: ").expect("it is taken");
    let mut body = connect(board.address);
    body.write_all(
        b"POST /control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    )
    .expect("it is taken");
    // The server closes all three by itself: a read ends instead of running into its own time-out.
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).expect("it is closed");
    half.read_to_end(&mut answer).expect("it is closed");
    assert!(answer.is_empty());
    let mut line = [0; 12];
    body.read_exact(&mut line).expect("it answers");
    assert_eq!(&line[9..], b"408");
    assert_eq!(board.wishes(), 0);
}
