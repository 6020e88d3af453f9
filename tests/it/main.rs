//! Natter as its clients see it: whole servers on free ports, over real HTTP and real sockets, on both databases.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

mod sign_up;
