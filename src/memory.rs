//! What glibc is told of memory. It keeps what is freed, for which later there may be no use; a board with 512 MB feels
//! that.

/// As long as it lives, large blocks go back to the system as soon as they are free: while a model is loaded its weights are
/// in memory in several forms, one after another. Afterwards they are kept for the next frame, whose feature maps are of the
/// same sizes: to ask the system for them again is slow.
pub struct Loading;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
impl Loading {
    pub fn begin() -> Loading {
        set(&[(libc::M_MMAP_THRESHOLD, 128 << 10)]);
        Loading
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
impl Drop for Loading {
    fn drop(&mut self) {
        // Where glibc ends up by itself after some large blocks (DEFAULT_MMAP_THRESHOLD_MAX in its malloc.c).
        let most = if cfg!(target_pointer_width = "64") { 32 << 20 } else { 512 << 10 };
        set(&[(libc::M_MMAP_THRESHOLD, most), (libc::M_TRIM_THRESHOLD, 2 * most)]);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn set(parameters: &[(libc::c_int, libc::c_int)]) {
    for (parameter, value) in parameters {
        // SAFETY: it takes two numbers and a lock. What it refuses stays as it was.
        unsafe { libc::mallopt(*parameter, *value) };
    }
}

/// Gives back to the system what is free, wherever it lies: after something large that will not come again soon.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number and locks, and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
impl Loading {
    pub fn begin() -> Loading {
        Loading
    }
}
