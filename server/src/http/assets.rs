//! Files that the front end's build has made, embedded in the binary.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

use crate::app::App;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/web/static"]
struct Static;

pub fn routes() -> Router<App> {
    Router::new().route("/static/{file}", get(serve)).layer(CompressionLayer::new())
}

async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = Static::get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let [a, b, c, d, ..] = file.metadata.sha256_hash();
    let etag = format!("\"{:08x}\"", u32::from_be_bytes([a, b, c, d]));
    // Asked for anew each time, since the names do not change with the content; the answer is mostly 304.
    answer(&name, file, &etag, "public, no-cache", &headers)
}

/// The file, or 304 where the caller's copy is still the right one.
pub fn answer(name: &str, file: EmbeddedFile, etag: &str, caching: &'static str, request: &HeaderMap) -> Response {
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_current =
        known.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == etag || known == "*");
    let mut response = if is_current {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type(name))], file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" => "application/javascript; charset=utf-8",
        "map" => "application/json; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
