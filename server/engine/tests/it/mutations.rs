//! A moment of fuzzing, the same each time: what cargo-fuzz does for hours with the same properties.

use std::panic::RefUnwindSafe;
use std::path::Path;

use crate::mutate;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

const EXECUTIONS: usize = 20_000;

#[test]
fn packets_hold_under_mutation() {
    run("packet", targets::packet);
}

#[test]
fn payloads_hold_under_mutation() {
    run("payload", targets::payload);
}

#[test]
fn frames_hold_under_mutation() {
    run("frame", targets::frame);
}

fn run(target: &str, property: impl Fn(&[u8]) + RefUnwindSafe) {
    mutate::run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target), EXECUTIONS, property);
}
