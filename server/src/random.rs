//! Unguessable names, from the operating system's generator.

use rand::TryRng;
use rand::rngs::SysRng;

/// `N` lower-case letters and digits, each alike likely.
///
/// # Panics
/// When the operating system has no random bytes to give, which leaves nothing safe to do.
#[expect(clippy::expect_used, reason = "without randomness no secret can be made")]
pub fn alphanumeric<const N: usize>() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The largest multiple of the alphabet's size that fits a byte: what lies above would favour its first letters.
    const FAIR: u8 = 252;
    let mut text = String::with_capacity(N);
    while text.len() < N {
        let mut bytes = [0_u8; 64];
        SysRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 36)])).take(N - text.len()));
    }
    text
}
