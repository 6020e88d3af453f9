//! Which representation a caller of the API wants. There is one, JSON; the ways to ask for it are Django REST framework's.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

const MAX_INDENT: usize = 8;

pub async fn negotiate(request: Request, next: Next) -> Response {
    let wanted = wanted(request.uri(), request.headers());
    let mut response = match wanted {
        Err(error) => error.into_response(),
        Ok(None) => next.run(request).await,
        Ok(Some(indent)) => indented(next.run(request).await, indent).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Cookie"));
    response
}

/// The indentation asked for, if any.
fn wanted(uri: &Uri, headers: &HeaderMap) -> Result<Option<usize>, Error> {
    let query = uri.query().unwrap_or_default().as_bytes();
    let format = url::form_urlencoded::parse(query).find(|(name, _)| name == "format").map(|(_, value)| value);
    if format.as_ref().is_some_and(|format| !format.is_empty() && format != "json") {
        return Err(Error::NotFound);
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    if format.is_some() || accept.trim().is_empty() {
        return Ok(None);
    }
    let mut ranges = accept.split(',').filter_map(|range| range.trim().parse::<mime::Mime>().ok());
    let json = ranges.find(|range| match (range.type_().as_str(), range.subtype().as_str()) {
        // The last is what a browser's address bar sends; the original had no page to show for it and failed.
        ("*", _) | ("application", "*" | "json") | ("text", "*" | "html") => true,
        _ => false,
    });
    let json = json.ok_or(Error::NotAcceptable)?;
    let indent = json.get_param("indent").and_then(|value| value.as_str().parse().ok());
    Ok(indent.map(|indent: usize| indent.min(MAX_INDENT)))
}

async fn indented(response: Response, indent: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    // Our own answers, which are in memory already.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Error::Internal(anyhow::anyhow!("an answer could not be read")).into_response();
    };
    let spaces = vec![b' '; indent];
    let mut pretty = Vec::with_capacity(bytes.len() * 2);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
    let written = serde_json::from_slice::<Value>(&bytes)
        .and_then(|value| value.serialize(&mut serde_json::Serializer::with_formatter(&mut pretty, formatter)));
    if written.is_err() {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(pretty))
}

/// `/api/users/me.json` is `/api/users/me/?format=json`.
pub async fn suffix_to_query(mut request: Request) -> Request {
    let uri = request.uri();
    let Some((path, format)) = uri.path().rsplit_once('.') else {
        return request;
    };
    let is_suffix =
        path.starts_with("/api/") && !format.is_empty() && format.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_suffix {
        let query = uri.query().map(|query| format!("&{query}")).unwrap_or_default();
        if let Ok(rewritten) = format!("{path}/?format={format}{query}").parse() {
            *request.uri_mut() = rewritten;
        }
    }
    request
}
