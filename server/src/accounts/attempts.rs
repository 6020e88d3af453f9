//! How often one address may try to sign in or up.

use std::net::IpAddr;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::{Accounts, Switch};
use crate::error::{Error, Result};

/// A rate for each address; switched off, everything passes.
pub struct Attempts(Option<DefaultKeyedRateLimiter<IpAddr>>);

/// With this many addresses remembered, those that are quiet again are forgotten.
const REMEMBERED: usize = 10_000;

impl Attempts {
    pub fn new(rate_limits: Switch, config: &Accounts) -> Self {
        let quota = Quota::per_minute(config.attempts_per_minute).allow_burst(config.attempts_burst);
        Self((rate_limits == Switch::On).then(|| RateLimiter::keyed(quota)))
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the seconds to wait.
    pub fn count(&self, address: IpAddr) -> Result<()> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        limiter.check_key(&address).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Error::Throttled(wait.as_secs() + 1)
        })
    }
}
