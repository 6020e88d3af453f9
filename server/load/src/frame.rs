//! Websocket frames (RFC 6455, section 5.2), as far as Socket.IO goes: whole messages, no extensions.

use anyhow::{Result, bail};

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
/// In place of a length: it follows, in so many bytes.
const TWO_BYTES: u8 = 0x7e;
const EIGHT_BYTES: u8 = 0x7f;

/// Who sends a frame. Clients must mask; the mask here is always zeros, which leaves the payload readable as it is.
#[derive(Clone, Copy)]
pub enum Side {
    Client,
    Server,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
}

/// Appends a frame.
pub fn put(out: &mut Vec<u8>, side: Side, opcode: u8, payload: &[u8]) {
    let (mask_bit, mask): (u8, &[u8]) = match side {
        Side::Client => (MASKED, &[0; 4]),
        Side::Server => (0, &[]),
    };
    out.push(FINAL | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(mask_bit | length),
        (_, Ok(length)) => {
            out.push(mask_bit | TWO_BYTES);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(mask_bit | EIGHT_BYTES);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload);
}

/// The first frame of `bytes` and what is behind it, or nothing where it is not all there yet. A mask is taken to be
/// zeros, as [`put`] makes it.
///
/// # Errors
/// Where the bytes are no frame, or a part of a message only.
pub fn split(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    let opcode = first & 0x0f;
    if first & 0xf0 != FINAL || opcode == 0 {
        bail!("the server sends what is no whole websocket message (first byte {first:#04x})");
    }
    let length_bytes = match second & !MASKED {
        TWO_BYTES => 2,
        EIGHT_BYTES => 8,
        _ => 0,
    };
    let start = 2 + length_bytes;
    let length = match bytes.get(2..start) {
        None => return Ok(None),
        Some([]) => u64::from(second & !MASKED),
        Some(big_endian) => big_endian.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    let start = if second & MASKED == 0 { start } else { start + 4 };
    let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(start);
    Ok(bytes.get(start..end).map(|payload| (Frame { opcode, payload }, &bytes[end..])))
}

#[cfg(test)]
mod tests {
    use super::{Frame, Side, TEXT, put, split};

    #[test]
    fn what_was_put_is_split_again_and_only_when_it_is_whole() {
        for side in [Side::Client, Side::Server] {
            for length in [0, 1, 125, 126, 65_535, 65_536] {
                let payload = vec![b'x'; length];
                let mut bytes = Vec::new();
                put(&mut bytes, side, TEXT, &payload);
                for end in [0, 1, 2, 5, bytes.len() - 1].into_iter().filter(|end| *end < bytes.len()) {
                    assert_eq!(split(&bytes[..end]).unwrap(), None, "{end} of {length}");
                }
                bytes.push(7);
                let frame = Frame { opcode: TEXT, payload: &payload };
                assert_eq!(split(&bytes).unwrap(), Some((frame, &[7][..])), "{length}");
            }
        }
    }

    #[test]
    fn parts_of_messages_and_extensions_are_refused() {
        for first in [0x01, 0x80, 0xc1] {
            assert!(split(&[first, 0]).is_err(), "{first:#04x}");
        }
    }
}
