//! The API's presence: `/api/presence/`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::Person;
use crate::app::App;
use crate::error::Result;
use crate::http::api;
use crate::http::current_user::CurrentUser;
use crate::http::pagination::{NumberedPage, PageNumber};

pub fn routes() -> Router<App> {
    api::resource("/api/presence/", "GET, HEAD, OPTIONS", get(list))
}

/// Who is here.
async fn list(State(app): State<App>, _: CurrentUser, page: PageNumber) -> Result<Json<NumberedPage<Person>>> {
    let (count, people) = app.presence.people(page.offset(), page.limit());
    Ok(Json(page.of(count, people)?))
}
