//! All sockets that hear a conversation, in rooms of a bounded size.
//!
//! A broadcast to a room holds locks that connecting sockets wait for, and what it queues is best written while the
//! memory it went through is still in the processor's cache. So neither is done for all sockets at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::chat::ConversationId;

/// Sockets in one room.
const SEATS: usize = 256;

/// The rooms of a conversation. One that everybody has left is used again, or forgotten when another must be opened.
pub struct Crowd {
    conversation: ConversationId,
    rooms: Vec<Arc<Room>>,
    /// Names are given out once.
    opened: u64,
}

struct Room {
    name: String,
    taken: AtomicUsize,
}

/// A place in one of the rooms, free again when this is dropped.
pub struct Seat(Arc<Room>);

impl Crowd {
    pub fn of(conversation: ConversationId) -> Self {
        Self { conversation, rooms: Vec::new(), opened: 0 }
    }

    /// The place of the next socket. The rooms are looked through from the newest, as those before are mostly full.
    pub fn seat(&mut self) -> Seat {
        let has_room = |room: &&Arc<Room>| room.taken.load(Ordering::Relaxed) < SEATS;
        let room = match self.rooms.iter().rfind(has_room) {
            Some(room) => room.clone(),
            None => self.open(),
        };
        room.taken.fetch_add(1, Ordering::Relaxed);
        Seat(room)
    }

    fn open(&mut self) -> Arc<Room> {
        self.rooms.retain(|room| room.taken.load(Ordering::Relaxed) > 0);
        self.opened += 1;
        let room = Arc::new(Room {
            name: format!("crowd:{}:{}", self.conversation.0, self.opened),
            taken: AtomicUsize::new(0),
        });
        self.rooms.push(room.clone());
        room
    }

    pub fn is_empty(&self) -> bool {
        self.rooms().next().is_none()
    }

    /// The names of the rooms that somebody is in.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        let is_taken = |room: &&Arc<Room>| room.taken.load(Ordering::Relaxed) > 0;
        self.rooms.iter().filter(is_taken).map(|room| room.name.as_str())
    }
}

impl Seat {
    /// The name of the room.
    pub fn room(&self) -> &str {
        &self.0.name
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Crowd, SEATS};
    use crate::chat::EVERYONE;

    #[test]
    fn rooms_fill_up_and_are_forgotten_when_everybody_has_left() {
        let mut crowd = Crowd::of(EVERYONE);
        let mut seats: Vec<_> = (0..=SEATS).map(|_| crowd.seat()).collect();
        assert_eq!(crowd.rooms().collect::<Vec<_>>(), ["crowd:1:1", "crowd:1:2"]);
        assert_eq!(seats.iter().filter(|seat| seat.room() == "crowd:1:1").count(), SEATS);

        seats.remove(0);
        seats.pop();
        assert_eq!(crowd.rooms().collect::<Vec<_>>(), ["crowd:1:1"]);
        seats.extend((0..=SEATS).map(|_| crowd.seat()));
        assert_eq!(crowd.rooms().count(), 2);

        seats.clear();
        assert_eq!(crowd.rooms().count(), 0);
        for _ in 0..10 * SEATS {
            seats.push(crowd.seat());
            seats.drain(..seats.len() - 1);
        }
        assert_eq!(crowd.rooms().count(), 1);
        assert!(crowd.rooms.len() <= 2);
    }
}
