//! The sockets of this node, as they are now.

use sea_orm::Order;

use super::page::{Cell, Site};
use super::table::{Action, Column, Filter, Options, Table, named};
use crate::admin;
use crate::error::Result;
use crate::gateway::connections::Connection;
use crate::listing::{Found, Wanted};

pub struct LiveConnections;

impl Table for LiveConnections {
    type Row = Connection;

    const PATH: &'static str = "connections";
    const TITLE: &'static str = "Connections";
    const SEARCHES: &'static str = "e-mail, address, client";
    const COLUMNS: &'static [Column<Connection>] = &[
        Column::sortable("number", "Connection", |connection| Cell::text(connection.number.to_string())),
        Column::sortable("user", "User", |connection| match &connection.identity {
            Some(identity) => Cell::user(identity.user.0, &identity.email),
            None => Cell::Nothing,
        }),
        Column::sortable("address", "Address", |connection| Cell::text(connection.address())),
        Column::new("transport", "Transport", |connection| Cell::text(connection.transport)),
        Column::new("protocol", "Protocol", |connection| Cell::text(connection.protocol)),
        Column::new("client", "Client", |connection| Cell::text(connection.user_agent.clone())),
        Column::new("since", "Since (UTC)", |connection| Cell::Time(connection.since)),
        Column::sortable("waiting", "Waiting", |connection| match connection.waiting {
            Some(waiting) => Cell::word(format!("{} packets, {} bytes", waiting.packets, waiting.bytes)),
            None => Cell::Nothing,
        }),
    ];
    const FILTERS: &'static [Filter] = &[
        Filter {
            name: "transport",
            label: "Transport",
            options: Options::Of(|| vec![("websocket", "Websocket"), ("polling", "Polling")]),
        },
        Filter {
            name: "protocol",
            label: "Protocol",
            options: Options::Of(|| vec![("Engine.IO 3", "Engine.IO 3"), ("Engine.IO 4", "Engine.IO 4")]),
        },
    ];
    const ACTIONS: &'static [Action] = &[Action {
        key: "disconnect",
        label: "Disconnect",
        done: "Disconnected",
        warning: Some(
            "These clients are disconnected. To keep somebody away, end their sessions and tokens, or deactivate them.",
        ),
        spares_oneself: false,
        perform: |site, by, ids| Box::pin(admin::disconnect(&site.app, by, &site.connections, ids)),
    }];

    fn id(connection: &Connection) -> i64 {
        connection.id
    }

    fn name(connection: &Connection) -> String {
        let email = connection.identity.as_ref().map(|identity| &*identity.email);
        named("Connection {id} of {user}", connection.number, email)
    }

    async fn list(site: &Site, wanted: &Wanted) -> Result<Found<Connection>> {
        let mut all = site.connections.all();
        all.retain(|connection| is_wanted(connection, wanted));
        match wanted.sort {
            Some("user") => all.sort_by(|a, b| a.email().cmp(b.email())),
            Some("address") => all.sort_by_key(|connection| connection.address),
            Some("waiting") => all.sort_by_key(|connection| connection.waiting.map_or(0, |waiting| waiting.bytes)),
            _ => all.sort_by_key(|connection| connection.number),
        }
        if wanted.order == Order::Desc {
            all.reverse();
        }
        Ok(wanted.part_of(all, Self::id))
    }

    async fn by_ids(site: &Site, ids: &[i64]) -> Result<Vec<Connection>> {
        Ok(site.connections.by_ids(ids))
    }
}

fn is_wanted(connection: &Connection, wanted: &Wanted) -> bool {
    let text = wanted.search().to_lowercase();
    let texts = [connection.email().to_lowercase(), connection.address(), connection.user_agent.to_lowercase()];
    texts.iter().any(|own| own.contains(&text))
        && wanted.filter("transport").is_none_or(|transport| transport == connection.transport)
        && wanted.filter("protocol").is_none_or(|protocol| protocol == connection.protocol)
}
