//! How many bytes of requests may be under way at once.
//!
//! A request takes its share before it is buffered, takes more while it inflates, and gives all back with its answer.
//! Nobody waits here: what does not fit is told to come back, because a queue in memory would be the very thing that
//! is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes under way against a limit.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// One request's share; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Admission,
    bytes: usize,
}

/// There is no room for that many bytes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Admission {
    pub(super) fn of(limit: usize) -> Self {
        Self {
            limit,
            used: Arc::default(),
        }
    }

    pub(super) fn admit(&self, bytes: usize) -> Result<Permit, NoRoom> {
        let mut permit = Permit {
            admission: self.clone(),
            bytes: 0,
        };
        permit.grow(bytes)?;
        Ok(permit)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Permit {
    /// Takes more bytes, or none of them.
    pub(super) fn grow(&mut self, by: usize) -> Result<(), NoRoom> {
        let limit = self.admission.limit;
        self.admission
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(by).filter(|used| *used <= limit)
            })
            .map_err(|_| NoRoom)?;
        self.bytes += by;
        Ok(())
    }

    /// Gives back all but this many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let back = self.bytes.saturating_sub(bytes);
        self.admission.used.fetch_sub(back, Ordering::Relaxed);
        self.bytes -= back;
    }

    /// Returns an empty share of the same admission.
    pub(super) fn another(&self) -> Self {
        Self {
            admission: self.admission.clone(),
            bytes: 0,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_let_in_and_what_does_not_is_not() {
        let admission = Admission::of(64 << 20);
        let mut first = admission.admit(60 << 20).unwrap();
        assert!(admission.admit((4 << 20) + 1).is_err());
        let second = admission.admit(4 << 20).unwrap();
        assert_eq!(first.grow(1), Err(NoRoom));
        drop(second);
        first.grow(4 << 20).unwrap();
        assert_eq!(admission.in_flight(), 64 << 20);
        first.shrink_to(10);
        assert_eq!(admission.in_flight(), 10);
        drop(first);
        assert_eq!(admission.in_flight(), 0);
    }

    #[test]
    fn a_size_beyond_counting_is_refused() {
        let admission = Admission::of(64 << 20);
        let _one = admission.admit(1).unwrap();
        assert!(admission.admit(usize::MAX).is_err());
        assert_eq!(admission.in_flight(), 1);
    }
}
