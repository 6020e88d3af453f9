//! Pages in the shape of Django REST framework's `CursorPagination`.

use serde::Serialize;

/// A page of a list, with the addresses of its neighbours.
#[derive(Serialize)]
pub struct CursorPage<T> {
    pub next: Option<String>,
    pub previous: Option<String>,
    pub results: Vec<T>,
}
