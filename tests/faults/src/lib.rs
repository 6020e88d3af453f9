//! Proof that nothing is lost: clients put down all that they say and hear while the server is killed, frozen and cut off, and
//! what they have put down is judged.
//!
//! * [`history`]: what is put down. [`verdict`]: what must hold of it.

pub mod history;
pub mod verdict;
