//! The API's conversations: `/api/conversations/`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use axum_extra::extract::WithRejection;
use serde::Serialize;

use super::counted_user::CountedUser;
use super::fields::{EMAIL, NAME, Opening};
use super::{ConversationId, Summary};
use crate::accounts::UserId;
use crate::accounts::routes::UserRecord;
use crate::app::App;
use crate::chat;
use crate::error::{Error, Result};
use crate::http::api;
use crate::http::current_user::CurrentUser;
use crate::http::data::Data;
use crate::http::fields::Fields;
use crate::http::pagination::{NumberedPage, PageNumber};

pub fn routes() -> Router<App> {
    let lists = "GET, POST, HEAD, OPTIONS";
    Router::new()
        .merge(api::resource("/api/conversations/", lists, get(list).post(open)))
        .merge(api::resource("/api/conversations/{id}/", "GET, PATCH, HEAD, OPTIONS", get(show).patch(rename)))
        .merge(api::resource("/api/conversations/{id}/members/", lists, get(list_members).post(add)))
        .merge(api::resource("/api/conversations/{id}/members/{user}/", "DELETE, OPTIONS", delete(remove)))
        .merge(api::resource("/api/conversations/{id}/read/", "PUT, OPTIONS", put(mark_read)))
}

type One = WithRejection<Path<i64>, Error>;

async fn list(State(app): State<App>, caller: CurrentUser, page: PageNumber) -> Result<Json<NumberedPage<Summary>>> {
    let (count, conversations) = chat::conversations(&app, &caller.user, page.offset(), page.limit()).await?;
    Ok(Json(page.of(count, conversations)?))
}

/// A room with a `name`, or the direct conversation with the person of an `email`.
async fn open(State(app): State<App>, caller: CountedUser, Data(data): Data) -> Result<(StatusCode, Json<Summary>)> {
    let opened = Opening::of(Fields::of(&data))?.perform(&app, &caller.user).await?;
    Ok((StatusCode::CREATED, Json(opened)))
}

async fn show(State(app): State<App>, caller: CurrentUser, WithRejection(Path(id), _): One) -> Result<Json<Summary>> {
    Ok(Json(chat::conversation(&app, &caller.user, ConversationId(id)).await?))
}

async fn rename(
    State(app): State<App>,
    caller: CountedUser,
    WithRejection(Path(id), _): One,
    Data(data): Data,
) -> Result<Json<Summary>> {
    let mut fields = Fields::of(&data);
    let name = fields.required("name", NAME);
    fields.finish()?;
    Ok(Json(chat::rename(&app, &caller.user, ConversationId(id), name).await?))
}

async fn list_members(
    State(app): State<App>,
    caller: CurrentUser,
    WithRejection(Path(id), _): One,
    page: PageNumber,
) -> Result<Json<NumberedPage<UserRecord>>> {
    let (offset, limit) = (page.offset(), page.limit());
    let (count, members) = chat::members(&app, &caller.user, ConversationId(id), offset, limit).await?;
    Ok(Json(page.of(count, members.into_iter().map(UserRecord::from).collect())?))
}

/// Brings the person of an `email` in, or without one oneself.
async fn add(
    State(app): State<App>,
    caller: CountedUser,
    WithRejection(Path(id), _): One,
    Data(data): Data,
) -> Result<(StatusCode, Json<UserRecord>)> {
    let mut fields = Fields::of(&data);
    let email = fields.optional("email", EMAIL);
    fields.finish()?;
    let id = ConversationId(id);
    let member = if let Some(email) = email {
        chat::invite(&app, &caller.user, id, &email).await?
    } else {
        chat::join(&app, &caller.user, id).await?;
        caller.user
    };
    Ok((StatusCode::CREATED, Json(member.into())))
}

async fn remove(
    State(app): State<App>,
    caller: CountedUser,
    WithRejection(Path((id, user)), _): WithRejection<Path<(i64, String)>, Error>,
) -> Result<Response> {
    let member = match user.as_str() {
        "me" => caller.user.id,
        number => UserId(number.parse().map_err(|_| Error::NotFound)?),
    };
    chat::remove(&app, &caller.user, ConversationId(id), member).await?;
    Ok(api::empty(StatusCode::NO_CONTENT))
}

/// How far a user has read.
#[derive(Serialize)]
struct ReadRecord {
    seq: i64,
}

async fn mark_read(
    State(app): State<App>,
    caller: CountedUser,
    WithRejection(Path(id), _): One,
    Data(data): Data,
) -> Result<Json<ReadRecord>> {
    let mut fields = Fields::of(&data);
    let seq = fields.required_number("seq");
    fields.finish()?;
    Ok(Json(ReadRecord { seq: chat::mark_read(&app, caller.user.id, ConversationId(id), seq).await? }))
}
