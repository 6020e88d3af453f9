//! How long what people sign in with is good.

use time::Duration;

use crate::config;

/// What has no term lasts until it is taken back.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Of a session, from the login on.
    pub session_age: Duration,
    /// Of a session that nobody uses, from its last use on.
    pub session_idle: Option<Duration>,
    /// Of a token, from the sign-in on.
    pub token_age: Option<Duration>,
}

impl Terms {
    pub fn of(config: &config::Accounts) -> Self {
        let seconds = |seconds: u32| Duration::seconds(seconds.into());
        let unless_zero = |number: u32| (number > 0).then(|| seconds(number));
        Self {
            session_age: seconds(config.session_age_seconds.get()),
            session_idle: unless_zero(config.session_idle_seconds),
            token_age: unless_zero(config.token_age_seconds),
        }
    }

    /// For how long a browser keeps the cookie of a session that is used now and ends in `left`.
    pub fn cookie_age(&self, left: Duration) -> Duration {
        self.session_idle.map_or(left, |idle| idle.min(left))
    }
}
