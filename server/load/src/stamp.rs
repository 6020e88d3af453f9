//! What a message's text tells of it: its run, its sender, its number and when it was sent.

use memchr::memmem::Finder;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub sender: u16,
    /// 0, 1, 2, … for each sender.
    pub number: u32,
    /// Nanoseconds since the run began.
    pub sent: u64,
}

/// Writes the stamps of one run into texts, and finds them in whatever the server makes of the texts.
pub struct Stamps {
    marker: Finder<'static>,
}

const SENDER: usize = 4;
const NUMBER: usize = 8;
const SENT: usize = 16;

impl Stamps {
    /// `run` tells this run's messages from those of others.
    pub fn new(run: u32) -> Self {
        Self { marker: Finder::new(format!("natter bench {run:08x} ").as_bytes()).into_owned() }
    }

    /// Appends the text of a message: some fifty characters that JSON leaves alone.
    pub fn put(&self, out: &mut Vec<u8>, stamp: Stamp) {
        out.extend(self.marker.needle());
        put_hex(out, SENDER, stamp.sender.into());
        put_hex(out, NUMBER, stamp.number.into());
        put_hex(out, SENT, stamp.sent);
    }

    /// The stamp of the message in `packet`, if it has one of this run.
    pub fn find(&self, packet: &[u8]) -> Option<Stamp> {
        let start = self.marker.find(packet)? + self.marker.needle().len();
        let (sender, rest) = packet[start..].split_at_checked(SENDER)?;
        let (number, rest) = rest.split_at_checked(NUMBER)?;
        let (sent, _) = rest.split_at_checked(SENT)?;
        Some(Stamp {
            sender: u16::try_from(hex(sender)?).ok()?,
            number: u32::try_from(hex(number)?).ok()?,
            sent: hex(sent)?,
        })
    }
}

fn put_hex(out: &mut Vec<u8>, digits: usize, value: u64) {
    out.extend((0..digits).rev().map(|digit| b"0123456789abcdef"[(value >> (4 * digit) & 0xf) as usize]));
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use super::{Stamp, Stamps};

    #[test]
    fn a_stamp_is_found_in_what_a_server_makes_of_it() {
        let stamps = Stamps::new(0xbeef);
        let stamp = Stamp { sender: 65_535, number: 4_000_000_000, sent: u64::MAX - 1 };
        let mut text = Vec::new();
        stamps.put(&mut text, stamp);
        let packet = [b"42[\"said\",\"ann: ", &text[..], b"\"]"].concat();
        assert_eq!(stamps.find(&packet), Some(stamp));
        assert_eq!(Stamps::new(0xbee).find(&packet), None, "a message of another run");
        assert_eq!(stamps.find(&packet[..packet.len() - 3]), None, "a text that was cut");
    }
}
