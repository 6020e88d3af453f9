//! Conversations and who is in them, for staff to look at.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum_extra::extract::WithRejection;

use super::door::only;
use super::page::{Cell, Shell, Site, Visit};
use super::table::{Column, Facts, Filter, Options, Table};
use crate::accounts::User;
use crate::app::App;
use crate::chat::conversation::{self, Conversation, Kind};
use crate::chat::member;
use crate::error::{Error, Result};
use crate::http::language::{filters, translate};
use crate::http::parameters::Parameters;
use crate::listing::{self, Found, PAGE, Wanted};

pub struct Conversations;

pub struct Row {
    conversation: Conversation,
    owner: Option<User>,
    members: i64,
}

impl Table for Conversations {
    type Row = Row;

    const PATH: &'static str = "conversations";
    const TITLE: &'static str = "Conversations";
    const SEARCHES: &'static str = "name and owner’s e-mail";
    const COLUMNS: &'static [Column<Row>] = &[
        Column::sortable("id", "Conversation", |row| Cell::text(row.conversation.id.0.to_string())),
        Column::sortable("name", "Name", |row| match row.conversation.kind {
            Kind::Everyone => Cell::word(row.conversation.name.clone()),
            _ => Cell::text(&row.conversation.name),
        }),
        Column::new("kind", "For", |row| Cell::word(name_of(row.conversation.kind))),
        Column::sortable("owner", "Opened by", |row| match &row.owner {
            Some(owner) => Cell::user(owner.id.0, &owner.email),
            None => Cell::Nothing,
        }),
        Column::new("members", "Members", |row| match row.conversation.kind {
            Kind::Everyone => Cell::word("all"),
            _ => Cell::text(row.members.to_string()),
        }),
        Column::sortable("messages", "Messages", |row| Cell::text(row.conversation.last_seq.to_string())),
        Column::new("created", "Opened", |row| Cell::Time(row.conversation.created_at)),
    ];
    const FILTERS: &'static [Filter] = &[
        Filter {
            name: "kind",
            label: "For",
            options: Options::Of(|| {
                vec![("open", "all who join"), ("invitation", "the invited"), ("direct", "two people")]
            }),
        },
        Filter { name: "member", label: "Member’s number", options: Options::AnyNumber },
    ];

    fn id(row: &Row) -> i64 {
        row.conversation.id.0
    }

    fn name(row: &Row) -> String {
        let Conversation { id, kind, name, .. } = &row.conversation;
        let named = translate(if name.is_empty() { "Conversation {id}" } else { "Conversation {id}: {name}" });
        let named = named.with("id", id.0);
        match kind {
            Kind::Everyone => named.with("name", translate(name)).to_string(),
            _ => named.with("name", name).to_string(),
        }
    }

    async fn list(site: &Site, wanted: &Wanted) -> Result<Found<Row>> {
        let Found { rows, total, page } = conversation::list(site.app.database.read(), wanted).await?;
        Ok(Found { rows: with_counts(site, rows).await?, total, page })
    }

    async fn by_ids(site: &Site, ids: &[i64]) -> Result<Vec<Row>> {
        with_counts(site, conversation::by_ids(site.app.database.read(), ids).await?).await
    }
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Everyone => "everyone",
        Kind::Open => "all who join",
        Kind::Invitation => "the invited",
        Kind::Direct => "two people",
    }
}

async fn with_counts(site: &Site, rows: Vec<(Conversation, Option<User>)>) -> Result<Vec<Row>> {
    let ids = rows.iter().map(|(conversation, _)| conversation.id);
    let counts = member::counts(site.app.database.read(), ids).await?;
    let row = |(conversation, owner): (Conversation, _)| {
        let members = counts.get(&conversation.id).copied().unwrap_or_default();
        Row { conversation, owner, members }
    };
    Ok(rows.into_iter().map(row).collect())
}

pub fn routes() -> Router<App> {
    Router::new().route("/admin/conversations/{id}/", only(get(show)))
}

#[derive(Template)]
#[template(path = "admin/conversation.html")]
struct ConversationPage {
    shell: Shell,
    id: i64,
    name: String,
    facts: Facts,
    /// Number and e-mail.
    members: Vec<(i64, String)>,
    /// Of everybody's conversation, those who have read something in it.
    is_everyones: bool,
    total: u64,
    page: u64,
    pages: u64,
}

async fn show(
    site: Site,
    visit: Visit,
    WithRejection(Path(id), _): WithRejection<Path<i64>, Error>,
    parameters: Parameters,
) -> Result<Response> {
    let row = Conversations::by_ids(&site, &[id]).await?.into_iter().next().ok_or(Error::NotFound)?;
    let total = row.members.unsigned_abs();
    let pages = listing::pages(total);
    let page = parameters.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, pages);
    let (_, members) = member::page(site.app.database.read(), row.conversation.id, (page - 1) * PAGE, PAGE).await?;
    let shown = ConversationPage {
        shell: visit.shell(Conversations::PATH),
        id,
        name: Conversations::name(&row),
        facts: Facts::of::<Conversations>(&row),
        members: members.into_iter().map(|(_, user)| (user.id.0, user.email)).collect(),
        is_everyones: row.conversation.kind == Kind::Everyone,
        total,
        page,
        pages,
    };
    Ok(visit.show(shown))
}
