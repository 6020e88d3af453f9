//! How often one address may try to sign in or up.

use std::net::IpAddr;

use governor::Quota;

use crate::config::{Accounts, Switch};
use crate::error::{Error, Result};
use crate::rate::Rate;

/// A rate for each address; switched off, everything passes.
pub struct Attempts(Rate<IpAddr>);

impl Attempts {
    pub fn new(rate_limits: Switch, config: &Accounts) -> Self {
        let quota = Quota::per_minute(config.attempts_per_minute).allow_burst(config.attempts_burst);
        Self(Rate::new((rate_limits == Switch::On).then_some(quota)))
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the seconds to wait.
    pub fn count(&self, address: IpAddr) -> Result<()> {
        self.0.count(&address).map_err(|wait| Error::Throttled(wait.as_secs() + 1))
    }
}
