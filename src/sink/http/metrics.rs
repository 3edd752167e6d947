//! The run in numbers, in the text format of Prometheus (version 0.0.4). `docs/fleet.md` lists the names.

use super::hub::{Counts, Hub, Picture};
use super::status::{State, Status};
use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is written, metric after metric.
#[derive(Default)]
struct Text(String);

impl Text {
    /// One metric with its values by labels.
    fn family<V: Display>(&mut self, kind: &str, name: &str, help: &str, values: &[(&[(&str, &str)], V)]) {
        let _ = writeln!(self.0, "# HELP gradcam_{name} {help}\n# TYPE gradcam_{name} {kind}");
        for (labels, value) in values {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "gradcam_{name}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family("gauge", name, help, &[(&[], value)]);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family("counter", name, help, &[(&[], value)]);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

pub(super) fn text(hub: &Hub) -> String {
    let status: Arc<Status> = Arc::clone(&hub.status.borrow());
    let mut text = Text::default();
    let version = env!("CARGO_PKG_VERSION");
    let about: &[(&str, &str)] = &[
        ("version", version),
        ("model", &hub.model.model),
        ("method", status.method),
        ("layer", &status.layer_wire),
        ("source", &status.source),
    ];
    text.family("gauge", "info", "What runs; always 1.", &[(about, 1)]);
    text.gauge("uptime_seconds", "Time since the start.", format!("{:.3}", hub.start.elapsed().as_secs_f64()));
    pictures(&mut text, &status);
    explanation(&mut text, &status);
    recordings(&mut text, &status);
    clients(&mut text, hub);
    if let Some(bytes) = resident() {
        text.gauge("resident_memory_bytes", "Memory of the program that is in use.", bytes);
    }
    text.0
}

fn pictures(text: &mut Text, status: &Status) {
    let states = [State::Starting, State::Live, State::Frozen, State::Lost];
    let named = |state| match state {
        State::Starting => "starting",
        State::Live => "live",
        State::Frozen => "frozen",
        State::Lost => "lost",
    };
    let labels = states.map(|state| [("state", named(state))]);
    let values: Vec<(&[(&str, &str)], u8)> =
        labels.iter().zip(states).map(|(label, state)| (label.as_slice(), u8::from(state == status.state))).collect();
    text.family("gauge", "state", "1 for the present state of the view, 0 for the others.", &values);
    text.gauge("camera_fps", "Frames a second, over two seconds.", status.camera_fps);
    text.gauge("network_fps", "Maps a second, over two seconds.", status.network_fps);
    let totals = status.totals;
    text.counter("frames_total", "Frames that were decoded.", totals.frames);
    let dropped: [(&[(&str, &str)], u64); 3] = [
        (&[("reason", "lost")], totals.lost),
        (&[("reason", "broken")], totals.broken),
        (&[("reason", "skipped")], totals.skipped),
    ];
    text.family(
        "counter",
        "frames_dropped_total",
        "Frames that were not shown: lost by the source, broken, or replaced by a newer one.",
        &dropped,
    );
}

fn explanation(text: &mut Text, status: &Status) {
    let totals = status.totals;
    text.counter("maps_total", "Frames that were explained.", totals.maps);
    let [preprocess, forward, heatmap] = totals.stages;
    let stages: [(&[(&str, &str)], f64); 3] = [
        (&[("stage", "preprocess")], preprocess),
        (&[("stage", "forward")], forward),
        (&[("stage", "heatmap")], heatmap),
    ];
    text.family("counter", "stage_seconds_total", "Time that the stages of explaining have taken.", &stages);
    if let Some(age) = status.map_age_ms {
        text.gauge("map_age_seconds", "Time since the frame that the map explains was captured.", age / 1e3);
    }
    if let Some(map) = &status.map {
        text.gauge(
            "evidence",
            "Whether the network recognises anything: logsumexp of the scores less ln C.",
            map.evidence,
        );
        text.gauge("contrast", "How much the features differ from place to place.", map.contrast);
        text.gauge("gate_ratio", "How far heat is shown, 0 to 1.", map.gate);
        text.gauge("map_scale", "The value of the map that is drawn with full heat.", map.scale);
        text.gauge("target_class", "Number of the class that is explained.", map.target.class);
        text.gauge("target_score", "Its score; in a contrast less that of the other class.", map.score());
        if map.against.is_none() {
            text.gauge("target_probability_ratio", "Its probability, 0 to 1.", map.target.probability);
        }
    }
}

fn recordings(text: &mut Text, status: &Status) {
    let recording = status.recording.as_ref();
    text.gauge("recording", "1 while a recording runs.", u8::from(recording.is_some()));
    text.gauge("recording_seconds", "Video in the present recording.", recording.map_or(0.0, |now| now.elapsed));
    text.gauge(
        "recording_dropped_frames",
        "Pictures that the present recording lost.",
        recording.map_or(0, |now| now.dropped),
    );
    text.counter("recordings_total", "Recordings that were begun.", status.totals.recordings);
    text.counter("snapshots_total", "Snapshots that were taken.", status.totals.snapshots);
}

fn clients(text: &mut Text, hub: &Hub) {
    let Counts { requests, refused, stalled, turned_away, sent_bytes, encoded, connections } = &hub.counts;
    let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    text.gauge("http_connections", "Clients that are connected.", number(connections));
    let viewers: [(&[(&str, &str)], usize); 2] = [
        (&[("picture", "overlay")], hub.viewers(Picture::Overlay)),
        (&[("picture", "raw")], hub.viewers(Picture::Raw)),
    ];
    text.family("gauge", "http_viewers", "Clients that are sent pictures.", &viewers);
    text.counter("http_requests_total", "Requests.", number(requests));
    text.counter(
        "http_requests_refused_total",
        "Requests that were answered with a status from 400 to 499.",
        number(refused),
    );
    text.counter("http_clients_stalled_total", "Clients that were dropped because they took nothing.", number(stalled));
    text.counter("http_clients_turned_away_total", "Clients that came while there were too many.", number(turned_away));
    text.counter("http_sent_bytes_total", "Bytes that were sent.", number(sent_bytes));
    text.counter("http_pictures_encoded_total", "Pictures that were encoded, each for all who look.", number(encoded));
}

/// Bytes, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
