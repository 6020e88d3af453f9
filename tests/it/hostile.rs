//! Input that no honest client sends: it costs its sender the connection at most, and nobody else notices.

use rstest::rstest;

use crate::support::app::Storage;
use crate::support::bystander::{notices_nothing, start_with_bystander};
use crate::support::packet::deep;
use crate::support::wire::{Eio, Heard, Transport, Wire};

/// The transport ends without another event.
async fn is_cut(wire: &mut Wire, because: &str) {
    let next = wire.next().await;
    assert!(matches!(next, Heard::Closed(_)), "{because}: {next:?}");
}

const MALFORMED: [&str; 19] = [
    "",
    "7",
    "x",
    "{}",
    "4",
    "4x",
    "49",
    "42",
    "42{}",
    "42[",
    "42[]",
    "42[1]",
    "42[null,{}]",
    r#"42["client-sent-message",{"message":"x"]"#,
    r#"42["client-sent-message",nul]"#,
    r#"42["authentication",{"token":}]"#,
    r#"451-["client-sent-message",{"message":"#,
    "0{}",
    "5",
];

#[rstest]
#[tokio::test]
async fn a_malformed_packet_closes_its_connection_and_nobody_else_notices(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    for packet in MALFORMED {
        let mut wire = Wire::connect(&app, eio, transport).await;
        wire.authenticate(&alice).await;
        wire.websocket().send_text(packet).await;
        // Were the packet ignored, this would be answered. It ends a packet that waits for its binary part.
        wire.websocket().send_text(r#"42["authentication",{}]"#).await;
        is_cut(&mut wire, packet).await;
    }
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn a_malformed_packet_before_the_greeting_closes_its_connection(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let (app, _, mut bystander) = start_with_bystander(storage).await;
    for packet in MALFORMED {
        let mut wire = Wire::open(&app, Eio::V4, Transport::Websocket).await;
        wire.websocket().send_text(packet).await;
        wire.websocket().send_text("40").await;
        is_cut(&mut wire, packet).await;
    }
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn a_malformed_packet_ends_a_polling_socket_and_nobody_else_notices(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    for packet in ["4", "42{}", "42[", r#"42["client-sent-message",nul]"#, r#"42["authentication",{"token":}]"#] {
        let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
        wire.authenticate(&alice).await;
        wire.send(packet).await;
        let next = wire.next().await;
        assert!(next == Heard::Packet("41".to_owned()) || next == Heard::Closed(None), "{packet}: {next:?}");
    }
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn packets_that_are_sound_but_concern_nobody_are_ignored(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, _) = start_with_bystander(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    wire.authenticate(&alice).await;
    wire.send("43999[]").await;
    wire.send("439223372036854775807[1]").await;
    wire.send(r#"42/other,["client-sent-message",{"message":"x"}]"#).await;
    wire.say("still here").await;
    wire.hears("alice@ref.example: still here").await;
}

#[rstest]
#[tokio::test]
async fn a_second_connect_packet_changes_nothing(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let (app, alice, _) = start_with_bystander(storage).await;
    let mut wire = Wire::enter(&app, &alice).await;
    wire.send_all(&["40", r#"40{"token":"wrong"}"#, "40"]).await;
    wire.say("still here").await;
    wire.hears("alice@ref.example: still here").await;
}

#[rstest]
#[tokio::test]
async fn binary_placeholders_that_lie_do_no_harm(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    let liars = [
        r#"451-["client-sent-message",{"message":{"_placeholder":true,"num":5}}]"#,
        r#"451-["client-sent-message",{"message":{"_placeholder":true,"num":-1}}]"#,
        r#"451-["client-sent-message",{"_placeholder":true,"num":0}]"#,
        r#"451-["client-sent-message",{"message":"no placeholder"}]"#,
        r#"451-["authentication",{"token":{"_placeholder":true,"num":0}}]"#,
        r#"450-["client-sent-message",{"message":{"_placeholder":true,"num":0}}]"#,
        r#"4599999999-["client-sent-message",{"message":{"_placeholder":true,"num":0}}]"#,
        r#"4518446744073709551616-["client-sent-message",{}]"#,
        r#"4-51-["client-sent-message",{}]"#,
        "461-5[]",
    ];
    for packet in liars {
        let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
        wire.authenticate(&alice).await;
        wire.send(packet).await;
        wire.websocket().send_binary(b"\x04bytes").await;
        // Ignored or cut off; but never believed.
        wire.websocket().send_binary(b"\x04more").await;
        let said = wire.next().await;
        let was_cut = matches!(said, Heard::Closed(_));
        let was_plain = matches!(&said, Heard::Packet(packet) if packet.contains("no placeholder"));
        let was_refused = matches!(&said, Heard::Packet(packet) if packet.contains("unauthorized"));
        assert!(was_cut || was_plain || was_refused, "{packet}: {said:?}");
    }
    bystander.say("end").await;
    while bystander.message().await["message"] != "alice@ref.example: end" {}
}

#[rstest]
#[tokio::test]
async fn binary_that_was_not_announced_does_no_harm(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    for bytes in [&b""[..], b"\x04", b"\x04bytes", b"\xff\xff"] {
        let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
        wire.authenticate(&alice).await;
        wire.websocket().send_binary(bytes).await;
        is_cut(&mut wire, &format!("{bytes:?}")).await;
    }
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn json_ten_thousand_levels_deep_is_heard_by_nobody(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values("client-sent-message", "authentication")] event: &str,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    for packet in deep(event) {
        let mut wire = Wire::enter(&app, &alice).await;
        wire.send(&packet).await;
    }
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn text_that_is_not_utf_8_closes_its_connection(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    wire.authenticate(&alice).await;
    wire.websocket().send_text_frame(b"42[\"client-sent-message\",{\"message\":\"\xc3\x28\"}]").await;
    is_cut(&mut wire, "invalid UTF-8").await;
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_message_that_is_too_large_closes_its_connection(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    wire.authenticate(&alice).await;
    wire.websocket().send_text(&"x".repeat(1_000_001)).await;
    is_cut(&mut wire, "too large").await;
    notices_nothing(&mut bystander).await;
}
