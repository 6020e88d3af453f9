//! What has changed lately in who may hear what. A socket that was looked up before that is looked up again, where it is
//! concerned: else whoever changes something often would keep everybody out.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fan_out::Hears;
use crate::accounts::{Identity, TokenId, UserId};
use crate::chat::ConversationId;

/// How many changes are remembered, where one of a conversation's members counts as many as there are members. Whoever was
/// looked up before all that is remembered is concerned.
const MOST: usize = 100_000;

pub enum Change {
    /// A token was taken back, …
    Token(TokenId),
    /// … or all that a user has.
    User(UserId),
    /// Somebody has come into a conversation or gone from it, and these are in it now.
    Members(ConversationId, HashSet<UserId>),
}

/// What was looked up of a socket.
pub struct LookUp {
    /// [`Changes::count`] from before it was looked up.
    pub since: u64,
    pub identity: Identity,
    pub hears: Hears,
    /// What its user is in, as far as it hears that.
    pub conversations: Vec<ConversationId>,
}

#[derive(Clone, Default)]
pub struct Changes(Arc<Mutex<Recent>>);

#[derive(Default)]
struct Recent {
    count: u64,
    /// The latest is the last one.
    changes: VecDeque<Change>,
    size: usize,
}

impl Changes {
    /// How many there have been.
    pub fn count(&self) -> u64 {
        self.recent().count
    }

    pub fn note(&self, change: Change) {
        let recent = &mut *self.recent();
        recent.count += 1;
        recent.size += change.size();
        recent.changes.push_back(change);
        while recent.size > MOST {
            let Some(oldest) = recent.changes.pop_front() else { break };
            recent.size -= oldest.size();
        }
    }

    /// Whether what was looked up may no longer hold.
    pub fn concern(&self, look_up: &LookUp) -> bool {
        let recent = self.recent();
        let new = usize::try_from(recent.count.saturating_sub(look_up.since)).unwrap_or(usize::MAX);
        new > recent.changes.len() || recent.changes.iter().rev().take(new).any(|change| change.concerns(look_up))
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    fn size(&self) -> usize {
        match self {
            Self::Token(_) | Self::User(_) => 1,
            Self::Members(_, members) => 1 + members.len(),
        }
    }

    fn concerns(&self, look_up: &LookUp) -> bool {
        let LookUp { identity, hears, conversations, .. } = look_up;
        match self {
            Self::Token(token) => *token == identity.token,
            Self::User(user) => *user == identity.user,
            Self::Members(conversation, members) => {
                *hears == Hears::All && members.contains(&identity.user) != conversations.contains(conversation)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::DeviceId;

    const ROOM: ConversationId = ConversationId(7);

    fn look_up(since: u64, hears: Hears, conversations: &[ConversationId]) -> LookUp {
        let token = TokenId(2);
        let identity =
            Identity { user: UserId(1), email: "ann@ref.example".into(), token, device: DeviceId::Token(token) };
        LookUp { since, identity, hears, conversations: conversations.to_vec() }
    }

    fn after(change: Change) -> Changes {
        let changes = Changes::default();
        changes.note(change);
        changes
    }

    fn members(ids: impl IntoIterator<Item = i64>) -> Change {
        Change::Members(ROOM, ids.into_iter().map(UserId).collect())
    }

    #[test]
    fn what_is_taken_back_concerns_whose_it_is() {
        let concerns = |change| after(change).concern(&look_up(0, Hears::Everyone, &[]));
        assert!(concerns(Change::Token(TokenId(2))) && concerns(Change::User(UserId(1))));
        assert!(!concerns(Change::Token(TokenId(1))) && !concerns(Change::User(UserId(2))));
    }

    #[test]
    fn members_concern_who_has_come_or_gone_and_hears_it() {
        let concerns = |ids: &[i64], hears, conversations: &[ConversationId]| {
            after(members(ids.iter().copied())).concern(&look_up(0, hears, conversations))
        };
        assert!(concerns(&[1, 3], Hears::All, &[]), "has come");
        assert!(concerns(&[3], Hears::All, &[ROOM]), "has gone");
        assert!(!concerns(&[1, 3], Hears::All, &[ROOM]) && !concerns(&[3], Hears::All, &[]), "somebody else");
        assert!(!concerns(&[1, 3], Hears::Everyone, &[]), "hears the first conversation only");
    }

    #[test]
    fn who_was_looked_up_later_is_not_concerned() {
        let changes = after(Change::User(UserId(1)));
        let later = look_up(changes.count(), Hears::All, &[]);
        assert!(!changes.concern(&later));
        changes.note(Change::User(UserId(2)));
        assert!(!changes.concern(&later));
        changes.note(Change::User(UserId(1)));
        assert!(changes.concern(&later));
    }

    #[test]
    fn what_is_forgotten_concerns_everybody_who_was_looked_up_before() {
        let changes = after(Change::User(UserId(2)));
        let (before, later) = (look_up(0, Hears::Everyone, &[]), look_up(1, Hears::Everyone, &[]));
        let half = i64::try_from(MOST / 2).unwrap();
        changes.note(members(0..half));
        assert!(!changes.concern(&before));
        changes.note(members(0..half));
        assert!(changes.concern(&before) && changes.concern(&later));
        assert!(!changes.concern(&look_up(2, Hears::Everyone, &[])));
        assert!(changes.recent().size <= MOST);
    }
}
