//! After warm-up nothing large is allocated for a frame, by our own code. What tract allocates is told.

use gradcam::cam::methods::ALL;
use gradcam::cam::temporal::Follower;
use gradcam::cam::{Context, heat_map};
use gradcam::decode::Decoder;
use gradcam::engine::Engine;
use gradcam::frame::{Frame, RawFrame};
use gradcam::model::{DEFAULT_MODEL, DEFAULT_MODEL_NAME, Model, Options};
use gradcam::overlay::{Canvas, Hud, Look, Overlay};
use gradcam::preprocess::{Input, Preprocess};
use gradcam::source::Source;
use gradcam::source::demo::{Demo, Format, Pace};
use gradcam::target::{Selector, Target};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

/// What counts as large, in bytes.
const LARGE: usize = 4096;

thread_local! {
    /// Allocations of this thread, and the large ones among them.
    static COUNTS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(size: usize) {
    // The thread's own counters may be gone while it ends.
    let _ = COUNTS.try_with(|counts| {
        let (all, large) = counts.get();
        counts.set((all + 1, large + usize::from(size > LARGE)));
    });
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` allocates.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, (usize, usize)) {
    let before = COUNTS.get();
    let result = work();
    let after = COUNTS.get();
    (result, (after.0 - before.0, after.1 - before.1))
}

#[test]
fn a_frame_allocates_nothing_large() {
    let clock = Arc::new(gradcam::clock::SystemClock::new());
    for format in [Format::Rgb8, Format::Mjpeg, Format::Yuyv] {
        let mut source = Demo::new(format, Pace::Free { clock: clock.clone() });
        let model = Model::default_model().expect("the default model loads");
        let mut engine = Engine::new(&model, 1).expect("the default model compiles");
        let info = model.info.clone();
        let null = info.null_levels.clone().expect("they are in the file");
        let mut preprocess = Preprocess::new(&info.preprocessing);
        let mut input = Input::new(&info.preprocessing);
        let mut selector = Selector::default();
        let mut follower = Follower::default();
        let (mut raw, mut frame, mut decoder) = (RawFrame::new(), Frame::default(), Decoder::new());
        let (mut overlay, mut canvas, mut hud) = (Overlay::new(), Canvas::default(), Hud::default());
        let mut steady: Option<(usize, usize)> = None;
        // The demo's JPEG pictures change every 24 frames; new words on the display make room for their letters.
        for number in 0..24 {
            source.read(&mut raw).expect("the demo delivers");
            let mut own = [(0, 0); 5];
            own[0] = allocations(|| decoder.decode(&raw, &mut frame).expect("the demo's frames are good")).1;
            own[1] = allocations(|| preprocess.run(&frame, &mut input)).1;
            let (forward, tract) = allocations(|| engine.forward(&input).expect("it runs"));
            let target = selector.choose(forward.scores(), frame.time);
            // Another target runs the head; the same one must not.
            let evidence = engine.gradients(&forward, target).expect("it runs");
            drop(evidence);
            let (evidence, head) = allocations(|| engine.gradients(&forward, target).expect("it runs"));
            own[2] = head;
            let (map, heat) = allocations(|| {
                let context = Context { info: &info, null: &null, top: 3, frame: (number, frame.time) };
                // Every method has had its turn before the counting begins.
                let mut map = heat_map(&evidence, ALL[number as usize % ALL.len()], &context);
                follower.follow(&mut map);
                map
            });
            own[3] = heat;
            own[4] = allocations(|| {
                hud.describe(&map);
                overlay.draw(&frame, Some(&map), &Look::default(), Some(&hud), &mut canvas);
            })
            .1;
            if number < 10 {
                continue;
            }
            // Inside a JPEG the decoder library sets up its tables and rows, as often for each frame.
            let ours = if format == Format::Mjpeg { &own[1..] } else { &own };
            assert!(ours.iter().all(|(_, large)| *large == 0), "{format:?}, frame {number}: {own:?}");
            // The classifier is two fused regions, which allocate nothing. tract's plan makes a list for each.
            assert!(tract.0 <= 4 && tract.1 == 0, "{format:?}, frame {number}: the forward pass allocates {tract:?}");
            // Neither of the two may grow.
            let first = *steady.get_or_insert((own[0].1, tract.1));
            assert!(
                own[0].1 <= first.0 && tract.1 <= first.1,
                "{format:?}, frame {number}: {:?} and {tract:?}, before {first:?}",
                own[0]
            );
            if number == 23 {
                println!("{format:?}: ours (all, large) {own:?}; tract {tract:?}");
            }
        }
    }
}

/// The tail hands a head that runs for every frame what it reads, in the memory of frames before.
#[test]
fn a_head_that_runs_for_every_frame_allocates_nothing_large() {
    let options = Options { layer: Some("stride16".to_owned()), ..Options::default() };
    let model = Model::load(DEFAULT_MODEL_NAME, DEFAULT_MODEL, &options).expect("it can be explained");
    assert!(model.shared.is_some());
    let mut engine = Engine::new(&model, 1).expect("it compiles");
    let mut input = Input::new(&model.info.preprocessing);
    let mut counts = Vec::new();
    for number in 0..8 {
        input.tensor.fill(number as f32 / 8.0);
        let (forward, tail) = allocations(|| engine.forward(&input).expect("it runs"));
        let head = allocations(|| _ = engine.gradients(&forward, Target::class(number)).expect("it runs")).1;
        counts.push((tail, head));
    }
    let ((tail, large), (head, large_head)) = counts[1];
    assert_eq!((large, large_head), (0, 0), "{counts:?}");
    assert!(counts[1..].iter().all(|count| *count == ((tail, 0), (head, 0))), "{counts:?}");
}
