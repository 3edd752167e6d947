//! A live run: what the threads hand to each other, and how a run ends.

use crate::common::{explainer, picture};
use gradcam::cam::methods::{GradCam, find};
use gradcam::clock::SystemClock;
use gradcam::error::{Error, Result};
use gradcam::frame::{PixelFormat, RawFrame};
use gradcam::pipeline::live::{Controls, Limits, View, run};
use gradcam::pipeline::stats::Stages;
use gradcam::shutdown::Shutdown;
use gradcam::source::{Event, Source};
use gradcam::target::Target;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Far longer than anything takes; only a run that hangs reaches it.
const LONG: Duration = Duration::from_secs(60);

/// A source that does what a function says for each frame number.
struct Scripted<F> {
    next: u64,
    script: F,
}

impl<F: FnMut(u64, &mut RawFrame) -> Result<Event> + Send> Source for Scripted<F> {
    fn name(&self) -> String {
        "script".to_owned()
    }

    fn read(&mut self, raw: &mut RawFrame) -> Result<Event> {
        self.next += 1;
        // A hundred frames a second.
        std::thread::sleep(Duration::from_millis(10));
        (self.script)(self.next - 1, raw)
    }
}

fn live(
    script: impl FnMut(u64, &mut RawFrame) -> Result<Event> + Send + 'static,
    view: impl FnOnce(View) -> anyhow::Result<()>,
) -> anyhow::Result<Stages> {
    limited(Limits::default(), script, view)
}

fn limited(
    limits: Limits,
    script: impl FnMut(u64, &mut RawFrame) -> Result<Event> + Send + 'static,
    view: impl FnOnce(View) -> anyhow::Result<()>,
) -> anyhow::Result<Stages> {
    let source = Box::new(Scripted { next: 0, script });
    let controls = Controls { method: &GradCam, locked: None, frozen: None, limits, layer: None };
    run(source, explainer().following(), controls, Arc::new(SystemClock::new()), Shutdown::new(), view)
}

/// The photograph of a cup, or one that cannot be decoded.
fn photograph(raw: &mut RawFrame) -> Event {
    let frame = picture("lite0/coffee_224.png");
    *raw = RawFrame { format: PixelFormat::Rgb8, width: 224, height: 224, data: frame.rgb, ..RawFrame::new() };
    Event::Frame
}

/// Asks until there is an answer, or the run has hung.
#[track_caller]
fn soon<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < LONG, "nothing came");
    }
}

/// Takes results, as a view does, until the run ends.
#[track_caller]
fn until_it_ends(view: &View) {
    soon(|| {
        view.explained(Duration::ZERO);
        view.ended().then_some(())
    });
}

const WAIT: Duration = Duration::from_millis(50);

#[test]
fn the_video_does_not_wait_for_the_network() {
    let stages = live(
        |_, raw| Ok(photograph(raw)),
        |mut view| {
            // Nobody takes the network's results, so that it has to wait; the frames are shown all the same.
            let mut shown = 0;
            while shown < 20 {
                shown += u64::from(view.frame(WAIT).is_some());
            }
            // Four results wait and a fifth is at hand at most: the sixth is of the newest frame, not of the sixth one.
            let results: Vec<_> = (0..6).map(|_| soon(|| view.explained(WAIT))).collect();
            for result in &results {
                assert_eq!(result.map.target.class, 967);
                assert_eq!(result.frame.number, result.map.number, "the map is of the frame it comes with");
            }
            assert!(results[5].map.number >= 19, "frame {} after 20 were shown", results[5].map.number);
            Ok(())
        },
    )
    .expect("nothing fails");
    assert!(
        stages.decode.is_some() && stages.preprocess.is_some() && stages.forward.is_some() && stages.heatmap.is_some()
    );
}

/// What passes a limit of one frame in weeks, of a video of 60 frames: frames shown and frames explained.
fn passed(limits: Limits) -> (usize, usize) {
    let (mut shown, mut explained) = (0, 0);
    let script = |number, raw: &mut RawFrame| Ok(if number < 60 { photograph(raw) } else { Event::End });
    limited(limits, script, |mut view| {
        while !view.ended() {
            shown += usize::from(view.frame(Duration::from_millis(5)).is_some());
            explained += usize::from(view.explained(Duration::ZERO).is_some());
        }
        while view.explained(Duration::ZERO).is_some() {
            explained += 1;
        }
        Ok(())
    })
    .expect("nothing fails");
    (shown, explained)
}

#[test]
fn video_and_inference_are_limited_independently() {
    let few = Some(1e-6);
    let (shown, explained) = passed(Limits { video: None, inference: few });
    assert!(shown > 2 && explained == 1, "{shown} shown, {explained} explained");
    assert_eq!(passed(Limits { video: few, inference: None }), (1, 1));
    let (_, explained) = passed(Limits::default());
    assert!(explained > 1, "{explained} explained");
}

#[test]
fn broken_frames_are_counted_and_the_rest_goes_on() {
    live(
        |number, raw| {
            photograph(raw);
            if number < 3 {
                raw.data.truncate(1000);
            }
            Ok(Event::Frame)
        },
        |view| {
            let result = soon(|| view.explained(WAIT));
            assert!(result.map.number >= 3, "a broken frame was explained");
            assert_eq!(view.capture().broken, 3);
            assert!(view.capture().last_broken.contains("1000 of"), "{}", view.capture().last_broken);
            Ok(())
        },
    )
    .expect("broken frames end nothing");
}

#[test]
fn a_lost_source_is_told_with_its_reason_until_frames_come_again() {
    // It is plugged in again once that was seen.
    let seen = Arc::new(AtomicBool::new(false));
    let by_the_source = Arc::clone(&seen);
    live(
        move |number, raw| match number >= 20 && !by_the_source.load(Ordering::Relaxed) {
            true => Ok(Event::Lost("unplugged".to_owned())),
            false => Ok(photograph(raw)),
        },
        |view| {
            soon(|| (view.capture().lost.as_deref() == Some("unplugged")).then_some(()));
            seen.store(true, Ordering::Relaxed);
            soon(|| view.capture().lost.is_none().then_some(()));
            Ok(())
        },
    )
    .expect("a lost source ends nothing");
}

#[test]
fn a_frozen_frame_is_explained_for_other_classes_and_methods() {
    live(
        |_, raw| Ok(photograph(raw)),
        |view| {
            let frozen = soon(|| view.explained(WAIT)).frame;
            view.control(|controls| controls.frozen = Some(Arc::clone(&frozen)));
            view.control(|controls| controls.locked = Some(Target::class(968)));
            let cup = soon(|| view.explained(WAIT).filter(|result| result.map.target.class == 968));
            assert!(Arc::ptr_eq(&cup.frame, &frozen));
            let plus = find("grad-cam++").expect("there is such a method");
            view.control(|controls| controls.method = plus);
            let plus = soon(|| view.explained(WAIT).filter(|result| result.map.method == "grad-cam++"));
            assert!(Arc::ptr_eq(&plus.frame, &frozen));
            view.control(|controls| (controls.frozen, controls.locked) = (None, None));
            soon(|| {
                view.explained(WAIT)
                    .filter(|result| result.map.number > frozen.number && result.map.target.class == 967)
            });
            Ok(())
        },
    )
    .expect("nothing fails");
}

#[test]
fn a_frozen_frame_gets_a_drop_test_once_and_a_moving_one_does_not() {
    live(
        |_, raw| Ok(photograph(raw)),
        |view| {
            let moving = soon(|| view.explained(WAIT));
            assert_eq!(moving.map.drop_test, None);
            view.control(|controls| controls.frozen = Some(Arc::clone(&moving.frame)));
            let tested = soon(|| view.explained(WAIT).filter(|result| result.map.drop_test.is_some()));
            assert!(Arc::ptr_eq(&tested.frame, &moving.frame));
            assert!(view.explained(WAIT * 10).is_none(), "nothing has changed");
            view.control(|controls| controls.locked = Some(Target { class: 967, against: Some(285) }));
            // The map of the contrast does not wait for its drop test.
            let contrast = soon(|| view.explained(WAIT));
            assert_eq!((contrast.map.title().as_str(), contrast.map.drop_test), ("espresso − Egyptian cat", None));
            let tested = soon(|| view.explained(WAIT)).map;
            assert!(tested.against.is_some() && tested.drop_test.is_some_and(|test| test.masked > test.random));
            Ok(())
        },
    )
    .expect("nothing fails");
}

#[test]
fn a_source_that_fails_ends_the_run_with_its_reason() {
    let failure = || Error::Device { device: "script".to_owned(), reason: "on fire".to_owned() };
    let outcome = live(
        move |number, raw| if number < 5 { Ok(photograph(raw)) } else { Err(failure()) },
        |view| {
            until_it_ends(&view);
            Ok(())
        },
    );
    assert_eq!(outcome.expect_err("it failed").to_string(), "script: on fire");
}

#[test]
fn a_source_that_panics_ends_the_run_too() {
    let outcome = live(
        |number, raw| if number < 5 { Ok(photograph(raw)) } else { panic!("a bug in a source") },
        |view| {
            until_it_ends(&view);
            Ok(())
        },
    );
    assert!(outcome.expect_err("it failed").to_string().contains("capture"));
}

#[test]
fn the_end_of_a_source_ends_the_run() {
    live(
        |number, raw| if number < 5 { Ok(photograph(raw)) } else { Ok(Event::End) },
        |view| {
            until_it_ends(&view);
            Ok(())
        },
    )
    .expect("an end is no failure");
}
