//! Messages, for staff to find, delete and restore.

use super::door::HOME;
use super::page::{Cell, Site};
use super::table::{Action, Column, Filter, Options, Table, brief, named, yes_or_no};
use crate::admin;
use crate::chat::message::{self, Stored};
use crate::error::Result;
use crate::http::language::translate;
use crate::listing::{Found, Wanted};

pub struct Messages;

/// How much of its text names a message.
const NAMED: usize = 80;

impl Table for Messages {
    type Row = Stored;

    const PATH: &'static str = "messages";
    const TITLE: &'static str = "Messages";
    const SEARCHES: &'static str = "texts";
    const COLUMNS: &'static [Column<Stored>] = &[
        Column::sortable("time", "Time (UTC)", |message| Cell::Time(message.created_at)),
        Column::sortable("author", "Author", |message| Cell::user(message.author_id.0, &message.author_email)),
        Column::sortable("conversation", "Conversation", |message| {
            let id = message.conversation_id.0;
            Cell::Link { text: id.to_string(), href: format!("{HOME}conversations/{id}/") }
        }),
        Column::new("seq", "Number", |message| Cell::text(message.seq.to_string())),
        Column::new("text", "Text", |message| Cell::text(text(message))),
        Column::new("edited", "Edited", |message| message.edited_at.map_or(Cell::Nothing, Cell::Time)),
        Column::new("deleted", "Deleted", |message| match message.deleted_at {
            None => Cell::Nothing,
            Some(_) if message.is_withdrawn() => Cell::word("by the author"),
            Some(_) => Cell::word("by staff"),
        }),
    ];
    const FILTERS: &'static [Filter] = &[
        Filter { name: "author", label: "Author’s e-mail", options: Options::AnyText },
        Filter { name: "conversation", label: "Conversation", options: Options::AnyNumber },
        Filter { name: "deleted", label: "Deleted", options: Options::Of(yes_or_no) },
    ];
    const ACTIONS: &'static [Action] = &[
        Action {
            key: "delete",
            label: "Delete",
            done: "Messages deleted",
            warning: Some("Nobody sees these texts any more. Staff can restore them."),
            spares_oneself: false,
            perform: |site, by, ids| Box::pin(admin::delete_messages(&site.app, by, ids)),
        },
        Action {
            key: "restore",
            label: "Restore",
            done: "Messages restored",
            warning: None,
            spares_oneself: false,
            perform: |site, by, ids| Box::pin(admin::restore_messages(&site.app, by, ids)),
        },
    ];

    fn id(message: &Stored) -> i64 {
        message.id
    }

    fn name(message: &Stored) -> String {
        let name = named("Message {id} of {user}", message.seq, Some(&message.author_email));
        let name =
            translate("{message} in conversation {id}").with("message", name).with("id", message.conversation_id.0);
        format!("{name}: {}", brief(text(message), NAMED))
    }

    async fn list(site: &Site, wanted: &Wanted) -> Result<Found<Stored>> {
        message::list(site.app.database.read(), wanted).await
    }

    async fn by_ids(site: &Site, ids: &[i64]) -> Result<Vec<Stored>> {
        message::by_ids(site.app.database.read(), ids).await
    }
}

/// What its author has taken back nobody sees any more.
fn text(message: &Stored) -> &str {
    if message.is_withdrawn() { "" } else { &message.text }
}
