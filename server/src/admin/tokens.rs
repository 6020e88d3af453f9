//! Tokens, as staff see them: their keys are nowhere.

use super::door::HOME;
use super::page::{Cell, Site};
use super::table::{Action, Column, Filter, Options, Table, named};
use crate::accounts::User;
use crate::accounts::token::{self, Token, TokenId};
use crate::admin;
use crate::error::Result;
use crate::listing::{Found, Wanted};

pub struct Tokens;

impl Table for Tokens {
    type Row = (Token, Option<User>);

    const PATH: &'static str = "tokens";
    const TITLE: &'static str = "Tokens";
    const SEARCHES: &'static str = "owner’s e-mail";
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column::sortable("id", "Token", |(token, _)| Cell::text(token.id.0.to_string())),
        Column::sortable("owner", "Owner", |(token, owner)| match owner {
            Some(owner) => Cell::user(token.user_id.0, &owner.email),
            None => Cell::Nothing,
        }),
        Column::new("session", "Made for session", |(token, _)| match token.session_id {
            Some(session) => Cell::Link { text: session.to_string(), href: format!("{HOME}sessions/{session}/") },
            None => Cell::Nothing,
        }),
        Column::new("client", "Client", |(token, _)| Cell::text(&token.client)),
        Column::new("address", "Address", |(token, _)| Cell::text(&token.address)),
        Column::new("created", "Created", |(token, _)| Cell::Time(token.created_at)),
        Column::new("last_used", "Last used", |(token, _)| token.last_used_at.map_or(Cell::Nothing, Cell::Time)),
    ];
    const FILTERS: &'static [Filter] = &[
        Filter {
            name: "kind",
            label: "Made for",
            options: Options::Of(|| vec![("client", "A client"), ("session", "A browser’s session")]),
        },
        Filter { name: "user", label: "Owner’s number", options: Options::AnyNumber },
    ];
    const ACTIONS: &'static [Action] = &[Action {
        key: "revoke",
        label: "Revoke",
        done: "Tokens revoked",
        warning: Some(
            "Clients that use these tokens are disconnected, and have to sign in again. Browsers whose pages do are logged out.",
        ),
        spares_oneself: false,
        perform: |site, by, ids| Box::pin(async move { admin::revoke_tokens(&site.app, by, &token_ids(ids)).await }),
    }];

    fn id((token, _): &Self::Row) -> i64 {
        token.id.0
    }

    fn name((token, owner): &Self::Row) -> String {
        named("Token {id} of {user}", token.id.0, owner.as_ref().map(|owner| owner.email.as_str()))
    }

    async fn list(site: &Site, wanted: &Wanted) -> Result<Found<Self::Row>> {
        token::list(site.app.database.read(), wanted).await
    }

    async fn by_ids(site: &Site, ids: &[i64]) -> Result<Vec<Self::Row>> {
        token::by_ids(site.app.database.read(), &token_ids(ids)).await
    }
}

fn token_ids(ids: &[i64]) -> Vec<TokenId> {
    ids.iter().copied().map(TokenId).collect()
}
