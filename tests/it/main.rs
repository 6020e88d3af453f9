//! Natter as its clients see it: whole servers on free ports, over real HTTP and real sockets, on both databases.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

mod account_page;
mod acks_and_offsets;
mod admin_audit;
mod admin_connections;
mod admin_conversations;
mod admin_door;
mod admin_lists;
mod admin_messages;
mod admin_overview;
mod admin_setup;
mod admin_users;
mod api_root;
mod authorization_header;
mod bad_input;
mod bad_requests;
mod bench;
mod bodies;
mod chat_page;
mod commands;
mod concurrency;
mod conventions;
mod conversations;
mod cors;
mod devices;
mod devices_page;
mod editing;
mod engine;
mod event_order;
mod greeting;
mod handshake;
mod history;
mod hostile;
mod limits;
mod log_out;
mod login_page;
mod messages;
mod migrations;
mod negotiation;
mod nodes;
mod password_reset;
mod password_rules;
mod presence;
mod recovery;
mod revocation;
mod sign_in;
mod sign_up;
mod signup_page;
mod slow_reader;
mod stopping;
mod token;
mod users;
mod wire;
