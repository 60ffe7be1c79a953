//! A rate for each tenant: one that sends more than its share waits, the others do not.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::Sender;
use super::failure::Failure;
use crate::model::limits::HTTP_BODY_BYTES_MAX;

/// Tenants that are remembered; beyond them those that have been quiet are forgotten, and lose nothing by it.
const TENANTS_MAX: usize = 10_000;

/// Token buckets by tenant, in bytes as they come over the wire.
pub(super) struct Rates {
    limiter: Option<DefaultKeyedRateLimiter<Arc<str>>>,
    clock: DefaultClock,
}

impl Rates {
    /// Lets each tenant send so many bytes a second, and a request of the largest size at once; 0 sets no limit.
    pub(super) fn of(bytes_per_second: u32) -> Self {
        let largest = u32::try_from(HTTP_BODY_BYTES_MAX).unwrap_or(u32::MAX);
        let limiter = NonZeroU32::new(bytes_per_second).map(|rate| {
            let burst = NonZeroU32::new(largest).map_or(rate, |largest| largest.max(rate));
            RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))
        });
        Self {
            limiter,
            clock: DefaultClock::default(),
        }
    }

    /// Takes the bytes of a request out of its tenant's bucket.
    ///
    /// # Errors
    /// Where there are not enough in it: the request may come again when there are.
    pub(super) fn take(&self, sender: &Sender, bytes: usize) -> Result<(), Failure> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        let Some(bytes) = u32::try_from(bytes).ok().and_then(NonZeroU32::new) else {
            return Ok(());
        };
        if limiter.len() > TENANTS_MAX {
            limiter.retain_recent();
        }
        let tenant = sender.tenant.clone().unwrap_or_else(|| Arc::from(""));
        match limiter.check_key_n(&tenant, bytes) {
            Ok(Err(early)) => Err(Failure::over_rate(early.wait_time_from(self.clock.now()))),
            // The burst takes the largest request, so nothing is larger than the bucket.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates")
            .field("limited", &self.limiter.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Kind;
    use super::*;

    fn sender(tenant: &str) -> Sender {
        Sender {
            tenant: Some(Arc::from(tenant)),
        }
    }

    #[test]
    fn a_tenant_that_used_its_bucket_up_waits_and_another_does_not() {
        let rates = Rates::of(1_000);
        assert!(
            rates.take(&sender("a"), HTTP_BODY_BYTES_MAX).is_ok(),
            "the largest request fits"
        );
        let refused = rates.take(&sender("a"), 100_000).unwrap_err();
        assert!(
            matches!(refused.kind, Kind::Busy(wait) if wait.as_secs() >= 90),
            "{refused:?}"
        );
        assert!(rates.take(&sender("b"), 100_000).is_ok());
        assert!(rates.take(&Sender::default(), 100_000).is_ok());
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let rates = Rates::of(0);
        assert!((0..10).all(|_| rates.take(&sender("a"), HTTP_BODY_BYTES_MAX).is_ok()));
    }
}
