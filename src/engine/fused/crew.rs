//! The threads that run fused regions together with the caller's, and where they meet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a crew does: each of its members a share. One piece of work is done at a time.
pub(super) trait Work: Send + Sync {
    /// Member 0 is the caller.
    fn share(&self, member: usize);
}

/// Helpers of one caller. They wait for the next work awake for a short time, and asleep after that. Calling them
/// allocates nothing.
pub(in crate::engine) struct Crew {
    posts: Vec<Arc<Post>>,
    helpers: Vec<JoinHandle<()>>,
}

/// Where a helper finds its work.
#[derive(Default)]
struct Post {
    work: Mutex<Option<Arc<dyn Work>>>,
    /// There is something to do, or it is time to go.
    called: AtomicBool,
    closed: AtomicBool,
}

/// How long a helper stays awake: longer than what lies between two regions of a frame, shorter than a frame.
const AWAKE: Duration = Duration::from_micros(50);

impl Crew {
    /// `threads` with the caller's; as many as the system grants.
    pub fn new(threads: usize) -> Crew {
        let mut crew = Crew { posts: Vec::new(), helpers: Vec::new() };
        for member in 1..threads {
            let post = Arc::new(Post::default());
            let own = post.clone();
            let name = format!("network-{member}");
            match thread::Builder::new().name(name).spawn(move || own.serve(member)) {
                Ok(helper) => {
                    crew.posts.push(post);
                    crew.helpers.push(helper);
                }
                Err(error) => {
                    log::warn!("the network runs on {member} threads, not {threads}: {error}");
                    break;
                }
            }
        }
        crew
    }

    /// With the caller's.
    pub fn threads(&self) -> usize {
        self.posts.len() + 1
    }

    /// Tells every helper to do its share. The caller sees by the work itself when they are done.
    pub(super) fn call(&self, work: &Arc<impl Work + 'static>) {
        for (post, helper) in self.posts.iter().zip(&self.helpers) {
            *post.work() = Some(work.clone());
            post.called.store(true, Ordering::Release);
            helper.thread().unpark();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for (post, helper) in self.posts.iter().zip(&self.helpers) {
            post.closed.store(true, Ordering::Relaxed);
            post.called.store(true, Ordering::Release);
            helper.thread().unpark();
        }
        // None of them can fail: what their work does is caught.
        self.helpers.drain(..).for_each(|helper| _ = helper.join());
    }
}

impl Post {
    fn work(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Work>>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, member: usize) {
        loop {
            self.wait();
            if self.closed.load(Ordering::Relaxed) {
                return;
            }
            let work = self.work().take();
            if let Some(work) = work {
                // The caller learns of it where the threads meet.
                _ = catch_unwind(AssertUnwindSafe(|| work.share(member)));
            }
        }
    }

    fn wait(&self) {
        let begin = Instant::now();
        while !self.called.swap(false, Ordering::Acquire) {
            if begin.elapsed() > AWAKE {
                thread::park();
            } else {
                (0..16).for_each(|_| std::hint::spin_loop());
            }
        }
    }
}

/// Where the threads that do one work wait for each other.
#[derive(Default)]
pub(super) struct Meeting {
    threads: usize,
    /// How often one arrived, in all runs.
    arrived: AtomicUsize,
    /// The same, when this run began.
    before: AtomicUsize,
    broken: AtomicBool,
}

/// Looks at others before a thread lets them have its core.
const PATIENCE: usize = 300;

impl Meeting {
    pub fn new(threads: usize) -> Meeting {
        Meeting { threads, ..Meeting::default() }
    }

    /// Begins a run; all of the last one are through.
    ///
    /// # Panics
    /// Where a thread left an earlier run in the middle: it may still be at work.
    pub fn begin(&self) {
        assert!(!self.broken.load(Ordering::Acquire), "an earlier run of this region failed");
        self.before.store(self.arrived.load(Ordering::Acquire), Ordering::Release);
    }

    /// Waits for all threads at a meeting of this run, which are counted from 0; false if one of them never will come.
    pub fn wait(&self, meeting: usize) -> bool {
        // The counts go round after some days on 32 bits.
        let all = self.before.load(Ordering::Acquire).wrapping_add((meeting + 1) * self.threads);
        self.arrived.fetch_add(1, Ordering::AcqRel);
        let mut looks = 0;
        while all.wrapping_sub(self.arrived.load(Ordering::Acquire)) as isize > 0 {
            if self.broken.load(Ordering::Relaxed) {
                return false;
            }
            looks += 1;
            if looks < PATIENCE { std::hint::spin_loop() } else { thread::yield_now() }
        }
        true
    }

    /// Tells the others when the thread that holds the result panics.
    pub fn leaving(&self) -> Leaving<'_> {
        Leaving(self)
    }
}

pub(super) struct Leaving<'a>(&'a Meeting);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
    }
}
