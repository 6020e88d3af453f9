//! Sessions, as staff see them: their keys are nowhere.

use time::OffsetDateTime;

use super::page::{Cell, Site};
use super::table::{Action, Column, Filter, Options, Table, named};
use crate::accounts::User;
use crate::accounts::session::{self, Session};
use crate::admin;
use crate::error::Result;
use crate::listing::{Found, Wanted};

pub struct Sessions;

impl Table for Sessions {
    type Row = (Session, Option<User>);

    const PATH: &'static str = "sessions";
    const TITLE: &'static str = "Sessions";
    const SEARCHES: &'static str = "user’s e-mail";
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column::sortable("id", "Session", |(session, _)| Cell::text(session.id.to_string())),
        Column::sortable("user", "User", |(session, user)| match user {
            Some(user) => Cell::user(session.user_id.0, &user.email),
            None => Cell::Nothing,
        }),
        Column::new("client", "Browser", |(session, _)| Cell::text(&session.client)),
        Column::new("address", "Address", |(session, _)| Cell::text(&session.address)),
        Column::new("created", "Logged in", |(session, _)| Cell::Time(session.created_at)),
        Column::new("last_used", "Last used", |(session, _)| session.last_used_at.map_or(Cell::Nothing, Cell::Time)),
        Column::sortable("expires", "Expires", |(session, _)| Cell::Time(session.expires_at)),
        Column::new("live", "Live", |(session, _)| Cell::Flag(session.expires_at > OffsetDateTime::now_utc())),
    ];
    const FILTERS: &'static [Filter] =
        &[Filter { name: "user", label: "User’s number", options: Options::AnyNumber }];
    const ACTIONS: &'static [Action] = &[Action {
        key: "end",
        label: "End",
        done: "Sessions ended",
        warning: Some("These browsers are logged out at once, and what they are writing may be lost."),
        spares_oneself: false,
        perform: |site, by, ids| Box::pin(admin::end_sessions(&site.app, by, ids)),
    }];

    fn id((session, _): &Self::Row) -> i64 {
        session.id
    }

    fn name((session, user): &Self::Row) -> String {
        named("Session {id} of {user}", session.id, user.as_ref().map(|user| user.email.as_str()))
    }

    async fn list(site: &Site, wanted: &Wanted) -> Result<Found<Self::Row>> {
        session::list(site.app.database.read(), wanted).await
    }

    async fn by_ids(site: &Site, ids: &[i64]) -> Result<Vec<Self::Row>> {
        session::by_ids(site.app.database.read(), ids).await
    }
}
