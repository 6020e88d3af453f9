//! Who takes nothing of what waits for it is cut in time (`gateway.writeTimeout`), however little that is.

use rstest::rstest;

use crate::support::app::{PATIENT, Storage, TestApp, start_with};
use crate::support::crowd::Crowd;
use crate::support::log::Log;
use crate::support::packet::message;
use crate::support::person::Person;
use crate::support::wire::{Eio, Heard, Transport, Wire, within_deadline};

/// Short, but longer than a busy machine keeps a reader waiting.
const WRITE_TIMEOUT: (&str, &str) = ("NATTER_GATEWAY__WRITE_TIMEOUT", "2500");

/// The server's pings are a test's clock, and not to be answered in time.
const TICKING: [(&str, &str); 2] =
    [("NATTER_GATEWAY__PING_INTERVAL", "100"), ("NATTER_GATEWAY__PING_TIMEOUT", "60000")];

/// Far less than may wait for a client by default, and more than the network holds.
const COUNT: i64 = 100;

fn text() -> String {
    "x".repeat(10_000)
}

/// An authenticated websocket, of which nothing is read but what a test waits for.
async fn reader(app: &TestApp, eio: Eio, person: &Person) -> Wire {
    let mut wire = Wire::connect(app, eio, Transport::Websocket).await;
    wire.authenticate(person).await;
    wire
}

#[rstest]
#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_and_one_that_takes_little_by_little_is_not(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let log = Log::listen();
    let app = start_with(storage, &[WRITE_TIMEOUT, TICKING[0], TICKING[1], PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    let mut clock = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    let _stalled = reader(&app, eio, &alice).await;
    let mut slow = reader(&app, eio, &alice).await;
    let mut speaker = reader(&app, eio, &alice).await;
    // All at once, as the slow one reads nothing meanwhile.
    let packet = message(&text());
    speaker.send_all(&(0..COUNT).map(|_| &*packet).collect::<Vec<_>>()).await;
    speaker.hears_all(1..=COUNT).await;

    let slow_sockets = || app.app.metrics.slow_sockets.get();
    let mut seqs = 1..=COUNT;
    let mut ticks = 0;
    while slow_sockets() == 0 {
        assert!(ticks < 50, "it is not cut");
        ticks += 1;
        tick(&mut clock).await;
        slow.hears_all(seqs.next()).await;
    }
    assert_eq!(log.count("it takes nothing"), 1);
    for _ in 0..20 {
        tick(&mut clock).await;
        slow.hears_all(seqs.next()).await;
    }
    slow.hears_all(seqs).await;
    let newer = speaker.post("newer").await;
    slow.hears_all([newer]).await;
    assert_eq!(slow_sockets(), 1);
}

/// Waits for the server's next ping.
async fn tick(clock: &mut Wire) {
    let ping = within_deadline(clock.websocket().read()).await;
    assert_eq!(ping, Heard::Packet("2".to_owned()));
    clock.send("3").await;
}

#[rstest]
#[tokio::test]
async fn two_hundred_listeners_miss_nothing_while_one_is_cut_that_takes_nothing_and_it_can_come_back(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[WRITE_TIMEOUT]).await;
    let alice = Person::join(&app, "alice").await;
    let mut stalled = reader(&app, eio, &alice).await;
    let mut others = Crowd::gather(&app, eio, &alice, 200).await;
    let mut newest = 0;
    while app.app.metrics.slow_sockets.get() == 0 {
        assert!(newest < 1_000, "it is not cut");
        newest += 1;
        assert_eq!(others.hears(&text()).await, newest);
    }
    let last = stalled.hears_until_closed().await;
    assert!(last < newest);
    Wire::come_back(&app, eio, &alice, last).await.hears_all(last + 1..=newest).await;
    assert_eq!(others.hears("newer").await, newest + 1);
    assert_eq!(app.app.metrics.slow_sockets.get(), 1);
}
