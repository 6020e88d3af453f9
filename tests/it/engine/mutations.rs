//! A moment of fuzzing, the same each time: what cargo-fuzz does for hours with the same properties.

use std::panic::RefUnwindSafe;
use std::path::Path;

#[path = "../../../server/engine/tests/it/mutate.rs"]
mod mutate;
#[expect(clippy::expect_used, reason = "a property that cannot be asked does not hold")]
#[path = "../../../server/fuzz/src/lib.rs"]
mod targets;

const EXECUTIONS: usize = 1_000;

#[test]
fn requests_hold_under_mutation() {
    run("request", targets::request);
}

#[test]
fn packets_hold_under_mutation() {
    run("packets", targets::packets);
}

fn run(target: &str, property: impl Fn(&[u8]) + RefUnwindSafe) {
    mutate::run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target), EXECUTIONS, property);
}
