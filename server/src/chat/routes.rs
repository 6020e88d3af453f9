//! The API's messages: `/api/messages/` for the first conversation, `/api/conversations/<id>/messages/` for any.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde::Deserialize;

use super::counted_user::CountedUser;
use super::{ConversationId, EVERYONE, From, MAX_CLIENT_OFFSET_BYTES, Message, Page};
use crate::app::App;
use crate::chat;
use crate::error::{Error, Invalid, Result};
use crate::http::api;
use crate::http::base_url::BaseUrl;
use crate::http::current_user::CurrentUser;
use crate::http::data::Data;
use crate::http::fields::{Fields, Text};
use crate::http::pagination::CursorPage;
use crate::http::parameters::Parameters;

const LIST: &str = "GET, POST, HEAD, OPTIONS";
const ONE: &str = "PATCH, DELETE, OPTIONS";

pub fn routes() -> Router<App> {
    let list = || get(list).post(create);
    let one = || patch(edit).delete(delete);
    Router::new()
        .merge(api::resource("/api/messages/", LIST, list()))
        .merge(api::resource("/api/messages/{seq}/", ONE, one()))
        .merge(api::resource("/api/conversations/{id}/messages/", LIST, list()))
        .merge(api::resource("/api/conversations/{id}/messages/{seq}/", ONE, one()))
}

/// What a path names: a conversation, which is the first where it names none, and a message.
#[derive(Deserialize)]
struct Numbers {
    id: Option<i64>,
    seq: Option<i64>,
}

/// The conversation whose messages a path is about.
struct Named {
    conversation: ConversationId,
    seq: Option<i64>,
    path: String,
}

impl FromRequestParts<App> for Named {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let numbers = Path::<Numbers>::from_request_parts(parts, app).await;
        let Path(Numbers { id, seq }) = numbers.map_err(|rejection: PathRejection| Error::from(rejection))?;
        Ok(Self { conversation: id.map_or(EVERYONE, ConversationId), seq, path: parts.uri.path().to_owned() })
    }
}

async fn list(
    State(app): State<App>,
    caller: CurrentUser,
    named: Named,
    base: BaseUrl,
    parameters: Parameters,
) -> Result<Json<CursorPage<Message>>> {
    let conversation = chat::conversation(&app, &caller.user, named.conversation).await?;
    let (from, limit) = window_from(&parameters, &app)?;
    let Page { messages, has_older, has_newer } = chat::history(&app, conversation.id, from, limit).await?;
    let address = |way: &str, seq: i64| format!("{}{}?{way}={seq}&limit={limit}", base.url, named.path);
    let oldest = messages.last().map(|message| message.seq);
    let newest = messages.first().map(|message| message.seq);
    Ok(Json(CursorPage {
        next: oldest.filter(|_| has_older).map(|seq| address("before", seq)),
        previous: newest.filter(|_| has_newer).map(|seq| address("after", seq)),
        results: messages,
    }))
}

/// Which messages are asked for, and how many.
fn window_from(parameters: &Parameters, app: &App) -> Result<(From, u64)> {
    let mut invalid = Invalid::default();
    let mut number = |name: &'static str| {
        let number = parameters.get(name).map(str::parse::<u32>)?;
        number.map_err(|_| invalid.add(name, "A valid integer is required.")).ok()
    };
    let (before, after, limit) = (number("before"), number("after"), number("limit"));
    if before.is_some() && after.is_some() {
        invalid.add("after", "Give either before or after.");
    }
    if !invalid.is_empty() {
        return Err(Error::Invalid(invalid));
    }
    let chat = &app.config.chat;
    let limit = limit.map_or(chat.page_size.get(), |limit| u64::from(limit).clamp(1, chat.max_page_size.get()));
    let from = match (before, after) {
        (Some(seq), _) => From::Before(seq.into()),
        (_, Some(seq)) => From::After(seq.into()),
        _ => From::Newest,
    };
    Ok((from, limit))
}

/// How long it may be is told in bytes, and behind every door.
const TEXT: Text = Text::up_to(usize::MAX).as_it_is();

async fn create(
    State(app): State<App>,
    caller: CurrentUser,
    named: Named,
    Data(data): Data,
) -> Result<(StatusCode, Json<Message>)> {
    let mut fields = Fields::of(&data);
    let text = fields.required("message", TEXT);
    let client_offset = fields.optional("clientOffset", Text::up_to(MAX_CLIENT_OFFSET_BYTES).or_null());
    fields.finish()?;
    let conversation = chat::conversation(&app, &caller.user, named.conversation).await?;
    let message = chat::post_and_wait(&app, &caller.user, conversation.id, text, client_offset).await?;
    Ok((StatusCode::CREATED, Json(message)))
}

async fn edit(State(app): State<App>, caller: CountedUser, named: Named, Data(data): Data) -> Result<Json<Message>> {
    let mut fields = Fields::of(&data);
    let text = fields.required("message", TEXT);
    fields.finish()?;
    let conversation = chat::conversation(&app, &caller.user, named.conversation).await?;
    Ok(Json(chat::edit(&app, caller.user.id, conversation.id, named.seq.ok_or(Error::NotFound)?, text).await?))
}

async fn delete(State(app): State<App>, caller: CountedUser, named: Named) -> Result<Response> {
    let conversation = chat::conversation(&app, &caller.user, named.conversation).await?;
    chat::delete(&app, caller.user.id, conversation.id, named.seq.ok_or(Error::NotFound)?).await?;
    Ok(api::empty(StatusCode::NO_CONTENT))
}
