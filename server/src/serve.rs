//! The running server: its accept loop, its tasks, and how it stops.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Body;
use axum::http::{Version, header};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, OptionFuture};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use socketioxide::SocketIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::app::{App, Queues};
use crate::chat;
use crate::config::Config;
use crate::error::Error;
use crate::event::Event;
use crate::http::peer::{ProxyHeaders, TrustedProxies};
use crate::supervisor::Supervisor;
use crate::{gateway, http};

/// How long the parts of a stop may take: the messages, …
const PATIENCE: Duration = Duration::from_secs(4);
/// … clients that are between two polls, who come by once more to be told, …
const FAREWELL: Duration = Duration::from_millis(500);
/// … the connections, …
const TRANSPORT_PATIENCE: Duration = Duration::from_millis(2500);
/// … what is written down last, …
const LAST_WRITES_PATIENCE: Duration = Duration::from_millis(500);
/// … and each of two words to the database.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);
/// The pause after a connection could not be accepted, for want of file descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// How the outside reaches a server that listens on `address`, unless it is told.
pub fn public_url(config: &Config, address: SocketAddr) -> String {
    match config.public_url.trim_end_matches('/') {
        // Every address of this machine is no address to go to.
        "" if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
        "" => format!("http://{address}"),
        configured => configured.to_owned(),
    }
}

/// Where clients come, and where Prometheus does, if it does.
pub struct Listeners {
    pub clients: TcpListener,
    pub metrics: Option<TcpListener>,
}

impl Listeners {
    pub async fn bind(config: &Config) -> Result<Self> {
        let clients = bind((config.host, config.port).into()).await?;
        let metrics = OptionFuture::from(config.metrics.listen.0.map(bind)).await.transpose()?;
        Ok(Self { clients, metrics })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Serves until `shutdown`, then finishes what is queued, tells the sockets, stops taking connections and returns.
///
/// # Errors
/// Where one of the tasks that everything depends on has ended.
pub async fn serve(
    Listeners { clients: listener, metrics }: Listeners,
    app: App,
    queues: Queues,
    supervisor: Supervisor,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let everyone = chat::reach(&app, chat::EVERYONE).await.context("the log cannot be read")?;
    let gateway::Gateway { router, fan_out, watch, recheck, connections, io } =
        gateway::build(&app, http::router(app.clone()), queues.events, everyone);

    let mut tasks = Tasks::default();
    tasks.spawn("tokens", queues.tokens.run());
    tasks.spawn("uses", queues.uses.run());
    tasks.spawn("reset links", queues.reset_links.run());
    tasks.spawn("log", queues.log.run());
    tasks.spawn("presence", queues.presence.run());
    tasks.spawn("fan-out", fan_out.run());
    tasks.spawn("watch", watch.run());
    tasks.spawn("recheck", recheck.run());
    if let Some(listener) = metrics {
        let router = http::metrics::router(app.clone(), connections.clone());
        tasks.spawn("metrics", serve_metrics(listener, Acceptor::new(&app.config, router)));
    }
    tasks.spawn("figures", connections.observe(app.clone()));
    let supervisor = Arc::new(supervisor);
    if supervisor.is_watchful() {
        let supervisor = supervisor.clone();
        tasks.spawn("signs of life", async move { supervisor.hears_of_life().await });
    }

    let connections = TcpConnections::default();
    let acceptor = Acceptor::new(&app.config, router);
    supervisor.hears_of_start();
    {
        let accepting = pin!(acceptor.accept(&listener, &connections));
        tokio::select! {
            name = tasks.ended() => bail!("the task {name} has ended unexpectedly"),
            () = shutdown => {}
            never = accepting => match never {},
        }
    }
    tracing::info!("stopping");
    supervisor.hears_of_stop();
    let closing = {
        let accepting = pin!(acceptor.accept(&listener, &connections));
        tokio::select! {
            closing = tell_all(&app, &io, &mut tasks) => closing,
            never = accepting => match never {},
        }
    };
    drop(listener);
    stop(&app, closing, tasks, connections).await
}

async fn serve_metrics(listener: TcpListener, acceptor: Acceptor) {
    match acceptor.accept(&listener, &TcpConnections::default()).await {}
}

/// Finishes the messages and tells the sockets. Returns what is left to close of them.
async fn tell_all<'a>(app: &App, io: &'a SocketIo, tasks: &mut Tasks) -> Option<BoxFuture<'a, ()>> {
    let messages = async {
        app.log.close();
        tasks.wait_for(&["log"]).await;
        app.events.publish(Event::Stopping).await;
        tasks.wait_for(&["fan-out"]).await;
    };
    if tokio::time::timeout(PATIENCE, messages).await.is_err() {
        tracing::error!("messages were still queued when the server stopped");
    }
    // There is no room to emit to in what is closed.
    tasks.end("fan-out").await;
    let mut closing = io.close().boxed();
    let closed = tokio::time::timeout(FAREWELL, &mut closing).await;
    closed.is_err().then_some(closing)
}

async fn stop(
    app: &App,
    closing: Option<BoxFuture<'_, ()>>,
    mut tasks: Tasks,
    connections: TcpConnections,
) -> Result<()> {
    let transports = async { tokio::join!(OptionFuture::from(closing), connections.shutdown()) };
    if tokio::time::timeout(TRANSPORT_PATIENCE, transports).await.is_err() {
        tracing::warn!("connections were still open when the server stopped");
    }
    app.uses.close();
    app.reset_links.close();
    if tokio::time::timeout(LAST_WRITES_PATIENCE, tasks.wait_for(&["uses", "reset links"])).await.is_err() {
        tracing::warn!("the database was still busy when the server stopped");
    }
    // A task that is still at it holds a connection, for which closing would wait.
    tasks.running.shutdown().await;
    match tokio::time::timeout(CLOSE_PATIENCE, app.presence.leave(&app.database)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "other nodes could not be told of the stop"),
        Err(_) => tracing::warn!("the database was too busy to note the stop"),
    }
    let Ok(closed) = tokio::time::timeout(CLOSE_PATIENCE, app.database.clone().close()).await else {
        tracing::warn!("the database was still busy when the server stopped");
        return Ok(());
    };
    Ok(closed?)
}

/// What must run for as long as the server does.
#[derive(Default)]
struct Tasks {
    running: JoinSet<&'static str>,
    handles: HashMap<&'static str, AbortHandle>,
}

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.running.spawn(async move {
            task.await;
            name
        });
        self.handles.insert(name, handle);
    }

    /// The name of the next task to end; it is not known of one that did not come to its end.
    async fn ended(&mut self) -> &'static str {
        match self.running.join_next().await {
            Some(Ok(name)) => name,
            Some(Err(_)) | None => "that panicked",
        }
    }

    async fn wait_for(&mut self, names: &[&str]) {
        let mut left = names.len();
        while left > 0 && !self.running.is_empty() {
            left -= usize::from(names.contains(&self.ended().await));
        }
    }

    /// Ends a task that is still at it.
    async fn end(&mut self, name: &str) {
        let Some(handle) = self.handles.remove(name) else { return };
        handle.abort();
        while !handle.is_finished() {
            self.ended().await;
        }
    }
}

/// The connections that are being served; an upgraded one is no longer among them.
#[derive(Default)]
struct TcpConnections {
    tasks: TaskTracker,
    is_stopping: CancellationToken,
}

impl TcpConnections {
    fn serve<S>(&self, connection: http1::UpgradeableConnection<TokioIo<TcpStream>, S>)
    where
        S: HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + Send + 'static,
    {
        let is_stopping = self.is_stopping.clone();
        self.tasks.spawn(async move {
            let mut connection = pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = is_stopping.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection has failed");
            }
        });
    }

    /// Each ends once the request under way is answered.
    async fn shutdown(self) {
        self.is_stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Turns accepted TCP connections into served ones.
struct Acceptor {
    http: http1::Builder,
    router: Router,
    proxies: Arc<TrustedProxies>,
    proxy_headers: ProxyHeaders,
    user_timeout: Duration,
}

impl Acceptor {
    fn new(config: &Config, router: Router) -> Self {
        // Not the builder that tells HTTP's versions apart: it waits for the first byte without a deadline.
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(config.http.head_timeout_seconds.get()))
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES);
        let proxies = Arc::new(config.http.trusted_proxies.clone());
        let proxy_headers = config.http.proxy_headers;
        Self {
            http,
            router,
            proxies,
            proxy_headers,
            user_timeout: config.gateway.ping_interval + config.gateway.ping_timeout,
        }
    }

    /// Serves whoever comes, for as long as it is polled.
    async fn accept(&self, listener: &TcpListener, connections: &TcpConnections) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((tcp, peer)) => self.serve(tcp, peer, connections),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, tcp: TcpStream, peer: SocketAddr, connections: &TcpConnections) {
        if let Err(error) = self.tune(&tcp) {
            tracing::debug!(%error, "a connection has gone");
            return;
        }
        let (router, proxies, proxy_headers) = (self.router.clone(), self.proxies.clone(), self.proxy_headers);
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            let client = proxies.client(peer.ip(), proxy_headers, request.headers());
            request.extensions_mut().insert(client);
            let router = router.clone();
            async move {
                if names_its_host(&request) {
                    router.oneshot(request).await
                } else {
                    Ok(Error::Malformed("The request names no host, or no single one.".into()).into_response())
                }
            }
        });
        connections.serve(self.http.serve_connection(TokioIo::new(tcp), service).with_upgrades());
    }

    /// A peer that takes nothing for that long is gone (Linux's `TCP_USER_TIMEOUT`).
    fn tune(&self, tcp: &TcpStream) -> std::io::Result<()> {
        tcp.set_nodelay(true)?;
        socket2::SockRef::from(tcp).set_tcp_user_timeout(Some(self.user_timeout))
    }
}

/// As RFC 9112 demands it of HTTP/1.1 (section 3.2): what is named twice, a proxy may read otherwise. And nobody's name
/// belongs before a host.
fn names_its_host<B>(request: &hyper::Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => !host.as_bytes().contains(&b'@'),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Tasks;

    #[tokio::test]
    async fn a_task_that_panics_is_noticed() {
        let mut tasks = Tasks::default();
        tasks.spawn("steady", std::future::pending());
        tasks.spawn("unsteady", async { panic!("as planned") });
        assert_eq!(tasks.ended().await, "that panicked");
        tasks.spawn("brief", async {});
        assert_eq!(tasks.ended().await, "brief");
    }

    #[tokio::test]
    async fn a_task_is_ended_and_the_others_go_on() {
        let mut tasks = Tasks::default();
        for name in ["one", "another"] {
            tasks.spawn(name, std::future::pending());
        }
        tasks.end("one").await;
        assert_eq!(tasks.running.len(), 1);
        tasks.end("one").await;
        assert_eq!(tasks.running.len(), 1);
    }
}
