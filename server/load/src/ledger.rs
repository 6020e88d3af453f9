//! Who has heard what.

use std::collections::HashSet;

use serde::Serialize;

/// Holds that every listener hears every sender's messages once, and in the order of their numbers.
pub struct Ledger {
    senders: usize,
    /// The number that comes next, by listener and then by sender.
    next: Vec<u32>,
    /// What was left out so far: listener, sender, number.
    missing: HashSet<(usize, usize, u32)>,
    repeated: u64,
    reordered: u64,
}

/// Deliveries that went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    pub lost: u64,
    pub repeated: u64,
    /// That came behind a later message of the same sender.
    pub reordered: u64,
}

impl Ledger {
    pub fn new(listeners: usize, senders: usize) -> Self {
        Self { senders, next: vec![0; listeners * senders], missing: HashSet::new(), repeated: 0, reordered: 0 }
    }

    pub fn hear(&mut self, listener: usize, sender: usize, number: u32) {
        let next = &mut self.next[listener * self.senders + sender];
        if number >= *next {
            self.missing.extend((*next..number).map(|missing| (listener, sender, missing)));
            *next = number + 1;
        } else if self.missing.remove(&(listener, sender, number)) {
            self.reordered += 1;
        } else {
            self.repeated += 1;
        }
    }

    /// The faults so far, where each sender has sent so many messages.
    pub fn faults(&self, sent: &[u32]) -> Faults {
        let outstanding = |row: &[u32]| row.iter().zip(sent).map(|(next, sent)| u64::from(sent - next)).sum::<u64>();
        let outstanding: u64 = self.next.chunks(self.senders).map(outstanding).sum();
        Faults { lost: self.missing.len() as u64 + outstanding, repeated: self.repeated, reordered: self.reordered }
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, Ledger};

    /// The faults where two listeners hear two senders, who say three messages each: the first listener everything, the
    /// second one this.
    fn faults_of(heard: &[(usize, u32)]) -> Faults {
        let mut ledger = Ledger::new(2, 2);
        for (sender, number) in [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)] {
            ledger.hear(0, sender, number);
        }
        for (sender, number) in heard {
            ledger.hear(1, *sender, *number);
        }
        ledger.faults(&[3, 3])
    }

    #[test]
    fn what_is_heard_once_and_in_order_has_no_fault() {
        let heard = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];
        assert_eq!(faults_of(&heard), Faults::default());
    }

    #[test]
    fn a_loss_is_found_in_the_middle_and_at_the_end() {
        let heard = [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)];
        assert_eq!(faults_of(&heard), Faults { lost: 1, ..Faults::default() });
        let heard = [(0, 0), (0, 1), (0, 2), (1, 0)];
        assert_eq!(faults_of(&heard), Faults { lost: 2, ..Faults::default() });
        assert_eq!(faults_of(&[]), Faults { lost: 6, ..Faults::default() });
    }

    #[test]
    fn a_repetition_is_found_at_once_and_later() {
        let heard = [(0, 0), (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 1)];
        assert_eq!(faults_of(&heard), Faults { repeated: 2, ..Faults::default() });
    }

    #[test]
    fn what_comes_late_is_reordered_and_not_lost() {
        let heard = [(0, 2), (0, 0), (0, 1), (1, 1), (1, 0), (1, 2)];
        assert_eq!(faults_of(&heard), Faults { reordered: 3, ..Faults::default() });
    }

    #[test]
    fn what_comes_late_and_twice_is_both() {
        let heard = [(0, 1), (0, 0), (0, 0), (0, 2), (1, 0), (1, 1), (1, 2)];
        assert_eq!(faults_of(&heard), Faults { repeated: 1, reordered: 1, ..Faults::default() });
    }
}
