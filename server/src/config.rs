//! Settings: the command line, then the environment, then a TOML file, then `config.default.toml`.
//!
//! The default file is embedded, so that the reference and the defaults are one text. This is the only place that reads
//! the environment.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Tag, Value};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::http::base_url::AllowedOrigins;
use crate::http::peer::{ProxyHeaders, TrustedProxies};
use crate::{database, telemetry};

/// The reference of all settings, with their defaults and reasons.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Settings whose environment names are those of the original stack or of common usage.
const NAMED: [(&str, &str); 8] = [
    ("HOST", "host"),
    ("PORT", "port"),
    ("PUBLIC_URL", "public_url"),
    ("DATA_DIR", "data_dir"),
    ("DATABASE_URL", "database_url"),
    ("RUST_LOG", "log"),
    ("NATTER_SECRET", "secret"),
    ("NATTER_RATE_LIMITS", "rate_limits"),
];

/// Settings that may be given as the name of a file that holds them, by an environment name that ends in `_FILE`.
const SECRETS: [&str; 2] = ["DATABASE_URL", "NATTER_SECRET"];

/// Each author of a batch whose messages have names is a term of one expression, of the 1,000 that SQLite takes.
const MAX_BATCH: usize = 900;
/// Of what is counted while it waits.
const MAX_WAITING: usize = Semaphore::MAX_PERMITS;

const MASK: &str = "********";

/// All settings; `config.default.toml` explains each.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub host: IpAddr,
    pub port: u16,
    pub public_url: String,
    pub data_dir: PathBuf,
    pub database_url: String,
    pub secret: String,
    pub log: String,
    pub rate_limits: Switch,
    pub http: Http,
    pub accounts: Accounts,
    pub chat: Chat,
    pub gateway: Gateway,
    pub metrics: Metrics,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    On,
    Off,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub trusted_proxies: TrustedProxies,
    pub proxy_headers: ProxyHeaders,
    pub allowed_origins: AllowedOrigins,
    pub hsts_seconds: u32,
    pub max_body_bytes: usize,
    pub receive_bytes: usize,
    pub head_timeout_seconds: NonZeroU64,
    pub body_timeout_seconds: NonZeroU64,
    pub request_timeout_seconds: NonZeroU64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    pub password_validators: bool,
    pub session_age_seconds: NonZeroU32,
    pub session_idle_seconds: u32,
    pub token_age_seconds: u32,
    pub recheck_seconds: NonZeroU32,
    pub password_queue: NonZeroUsize,
    pub reset_queue: NonZeroUsize,
    pub attempts_per_minute: NonZeroU32,
    pub attempts_burst: NonZeroU32,
    pub account_attempts_per_hour: NonZeroU32,
    pub account_attempts_burst: NonZeroU32,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    pub max_message_bytes: NonZeroUsize,
    pub messages_per_second: NonZeroU32,
    pub messages_burst: NonZeroU32,
    pub queue_messages: NonZeroUsize,
    pub queue_bytes: NonZeroUsize,
    pub batch_messages: NonZeroUsize,
    pub commit_interval_milliseconds: u32,
    pub max_conversations: NonZeroUsize,
    pub replay_limit: NonZeroU64,
    pub recent_messages: NonZeroUsize,
    pub recent_bytes: NonZeroUsize,
    pub page_size: NonZeroU64,
    pub max_page_size: NonZeroU64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Gateway {
    #[serde(with = "milliseconds")]
    pub ping_interval: Duration,
    #[serde(with = "milliseconds")]
    pub ping_timeout: Duration,
    #[serde(with = "milliseconds")]
    pub upgrade_timeout: Duration,
    pub max_http_buffer_size: NonZeroUsize,
    #[serde(with = "milliseconds")]
    pub connect_timeout: Duration,
    #[serde(with = "milliseconds")]
    pub auth_timeout: Duration,
    pub send_queue: NonZeroUsize,
    pub send_queue_bytes: NonZeroUsize,
    #[serde(with = "milliseconds")]
    pub write_timeout: Duration,
    pub unnamed_protocol: UnnamedProtocol,
    pub double_encoding: DoubleEncoding,
    pub cookie: String,
    pub cookie_attributes: String,
    pub pending_events: NonZeroUsize,
    pub max_sockets: NonZeroUsize,
    pub max_sockets_per_address: NonZeroUsize,
    pub max_sockets_per_user: NonZeroUsize,
    pub max_unauthenticated_sockets: NonZeroUsize,
    pub events_per_second: NonZeroU32,
    pub events_burst: NonZeroU32,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    pub listen: Listen,
}

/// Where to listen, if anywhere.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(pub Option<SocketAddr>);

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address))).map_err(|_| format!("{text} is no address like 127.0.0.1:9464"))
    }
}

impl From<Listen> for String {
    fn from(Listen(address): Listen) -> Self {
        address.map(|address| address.to_string()).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UnnamedProtocol {
    Third,
    Refused,
}

impl From<UnnamedProtocol> for engine_link::UnnamedProtocol {
    fn from(setting: UnnamedProtocol) -> Self {
        match setting {
            UnnamedProtocol::Third => Self::IsThird,
            UnnamedProtocol::Refused => Self::Refused,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DoubleEncoding {
    Detect,
    Always,
    Never,
}

impl From<DoubleEncoding> for engine_link::DoubleEncoding {
    fn from(setting: DoubleEncoding) -> Self {
        match setting {
            DoubleEncoding::Detect => Self::Detect,
            DoubleEncoding::Always => Self::Always,
            DoubleEncoding::Never => Self::Never,
        }
    }
}

mod milliseconds {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        NonZeroU32::deserialize(deserializer).map(|n| Duration::from_millis(n.get().into()))
    }

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).serialize(serializer)
    }
}

impl Config {
    /// Reads all layers: `flags` as paths of settings with their values, `environment` as the process has it, and the
    /// TOML file `file`.
    ///
    /// # Errors
    /// Names the setting that is unknown, malformed, or at odds with another.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> Result<Self> {
        let mut layers = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("the configuration file {} cannot be read", file.display()))?;
            layers = layers.merge(Toml::string(&text));
        }
        let defaults: Dict = Figment::from(Toml::string(DEFAULTS)).extract()?;
        let environment: Vec<_> = environment.into_iter().collect();
        for secret in SECRETS {
            let is_given = |name: &str| environment.iter().any(|(given, _)| given == name);
            ensure!(
                !is_given(secret) || !is_given(&format!("{secret}_FILE")),
                "{secret} and {secret}_FILE are both set: give one of them"
            );
        }
        for (name, text) in environment {
            if let Some((path, text)) = setting_of_variable(&defaults, &name, text)? {
                layers = layers.merge(Serialized::default(&path, parse(&defaults, &path, &text, &name)?));
            }
        }
        for (path, text) in flags {
            layers = layers.merge(Serialized::default(path, parse(&defaults, path, text, path)?));
        }
        let config: Self = layers.extract().map_err(|error| anyhow::anyhow!(describe(&error)))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let (gateway, chat) = (&self.gateway, &self.chat);
        telemetry::filter(&self.log)?;
        ensure!(
            self.database_url.is_empty() || DATABASES.iter().any(|scheme| self.database_url.starts_with(scheme)),
            "database_url (DATABASE_URL) must begin with sqlite: or postgres://"
        );
        database::check_url(&self.database_url)?;
        ensure!(
            self.secret.is_empty() || self.secret.len() >= 32,
            "secret (NATTER_SECRET) must have at least 32 characters"
        );
        ensure!(
            chat.max_message_bytes <= gateway.max_http_buffer_size,
            "chat.max_message_bytes must not exceed gateway.maxHttpBufferSize: such a message could never arrive"
        );
        // Up to twice its size is held of what arrives.
        let largest = gateway.max_http_buffer_size.get().max(self.http.max_body_bytes).saturating_mul(2);
        ensure!(
            largest <= self.http.receive_bytes,
            "http.receive_bytes must be twice as much as gateway.maxHttpBufferSize and http.max_body_bytes: else what they let in \
             could be refused on its own"
        );
        ensure!(
            chat.max_message_bytes <= chat.queue_bytes,
            "chat.max_message_bytes must not exceed chat.queue_bytes: such a message could never be queued"
        );
        ensure!(
            chat.recent_messages <= gateway.send_queue && chat.recent_bytes <= gateway.send_queue_bytes,
            "chat.recent_messages and chat.recent_bytes must not exceed gateway.sendQueue and gateway.sendQueueBytes: a \
             replay would overflow it"
        );
        ensure!(
            [chat.queue_bytes, chat.queue_messages, self.accounts.password_queue, self.accounts.reset_queue]
                .iter()
                .all(|queue| queue.get() <= MAX_WAITING),
            "chat.queue_bytes, chat.queue_messages, accounts.password_queue and accounts.reset_queue must not exceed {MAX_WAITING}"
        );
        ensure!(
            chat.batch_messages.get() <= MAX_BATCH,
            "chat.batch_messages must not exceed {MAX_BATCH}: more do not fit into one statement"
        );
        ensure!(
            chat.commit_interval_milliseconds <= 10_000,
            "chat.commit_interval_milliseconds must not exceed 10000: so long would senders wait for their acks"
        );
        ensure!(
            self.http.body_timeout_seconds < self.http.request_timeout_seconds,
            "http.body_timeout_seconds must be less than http.request_timeout_seconds: a slow client is not the server's fault"
        );
        ensure!(chat.page_size <= chat.max_page_size, "chat.page_size must not exceed chat.max_page_size");
        if !self.public_url.is_empty() {
            let url = url::Url::parse(&self.public_url).context("public_url (PUBLIC_URL) is not a URL")?;
            ensure!(
                matches!(url.scheme(), "http" | "https"),
                "public_url (PUBLIC_URL) must begin with http:// or https://"
            );
            ensure!(
                url.path() == "/" && url.query().is_none() && url.fragment().is_none(),
                "public_url (PUBLIC_URL) must have no path: the pages and the socket are at the root of a host"
            );
        }
        Ok(())
    }

    /// The same settings with every secret masked, as TOML.
    pub fn redacted(&self) -> Result<String> {
        let mut shown = self.clone();
        if !shown.secret.is_empty() {
            MASK.clone_into(&mut shown.secret);
        }
        shown.database_url = without_password(&shown.database_url);
        Ok(toml::to_string(&shown)?)
    }
}

/// Secrets stay out of whatever prints this.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted().unwrap_or_default())
    }
}

/// A password may stand before the host or in the query; in what is no URL it may stand anywhere.
fn without_password(database_url: &str) -> String {
    if database_url.is_empty() || database_url.starts_with("sqlite:") {
        return database_url.to_owned();
    }
    let Some(mut url) = url::Url::parse(database_url).ok().filter(|url| url.fragment().is_none()) else {
        return MASK.to_owned();
    };
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    if url.query().is_some() {
        url.set_query(Some(MASK));
    }
    url.to_string()
}

const DATABASES: [&str; 3] = ["sqlite:", "postgres://", "postgresql://"];

/// The setting that an environment variable gives, if it is one of ours, and its text.
fn setting_of_variable(defaults: &Dict, name: &str, text: String) -> Result<Option<(String, String)>> {
    if let Some(base) = name.strip_suffix("_FILE").filter(|base| SECRETS.contains(base)) {
        let text = std::fs::read_to_string(&text).with_context(|| format!("{name}: {text} cannot be read"))?;
        return setting_of_variable(defaults, base, text.trim_end().to_owned());
    }
    if let Some((_, path)) = NAMED.iter().find(|(variable, _)| *variable == name) {
        return Ok(Some(((*path).to_owned(), text)));
    }
    let Some(rest) = name.strip_prefix("NATTER_") else {
        return Ok(None);
    };
    // The test harness speaks to itself by such names.
    if rest.starts_with("TEST_") {
        return Ok(None);
    }
    match path_of(defaults, rest) {
        Some(path) => Ok(Some((path, text))),
        None => bail!("{name} is not a setting (natter config show lists them all)"),
    }
}

/// `CHAT__REPLAY_LIMIT` → `chat.replay_limit`, `GATEWAY__PING_TIMEOUT` → `gateway.pingTimeout`.
fn path_of(defaults: &Dict, variable: &str) -> Option<String> {
    let same = |key: &str, part: &str| key.replace('_', "").eq_ignore_ascii_case(&part.replace('_', ""));
    let mut path = Vec::new();
    let mut here = defaults;
    let parts: Vec<_> = variable.split("__").collect();
    for (index, part) in parts.iter().enumerate() {
        let (key, value) = here.iter().find(|(key, _)| same(key, part))?;
        path.push(key.as_str());
        match value {
            Value::Dict(_, inner) => here = inner,
            _ if index + 1 == parts.len() => return Some(path.join(".")),
            _ => return None,
        }
    }
    None
}

/// Reads `text` as the kind of value that the default of this setting has.
fn parse(defaults: &Dict, path: &str, text: &str, name: &str) -> Result<Value> {
    let default = path.split('.').try_fold(Value::from(defaults.clone()), |value, key| match value {
        Value::Dict(_, mut inner) => inner.remove(key),
        _ => None,
    });
    Ok(match default {
        Some(Value::Num(..)) => match text.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => bail!("{name} must be a whole number, not {text:?}"),
        },
        Some(Value::Bool(..)) => match text {
            "true" | "on" | "1" => Value::Bool(Tag::Default, true),
            "false" | "off" | "0" => Value::Bool(Tag::Default, false),
            _ => bail!("{name} must be true or false, not {text:?}"),
        },
        _ => Value::from(text),
    })
}

/// One sentence that names the setting.
fn describe(error: &figment::Error) -> String {
    let path = error.path.join(".");
    let variable = NAMED.iter().find(|(_, named)| *named == path).map(|(variable, _)| format!(" ({variable})"));
    let place = match path.as_str() {
        "" => "the configuration".to_owned(),
        _ => format!("the setting {path}{}", variable.unwrap_or_default()),
    };
    match &error.kind {
        Kind::InvalidValue(Actual::Signed(given), expected) => {
            format!("{place} is wrong: {given} is not {}", in_words(expected))
        }
        kind => format!("{place} is wrong: {kind}"),
    }
}

/// What serde expects, in words of people who write no Rust.
fn in_words(expected: &str) -> String {
    match expected {
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "a nonzero u32" => format!("a whole number from 1 to {}", u32::MAX),
        "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "a nonzero u64" | "a nonzero usize" => "a whole number from 1 on".to_owned(),
        expected => expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)]) -> Result<Config> {
        let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Config::load(None, environment, &[])
    }

    #[test]
    fn the_defaults_load_and_are_consistent() {
        let config = load(&[]).unwrap();
        assert_eq!((config.port, config.gateway.auth_timeout.as_millis()), (3000, 1000));
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "port = 1\nhost = \"127.0.0.9\"\n[chat]\nreplay_limit = 7\n").unwrap();
        let environment = [("PORT", "2"), ("NATTER_CHAT__PAGE_SIZE", "9")].map(|(n, t)| (n.to_owned(), t.to_owned()));
        let config = Config::load(Some(file.path()), environment, &[("port", "3".to_owned())]).unwrap();
        assert_eq!(config.port, 3);
        assert_eq!(config.host.to_string(), "127.0.0.9");
        assert_eq!((config.chat.replay_limit.get(), config.chat.page_size.get()), (7, 9));
    }

    #[test]
    fn camel_case_settings_are_reached_from_the_environment() {
        let config = load(&[("NATTER_GATEWAY__PING_INTERVAL", "5000")]).unwrap();
        assert_eq!(config.gateway.ping_interval.as_millis(), 5000);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("NATTER_CHATT", "1", "NATTER_CHATT is not a setting"),
            ("PORT", "many", "PORT must be a whole number"),
            ("PORT", "70000", "the setting port (PORT) is wrong"),
            ("HOST", "nowhere", "the setting host (HOST) is wrong"),
            ("DATABASE_URL", "mysql://x", "DATABASE_URL"),
            ("NATTER_SECRET", "short", "NATTER_SECRET"),
            ("RUST_LOG", "natter=loud", "RUST_LOG"),
            ("NATTER_CHAT__REPLAY_LIMIT", "0", "chat.replay_limit"),
            ("NATTER_CHAT__QUEUE_BYTES", "9223372036854775807", "chat.queue_bytes"),
            ("NATTER_CHAT__BATCH_MESSAGES", "901", "chat.batch_messages"),
            ("NATTER_CHAT__COMMIT_INTERVAL_MILLISECONDS", "10001", "chat.commit_interval_milliseconds"),
            ("NATTER_HTTP__RECEIVE_BYTES", "1999999", "http.receive_bytes"),
            ("NATTER_CHAT__MAX_MESSAGE_BYTES", "2000000", "chat.max_message_bytes"),
        ];
        for (name, text, expected) in cases {
            let error = load(&[(name, text)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}={text}: {error}");
        }
    }

    #[test]
    fn secrets_are_masked_and_can_come_from_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "postgres://natter:hush@db/natter\n").unwrap();
        let config = load(&[("DATABASE_URL_FILE", file.path().to_str().unwrap())]).unwrap();
        assert_eq!(config.database_url, "postgres://natter:hush@db/natter");
        assert!(!config.redacted().unwrap().contains("hush"));
        let both = [("DATABASE_URL_FILE", file.path().to_str().unwrap()), ("DATABASE_URL", "sqlite:x")];
        assert_eq!(
            load(&both).unwrap_err().to_string(),
            "DATABASE_URL and DATABASE_URL_FILE are both set: give one of them"
        );
        for url in ["postgres://db/n?user=n&password=hush", "postgres://n#hush@db/n"] {
            let config = load(&[("DATABASE_URL", url)]).unwrap();
            assert!(!format!("{config:?}").contains("hush"), "{config:?}");
        }
        for url in ["postgres://n:a#hush@db/n", "postgres://n:hush@bad host/n"] {
            let error = load(&[("DATABASE_URL", url)]).unwrap_err();
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
    }
}
