//! Chat: messages in conversations, posted once, kept, and read again.

mod conversation;
pub mod log;
mod message;
pub mod page;
pub mod routes;
pub mod socket;

use tokio::sync::oneshot;

use crate::accounts::User;
use crate::app::App;
use crate::error::{Error, Result};
pub use conversation::EVERYONE;
pub use log::{Post, Refusal};
pub use message::Message;

/// The longest name that a sender may give a message, in bytes.
pub const MAX_CLIENT_OFFSET_BYTES: usize = 128;

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

/// Posts a message. This is the one way in, for every door.
///
/// The reply comes through `post.reply`, after the message is committed or refused.
pub fn post(app: &App, post: Post) {
    if let Err(refusal) = check(app, &post) {
        return (post.reply)(Err(refusal));
    }
    app.log.append(post);
}

fn check(app: &App, post: &Post) -> Result<(), Refusal> {
    if post.text.len() > app.config.chat.max_message_bytes.get() {
        return Err(Refusal::Invalid("The message is too long."));
    }
    let offset = post.client_offset.as_deref().unwrap_or_default();
    if post.client_offset.is_some() && offset.is_empty() {
        return Err(Refusal::Invalid("A clientOffset is a text that is not empty."));
    }
    if offset.len() > MAX_CLIENT_OFFSET_BYTES {
        return Err(Refusal::Invalid("The clientOffset is too long."));
    }
    // PostgreSQL keeps no such text.
    if post.text.contains('\0') || offset.contains('\0') {
        return Err(Refusal::Invalid("Null characters are not allowed."));
    }
    Ok(())
}

/// Posts a message and waits until it is committed.
pub async fn post_and_wait(app: &App, author: &User, text: String, client_offset: Option<String>) -> Result<Message> {
    let (sender, receiver) = oneshot::channel();
    let reply = Box::new(move |result| drop(sender.send(result)));
    post(app, Post { author: author.id, email: author.email.as_str().into(), text, client_offset, reply });
    match receiver.await {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(Refusal::Invalid(reason))) => Err(Error::invalid("message", reason)),
        Ok(Err(refusal)) => Err(Error::Unavailable(refusal.code())),
        Err(_) => Err(Error::Unavailable("the log has stopped")),
    }
}

/// At most `limit` messages of the history.
pub async fn history(app: &App, from: From, limit: u64) -> Result<Page> {
    let db = app.database.read();
    // One more than asked for tells whether there is more.
    let (mut messages, keep) = match from {
        From::Newest => (message::before(db, EVERYONE, i64::MAX, limit + 1).await?, limit),
        From::Before(seq) => (message::before(db, EVERYONE, seq, limit + 1).await?, limit),
        From::After(seq) => (message::after(db, EVERYONE, seq, limit + 1).await?, limit),
    };
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
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
pub async fn missed(app: &App, seq: i64, limit: u64) -> Result<Vec<Message>> {
    message::after(app.database.read(), EVERYONE, seq, limit).await
}

/// The `seq` of the newest committed message, 0 before the first.
pub async fn newest_seq(app: &App) -> Result<i64> {
    conversation::last_seq(app.database.read(), EVERYONE).await
}
