//! Pages in the shapes of Django REST framework's `CursorPagination` and `PageNumberPagination`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;

use super::base_url::BaseUrl;
use super::parameters::Parameters;
use crate::app::App;
use crate::error::Error;

/// A page of a list, with the addresses of its neighbours.
#[derive(Serialize)]
pub struct CursorPage<T> {
    pub next: Option<String>,
    pub previous: Option<String>,
    pub results: Vec<T>,
}

/// A page of a list that is counted, with the addresses of its neighbours.
#[derive(Serialize)]
pub struct NumberedPage<T> {
    pub count: u64,
    pub next: Option<String>,
    pub previous: Option<String>,
    pub results: Vec<T>,
}

/// Which page a caller asks for, by `page` and `page_size`.
pub struct PageNumber {
    number: u64,
    size: u64,
    /// Where the list is.
    address: String,
}

impl PageNumber {
    const SIZE: u64 = 50;
    const MAX_SIZE: u64 = 500;

    pub fn offset(&self) -> u64 {
        (self.number - 1).saturating_mul(self.size)
    }

    pub fn limit(&self) -> u64 {
        self.size
    }

    /// # Errors
    /// [`Error::NotFound`] behind the last page, as in Django REST framework; an empty list has one page.
    pub fn of<T>(self, count: u64, results: Vec<T>) -> Result<NumberedPage<T>, Error> {
        if self.number > 1 && results.is_empty() {
            return Err(Error::NotFound);
        }
        let address = |number: u64| format!("{}?page={number}&page_size={}", self.address, self.size);
        let has_next = self.offset().saturating_add(self.size) < count;
        Ok(NumberedPage {
            count,
            next: has_next.then(|| address(self.number + 1)),
            previous: (self.number > 1).then(|| address(self.number - 1)),
            results,
        })
    }
}

impl FromRequestParts<App> for PageNumber {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let Ok(parameters) = Parameters::from_request_parts(parts, app).await;
        let Ok(base) = BaseUrl::from_request_parts(parts, app).await;
        // What is no size counts as none, as in Django REST framework.
        let size = parameters.get("page_size").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
        Ok(Self {
            number: page_number(&parameters)?,
            size: size.unwrap_or(Self::SIZE).min(Self::MAX_SIZE),
            address: format!("{}{}", base.url, parts.uri.path()),
        })
    }
}

/// The page that `?page=` asks for, else the first.
///
/// # Errors
/// [`Error::NotFound`] for what is no number of a page.
pub fn page_number(parameters: &Parameters) -> Result<u64, Error> {
    let Some(text) = parameters.get("page") else { return Ok(1) };
    text.parse::<u32>().ok().filter(|number| *number > 0).map(u64::from).ok_or(Error::NotFound)
}
