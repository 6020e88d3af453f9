//! The bar at the top of the pages of somebody who is logged in.

use crate::accounts::User;

/// What `bar.html` shows; a page that has it includes that.
pub struct Bar {
    pub csrf_token: String,
    pub email: String,
    pub is_staff: bool,
    /// The path of the page that it is on.
    pub here: &'static str,
}

impl Bar {
    pub fn of(user: &User, here: &'static str, csrf_token: String) -> Self {
        Self { csrf_token, email: user.email.clone(), is_staff: user.is_staff, here }
    }
}
