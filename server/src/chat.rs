//! Chat: messages in conversations, posted once, kept, and read again; and who is in which conversation.

pub mod conversation;
pub mod conversation_routes;
mod counted_user;
mod fields;
pub mod log;
pub mod member;
pub mod message;
pub mod page;
pub mod routes;
pub mod socket;

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::oneshot;

use crate::accounts::{self, User, UserId};
use crate::app::App;
use crate::error::{Error, Result};
use crate::event::Event;
use conversation::Conversation;
pub use conversation::{ConversationId, EVERYONE, Kind, Reach};
pub use log::{Post, Refusal, Reply};
use member::Member;
pub use message::{Change, Message, Stored};

/// The longest name that a sender may give a message, in bytes.
pub const MAX_CLIENT_OFFSET_BYTES: usize = 128;
/// The longest name of a conversation.
pub const MAX_NAME_CHARACTERS: usize = 80;

/// The longest page of history, in bytes of text, however many messages that is: as JSON it may be six times as long, and
/// waits until it is read.
const MAX_PAGE_BYTES: usize = 256 * 1024;

/// Where to read the history.
#[derive(Clone, Copy, Debug)]
pub enum From {
    Newest,
    Before(i64),
    After(i64),
}

/// A page of history, newest first.
pub struct Page {
    pub messages: Vec<Message>,
    pub has_older: bool,
    pub has_newer: bool,
}

/// A conversation as one of those who see it does.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub id: ConversationId,
    pub kind: Kind,
    /// Of a direct conversation, the other's e-mail.
    pub name: String,
    /// Whether they hear it, and may speak.
    pub joined: bool,
    /// Whether they may name it, and remove others from it.
    pub owned: bool,
    pub last_seq: i64,
    /// The last message that they have read; where nothing has been read yet, the last there is.
    pub read_seq: i64,
    /// The other person of a direct conversation.
    pub with: Option<UserId>,
}

/// Posts a message. This is the one way in, for every door.
///
/// The reply comes through `post.reply`, after the message is committed or refused.
pub fn post(app: &App, post: Post) {
    let post = counted(app, post);
    match check(app, &post).and_then(|()| count(app, post.author)) {
        Ok(()) => app.log.append(post),
        Err(refusal) => (post.reply)(Err(refusal)),
    }
}

/// The same post, which is counted where it is refused, wherever that is.
fn counted(app: &App, mut post: Post) -> Post {
    let (metrics, reply) = (app.metrics.clone(), post.reply);
    post.reply = Box::new(move |result| {
        if let Err(refusal) = &result {
            metrics.refused_messages.with_label_values(&[refusal.code()]).inc();
        }
        reply(result);
    });
    post
}

fn count(app: &App, author: UserId) -> Result<(), Refusal> {
    app.rates.messages.count(&author).map_err(|wait| {
        app.metrics.rate_limited("messages");
        Refusal::Throttled { seconds: wait.as_secs() + 1 }
    })
}

/// Counts whatever somebody does beside posting, at the door and before it is looked at: what is wrong counts, too.
///
/// # Errors
/// [`Refusal::Throttled`] where it is too much in a short time.
pub fn count_event(app: &App, user: UserId) -> Result<(), Refusal> {
    app.rates.events.count(&user).map_err(|wait| {
        app.metrics.rate_limited("events");
        Refusal::Throttled { seconds: wait.as_secs() + 1 }
    })
}

fn check(app: &App, post: &Post) -> Result<(), Refusal> {
    check_text(app, &post.text)?;
    let offset = post.client_offset.as_deref().unwrap_or_default();
    if post.client_offset.is_some() && offset.is_empty() {
        return Err(Refusal::InvalidOffset("A clientOffset is a text that is not empty."));
    }
    if offset.len() > MAX_CLIENT_OFFSET_BYTES {
        return Err(Refusal::InvalidOffset("The clientOffset is too long."));
    }
    if offset.contains('\0') {
        return Err(Refusal::InvalidOffset("Null characters are not allowed."));
    }
    Ok(())
}

fn check_text(app: &App, text: &str) -> Result<(), Refusal> {
    if text.len() > app.config.chat.max_message_bytes.get() {
        return Err(Refusal::Invalid("The message is too long."));
    }
    // PostgreSQL keeps no such text.
    if text.contains('\0') {
        return Err(Refusal::Invalid("Null characters are not allowed."));
    }
    Ok(())
}

/// Posts a message and waits until it is committed.
pub async fn post_and_wait(
    app: &App,
    author: &User,
    conversation: ConversationId,
    text: String,
    client_offset: Option<String>,
) -> Result<Message> {
    let (sender, receiver) = oneshot::channel();
    let reply = Box::new(move |result| drop(sender.send(result)));
    let email = author.email.as_str().into();
    post(app, Post { conversation, author: author.id, email, text, client_offset, reply });
    match receiver.await {
        Ok(posted) => posted.map_err(Error::from),
        Err(_) => Err(Error::Unavailable("the log has stopped")),
    }
}

impl std::convert::From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(reason) => Self::invalid("message", reason),
            Refusal::InvalidOffset(reason) => Self::invalid("clientOffset", reason),
            Refusal::Unauthenticated => Self::NotAuthenticated,
            Refusal::NotAMember | Refusal::NotTheAuthor => Self::PermissionDenied,
            Refusal::NotFound => Self::NotFound,
            Refusal::Throttled { seconds } => Self::Throttled(seconds),
            Refusal::Overloaded | Refusal::Stopping | Refusal::Unavailable => Self::Unavailable(refusal.code()),
        }
    }
}

/// Gives one's own message another text.
///
/// # Errors
/// [`Refusal::NotFound`] where there is no such message, or no more.
pub async fn edit(
    app: &App,
    author: UserId,
    conversation: ConversationId,
    seq: i64,
    text: String,
) -> Result<Message, Refusal> {
    check_text(app, &text)?;
    change(app, author, conversation, seq, Change::Edited(text)).await
}

/// Takes one's own message back. Its place stays, its text is gone for everybody.
///
/// # Errors
/// As [`edit`].
pub async fn delete(app: &App, author: UserId, conversation: ConversationId, seq: i64) -> Result<Message, Refusal> {
    change(app, author, conversation, seq, Change::Deleted { by: author }).await
}

async fn change(
    app: &App,
    author: UserId,
    conversation: ConversationId,
    seq: i64,
    change: Change,
) -> Result<Message, Refusal> {
    match try_change(app, author, conversation, seq, change).await {
        Ok(changed) => changed,
        Err(error) => {
            tracing::error!(%error, "a message could not be changed");
            Err(Refusal::Unavailable)
        }
    }
}

async fn try_change(
    app: &App,
    author: UserId,
    id: ConversationId,
    seq: i64,
    change: Change,
) -> Result<Result<Message, Refusal>> {
    if !is_in(app.database.read(), author, id).await? {
        return Ok(Err(Refusal::NotAMember));
    }
    let transaction = app.database.begin().await?;
    // The lock first, so that two changes of one message come after each other.
    let number = conversation::take_change(&transaction, id).await?;
    // Again, as somebody may have taken them out before the lock was taken.
    if !is_in(&transaction, author, id).await? {
        return Ok(Err(Refusal::NotAMember));
    }
    let found = message::by_seq(&transaction, id, seq).await?;
    let Some(found) = found.filter(|message| message.deleted_at.is_none()) else {
        return Ok(Err(Refusal::NotFound));
    };
    if found.author_id != author {
        return Ok(Err(Refusal::NotTheAuthor));
    }
    let message = message::change(&transaction, found, change, number).await?;
    transaction.commit().await?;
    app.events.publish(Event::MessageChanged { number, message: message.clone() }).await;
    Ok(Ok(message))
}

/// Deletes or restores a message, whoever has written it; for staff, who record it in the same `transaction`. What comes
/// back is to be published once that is through; nothing where the message is so already.
pub async fn moderate(
    transaction: &impl sea_orm::ConnectionTrait,
    message: &Stored,
    change: Change,
) -> Result<Option<Event>> {
    let Stored { conversation_id, seq, .. } = *message;
    let number = conversation::take_change(transaction, conversation_id).await?;
    // Again, as somebody may have changed it before the lock was taken.
    let found = message::by_seq(transaction, conversation_id, seq).await?;
    let makes_sense = |message: &Stored| match change {
        Change::Deleted { .. } | Change::Edited(_) => message.deleted_at.is_none(),
        Change::Restored => message.deleted_at.is_some() && !message.is_withdrawn(),
    };
    let Some(found) = found.filter(makes_sense) else { return Ok(None) };
    let message = message::change(transaction, found, change, number).await?;
    Ok(Some(Event::MessageChanged { number, message }))
}

/// Whether what is said in a conversation is for this user.
async fn is_in(db: &impl sea_orm::ConnectionTrait, user: UserId, id: ConversationId) -> Result<bool> {
    Ok(id == EVERYONE || member::find(db, id, user).await?.is_some())
}

/// At most `limit` messages of the history, and fewer where they are long.
pub async fn history(app: &App, id: ConversationId, from: From, limit: u64) -> Result<Page> {
    let db = app.database.read();
    // One more than asked for tells whether there is more.
    let (mut messages, keep) = match from {
        From::Newest => (message::before(db, id, i64::MAX, limit + 1).await?, limit),
        From::Before(seq) => (message::before(db, id, seq, limit + 1).await?, limit),
        From::After(seq) => (message::after(db, id, seq, limit + 1).await?, limit),
    };
    let mut bytes = 0;
    let fitting = messages.iter().take_while(|message| {
        bytes += message.line.len();
        bytes <= MAX_PAGE_BYTES
    });
    // One at least, so that whoever turns pages gets on.
    let keep = usize::try_from(keep).unwrap_or(usize::MAX).min(fitting.count().max(1));
    let has_more = messages.len() > keep;
    messages.truncate(keep);
    Ok(match from {
        From::Newest => Page { messages, has_older: has_more, has_newer: false },
        From::Before(_) => Page { messages, has_older: has_more, has_newer: true },
        From::After(seq) => {
            messages.reverse();
            Page { messages, has_older: seq > 0, has_newer: has_more }
        }
    })
}

/// The first `limit` messages after `seq`, oldest first.
pub async fn missed(app: &App, id: ConversationId, seq: i64, limit: u64) -> Result<Vec<Message>> {
    message::after(app.database.read(), id, seq, limit).await
}

/// The first `limit` messages that were changed after the change `number`, each with the number of its last change.
pub async fn changed(app: &App, id: ConversationId, number: i64, limit: u64) -> Result<Vec<(i64, Message)>> {
    message::changed_after(app.database.read(), id, number, limit).await
}

/// How far a conversation has come.
///
/// # Errors
/// [`Error::NotFound`] where there is none.
pub async fn reach(app: &App, id: ConversationId) -> Result<Reach> {
    conversation::reach(app.database.read(), id).await?.ok_or(Error::NotFound)
}

/// How far these conversations have come, as far as they exist.
pub async fn reaches(app: &App, ids: Vec<ConversationId>) -> Result<Vec<Reach>> {
    conversation::reaches(app.database.read(), ids).await
}

/// How many messages have been posted, in all conversations.
pub async fn count_messages(app: &App) -> Result<i64> {
    conversation::count_messages(app.database.read()).await
}

/// Where something may have happened since `time`.
pub async fn touched_since(app: &App, time: OffsetDateTime) -> Result<Vec<Reach>> {
    conversation::touched_since(app.database.read(), time).await
}

/// Which conversations a user hears beside the first.
pub async fn conversations_of(app: &App, user: UserId) -> Result<Vec<ConversationId>> {
    member::conversations_of(app.database.read(), user).await
}

/// Who is in a conversation.
pub async fn member_ids(app: &App, id: ConversationId) -> Result<HashSet<UserId>> {
    member::ids(app.database.read(), id).await
}

/// The conversations that a user is in or may join, and how many there are.
pub async fn conversations(app: &App, user: &User, offset: u64, limit: u64) -> Result<(u64, Vec<Summary>)> {
    let db = app.database.read();
    let (count, page) = conversation::visible_to(db, user.id, offset, limit).await?;
    let direct = page.iter().filter(|(conversation, _)| conversation.kind == Kind::Direct);
    let others = member::others(db, direct.map(|(conversation, _)| conversation.id), user.id).await?;
    let others: HashMap<_, _> = others.into_iter().collect();
    let summary = |(conversation, member): (Conversation, Option<Member>)| {
        let other = others.get(&conversation.id);
        summarize(conversation, member.as_ref(), other, user.id)
    };
    Ok((count, page.into_iter().map(summary).collect()))
}

fn summarize(conversation: Conversation, member: Option<&Member>, other: Option<&User>, user: UserId) -> Summary {
    let Conversation { id, kind, name, last_seq, owner_id, .. } = conversation;
    Summary {
        id,
        kind,
        name: other.map_or(name, |other| other.email.clone()),
        joined: kind == Kind::Everyone || member.is_some(),
        owned: kind != Kind::Direct && owner_id == Some(user),
        last_seq,
        read_seq: member.map_or(last_seq, |member| member.read_seq),
        with: other.map(|other| other.id),
    }
}

/// A conversation that a user sees.
///
/// # Errors
/// [`Error::NotFound`] where there is none, or it is not for this user.
pub async fn conversation(app: &App, user: &User, id: ConversationId) -> Result<Summary> {
    let (conversation, member) = seen(app, user.id, id).await?;
    let other = match conversation.kind {
        Kind::Direct => member::others(app.database.read(), [id], user.id).await?.pop(),
        _ => None,
    };
    Ok(summarize(conversation, member.as_ref(), other.as_ref().map(|(_, other)| other), user.id))
}

async fn seen(app: &App, user: UserId, id: ConversationId) -> Result<(Conversation, Option<Member>)> {
    let db = app.database.read();
    let conversation = conversation::by_id(db, id).await?.ok_or(Error::NotFound)?;
    let member = member::find(db, id, user).await?;
    let is_open = matches!(conversation.kind, Kind::Everyone | Kind::Open);
    if is_open || member.is_some() { Ok((conversation, member)) } else { Err(Error::NotFound) }
}

/// Opens a room; who opens it is in it, and owns it.
pub async fn open_room(app: &App, user: &User, kind: Room, name: String) -> Result<Summary> {
    let transaction = app.database.begin().await?;
    let room = conversation::insert(&transaction, kind.into(), name, user.id).await?;
    member::insert(&transaction, room.id, user.id, 0).await?;
    check_memberships(app, &transaction, user.id).await?;
    transaction.commit().await?;
    app.events.publish(Event::ConversationChanged(room.id)).await;
    conversation(app, user, room.id).await
}

/// What kinds of rooms people open.
#[derive(Clone, Copy, Debug)]
pub enum Room {
    Open,
    Invitation,
}

impl std::convert::From<Room> for Kind {
    fn from(room: Room) -> Self {
        match room {
            Room::Open => Self::Open,
            Room::Invitation => Self::Invitation,
        }
    }
}

/// The direct conversation of two people, which begins here if it has not before.
///
/// # Errors
/// [`Error::Invalid`] where there is no such person.
pub async fn open_direct(app: &App, user: &User, email: &str) -> Result<Summary> {
    let other = person(app, "email", email).await?;
    if other.id == user.id {
        return Err(Error::invalid("email", "A direct conversation is with somebody else."));
    }
    let key = conversation::direct_key(user.id, other.id);
    let db = app.database.read();
    let id = match conversation::by_direct_key(db, &key).await? {
        Some(begun) => begun.id,
        None => begin_direct(app, user.id, other.id, key).await?,
    };
    conversation(app, user, id).await
}

async fn begin_direct(app: &App, user: UserId, other: UserId, key: String) -> Result<ConversationId> {
    let transaction = app.database.begin().await?;
    let begun = conversation::insert_direct(&transaction, user, key).await?;
    for person in [user, other] {
        member::insert(&transaction, begun.id, person, 0).await?;
        check_memberships(app, &transaction, person).await?;
    }
    transaction.commit().await?;
    app.events.publish(Event::ConversationChanged(begun.id)).await;
    Ok(begun.id)
}

async fn person(app: &App, field: &'static str, email: &str) -> Result<User> {
    let found = accounts::find_by_email(app, email).await?;
    found.filter(|user| user.is_active).ok_or_else(|| Error::invalid(field, "Nobody has this e-mail address."))
}

/// What a socket joins is bounded by what a person is in. To be asked when they are in it already.
async fn check_memberships(app: &App, db: &impl sea_orm::ConnectionTrait, user: UserId) -> Result<()> {
    let most = app.config.chat.max_conversations.get();
    if member::conversations_of(db, user).await?.len() <= most {
        return Ok(());
    }
    let message = format!("Nobody can be in more than {most} conversations.");
    Err(Error::invalid(crate::error::NON_FIELD_ERRORS, message))
}

/// Enters an open room. Being in it already is no error.
///
/// # Errors
/// [`Error::NotFound`] where there is no such room for this user.
pub async fn join(app: &App, user: &User, id: ConversationId) -> Result<Summary> {
    let (conversation, member) = seen(app, user.id, id).await?;
    if member.is_none() && conversation.kind == Kind::Open {
        add(app, &conversation, user.id, None).await?;
    }
    self::conversation(app, user, id).await
}

/// Brings somebody into a room that one is in.
///
/// # Errors
/// [`Error::PermissionDenied`] where it takes nobody in from others.
pub async fn invite(app: &App, user: &User, id: ConversationId, email: &str) -> Result<User> {
    let (conversation, member) = seen(app, user.id, id).await?;
    if member.is_none() || !matches!(conversation.kind, Kind::Open | Kind::Invitation) {
        return Err(Error::PermissionDenied);
    }
    let guest = person(app, "email", email).await?;
    add(app, &conversation, guest.id, Some(user.id)).await?;
    Ok(guest)
}

/// What was said before counts as read: nobody is greeted by a thousand unread messages. Who brings somebody in is in it
/// still. Where they are in it already, nothing changes.
async fn add(app: &App, conversation: &Conversation, user: UserId, by: Option<UserId>) -> Result<()> {
    let Conversation { id, last_seq, .. } = *conversation;
    let transaction = app.database.begin().await?;
    // Takes the lock, too.
    conversation::note_members(&transaction, id).await?;
    if let Some(by) = by
        && !is_in(&transaction, by, id).await?
    {
        return Err(Error::PermissionDenied);
    }
    if !member::insert(&transaction, id, user, last_seq).await? {
        return Ok(());
    }
    check_memberships(app, &transaction, user).await?;
    transaction.commit().await?;
    app.events.publish(Event::ConversationChanged(id)).await;
    Ok(())
}

/// Takes somebody out of a room: oneself, or anybody from a room that one owns.
///
/// # Errors
/// [`Error::PermissionDenied`] for others' rooms, and conversations that are for good.
pub async fn remove(app: &App, user: &User, id: ConversationId, member: UserId) -> Result<()> {
    let (conversation, own) = seen(app, user.id, id).await?;
    let is_room = matches!(conversation.kind, Kind::Open | Kind::Invitation);
    let may = member == user.id && own.is_some() || conversation.owner_id == Some(user.id);
    if !is_room || !may {
        return Err(Error::PermissionDenied);
    }
    let transaction = app.database.begin().await?;
    // The lock first: whoever holds it is in the conversation until the end of what they do.
    conversation::note_members(&transaction, id).await?;
    if !member::delete(&transaction, id, member).await? {
        return Err(Error::NotFound);
    }
    transaction.commit().await?;
    app.events.publish(Event::ConversationChanged(id)).await;
    Ok(())
}

/// Gives a room that one owns another name.
pub async fn rename(app: &App, user: &User, id: ConversationId, name: String) -> Result<Summary> {
    let (conversation, _) = seen(app, user.id, id).await?;
    if conversation.owner_id != Some(user.id) || conversation.kind == Kind::Direct {
        return Err(Error::PermissionDenied);
    }
    let transaction = app.database.begin().await?;
    conversation::rename(&transaction, id, name).await?;
    transaction.commit().await?;
    app.events.publish(Event::ConversationChanged(id)).await;
    self::conversation(app, user, id).await
}

/// A page of the members of a conversation, those first who joined first; and how many there are.
pub async fn members(app: &App, user: &User, id: ConversationId, offset: u64, limit: u64) -> Result<(u64, Vec<User>)> {
    seen(app, user.id, id).await?;
    let (count, page) = member::page(app.database.read(), id, offset, limit).await?;
    Ok((count, page.into_iter().map(|(_, user)| user).collect()))
}

/// Notes that a user has read a conversation up to `seq`, at most to its end.
pub async fn mark_read(app: &App, user: UserId, id: ConversationId, seq: i64) -> Result<i64> {
    let (conversation, member) = seen(app, user, id).await?;
    let seq = seq.clamp(0, conversation.last_seq);
    let db = app.database.write();
    // Everybody is in the first conversation, and is noted once they have read something.
    let is_news = match member {
        None if id != EVERYONE => return Err(Error::PermissionDenied),
        Some(member) if member.read_seq >= seq => return Ok(member.read_seq),
        None if member::insert(db, id, user, seq).await? => true,
        _ => member::set_read(db, id, user, seq).await?,
    };
    if !is_news {
        // Another device has read on meanwhile.
        return Ok(member::find(db, id, user).await?.map_or(seq, |member| member.read_seq));
    }
    app.events.publish(Event::Read { user, conversation: id, seq }).await;
    Ok(seq)
}

/// The precision that every database keeps, so that a message has one time, live and in the history.
fn to_microseconds(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(time.microsecond() * 1_000).unwrap_or(time)
}
