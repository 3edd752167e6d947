//! Times of recordings, however unevenly pictures come: that they are kept, and that readers that count pictures at a
//! steady rate, as ffmpeg does wherever it is not told otherwise, find none on the number of another.

use crate::common::mp4::{Film, complaints, probe, read};
use crate::common::program::Folder;
use crate::common::recording::{Memory, canvas, recording};
use crate::common::{Noise, seed};
use std::time::Duration;

/// Ticks a second.
const SCALE: f64 = 90_000.0;
/// Ticks between two pictures at least: 1/200 s, and 1/1000 s where more than 200 came in the first second.
const USUAL: u64 = 450;
const FINE: u64 = 90;

/// Times at which pictures are captured, in s.
type Times = Vec<f64>;

fn even(rate: f64, count: usize) -> Times {
    (0..count).map(|n| n as f64 / rate).collect()
}

/// These times, then gaps of so many s.
fn then(mut times: Times, gaps: impl IntoIterator<Item = f64>) -> Times {
    let mut last = times.last().copied().unwrap_or(0.0);
    times.extend(gaps.into_iter().map(|gap| {
        last += gap;
        last
    }));
    times
}

fn again<const N: usize>(gaps: [f64; N], count: usize) -> impl Iterator<Item = f64> {
    gaps.into_iter().cycle().take(N * count)
}

/// What is hard on readers that guess a rate.
fn patterns() -> Vec<(&'static str, Times)> {
    let thirtieth = 1.0 / 30.0;
    vec![
        ("one", even(30.0, 1)),
        ("two at once", vec![0.0, 0.0]),
        ("two, 5 ms apart", vec![0.0, 0.005]),
        ("29.97 a second", even(30_000.0 / 1001.0, 100)),
        ("thirtieths, to whole milliseconds", (0..100).map(|n| (n as f64 * thirtieth * 1e3).floor() / 1e3).collect()),
        ("bursts 5 ms apart, and gaps of seconds", then(vec![0.0], again([0.005, 0.005, 0.005, 0.005, 2.3], 12))),
        ("pairs 5 ms apart, once a second", then(vec![0.0], again([0.005, 0.995], 20))),
        ("even for two seconds, then a pair", then(even(30.0, 60), [0.005, 0.03, 0.005, thirtieth])),
        ("even for two seconds, then uneven", then(even(25.0, 50), again([0.007, 0.073, 0.031, 0.012], 20))),
        ("a camera that buffers three", then(vec![0.0], again([0.0, 0.001, 0.099], 40))),
        ("all at once", vec![0.0; 30]),
        ("a second's pictures at once, then even", then(vec![0.0; 30], again([thirtieth], 60))),
        ("backwards", then(even(30.0, 40), [-0.5, 0.1, 0.1, 0.5, 0.1])),
        ("a break of a minute", then(even(30.0, 30), [60.0, 0.005, 0.02, 0.005])),
        ("slow, with pairs", then(vec![0.0], again([7.0, 0.005], 10))),
        ("a tick's difference", then(vec![0.0], again([451.0 / SCALE, 450.0 / SCALE, 4000.0 / SCALE], 40))),
        ("slow motion, 240 a second", even(240.0, 400)),
        ("slow motion of less than a second", even(240.0, 60)),
        ("slow motion, uneven", then(even(240.0, 260), again([0.0012, 0.0071, 0.0031], 60))),
        ("slow motion, then slower", then(even(240.0, 300), again([0.02, 0.0013, 0.012], 40))),
        ("120 a second, with pairs", then(even(120.0, 150), again([0.005, 0.011], 50))),
        ("slow, then faster than any camera", then(even(10.0, 15), again([1.0 / 300.0], 150))),
    ]
}

/// Of random kinds: jitter, exponential gaps, bursts, ticks.
fn random(noise: &mut Noise) -> Times {
    let count = 40 + (noise.uniform() * 120.0) as usize;
    let even_first = if noise.uniform() < 0.5 { (noise.uniform() * 60.0) as usize } else { 0 };
    let rate = [5.0, 15.0, 24.0, 25.0, 30.0, 50.0, 60.0, 29.97][(noise.uniform() * 8.0) as usize];
    let kind = (noise.uniform() * 4.0) as usize;
    let jitter = f64::from(noise.uniform()) / rate;
    let mut last = 0.0;
    (0..count)
        .map(|n| {
            let random = f64::from(noise.uniform());
            last += match kind {
                _ if n == 0 => 0.0,
                _ if n <= even_first => 1.0 / rate,
                0 => 1.0 / rate + jitter * (random - 0.5),
                1 => -(1.0 - random).ln() / rate,
                2 => [0.0, 0.003, 0.005, 0.0051, 0.3, 1.7][(random * 6.0) as usize],
                _ => (USUAL as f64 + (random * 3.0).floor()) / SCALE,
            };
            last
        })
        .collect()
}

/// Where pictures belong, in ticks: at the time of their capture, but for those that come too close to the one before
/// them. One that would come more than a tenth of a second late has no place. How close is too close is settled when the
/// first second is over.
fn places(times: &Times) -> Vec<u64> {
    let mut places: Vec<u64> = Vec::new();
    let (mut closest, mut settled) = (FINE, false);
    for time in times {
        let time = ((time - times[0]).max(0.0) * SCALE).round() as u64;
        let earliest = places.last().map_or(0, |last| last + closest);
        if earliest > time + 9000 {
            continue;
        }
        if !settled && time.max(earliest) >= 90_000 {
            closest = settle(&mut places, time.max(earliest));
            settled = true;
        }
        places.push(places.last().map_or(time, |last| time.max(last + closest)));
    }
    if !settled {
        let length = places.windows(2).last().map_or(3000, |pair| pair[1] - pair[0]);
        let end = places[places.len() - 1] + length;
        settle(&mut places, end);
    }
    places
}

fn settle(places: &mut [u64], end: u64) -> u64 {
    if places.len() as u64 * USUAL > end {
        return FINE;
    }
    for at in 1..places.len() {
        places[at] = places[at].max(places[at - 1] + USUAL);
    }
    USUAL
}

/// Records pictures captured at `times`. What the file was before it was closed, and after.
fn recorded(times: &Times) -> (Vec<u8>, Vec<u8>) {
    let memory = Memory::new(1 << 26);
    let mut recording = recording(memory.clone(), (32, 32));
    for (number, time) in times.iter().enumerate() {
        let time = Duration::from_secs(9) + Duration::from_nanos((time * 1e9).round() as u64);
        if recording.has_place(time) {
            recording.add(&canvas(32, 32, number), time).expect("there is room");
        }
    }
    let broken_off = memory.bytes();
    recording.finish(0).expect("there is room");
    (broken_off, memory.bytes())
}

/// Whether ffmpeg believes the rate of a file. Above 210 it does so where there are 70 pictures a second on average, which
/// slow motion with a long break is not: there the times come first.
fn believed(film: &Film) -> bool {
    let seconds = film.pictures.iter().map(|picture| f64::from(picture.duration)).sum::<f64>() / SCALE;
    SCALE / f64::from(film.step) <= 210.0 || film.pictures.len() as f64 >= 70.0 * seconds
}

fn check(name: &str, times: &Times) {
    let folder = Folder::new();
    let (closed, open) = (folder.path("film.mp4"), folder.path("open.mp4"));
    let (broken_off, bytes) = recorded(times);
    std::fs::write(&closed, &bytes).expect("written");
    std::fs::write(&open, &broken_off).expect("written");
    let film = read(&bytes);
    if believed(&film) {
        assert_eq!(complaints(&closed), "", "{name}: closed, steps of {}, {times:?}", film.step);
    }
    let begun = read(&broken_off);
    if believed(&begun) && !begun.pictures.is_empty() {
        assert_eq!(complaints(&open), "", "{name}: broken off, {times:?}");
    }
    let probe = probe(&closed);
    let packets = probe["packets"].as_array().expect("a list");
    let pts: Vec<u64> = packets.iter().map(|packet| packet["pts"].as_u64().expect("a time")).collect();
    assert_eq!(pts, places(times), "{name}: {times:?}");
    assert_eq!(probe["streams"][0]["nb_read_frames"], pts.len().to_string(), "{name}");
    // The rate that ffprobe gives is one at which all have their own numbers.
    assert_eq!(probe["streams"][0]["r_frame_rate"], format!("{}/1", 90_000 / film.step), "{name}");
}

#[test]
fn however_unevenly_pictures_come_each_has_its_time_and_a_number_of_its_own() {
    for (name, times) in patterns() {
        assert!(believed(&read(&recorded(&times).1)), "{name}");
        check(name, &times);
    }
    check("slow motion, then slow", &then(even(240.0, 300), again([0.02, 0.0013, 0.4], 20)));
}

/// GRADCAM_TEST_PATTERNS says how many.
#[test]
fn pictures_that_come_at_random_have_their_times_and_numbers_too() {
    let seed = seed();
    let count = std::env::var("GRADCAM_TEST_PATTERNS").map_or(12, |text| text.parse().expect("a number"));
    for round in 0..count {
        check(&format!("seed {}", seed + round), &random(&mut Noise::new(seed + round)));
    }
}
