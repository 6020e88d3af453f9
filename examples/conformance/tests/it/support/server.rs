//! Servers of this process, each of which lives as long as its test.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::{Extension, Router};
use conformance::Echo;
use engine_link::Settings;
use engineioxide::config::{EngineIoConfig, EngineIoConfigBuilder};
use engineioxide::layer::EngineIoLayer;
use tokio::net::TcpListener;

/// What the suites expect to find configured, but for pings, which do not come in a test's way.
pub const CALM: conformance::Settings = conformance::Settings {
    port: 0,
    ping_interval: 25_000,
    ping_timeout: 20_000,
    connect_timeout: 10_000,
    unnamed_protocol: conformance::UnnamedProtocol::Refused,
};

/// A path of a server at which one of the protocols is spoken.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    pub address: SocketAddr,
    path: &'static str,
}

impl Server {
    /// The echo of Engine.IO.
    pub async fn engine() -> Self {
        Self::conformance("/engine.io/", CALM).await
    }

    /// The echo of Engine.IO with settings that the conformance server does not have.
    pub async fn engine_with(
        configure: impl FnOnce(EngineIoConfigBuilder) -> EngineIoConfigBuilder,
        settings: Settings,
    ) -> Self {
        let config = configure(EngineIoConfig::builder().req_path("/engine.io")).build();
        let layer = EngineIoLayer::from_config(Arc::new(Echo), config);
        let router = Router::new().layer(layer).layer(Extension(Arc::new(settings)));
        let (listener, address) = listen().await;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, path: "/engine.io/" }
    }

    /// The echo of Socket.IO.
    pub async fn socket_io() -> Self {
        Self::conformance("/socket.io/", CALM).await
    }

    pub async fn conformance(path: &'static str, settings: conformance::Settings) -> Self {
        let (listener, address) = listen().await;
        tokio::spawn(async move { conformance::serve(listener, &settings).await });
        Self { address, path }
    }

    /// What to ask for, with this query.
    pub fn target(&self, query: &str) -> String {
        format!("{}?{query}", self.path)
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
