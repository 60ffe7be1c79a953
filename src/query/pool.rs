//! Knows how much of the memory that all queries share each of them holds, and keeps some of it back from merges.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What reads the spills of a sort back. It opens as many as it is given memory for, and would take all that the steps
/// above it need; with less it merges fewer at a time.
const MERGE: &str = "ExternalSorterMerge";

/// One query's door to the shared pool.
#[derive(Debug)]
pub(super) struct QueryPool {
    shared: Arc<dyn MemoryPool>,
    held: Arc<AtomicUsize>,
    /// Bytes in use up to which merges may take more.
    mergeable: usize,
}

impl QueryPool {
    pub(super) fn new(shared: Arc<dyn MemoryPool>, held: Arc<AtomicUsize>) -> Self {
        let mergeable = match shared.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes / 8 * 7,
            _ => usize::MAX,
        };
        Self {
            shared,
            held,
            mergeable,
        }
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &'static str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.shared.grow(reservation, additional);
        self.held.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, less: usize) {
        self.shared.shrink(reservation, less);
        self.held.fetch_sub(less, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let is_merge = reservation.consumer().name().starts_with(MERGE);
        if is_merge && self.reserved() + additional > self.mergeable {
            let message = format!("{MERGE} has to do with less than another {additional} bytes");
            return Err(DataFusionError::ResourcesExhausted(message));
        }
        self.shared.try_grow(reservation, additional)?;
        self.held.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.shared.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.shared.memory_limit()
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} bytes)", self.held.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::FairSpillPool;

    use super::*;

    #[test]
    fn merges_leave_an_eighth_to_the_steps_above() {
        let held = Arc::new(AtomicUsize::new(0));
        let shared = Arc::new(FairSpillPool::new(800));
        let pool: Arc<dyn MemoryPool> = Arc::new(QueryPool::new(shared, Arc::clone(&held)));
        let merge = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        let above = MemoryConsumer::new("SortPreservingMergeExec[0]").register(&pool);
        assert!(merge.try_grow(700).is_ok());
        assert!(merge.try_grow(1).is_err());
        assert!(above.try_grow(100).is_ok());
        assert!(above.try_grow(1).is_err());
        assert_eq!(held.load(Ordering::Relaxed), 800);
        drop((merge, above));
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }
}
