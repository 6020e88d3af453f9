//! What systemd is told of a server, over a socket of its own.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};

use crate::support::command::{natter, serve};
use crate::support::wire::within_deadline;

/// A server, and what hears of it.
struct Service {
    /// Here to be removed with the rest.
    _data: TempDir,
    socket: UnixDatagram,
    server: Child,
}

impl Service {
    /// Started with more settings, by a supervisor that listens at a path.
    fn start(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self::heard_at(path.to_str().unwrap(), socket, data, settings)
    }

    fn heard_at(name: &str, socket: UnixDatagram, data: TempDir, settings: &[(&str, &str)]) -> Self {
        let own = [("NOTIFY_SOCKET", name), ("DATA_DIR", data.path().to_str().unwrap()), ("PORT", "0")];
        let server = serve(&[&own, settings].concat());
        Self { _data: data, socket, server }
    }

    async fn hears(&self) -> String {
        let mut message = [0; 64];
        let length = within_deadline(self.socket.recv(&mut message)).await.unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    async fn is_told_to_stop(&self) {
        let process = self.server.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());
    }

    async fn ends(&mut self) {
        assert!(within_deadline(self.server.wait()).await.unwrap().success());
    }
}

#[tokio::test]
async fn a_supervisor_hears_of_the_start_once_connections_are_accepted_and_of_the_stop() {
    let mut service = Service::start(&[]);
    let mut lines = BufReader::new(service.server.stdout.take().unwrap()).lines();
    assert_eq!(service.hears().await, "READY=1");
    let url = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(url) = line.trim().strip_prefix("Chat ") {
            break url.trim().to_owned();
        }
    };
    assert_eq!(reqwest::get(format!("{url}ready")).await.unwrap().status(), 200);
    service.is_told_to_stop().await;
    assert_eq!(service.hears().await, "STOPPING=1");
    service.ends().await;
}

#[tokio::test]
async fn a_watchful_one_hears_signs_of_life() {
    let mut service = Service::start(&[("WATCHDOG_USEC", "20000")]);
    assert_eq!(service.hears().await, "READY=1");
    for _ in 0..10 {
        assert_eq!(service.hears().await, "WATCHDOG=1");
    }
    service.is_told_to_stop().await;
    while service.hears().await != "STOPPING=1" {}
    service.ends().await;
}

#[tokio::test]
async fn what_is_meant_for_another_process_is_not_answered() {
    let mut service = Service::start(&[("WATCHDOG_USEC", "2"), ("WATCHDOG_PID", "1")]);
    assert_eq!(service.hears().await, "READY=1");
    service.is_told_to_stop().await;
    assert_eq!(service.hears().await, "STOPPING=1");
    service.ends().await;
}

#[tokio::test]
async fn a_supervisor_may_listen_in_the_abstract_namespace() {
    let name = format!("natter-test-{}", uuid::Uuid::new_v4());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = std::os::unix::net::UnixDatagram::bind_addr(&address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = UnixDatagram::from_std(socket).unwrap();
    let service = Service::heard_at(&format!("@{name}"), socket, tempfile::tempdir().unwrap(), &[]);
    assert_eq!(service.hears().await, "READY=1");
}

#[tokio::test]
async fn a_malformed_word_of_a_supervisor_stops_the_start() {
    let data = tempfile::tempdir().unwrap();
    let start = async |variables: &[(&str, &str)]| {
        let own = [("DATA_DIR", data.path().to_str().unwrap()), ("PORT", "0")];
        natter(&[], &[&own, variables].concat(), "").await
    };
    let socket = data.path().join("x".repeat(200));
    let outcome = start(&[("NOTIFY_SOCKET", socket.to_str().unwrap())]).await;
    assert!(outcome.failed().starts_with("natter: NOTIFY_SOCKET: "), "{outcome:?}");
    let outcome = start(&[("NOTIFY_SOCKET", "/run/notify"), ("WATCHDOG_USEC", "soon")]).await;
    assert!(outcome.failed().starts_with("natter: WATCHDOG_USEC is no number"), "{outcome:?}");
}
