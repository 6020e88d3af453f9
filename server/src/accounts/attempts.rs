//! How often somebody may try to sign in or up: from one network, and, wherever from, at one account.

use std::net::IpAddr;
use std::time::Duration;

use governor::Quota;
use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::{email, origin};
use crate::config::{Accounts, Switch};
use crate::error::{Error, Result};
use crate::rate::Rate;

pub struct Attempts {
    by_network: Rate<IpNet>,
    /// By a hash of what was given as e-mail, whether or not there is such an account: it may be long.
    by_account: Rate<[u8; 32]>,
}

impl Attempts {
    pub fn new(rate_limits: Switch, config: &Accounts) -> Self {
        let network = Quota::per_minute(config.attempts_per_minute).allow_burst(config.attempts_burst);
        let account = Quota::per_hour(config.account_attempts_per_hour).allow_burst(config.account_attempts_burst);
        let rate = |quota| (rate_limits == Switch::On).then_some(quota);
        Self { by_network: Rate::new(rate(network)), by_account: Rate::new(rate(account)) }
    }

    /// Counts an attempt from an address.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the seconds to wait.
    pub fn count(&self, address: IpAddr) -> Result<()> {
        self.by_network.count(&origin::network_of(address)).map_err(throttled)
    }

    /// Counts an attempt to sign in as the owner of `email`.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub fn count_for(&self, email: &str) -> Result<()> {
        self.by_account.count(&Sha256::digest(email::key_of(email)).into()).map_err(throttled)
    }
}

fn throttled(wait: Duration) -> Error {
    Error::Throttled(wait.as_secs() + 1)
}
