//! Who works for an engine: a crew on fused regions, a pool on what is left to tract. Never both at a time.

use super::fused::Crew;
use crate::kernels::Isa;
use std::cell::OnceCell;
use std::sync::Arc;
use tract_linalg::multithread::Executor;

/// The threads of one engine, started when something needs them.
pub(super) struct Threads {
    count: usize,
    /// Of fused regions.
    pub isa: Isa,
    crew: OnceCell<Arc<Crew>>,
    pool: OnceCell<Executor>,
}

impl Threads {
    /// As many, with the caller's.
    pub fn new(count: usize, isa: Isa) -> Threads {
        Threads { count: count.max(1), isa, crew: OnceCell::new(), pool: OnceCell::new() }
    }

    pub fn crew(&self) -> &Arc<Crew> {
        self.crew.get_or_init(|| Arc::new(Crew::new(self.count)))
    }

    pub fn pool(&self) -> Executor {
        let pool = || if self.count > 1 { Executor::multithread(self.count) } else { Executor::SingleThread };
        self.pool.get_or_init(pool).clone()
    }
}
