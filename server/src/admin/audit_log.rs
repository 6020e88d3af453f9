//! The audit log's pages: nothing can be done with it.

use super::audit::{self, Act, Entry};
use super::page::{Cell, Site};
use super::table::{Column, Filter, Options, Table};
use crate::error::Result;
use crate::http::language::translate;
use crate::listing::{Found, Wanted};

pub struct AuditLog;

impl Table for AuditLog {
    type Row = Entry;

    const PATH: &'static str = "audit";
    const TITLE: &'static str = "Audit log";
    const SEARCHES: &'static str = "who, on whom, details, address";
    const COLUMNS: &'static [Column<Entry>] = &[
        Column::sortable("time", "Time (UTC)", |entry| Cell::Time(entry.created_at)),
        Column::sortable("actor", "Who", |entry| match entry.actor_id {
            Some(id) => Cell::user(id.0, &entry.actor),
            None => Cell::word(entry.actor.clone()),
        }),
        Column::sortable("act", "What", |entry| Cell::word(entry.act.clone())),
        Column::sortable("object", "On whom", |entry| match entry.object_id {
            Some(id) => Cell::user(id, &entry.object),
            None => Cell::text(&entry.object),
        }),
        Column::new("details", "Details", |entry| Cell::text(&entry.details)),
        Column::new("address", "From", |entry| Cell::text(entry.address.as_deref().unwrap_or_default())),
    ];
    const FILTERS: &'static [Filter] = &[Filter {
        name: "act",
        label: "What",
        options: Options::Of(|| Act::ALL.map(|act| (act.as_str(), act.as_str())).to_vec()),
    }];

    fn id(entry: &Entry) -> i64 {
        entry.id
    }

    fn name(entry: &Entry) -> String {
        translate("Entry {id}: {act}").with("id", entry.id).with("act", translate(&entry.act)).to_string()
    }

    async fn list(site: &Site, wanted: &Wanted) -> Result<Found<Entry>> {
        audit::list(site.app.database.read(), wanted).await
    }

    async fn by_ids(site: &Site, ids: &[i64]) -> Result<Vec<Entry>> {
        audit::by_ids(site.app.database.read(), ids).await
    }
}
