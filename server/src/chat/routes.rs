//! The API's messages: `/api/messages/`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use super::{From, MAX_CLIENT_OFFSET_BYTES, Message, Page};
use crate::app::App;
use crate::chat;
use crate::error::{Error, Invalid, Result};
use crate::http::api::{self, BaseUrl};
use crate::http::current_user::CurrentUser;
use crate::http::data::Data;
use crate::http::fields::{Fields, Text};
use crate::http::pagination::CursorPage;
use crate::http::parameters::Parameters;

pub fn routes() -> Router<App> {
    api::resource("/api/messages/", "GET, POST, HEAD, OPTIONS", get(list).post(create))
}

async fn list(
    State(app): State<App>,
    _: CurrentUser,
    BaseUrl(base): BaseUrl,
    parameters: Parameters,
) -> Result<Json<CursorPage<Message>>> {
    let (from, limit) = window_from(&parameters, &app)?;
    let Page { messages, has_older, has_newer } = chat::history(&app, from, limit).await?;
    let address = |way: &str, seq: i64| format!("{base}/api/messages/?{way}={seq}&limit={limit}");
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

async fn create(State(app): State<App>, caller: CurrentUser, Data(data): Data) -> Result<(StatusCode, Json<Message>)> {
    let mut fields = Fields::of(&data);
    // How long it may be is told in bytes, and behind every door.
    let text = fields.required("message", Text::up_to(usize::MAX).as_it_is());
    let client_offset = fields.optional("clientOffset", Text::up_to(MAX_CLIENT_OFFSET_BYTES).or_null());
    fields.finish()?;
    let message = chat::post_and_wait(&app, &caller.user, text, client_offset).await?;
    Ok((StatusCode::CREATED, Json(message)))
}
