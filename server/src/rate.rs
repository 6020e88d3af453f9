//! Rates: how often something may come from one and the same.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// With this many remembered, those that are quiet again are forgotten.
const REMEMBERED: usize = 10_000;

/// A quota for each `K`.
pub struct Rate<K: Clone + Eq + Hash> {
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    /// How many may be remembered before the next look at who is quiet.
    crowded: AtomicUsize,
}

impl<K: Clone + Eq + Hash> Rate<K> {
    /// Without a quota everything passes.
    pub fn new(quota: Option<Quota>) -> Self {
        Self { limiter: quota.map(RateLimiter::keyed), crowded: AtomicUsize::new(REMEMBERED) }
    }

    /// Counts one.
    ///
    /// # Errors
    /// How long to wait, where it is one too many.
    pub fn count(&self, key: &K) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() > self.crowded.load(Ordering::Relaxed) {
            limiter.retain_recent();
            // Far enough away that this look, at all of them, is a rare one.
            self.crowded.store(REMEMBERED.max(2 * limiter.len()), Ordering::Relaxed);
        }
        limiter.check_key(key).map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::Quota;

    use super::Rate;

    #[test]
    fn each_has_a_quota_of_its_own() {
        let rate = Rate::new(NonZeroU32::new(2).map(Quota::per_hour));
        assert_eq!([1, 1, 1, 2].map(|key| rate.count(&key).is_ok()), [true, true, false, true]);
        let wait = rate.count(&1).unwrap_err().as_secs();
        assert!((1700..=1800).contains(&wait), "{wait}");
    }

    #[test]
    fn whoever_is_quiet_again_is_forgotten() {
        const MANY: usize = 10 * super::REMEMBERED;
        let rate = Rate::new(NonZeroU32::new(u32::MAX).map(Quota::per_second));
        assert!((0..MANY).all(|key| rate.count(&key).is_ok()));
        let remembered = rate.limiter.as_ref().unwrap().len();
        assert!(remembered < MANY / 2, "{remembered} of {MANY}");
    }

    #[test]
    fn without_a_quota_everything_passes() {
        let rate = Rate::new(None);
        assert!((0..1000).all(|_| rate.count(&1).is_ok()));
    }
}
