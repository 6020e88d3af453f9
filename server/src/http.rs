//! All routes of the server but the socket's, and the order of their middleware.

pub mod api;
pub mod assets;
pub mod bar;
pub mod base_url;
pub mod body;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod current_user;
pub mod data;
pub mod fields;
pub mod hardening;
pub mod health;
pub mod language;
pub mod metrics;
pub mod negotiation;
pub mod page;
pub mod pagination;
pub mod parameters;
pub mod peer;
pub mod requests;

use std::time::Duration;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_request, map_response};
use axum::response::{IntoResponse, Response};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error::Error;
use crate::{accounts, admin, chat, presence};

pub fn router(app: App) -> Router {
    let timeout = Duration::from_secs(app.config.http.request_timeout_seconds.get());

    // Answers in the conventions of Django REST framework.
    let api = Router::new()
        .merge(api::root())
        .merge(accounts::routes::routes())
        .merge(accounts::device_routes::routes())
        .merge(chat::routes::routes())
        .merge(chat::conversation_routes::routes())
        .merge(presence::routes::routes());

    // For browsers, in their language: every form is protected from forgery, in one place; the admin site asks first who
    // it is.
    let pages = Router::new()
        .merge(accounts::login::routes())
        .merge(accounts::account_page::routes())
        .merge(accounts::devices_page::routes())
        .merge(accounts::reset_page::routes())
        .merge(chat::page::routes())
        .layer(from_fn_with_state(app.clone(), csrf::protect_pages))
        .merge(admin::routes(&app))
        .layer(map_response(page::show_errors))
        .layer(from_fn(language::speak));

    let not_found = page::not_found.layer(from_fn(language::speak));
    let routes =
        Router::new().merge(api).merge(pages).merge(assets::routes()).fallback(not_found).with_state(app.clone());
    let routes = routes.layer(from_fn(requests::note_route));

    let around = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(page::after_panic))
        .layer(from_fn(cors::allow_every_origin))
        .layer(from_fn(move |request, next: Next| in_time(timeout, next.run(request))))
        // Before the routes are looked up, as it changes the path.
        .layer(map_request(negotiation::suffix_to_query));
    // Whoever watches over the server is no client: none of that is about them.
    let health = health::routes().with_state(app.clone());
    let served = Router::new().fallback_service(around.service(routes));
    let served = served.layer(from_fn_with_state(app.clone(), requests::observe));
    served.layer(from_fn_with_state(app, hardening::harden)).merge(health)
}

async fn in_time(timeout: Duration, answer: impl Future<Output = Response>) -> Response {
    let late = |_| Error::Unavailable("an answer took too long").into_response();
    tokio::time::timeout(timeout, answer).await.unwrap_or_else(late)
}
