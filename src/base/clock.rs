//! The one door to the time of day.
//!
//! Everything that asks for the time takes a [`Clock`]; a test hands in one that it sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A point in time: nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns microseconds since the epoch, rounded down.
    pub fn micros(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Returns the UTC day as days since the epoch, as Arrow's `Date32` counts.
    pub fn day(self) -> i32 {
        const NANOS_PER_DAY: i64 = 86_400_000_000_000;
        i32::try_from(self.0.div_euclid(NANOS_PER_DAY))
            .expect("an i64 of nanoseconds is at most 106,752 days")
    }
}

/// Tells the time: the system's, or one that a test sets.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Returns a clock that stands still at `at` until [`Clock::advance`] moves it.
    pub fn set_to(at: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(at.0))))
    }

    /// Returns the time now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door to the system's time"
    )]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
            }
            Source::Set(nanos) => Timestamp(nanos.load(Ordering::SeqCst)),
        }
    }

    /// Moves a set clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Set(nanos) = &self.0 {
            let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
            nanos.fetch_add(by, Ordering::SeqCst);
        }
    }
}
