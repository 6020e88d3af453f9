use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is no larger than this is always let in: the packets and requests of those who merely chat.
const SMALL: usize = 16 * 1024;

/// The memory for what clients have sent in part, of all of them together.
#[derive(Debug)]
pub struct Intake {
    most: usize,
    held: AtomicUsize,
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeFull;

/// What is held for one client, until this is dropped.
#[derive(Debug)]
pub struct Share {
    intake: Arc<Intake>,
    bytes: usize,
}

impl Intake {
    /// `most` in bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: AtomicUsize::new(0) })
    }

    /// How much is held now, in bytes.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub fn share(self: &Arc<Self>) -> Share {
        Share { intake: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Says how many bytes are held now.
    ///
    /// # Errors
    /// All clients together would hold too much, and this one more than a little. What is held by it is to be let go.
    pub fn hold(&mut self, bytes: usize) -> Result<(), IntakeFull> {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes == before {
            return Ok(());
        }
        if bytes < before {
            self.intake.held.fetch_sub(before - bytes, Ordering::Relaxed);
            return Ok(());
        }
        let more = bytes - before;
        let held = self.intake.held.fetch_add(more, Ordering::Relaxed) + more;
        if held > self.intake.most && bytes > SMALL { Err(IntakeFull) } else { Ok(()) }
    }
}

impl Share {
    /// Says that so many bytes more are held.
    ///
    /// # Errors
    /// As [`Self::hold`]. They count nevertheless, until they are let go.
    pub fn hold_more(&mut self, bytes: usize) -> Result<(), IntakeFull> {
        self.hold(self.bytes.saturating_add(bytes))
    }

    /// Says that so many bytes less are held.
    pub fn let_go(&mut self, bytes: usize) {
        let left = self.bytes.saturating_sub(bytes);
        self.intake.held.fetch_sub(self.bytes - left, Ordering::Relaxed);
        self.bytes = left;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.intake.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Intake, IntakeFull, SMALL};

    #[test]
    fn what_all_hold_together_is_bounded_and_given_back() {
        let intake = Intake::new(10 * SMALL);
        let (mut one, mut other) = (intake.share(), intake.share());
        assert_eq!(one.hold(9 * SMALL), Ok(()));
        assert_eq!(other.hold(2 * SMALL), Err(IntakeFull));
        drop(other);
        let mut other = intake.share();
        assert_eq!(other.hold(SMALL), Ok(()));
        assert_eq!(other.hold(SMALL + 1), Err(IntakeFull));
        assert_eq!(one.hold(0), Ok(()));
        assert_eq!(other.hold(10 * SMALL), Ok(()));
        other.let_go(2 * SMALL);
        assert_eq!(one.hold_more(2 * SMALL), Ok(()));
        assert_eq!(one.hold_more(1), Err(IntakeFull));
        one.let_go(usize::MAX);
        assert_eq!(intake.held(), 8 * SMALL);
    }

    #[test]
    fn what_is_small_is_let_in_however_much_is_held() {
        let intake = Intake::new(0);
        let mut shares: Vec<_> = (0..10).map(|_| intake.share()).collect();
        assert!(shares.iter_mut().all(|share| share.hold(SMALL) == Ok(())));
    }
}
