//! Natter as its clients see it: whole servers on free ports, over real HTTP and real sockets, on both databases.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

mod admin_door;
mod api_root;
mod authorization_header;
mod bad_input;
mod bodies;
mod chat_page;
mod commands;
mod concurrency;
mod conventions;
mod cors;
mod history;
mod limits;
mod log_out;
mod login_page;
mod migrations;
mod negotiation;
mod password_reset;
mod password_rules;
mod sign_in;
mod sign_up;
mod signup_page;
mod token;
mod users;
