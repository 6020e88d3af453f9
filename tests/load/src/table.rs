//! How the peers compare under one load.

use crate::compare::Finding;
use crate::load::Load;

pub fn of(load: Load, findings: &[Finding]) -> String {
    let mut text = format!("\n{}\n", load.title());
    for finding in findings.iter().filter(|finding| finding.load == load) {
        text += &format!("{}: {:?}\n", finding.peer.name(), finding.report);
    }
    text
}
