//! Socket.IO's own browser client, served as Node's server serves it.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;
use tower_http::compression::CompressionLayer;

use crate::http::assets;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/web/socket.io"]
struct Bundle;

/// The npm package's version in quotes, which is the files' `ETag`.
const ETAG: &str = concat!("\"", include_str!(concat!(env!("OUT_DIR"), "/web/socket.io/version")), "\"");

/// `/socket.io/socket.io.js` and its companions with their source maps. Whatever else is asked for there is unknown.
pub fn routes() -> Router {
    Router::new().route("/socket.io/{file}", get(serve)).fallback(not_found).layer(CompressionLayer::new())
}

async fn serve(Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let file = Some(&name).filter(|name| name.starts_with("socket.io")).and_then(|name| Bundle::get(name));
    match file {
        Some(file) => assets::answer(&name, file, ETAG, "public, max-age=0", &headers),
        None => not_found(Method::GET, uri).await,
    }
}

/// In the words of Express, as the original.
async fn not_found(method: Method, uri: Uri) -> Response {
    (StatusCode::NOT_FOUND, format!("Cannot {method} {}\n", uri.path())).into_response()
}
