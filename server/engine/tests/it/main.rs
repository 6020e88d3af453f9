//! What must hold of the codec whatever it is given.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod mutate;
mod mutations;
mod properties;
