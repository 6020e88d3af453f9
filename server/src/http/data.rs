//! Request bodies as Django REST framework reads them: JSON, form or multipart, one dictionary.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::body;
use crate::app::App;
use crate::error::{Error, NON_FIELD_ERRORS, Result};

/// The fields of a request's body.
pub struct Data(pub Map<String, Value>);

impl FromRequest<App> for Data {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let bytes = body::read(body, app).await?;
        // As the original: nothing is a dictionary without fields, whatever it claims to be.
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        match MediaType::of(&parts.headers)? {
            MediaType::Json => from_json(&bytes),
            MediaType::Form => Ok(Self(from_form(&bytes))),
            MediaType::Multipart => from_multipart(Request::from_parts(parts, Body::from(bytes))).await,
        }
    }
}

enum MediaType {
    Json,
    Form,
    Multipart,
}

impl MediaType {
    fn of(headers: &HeaderMap) -> Result<Self> {
        let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match text.parse::<mime::Mime>().as_ref().map(mime::Mime::essence_str) {
            Ok("application/json") => Ok(Self::Json),
            Ok("application/x-www-form-urlencoded") => Ok(Self::Form),
            Ok("multipart/form-data") => Ok(Self::Multipart),
            _ => Err(Error::UnsupportedMediaType(text.to_owned())),
        }
    }
}

fn from_json(bytes: &Bytes) -> Result<Data> {
    let malformed = |error: serde_json::Error| Error::Malformed(format!("JSON parse error - {error}").into());
    match serde_json::from_slice(bytes).map_err(malformed)? {
        Value::Object(fields) => Ok(Data(fields)),
        Value::Null => Err(Error::invalid(NON_FIELD_ERRORS, "No data provided")),
        other => Err(Error::invalid(
            NON_FIELD_ERRORS,
            format!("Invalid data. Expected a dictionary, but got {}.", python_type(&other)),
        )),
    }
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// The fields of a urlencoded body; of a repeated one the last counts.
pub fn from_form(bytes: &[u8]) -> Map<String, Value> {
    url::form_urlencoded::parse(bytes)
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect()
}

async fn from_multipart(request: Request) -> Result<Data> {
    let malformed = |_| Error::Malformed("Multipart form parse error".into());
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(|_| Error::Malformed("Multipart form parse error - Invalid boundary".into()))?;
    let mut fields = Map::new();
    while let Some(field) = multipart.next_field().await.map_err(malformed)? {
        let Some(name) = field.name().map(str::to_owned) else {
            continue;
        };
        // No field of ours takes a file; as an object it is refused like any other value that is no text.
        let value = if field.file_name().is_some() {
            Value::Object(Map::new())
        } else {
            Value::String(field.text().await.map_err(malformed)?)
        };
        fields.insert(name, value);
    }
    Ok(Data(fields))
}
