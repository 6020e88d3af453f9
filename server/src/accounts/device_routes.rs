//! The API's list of one's own devices: `/api/users/me/devices/`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use axum_extra::extract::WithRejection;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Device, DeviceId};
use crate::accounts;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::api;
use crate::http::base_url::BaseUrl;
use crate::http::cookies;
use crate::http::current_user::{Credential, CurrentUser};
use crate::http::pagination::{NumberedPage, page_number};
use crate::http::parameters::Parameters;

pub fn routes() -> Router<App> {
    Router::new()
        .merge(api::resource("/api/users/me/devices/", "GET, HEAD, OPTIONS", get(list)))
        .merge(api::resource("/api/users/me/devices/{id}/", "DELETE, OPTIONS", delete(sign_out)))
        .merge(api::resource("/api/users/me/devices/sign-out-others/", "POST, OPTIONS", post(sign_out_others)))
}

/// A device as the API shows it.
#[derive(Serialize)]
struct DeviceRecord {
    id: DeviceId,
    kind: &'static str,
    client: String,
    address: String,
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_used: OffsetDateTime,
    current: bool,
}

impl From<Device> for DeviceRecord {
    fn from(device: Device) -> Self {
        let Device { id, client, address, created_at: created, last_used_at: last_used, is_current: current } = device;
        Self { id, kind: id.kind(), client, address, created, last_used, current }
    }
}

async fn list(
    State(app): State<App>,
    caller: CurrentUser,
    base: BaseUrl,
    parameters: Parameters,
) -> Result<Json<NumberedPage<DeviceRecord>>> {
    let number = page_number(&parameters)?;
    let current = current_device(&app, &caller).await?;
    let devices = accounts::devices(&app, &caller.user, current, number).await?;
    let address = |number: u64| format!("{}/api/users/me/devices/?page={number}", base.url);
    Ok(Json(NumberedPage {
        count: devices.count,
        next: devices.next().map(address),
        previous: devices.previous().map(address),
        results: devices.page.into_iter().map(DeviceRecord::from).collect(),
    }))
}

async fn current_device(app: &App, caller: &CurrentUser) -> Result<DeviceId> {
    match &caller.credential {
        Credential::Session { session, .. } => Ok(DeviceId::Session(session.id)),
        Credential::Token { id, .. } => accounts::device_of_token(app, *id).await,
    }
}

async fn sign_out(
    State(app): State<App>,
    caller: CurrentUser,
    WithRejection(Path(id), _): WithRejection<Path<String>, Error>,
) -> Result<Response> {
    let id: DeviceId = id.parse()?;
    accounts::sign_out_device(&app, &caller.user, id).await?;
    let mut response = api::empty(StatusCode::NO_CONTENT);
    if matches!(&caller.credential, Credential::Session { session, .. } if id == DeviceId::Session(session.id)) {
        cookies::delete_session(response.headers_mut());
    }
    Ok(response)
}

async fn sign_out_others(State(app): State<App>, caller: CurrentUser) -> Result<Response> {
    let current = current_device(&app, &caller).await?;
    accounts::sign_out_others(&app, &caller.user, current).await?;
    Ok(api::empty(StatusCode::NO_CONTENT))
}
