//! What all resources of the API have in common: representations, `Allow`, the answer to other methods, the optional
//! slash.

use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, options};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::base_url::BaseUrl;
use super::current_user::CurrentUser;
use super::negotiation::negotiate;
use crate::app::App;
use crate::error::{Error, Result};

/// Carries a token's key, at sign-in.
pub const X_TOKEN: HeaderName = HeaderName::from_static("x-token");

/// A resource at `path`, which ends in a slash, whose other methods are for signed-in callers to hear of.
pub fn resource(path: &str, allow: &'static str, methods: MethodRouter<App>) -> Router<App> {
    with_slash_or_without(path, allow, methods.merge(options(describe_to_user)).fallback(refuse_user))
}

/// A resource that anybody may use.
pub fn open_resource(path: &str, allow: &'static str, methods: MethodRouter<App>) -> Router<App> {
    with_slash_or_without(path, allow, methods.merge(options(describe)).fallback(refuse))
}

fn with_slash_or_without(path: &str, allow: &'static str, methods: MethodRouter<App>) -> Router<App> {
    // `Allow` is outermost, so that an answer in a representation that nobody offers has it, too.
    let methods = methods.layer(from_fn(negotiate)).layer(map_response(move |mut response: Response| {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        std::future::ready(response)
    }));
    let without = methods.clone().layer(from_fn(redirect_reads));
    Router::new().route(path, methods).route(path.trim_end_matches('/'), without)
}

/// A read without the slash is sent to the address with it. Anything else is served as if the slash were there, since
/// clients turn a redirected POST into a GET.
async fn redirect_reads(request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let uri = request.uri();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, format!("{}/{query}", uri.path()))]).into_response()
}

async fn refuse_user(_: CurrentUser, method: Method) -> Error {
    Error::MethodNotAllowed(method)
}

async fn refuse(method: Method) -> Error {
    Error::MethodNotAllowed(method)
}

async fn describe_to_user(_: CurrentUser, path: axum::extract::MatchedPath) -> Json<Value> {
    describe(path).await
}

/// What `OPTIONS` says of a resource.
async fn describe(path: axum::extract::MatchedPath) -> Json<Value> {
    Json(json!({
        "name": path.as_str(),
        "description": "",
        "renders": ["application/json"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    }))
}

/// An answer without a body has no content type either.
pub fn empty(status: StatusCode) -> Response {
    let mut response = status.into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

/// `GET /api/`, for staff: where the lists are.
pub fn root() -> Router<App> {
    resource("/api/", "GET, HEAD, OPTIONS", get(show_root))
}

async fn show_root(caller: CurrentUser, base: BaseUrl) -> Result<Json<Value>> {
    if !caller.user.is_staff {
        return Err(Error::PermissionDenied);
    }
    Ok(Json(json!({ "users": format!("{}/api/users/", base.url) })))
}

/// The path and query of a request, as it was sent.
pub fn path_and_query(uri: &axum::http::Uri) -> &str {
    uri.path_and_query().map_or("/", PathAndQuery::as_str)
}
