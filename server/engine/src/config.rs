//! Settings of an engine.

use std::borrow::Cow;
use std::time::Duration;

use engineioxide_core::TransportType;

#[derive(Clone, Debug)]
pub struct EngineIoConfig {
    /// The path under which the engine answers.
    pub req_path: Cow<'static, str>,
    /// Between two pings.
    pub ping_interval: Duration,
    /// How long a ping may remain unanswered.
    pub ping_timeout: Duration,
    /// How long an upgrade may take.
    pub upgrade_timeout: Duration,
    /// About how many packets may wait for one client, as some are joined before they are written. One that falls further
    /// behind is cut; what bounds the bytes is `Settings::send_queue_bytes`.
    pub max_buffer_size: usize,
    /// The largest polling body and the largest websocket message of a client, in bytes.
    pub max_payload: u64,
    /// Has no effect: connections that are idle have no buffer to read into, busy ones share one.
    pub ws_read_buffer_size: usize,
    /// A bound on websocket messages alone, in bytes.
    pub ws_max_message_size: usize,
    /// Another bound on websocket messages, in bytes: frames have none of their own.
    pub ws_max_frame_size: usize,
    /// The transports that clients may use: bits of [`TransportType`].
    pub transports: u8,
}

impl Default for EngineIoConfig {
    fn default() -> Self {
        Self {
            req_path: "/engine.io".into(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_buffer_size: 128,
            max_payload: 100_000,
            ws_read_buffer_size: 4096,
            ws_max_message_size: 64 * 1024 * 1024,
            ws_max_frame_size: 16 * 1024 * 1024,
            transports: TransportType::Polling as u8 | TransportType::Websocket as u8,
        }
    }
}

impl EngineIoConfig {
    pub fn builder() -> EngineIoConfigBuilder {
        EngineIoConfigBuilder::default()
    }

    pub fn allowed_transport(&self, transport: TransportType) -> bool {
        self.transports & transport as u8 != 0
    }

    /// The largest websocket message, by whichever bound is the smallest.
    pub(crate) fn max_message(&self) -> usize {
        self.max_body().min(self.ws_max_message_size).min(self.ws_max_frame_size)
    }

    /// The largest polling body.
    pub(crate) fn max_body(&self) -> usize {
        usize::try_from(self.max_payload).unwrap_or(usize::MAX)
    }

    /// How long a client may be silent before it is taken for gone.
    pub(crate) fn patience(&self) -> Duration {
        self.ping_interval + self.ping_timeout
    }
}

/// Builds an [`EngineIoConfig`]; its methods are named as the fields.
#[derive(Debug, Default)]
pub struct EngineIoConfigBuilder {
    config: EngineIoConfig,
}

impl EngineIoConfigBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn req_path(mut self, req_path: impl Into<Cow<'static, str>>) -> Self {
        self.config.req_path = req_path.into();
        self
    }

    #[must_use]
    pub fn ping_interval(mut self, ping_interval: Duration) -> Self {
        self.config.ping_interval = ping_interval;
        self
    }

    #[must_use]
    pub fn ping_timeout(mut self, ping_timeout: Duration) -> Self {
        self.config.ping_timeout = ping_timeout;
        self
    }

    #[must_use]
    pub fn upgrade_timeout(mut self, upgrade_timeout: Duration) -> Self {
        self.config.upgrade_timeout = upgrade_timeout;
        self
    }

    #[must_use]
    pub fn max_buffer_size(mut self, max_buffer_size: usize) -> Self {
        self.config.max_buffer_size = max_buffer_size;
        self
    }

    #[must_use]
    pub fn max_payload(mut self, max_payload: u64) -> Self {
        self.config.max_payload = max_payload;
        self
    }

    #[must_use]
    pub fn ws_read_buffer_size(mut self, ws_read_buffer_size: usize) -> Self {
        self.config.ws_read_buffer_size = ws_read_buffer_size;
        self
    }

    #[must_use]
    pub fn ws_max_message_size(mut self, ws_max_message_size: usize) -> Self {
        self.config.ws_max_message_size = ws_max_message_size;
        self
    }

    #[must_use]
    pub fn ws_max_frame_size(mut self, ws_max_frame_size: usize) -> Self {
        self.config.ws_max_frame_size = ws_max_frame_size;
        self
    }

    #[must_use]
    pub fn transports<const N: usize>(mut self, transports: [TransportType; N]) -> Self {
        self.config.transports = transports.into_iter().fold(0, |bits, transport| bits | transport as u8);
        self
    }

    pub fn build(self) -> EngineIoConfig {
        self.config
    }
}
