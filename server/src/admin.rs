//! The admin site, for staff: what they may do, and a record of all of it.

pub mod audit;
mod audit_log;
mod connections;
mod conversations;
mod door;
mod messages;
mod overview;
mod page;
mod sessions;
pub mod setup;
mod staff;
mod table;
mod tokens;
mod users;

use crate::accounts::user::{self, NewUser, UserChange};
use crate::accounts::{self, Origin, ProfileChange, SignUp, TokenId, User, UserId, session, token};
use crate::app::App;
use crate::chat::{self, Change, Stored};
use crate::error::{Error, Result};
use crate::gateway::connections::Connections;
use audit::{Act, Actor, Deed};
pub use door::routes;

/// Logs somebody in at the admin site's door: the key of a new session. It is recorded of staff; others come no further.
///
/// # Errors
/// As [`accounts::open_session`].
pub async fn log_in(app: &App, user: &User, origin: &Origin) -> Result<String> {
    let transaction = app.database.begin().await?;
    let key = accounts::begin_session(app, &transaction, user, origin).await?;
    if user.is_staff {
        let deed = Deed::on_user(Act::LogIn, user).with(&*origin.client);
        audit::record(&transaction, &Actor::staff(user, origin.address), deed).await?;
    }
    transaction.commit().await?;
    Ok(key)
}

/// What is wrong with an account that is made here is said as by [`accounts::sign_up`].
pub async fn create_user(app: &App, by: &Actor, new: SignUp, rights: Rights) -> Result<User> {
    let new = accounts::prepare(app, new).await?;
    let transaction = app.database.begin().await?;
    let user = insert(&transaction, by, new, rights).await?;
    transaction.commit().await?;
    Ok(user)
}

/// What somebody may do beyond chatting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    None,
    Staff,
}

async fn insert(db: &impl sea_orm::ConnectionTrait, by: &Actor, new: NewUser, rights: Rights) -> Result<User> {
    let mut user = user::insert(db, new).await?;
    audit::record(db, by, Deed::on_user(Act::CreateUser, &user)).await?;
    if rights == Rights::Staff {
        user::set_staff(db, user.id, true).await?;
        audit::record(db, by, Deed::on_user(Act::MakeStaff, &user)).await?;
        user.is_staff = true;
    }
    Ok(user)
}

/// Makes the first staff account, for whoever has shown the set-up link's key.
///
/// # Errors
/// [`Error::NotFound`] where the link is void; else as [`create_user`].
pub async fn set_up(app: &App, by: &Actor, key: &str, new: SignUp) -> Result<User> {
    let link = app.setup.hold(key).await?;
    let new = accounts::prepare(app, new).await?;
    let transaction = app.database.begin().await?;
    if user::has_staff(&transaction).await? {
        return Err(Error::NotFound);
    }
    let user = insert(&transaction, by, new, Rights::Staff).await?;
    transaction.commit().await?;
    link.void();
    Ok(user)
}

/// Changes names and e-mail.
///
/// # Errors
/// [`Error::Invalid`] where the e-mail is taken.
pub async fn change_user(app: &App, by: &Actor, user: User, change: ProfileChange) -> Result<User> {
    let ProfileChange { email, first_name, last_name, .. } = change;
    let before = user.clone();
    let transaction = app.database.begin().await?;
    let change = UserChange { email, first_name, last_name, password_hash: None };
    let user = accounts::change_user(&transaction, user, change).await?;
    let details = differences(&before, &user);
    if !details.is_empty() {
        audit::record(&transaction, by, Deed::on_user(Act::ChangeUser, &user).with(details)).await?;
    }
    transaction.commit().await?;
    Ok(user)
}

fn differences(before: &User, after: &User) -> String {
    let fields = [
        ("e-mail", &before.email, &after.email),
        ("first name", &before.first_name, &after.first_name),
        ("last name", &before.last_name, &after.last_name),
    ];
    let changed = fields.into_iter().filter(|(_, before, after)| before != after);
    changed.map(|(field, before, after)| format!("{field}: {before:?} → {after:?}")).collect::<Vec<_>>().join("; ")
}

/// Gives a user a new password, which logs their browsers out; tokens stay valid.
///
/// # Errors
/// [`Error::Invalid`] where it is too weak.
pub async fn set_password(app: &App, by: &Actor, user: User, password: String) -> Result<()> {
    let password_hash = Some(accounts::hash_password(app, password, Some(&user)).await?);
    let transaction = app.database.begin().await?;
    let change = UserChange { password_hash, ..UserChange::default() };
    let user = accounts::change_user(&transaction, user, change).await?;
    audit::record(&transaction, by, Deed::on_user(Act::SetPassword, &user)).await?;
    Ok(transaction.commit().await?)
}

// What follows is done to many at once, in one transaction. What is so already stays as it is, and is not recorded.

pub async fn make_staff(app: &App, by: &Actor, ids: &[UserId]) -> Result<usize> {
    let transaction = app.database.begin().await?;
    let users = users(&transaction, by, ids, |user| !user.is_staff).await?;
    for user in &users {
        user::set_staff(&transaction, user.id, true).await?;
        audit::record(&transaction, by, Deed::on_user(Act::MakeStaff, user)).await?;
    }
    transaction.commit().await?;
    Ok(users.len())
}

/// # Errors
/// [`Error::Forbidden`] for oneself: so somebody is left who can give the rights back.
pub async fn take_staff(app: &App, by: &Actor, ids: &[UserId]) -> Result<usize> {
    must_concern_others(by, ids, "You cannot take the staff rights from yourself.")?;
    let transaction = app.database.begin().await?;
    let users = users(&transaction, by, ids, |user| user.is_staff).await?;
    for user in &users {
        user::set_staff(&transaction, user.id, false).await?;
        audit::record(&transaction, by, Deed::on_user(Act::TakeStaff, user)).await?;
    }
    transaction.commit().await?;
    Ok(users.len())
}

/// Shuts users out, at once and everywhere, sockets included.
///
/// # Errors
/// [`Error::Forbidden`] for oneself.
pub async fn deactivate(app: &App, by: &Actor, ids: &[UserId]) -> Result<usize> {
    must_concern_others(by, ids, "You cannot deactivate yourself.")?;
    let transaction = app.database.begin().await?;
    let users = users(&transaction, by, ids, |user| user.is_active).await?;
    for user in &users {
        accounts::shut_out(&transaction, user.id).await?;
        audit::record(&transaction, by, Deed::on_user(Act::Deactivate, user)).await?;
    }
    transaction.commit().await?;
    Ok(users.len())
}

/// What was good before the deactivation is good again.
pub async fn activate(app: &App, by: &Actor, ids: &[UserId]) -> Result<usize> {
    let transaction = app.database.begin().await?;
    let users = users(&transaction, by, ids, |user| !user.is_active).await?;
    for user in &users {
        user::set_active(&transaction, user.id, true).await?;
        audit::record(&transaction, by, Deed::on_user(Act::Activate, user)).await?;
    }
    transaction.commit().await?;
    Ok(users.len())
}

/// Takes tokens back; their sockets are disconnected on every node. One that was made for a session goes with it, as the
/// browser's page would get another.
pub async fn revoke_tokens(app: &App, by: &Actor, ids: &[TokenId]) -> Result<usize> {
    let transaction = app.database.begin().await?;
    let tokens = token::by_ids(&transaction, ids).await?;
    for (token, owner) in &tokens {
        let deed = |act, details| Deed::on_owner(act, token.user_id, owner.as_ref(), details);
        audit::record(&transaction, by, deed(Act::RevokeToken, format!("token {}", token.id.0))).await?;
        match token.session_id {
            Some(session) => {
                accounts::end_sessions(&transaction, &[session]).await?;
                audit::record(&transaction, by, deed(Act::EndSession, format!("session {session}"))).await?;
            }
            None => accounts::take_back(&transaction, token.id).await?,
        }
    }
    transaction.commit().await?;
    Ok(tokens.len())
}

/// Logs browsers out; the tokens that their pages used end with the sessions.
pub async fn end_sessions(app: &App, by: &Actor, ids: &[i64]) -> Result<usize> {
    let transaction = app.database.begin().await?;
    let sessions = session::by_ids(&transaction, ids).await?;
    for (session, user) in &sessions {
        accounts::end_sessions(&transaction, &[session.id]).await?;
        let details = format!("session {}", session.id);
        let deed = Deed::on_owner(Act::EndSession, session.user_id, user.as_ref(), details);
        audit::record(&transaction, by, deed).await?;
    }
    transaction.commit().await?;
    Ok(sessions.len())
}

/// Takes messages back: nobody is sent their texts from then on, which staff may undo.
///
/// # Errors
/// [`Error::Forbidden`] for the command line, which is nobody.
pub async fn delete_messages(app: &App, by: &Actor, ids: &[i64]) -> Result<usize> {
    let staff = by.id.ok_or(Error::Forbidden("Somebody must have deleted it."))?;
    moderate(app, by, ids, Act::DeleteMessage, || Change::Deleted { by: staff }).await
}

/// Undoes what staff have deleted. What its author has taken back stays so.
pub async fn restore_messages(app: &App, by: &Actor, ids: &[i64]) -> Result<usize> {
    moderate(app, by, ids, Act::RestoreMessage, || Change::Restored).await
}

async fn moderate(app: &App, by: &Actor, ids: &[i64], act: Act, change: impl Fn() -> Change) -> Result<usize> {
    let transaction = app.database.begin().await?;
    let mut changed = Vec::new();
    // In the order of conversations, whose locks two of the staff then take in the same order.
    for message in chat::message::by_ids(&transaction, ids).await? {
        let Some(event) = chat::moderate(&transaction, &message, change()).await? else { continue };
        let Stored { author_email, author_id, conversation_id, seq, .. } = &message;
        let details = format!("message {seq} of conversation {}", conversation_id.0);
        let deed = Deed { act, object: author_email, object_id: Some(author_id.0), details };
        audit::record(&transaction, by, deed).await?;
        changed.push(event);
    }
    transaction.commit().await?;
    let count = changed.len();
    for event in changed {
        app.events.publish(event).await;
    }
    Ok(count)
}

/// Dismisses sockets of this node: their clients do not come back by themselves. Recorded first, as nothing takes a
/// disconnection back.
pub async fn disconnect(app: &App, by: &Actor, connections: &Connections, ids: &[i64]) -> Result<usize> {
    let found = connections.by_ids(ids);
    let transaction = app.database.begin().await?;
    for connection in &found {
        let deed = Deed {
            act: Act::Disconnect,
            object: connection.email(),
            object_id: connection.identity.as_ref().map(|identity| identity.user.0),
            details: format!("connection {} from {}", connection.number, connection.address()),
        };
        audit::record(&transaction, by, deed).await?;
    }
    transaction.commit().await?;
    connections.dismiss(ids);
    Ok(found.len())
}

/// Records that a list is taken along: before the first row of it is sent.
pub async fn export(app: &App, by: &Actor, list: &str, narrowed: String) -> Result<()> {
    let deed = Deed { act: Act::Export, object: list, object_id: None, details: narrowed };
    audit::record(app.database.write(), by, deed).await
}

fn must_concern_others(by: &Actor, ids: &[UserId], otherwise: &'static str) -> Result<()> {
    match by.id {
        Some(own) if ids.contains(&own) => Err(Error::Forbidden(otherwise)),
        _ => Ok(()),
    }
}

/// Those of the users whom it concerns. They stay as they are until the transaction's end, and so does who acts: of two who
/// take each other's rights one has none any more.
///
/// # Errors
/// [`Error::Forbidden`] where whoever acts is not of the staff any more.
async fn users(
    db: &impl sea_orm::ConnectionTrait,
    by: &Actor,
    ids: &[UserId],
    concerns: impl Fn(&User) -> bool,
) -> Result<Vec<User>> {
    let all: Vec<_> = ids.iter().copied().chain(by.id).collect();
    let users = user::lock(db, &all).await?;
    let may_act = |own| users.iter().any(|user| user.id == own && user.is_staff && user.is_active);
    if !by.id.is_none_or(may_act) {
        return Err(Error::Forbidden("You are not of the staff any more."));
    }
    Ok(users.into_iter().filter(|user| ids.contains(&user.id) && concerns(user)).collect())
}
