//! The one error of the server, and the bodies that Django REST framework's clients expect of it.

use std::borrow::Cow;
use std::fmt;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sea_orm::DbErr;
use serde_json::{Map, Value, json};

use crate::database;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was not served. Its text is for the client; what only the operator may know stays in the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Authentication credentials were not provided.")]
    NotAuthenticated,
    /// A token that is malformed, unknown or no longer valid.
    #[error("{0}")]
    BadCredentials(&'static str),
    #[error("CSRF Failed: {0}")]
    Csrf(Cow<'static, str>),
    #[error("You do not have permission to perform this action.")]
    PermissionDenied,
    /// What even those may not do who may do almost anything.
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("Not found.")]
    NotFound,
    #[error("Method \"{0}\" not allowed.")]
    MethodNotAllowed(Method),
    #[error("Could not satisfy the request Accept header.")]
    NotAcceptable,
    #[error("Unsupported media type \"{0}\" in request.")]
    UnsupportedMediaType(String),
    /// A body that is not what its content type promises.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
    #[error("The request body is larger than {0} bytes.")]
    TooLarge(usize),
    #[error("The request body took too long.")]
    TooSlow,
    /// Fields that were refused.
    #[error("{0}")]
    Invalid(Invalid),
    #[error("Request was throttled. Expected available in {} second{}.", .0, if *.0 == 1 { "" } else { "s" })]
    Throttled(u64),
    /// Something the server needs is not there for the moment.
    #[error("Service temporarily unavailable, try again later.")]
    Unavailable(&'static str),
    #[error("database: {0}")]
    Database(#[from] DbErr),
    #[error("internal: {0}")]
    Internal(#[source] anyhow::Error),
}

/// Messages by field, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalid(Vec<(&'static str, Vec<String>)>);

/// What is not about one field is said under this name.
pub const NON_FIELD_ERRORS: &str = "non_field_errors";

impl Invalid {
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, messages)) => messages.push(message.into()),
            None => self.0.push((field, vec![message.into()])),
        }
    }

    pub fn of(&self, field: &str) -> &[String] {
        self.0.iter().find(|(name, _)| *name == field).map_or(&[], |(_, messages)| messages)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn body(self) -> Value {
        Value::Object(
            self.0.into_iter().map(|(field, messages)| (field.to_owned(), json!(messages))).collect::<Map<_, _>>(),
        )
    }
}

impl From<PathRejection> for Error {
    fn from(_: PathRejection) -> Self {
        Self::NotFound
    }
}

/// For people at a terminal.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|(field, messages)| format!("{field}: {}", messages.join(" ")));
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

impl Error {
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        let mut invalid = Invalid::default();
        invalid.add(field, message);
        Self::Invalid(invalid)
    }

    pub fn status(&self) -> StatusCode {
        match self {
            // Never 401: the original's first authenticator is the session, which has no challenge to offer.
            Self::NotAuthenticated
            | Self::BadCredentials(_)
            | Self::Csrf(_)
            | Self::PermissionDenied
            | Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed(_) | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(error) if database::is_passing(error) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a client may read.
    pub fn detail(&self) -> String {
        match self.status() {
            StatusCode::INTERNAL_SERVER_ERROR => "A server error occurred.".to_owned(),
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable("").to_string(),
            _ => self.to_string(),
        }
    }

    /// A word for programs, where a status would be out of place.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAuthenticated | Self::BadCredentials(_) | Self::Csrf(_) => "unauthenticated",
            Self::PermissionDenied | Self::Forbidden(_) => "forbidden",
            Self::NotFound => "not-found",
            Self::Throttled(_) => "throttled",
            _ if self.status().is_server_error() => "unavailable",
            _ => "invalid",
        }
    }

    /// Seconds after which the same request may succeed.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled(seconds) => Some(*seconds),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        }
    }

    /// What a person reads above the detail.
    fn heading(&self) -> &'static str {
        match self.status() {
            _ if matches!(self, Self::Csrf(_)) => "CSRF verification failed",
            StatusCode::INTERNAL_SERVER_ERROR => "Server Error (500)",
            status => status.canonical_reason().unwrap_or("Error"),
        }
    }

    pub fn log(&self) {
        match self {
            Self::Unavailable(what) => tracing::warn!(what, "a request was refused"),
            _ if self.status().is_server_error() => tracing::error!(error = %self, "a request failed"),
            _ => {}
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let retry_after = self.retry_after();
        let explanation = Explanation { heading: self.heading(), detail: self.detail() };
        let body = match self {
            Self::Invalid(invalid) => invalid.body(),
            error => json!({ "detail": error.detail() }),
        };
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(explanation);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What went wrong, in an answer's extensions: for pages, which show it in their own way.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub heading: &'static str,
    pub detail: String,
}
