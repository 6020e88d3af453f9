//! Accounts: who people are, what they sign in with, and how that is taken back.

pub mod account_page;
pub mod attempts;
mod device;
pub mod device_routes;
pub mod devices_page;
pub mod email;
pub mod familiar_network;
pub mod login;
pub mod lookups;
mod origin;
pub mod password;
mod password_reset;
mod password_rules;
pub mod reset_links;
pub mod reset_page;
pub mod revocation;
pub mod routes;
pub mod session;
mod terms;
pub mod token;
pub mod user;
pub mod uses;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::ConnectionTrait;
use sha2::Sha256;
use time::OffsetDateTime;

use crate::app::App;
use crate::error::{Error, Invalid, Result};
pub use device::{Device, DeviceId};
pub use email::Email;
pub use origin::{Origin, network_of};
pub use session::Session;
pub use terms::Terms;
pub use token::{Token, TokenId};
use user::{NewUser, UserChange};
pub use user::{User, UserId};

/// Longer passwords would cost a stranger nothing and the server much.
pub const MAX_PASSWORD_CHARACTERS: usize = 128;

/// Who a socket is, since its last successful authentication.
#[derive(Clone, Debug)]
pub struct Identity {
    pub user: UserId,
    pub email: Arc<str>,
    pub token: TokenId,
    /// With what it was signed in.
    pub device: DeviceId,
}

/// What somebody says of themselves when they sign up.
pub struct SignUp {
    pub email: Email,
    pub password: String,
    pub first_name: String,
    pub last_name: String,
}

/// What somebody changes of their own account; `None` leaves a field as it is.
#[derive(Default)]
pub struct ProfileChange {
    pub email: Option<Email>,
    pub password: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

/// # Errors
/// [`Error::Invalid`] where the password is too weak or the e-mail is taken.
pub async fn sign_up(app: &App, new: SignUp, address: IpAddr) -> Result<User> {
    let new = prepare(app, new).await?;
    let transaction = app.database.begin().await?;
    let user = user::insert(&transaction, new).await?;
    // From here it is the owner who signs in first.
    familiar_network::note(&transaction, user.id, address).await?;
    transaction.commit().await?;
    Ok(user)
}

/// Somebody who may be stored as they are: their password is good, and hashed.
///
/// # Errors
/// [`Error::Invalid`] where the password is too weak.
pub async fn prepare(app: &App, new: SignUp) -> Result<NewUser> {
    let SignUp { email, password, first_name, last_name } = new;
    let password_hash = hash_password(app, password, None).await?;
    Ok(NewUser { email, password_hash, first_name, last_name })
}

/// # Errors
/// [`Error::Invalid`] where the password is too weak, by itself or for this `user`.
pub async fn hash_password(app: &App, password: String, user: Option<&User>) -> Result<String> {
    check_password(app, &password, user)?;
    app.passwords.hash(password).await
}

fn check_password(app: &App, password: &str, user: Option<&User>) -> Result<()> {
    if !app.config.accounts.password_validators {
        return Ok(());
    }
    let mut invalid = Invalid::default();
    for complaint in password_rules::complaints(password, user) {
        invalid.add("password", complaint);
    }
    if invalid.is_empty() { Ok(()) } else { Err(Error::Invalid(invalid)) }
}

/// Counts an attempt to sign in or up, or at a password, from an address; `what` names it in figures.
///
/// # Errors
/// [`Error::Throttled`] where there were too many.
pub fn count_attempt(app: &App, what: &'static str, address: IpAddr) -> Result<()> {
    app.attempts.count(address).inspect_err(|_| app.metrics.rate_limited(what))
}

/// The active user with this e-mail and password. It takes as long for an unknown user as for a known one.
///
/// # Errors
/// [`Error::Throttled`] where too many have tried this e-mail lately, unless its owner is familiar with the network of
/// `address`: else anybody could shut them out.
pub async fn authenticate(app: &App, email: &str, password: String, address: IpAddr) -> Result<Option<User>> {
    if let Err(throttled) = app.attempts.count_for(email)
        && !familiar_network::is_familiar(app.database.read(), email, address).await?
    {
        app.metrics.rate_limited("sign-in");
        return Err(throttled);
    }
    let user = user::by_email(app.database.read(), email).await?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let matches = app.passwords.verify(password, hash).await?;
    Ok(user.filter(|user| matches && user.is_active))
}

pub async fn find_user(app: &App, id: UserId) -> Result<User> {
    user::by_id(app.database.read(), id).await?.ok_or(Error::NotFound)
}

pub async fn find_by_email(app: &App, email: &str) -> Result<Option<User>> {
    user::by_email(app.database.read(), email).await
}

/// A new password logs the user's browsers out, and leaves the tokens valid that clients signed in for.
///
/// # Errors
/// As [`sign_up`].
pub async fn change_profile(app: &App, user: User, change: ProfileChange) -> Result<User> {
    let ProfileChange { email, password, first_name, last_name } = change;
    let mut password_hash = None;
    if let Some(password) = password {
        password_hash = Some(hash_password(app, password, Some(&user)).await?);
    }
    let is_password = password_hash.is_some();
    let change = UserChange { email, password_hash, first_name, last_name };

    let transaction = app.database.begin().await?;
    if is_password {
        // Whoever is being shut out by a new password must not set another one behind it.
        let now = user::lock(&transaction, &[user.id]).await?.pop();
        if now.is_none_or(|now| now.password_hash != user.password_hash) {
            return Err(OUTDATED);
        }
    }
    let user = change_user(&transaction, user, change).await?;
    transaction.commit().await?;
    Ok(user)
}

/// Changes a user. A new password ends their sessions, and it as well as a new e-mail voids the links for new passwords
/// that were sent.
///
/// # Errors
/// [`Error::Invalid`] where the e-mail is taken.
pub async fn change_user(transaction: &impl ConnectionTrait, user: User, change: UserChange) -> Result<User> {
    let (logs_out, voids) = (change.password_hash.is_some(), change.password_hash.is_some() || change.email.is_some());
    let user = user::update(transaction, user, change).await?;
    if logs_out {
        end_all_sessions(transaction, user.id, None).await?;
    }
    if voids {
        password_reset::delete_of_user(transaction, user.id).await?;
    }
    Ok(user)
}

/// However many there are, but for one that is `spared`.
async fn end_all_sessions(transaction: &impl ConnectionTrait, user: UserId, spared: Option<i64>) -> Result<()> {
    loop {
        let sessions = session::ids_of_user_but(transaction, user, spared).await?;
        if sessions.is_empty() {
            return Ok(());
        }
        end_sessions(transaction, &sessions).await?;
    }
}

/// Changes what a stranger at an open browser must not: the user's current password is asked for.
///
/// # Errors
/// [`Error::Invalid`] as [`change_profile`], or where `current_password` is not the user's.
pub async fn change_credentials(
    app: &App,
    user: User,
    current_password: String,
    change: ProfileChange,
) -> Result<User> {
    if !app.passwords.verify(current_password, Some(&user.password_hash)).await? {
        return Err(Error::invalid(
            "current_password",
            "Your old password was entered incorrectly. Please enter it again.",
        ));
    }
    change_profile(app, user, change).await
}

/// Asks for a link with which whoever has this address may choose a new password. Whether anybody has is not told.
///
/// # Errors
/// [`Error::Unavailable`] where too many ask.
pub fn ask_for_reset(app: &App, email: Email) -> Result<()> {
    app.reset_links.ask(email)
}

/// Who may choose a new password by the link with this key, if it is good.
pub async fn user_of_reset(app: &App, key: &str) -> Result<Option<User>> {
    let user = password_reset::user_of(app.database.read(), key).await?;
    Ok(user.filter(|user| user.is_active))
}

/// Gives a user a new password by a link, which is void then. Whoever knew the old one is out: all sessions and tokens of
/// the user end, and their sockets are dismissed on every node.
///
/// # Errors
/// [`Error::NotFound`] where the link is not good (any more), [`Error::Invalid`] where the password is too weak.
pub async fn reset_password(app: &App, key: &str, password: String) -> Result<()> {
    let user = user_of_reset(app, key).await?.ok_or(Error::NotFound)?;
    check_password(app, &password, Some(&user))?;
    let id = user.id;
    let change = UserChange { password_hash: Some(app.passwords.hash(password).await?), ..UserChange::default() };

    let transaction = app.database.begin().await?;
    if !password_reset::take(&transaction, key).await? {
        return Err(Error::NotFound);
    }
    change_user(&transaction, user, change).await?;
    token::delete_all_of_user(&transaction, id).await?;
    revocation::of_user(&transaction, id).await?;
    Ok(transaction.commit().await?)
}

/// A new token: a version 4 UUID in lower case.
///
/// # Errors
/// [`Error::BadCredentials`] where the user has a new password since `user` was read: what that has ended does not begin
/// anew by somebody who was let in just before.
pub async fn issue_token(app: &App, user: &User, origin: &Origin) -> Result<String> {
    let key = uuid::Uuid::new_v4().to_string();
    let transaction = app.database.begin().await?;
    token::insert(&transaction, user.id, &key, origin).await?;
    if !user::hold_password(&transaction, user).await? {
        return Err(OUTDATED);
    }
    familiar_network::note(&transaction, user.id, origin.address).await?;
    transaction.commit().await?;
    Ok(key)
}

/// Whose token this is.
///
/// # Errors
/// [`Error::BadCredentials`] says why it is nobody's.
pub async fn user_of_token(app: &App, key: &str) -> Result<(Token, User)> {
    let (token, user) = app.tokens.find(key).await?.ok_or(Error::BadCredentials("Invalid token."))?;
    if app.terms.token_age.is_some_and(|age| token.created_at + age <= OffsetDateTime::now_utc()) {
        revoke_token(app, token.id).await?;
        return Err(Error::BadCredentials("Token has expired."));
    }
    if !user.is_active {
        return Err(Error::BadCredentials("User inactive or deleted."));
    }
    app.uses.note(token.device());
    Ok((token, user))
}

/// Those of these tokens with which somebody may still be signed in.
pub async fn good_tokens(app: &App, ids: &[TokenId]) -> Result<HashSet<TokenId>> {
    let good = token::good_of(app.database.read(), ids, app.terms).await?;
    Ok(good.into_iter().collect())
}

/// Takes one token back; its sockets are disconnected on every node.
pub async fn revoke_token(app: &App, id: TokenId) -> Result<()> {
    let transaction = app.database.begin().await?;
    take_back(&transaction, id).await?;
    Ok(transaction.commit().await?)
}

/// [`revoke_token`] within a transaction.
pub async fn take_back(transaction: &impl ConnectionTrait, id: TokenId) -> Result<()> {
    token::delete(transaction, id).await?;
    revocation::of_token(transaction, id).await
}

const OUTDATED: Error = Error::BadCredentials("The password has changed meanwhile.");

/// Logs a browser in: the key of a new session.
///
/// # Errors
/// As [`issue_token`].
pub async fn open_session(app: &App, user: &User, origin: &Origin) -> Result<String> {
    let transaction = app.database.begin().await?;
    let key = begin_session(app, &transaction, user, origin).await?;
    transaction.commit().await?;
    Ok(key)
}

/// [`open_session`] within a transaction.
pub async fn begin_session(
    app: &App,
    transaction: &impl ConnectionTrait,
    user: &User,
    origin: &Origin,
) -> Result<String> {
    let key = crate::random::alphanumeric::<32>();
    if !user::note_login(transaction, user).await? {
        return Err(OUTDATED);
    }
    session::insert(transaction, user.id, &key, app.terms.session_age, origin).await?;
    familiar_network::note(transaction, user.id, origin.address).await?;
    Ok(key)
}

/// The session with this key and its user, if the user is active.
pub async fn user_of_session(app: &App, key: &str) -> Result<Option<(Session, User)>> {
    let found = session::with_user(app.database.read(), key, app.terms).await?;
    let found = found.filter(|(_, user)| user.is_active);
    if let Some((session, _)) = &found {
        app.uses.note(DeviceId::Session(session.id));
    }
    Ok(found)
}

/// Logs a browser out; the token that its page used goes with it.
pub async fn close_session(app: &App, session: &Session) -> Result<()> {
    let transaction = app.database.begin().await?;
    end_sessions(&transaction, &[session.id]).await?;
    Ok(transaction.commit().await?)
}

/// Ends sessions with the tokens that were made for them, whose sockets are dismissed.
pub async fn end_sessions(transaction: &impl ConnectionTrait, sessions: &[i64]) -> Result<()> {
    session::lock(transaction, sessions).await?;
    revocation::of_tokens(transaction, &token::delete_of_sessions(transaction, sessions).await?).await?;
    session::delete(transaction, sessions).await
}

/// Ends sessions that are over, by their age or unused, as [`end_sessions`]: some, if there are many.
pub async fn end_expired_sessions(app: &App) -> Result<()> {
    let expired = session::ids_of_expired(app.database.read(), app.terms).await?;
    if expired.is_empty() {
        return Ok(());
    }
    let transaction = app.database.begin().await?;
    end_sessions(&transaction, &expired).await?;
    Ok(transaction.commit().await?)
}

/// One page of the devices with which a user is signed in.
pub struct Devices {
    /// How many there are on all pages.
    pub count: u64,
    /// The number of this page, from 1 on.
    pub number: u64,
    /// The current device comes first, on the first page; then those used last.
    pub page: Vec<Device>,
}

const DEVICES_ON_A_PAGE: u64 = 50;

impl Devices {
    /// The number of the next page, if there is one.
    pub fn next(&self) -> Option<u64> {
        (self.number * DEVICES_ON_A_PAGE < self.count).then_some(self.number + 1)
    }

    pub fn previous(&self) -> Option<u64> {
        (self.number > 1).then(|| self.number - 1)
    }
}

/// # Errors
/// [`Error::NotFound`] where there is no page of this `number`.
pub async fn devices(app: &App, user: &User, current: DeviceId, number: u64) -> Result<Devices> {
    let wanted = device::Wanted { user: user.id, current, terms: app.terms };
    let db = app.database.read();
    let count = device::count(db, wanted).await?;
    let offset = number.checked_sub(1).and_then(|before| before.checked_mul(DEVICES_ON_A_PAGE));
    let offset = offset.filter(|offset| *offset == 0 || *offset < count).ok_or(Error::NotFound)?;
    let mut page = device::page(db, wanted, offset, DEVICES_ON_A_PAGE).await?;
    for device in &mut page {
        let noted = app.uses.noted(device.id);
        device.last_used_at = noted.map_or(device.last_used_at, |noted| noted.max(device.last_used_at));
    }
    Ok(Devices { count, number, page })
}

/// The device that shows this token: the browser, if its page does.
pub async fn device_of_token(app: &App, id: TokenId) -> Result<DeviceId> {
    let session = token::session_of(app.database.read(), id).await?;
    Ok(session.map_or(DeviceId::Token(id), DeviceId::Session))
}

/// Signs one device of a user out; its sockets are disconnected on every node.
///
/// # Errors
/// [`Error::NotFound`] where the user has no such device.
pub async fn sign_out_device(app: &App, user: &User, id: DeviceId) -> Result<()> {
    let transaction = app.database.begin().await?;
    match id {
        DeviceId::Session(id) if session::lock_of_user(&transaction, id, user.id, app.terms).await? => {
            end_sessions(&transaction, &[id]).await?;
        }
        DeviceId::Token(id) if token::delete_of_user(&transaction, id, user.id).await? => {
            revocation::of_token(&transaction, id).await?;
        }
        _ => return Err(Error::NotFound),
    }
    Ok(transaction.commit().await?)
}

/// Signs all devices of a user out but the current one.
pub async fn sign_out_others(app: &App, user: &User, current: DeviceId) -> Result<()> {
    let transaction = app.database.begin().await?;
    end_all_sessions(&transaction, user.id, current.session()).await?;
    transaction.commit().await?;
    loop {
        let transaction = app.database.begin().await?;
        let tokens = token::delete_of_user_but(&transaction, user.id, current.token()).await?;
        revocation::of_tokens(&transaction, &tokens).await?;
        transaction.commit().await?;
        if tokens.is_empty() {
            return Ok(());
        }
    }
}

/// A working token of a session's user, the same one for as long as it works.
///
/// Only hashes of tokens are stored, so the token is derived anew each time, from the key that the browser holds.
pub async fn token_of_session(app: &App, session: &Session, key: &str) -> Result<String> {
    if session.token_number > 0 {
        let current = derived_token(app, key, session.token_number);
        match user_of_token(app, &current).await {
            Ok(_) => return Ok(current),
            Err(Error::BadCredentials(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let next = derived_token(app, key, session.token_number + 1);
    let transaction = app.database.begin().await?;
    if session::count_token(&transaction, session).await? {
        token::keep(&transaction, session.user_id, session.id, &next).await?;
    }
    transaction.commit().await?;
    Ok(next)
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, section 2)")]
fn derived_token(app: &App, session_key: &str, number: i32) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app.secret.bytes()).expect("any key length");
    mac.update(session_key.as_bytes());
    mac.update(&number.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Shuts a user out: no password, session or token of theirs is good, and their sockets are dismissed on every node.
pub async fn deactivate(app: &App, user: &User) -> Result<()> {
    let transaction = app.database.begin().await?;
    shut_out(&transaction, user.id).await?;
    Ok(transaction.commit().await?)
}

/// [`deactivate`] within a transaction. [`user::set_active`] takes it back: what was good before is good again.
pub async fn shut_out(transaction: &impl ConnectionTrait, id: UserId) -> Result<()> {
    user::set_active(transaction, id, false).await?;
    revocation::of_user(transaction, id).await
}
