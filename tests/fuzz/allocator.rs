//! How much memory the program holds, exactly, and an end where it is too much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// What a model file of a few megabytes may make the program hold at once, in bytes.
pub const LIMIT: usize = 512 << 20;
/// How a worker that asked for more ends its report.
pub const TOO_MUCH: &str = "memory over 512 MB";

static BOUNDED: AtomicBool = AtomicBool::new(false);
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

pub struct Bounded;

/// From now on more than [`LIMIT`] ends the process.
pub fn bound() {
    BOUNDED.store(true, Relaxed);
}

/// Starts to look for a new peak.
pub fn forget_peak() {
    PEAK.store(HELD.load(Relaxed), Relaxed);
}

/// The most that was held at once since then, in bytes.
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

fn take(size: usize) {
    let held = HELD.fetch_add(size, Relaxed).saturating_add(size);
    PEAK.fetch_max(held, Relaxed);
    // Once: what follows allocates too.
    if held > LIMIT && BOUNDED.swap(false, Relaxed) {
        let error = &mut std::io::stderr();
        let _ = writeln!(error, "{}", std::backtrace::Backtrace::force_capture());
        let _ = writeln!(error, "{TOO_MUCH}: {size} bytes more than {}", held - size);
        std::process::abort();
    }
}

fn give_back(size: usize) {
    HELD.fetch_sub(size, Relaxed);
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    // Memory that is never touched costs nothing, but whoever asks for it means to touch it.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        give_back(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}
