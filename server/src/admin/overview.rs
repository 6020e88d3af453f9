//! The overview: what an operator wants to know first, and the last ten minutes in charts.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use askama::Template;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::door::{HOME, only};
use super::page::{Shell, Site, Visit};
use super::staff::Staff;
use crate::accounts::user;
use crate::app::App;
use crate::chat;
use crate::error::Result;
use crate::http::language::{Language, filters};
use crate::metrics::{Census, INTERVAL, SAMPLES, Sample};

pub fn routes() -> Router<App> {
    Router::new().route(HOME, only(get(show))).route("/admin/overview.json", only(get(show_figures)))
}

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage {
    shell: Shell,
    version: &'static str,
    figures: Vec<Figure>,
    charts: Vec<Chart>,
}

/// A number, and what it counts.
struct Figure {
    key: &'static str,
    title: &'static str,
    text: String,
}

/// The last ten minutes of one or two figures of a kind.
struct Chart {
    title: &'static str,
    lines: Vec<Line>,
    /// The number at the upper edge.
    top: f64,
}

struct Line {
    key: &'static str,
    title: &'static str,
    /// What it says now.
    now: String,
    values: Vec<f64>,
}

/// The size of a chart in units of its own.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

impl Chart {
    fn new(title: &'static str, lines: Vec<Line>) -> Self {
        let top = lines.iter().flat_map(|line| line.values.iter().copied()).fold(1.0, f64::max);
        Self { title, lines, top }
    }

    /// The points of a line, the newest at the right edge.
    fn points(&self, line: &Line) -> String {
        let step = WIDTH / float(SAMPLES as u64);
        let newest_first = line.values.iter().rev().zip(0_u32..);
        newest_first.fold(String::new(), |mut points, (value, age)| {
            let (x, y) = (WIDTH - f64::from(age) * step, HEIGHT - value / self.top * HEIGHT);
            // Writing into a String does not fail.
            write!(points, "{x:.1},{y:.1} ").ok();
            points
        })
    }

    fn top_text(&self) -> String {
        short(self.top)
    }
}

/// A number with a decimal where it is small and has one.
fn short(number: f64) -> String {
    let decimals = usize::from(number < 10.0 && number.fract() != 0.0);
    Language::current().decimal(&format!("{number:.decimals$}"))
}

async fn show(site: Site, visit: Visit) -> Result<Response> {
    let page = OverviewPage {
        shell: visit.shell(""),
        version: env!("CARGO_PKG_VERSION"),
        figures: figures(&site).await?,
        charts: charts(&site.app.metrics.history.samples()),
    };
    Ok(visit.show(page))
}

/// What changes on the page while it is open, by the keys that the page marks it with.
#[derive(Serialize)]
struct Figures {
    texts: BTreeMap<String, String>,
    lines: BTreeMap<&'static str, String>,
}

async fn show_figures(site: Site, _: Staff) -> Result<Json<Figures>> {
    let mut texts: BTreeMap<_, _> =
        figures(&site).await?.into_iter().map(|figure| (figure.key.to_owned(), figure.text)).collect();
    let mut lines = BTreeMap::new();
    for chart in charts(&site.app.metrics.history.samples()) {
        texts.insert(format!("top of {}", chart.title), chart.top_text());
        for line in &chart.lines {
            lines.insert(line.key, chart.points(line));
            texts.insert(line.key.to_owned(), line.now.clone());
        }
    }
    Ok(Json(Figures { texts, lines }))
}

async fn figures(Site { app, connections }: &Site) -> Result<Vec<Figure>> {
    let users = user::count(app.database.read()).await?;
    let messages = chat::count_messages(app).await?;
    let size = app.database.size().await?;
    let figure = |key, title, text| Figure { key, title, text };
    Ok(vec![
        figure("users", "Users", users.to_string()),
        figure("messages", "Messages", messages.to_string()),
        figure("sockets", "Open sockets", connections.census().all().to_string()),
        figure("slow", "Clients cut off", app.metrics.slow_sockets.get().to_string()),
        figure("errors", "Server errors", app.metrics.errors.get().to_string()),
        figure("size", "Database", in_bytes(size)),
        figure("uptime", "Uptime", in_time(app.metrics.uptime())),
    ])
}

fn in_bytes(size: i64) -> String {
    let tenths = size.saturating_mul(10) / (1024 * 1024);
    Language::current().decimal(&format!("{}.{} MiB", tenths / 10, tenths % 10))
}

fn in_time(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn charts(samples: &[Sample]) -> Vec<Chart> {
    let sockets = |key, title, of: fn(&Census) -> usize| {
        let values: Vec<_> = samples.iter().map(|sample| float(of(&sample.sockets) as u64)).collect();
        Line { key, title, now: short(values.last().copied().unwrap_or_default()), values }
    };
    let rate = |key, title, per: Duration, of: fn(&Sample) -> u64| {
        let scale = per.as_secs_f64() / INTERVAL.as_secs_f64();
        let values: Vec<_> =
            samples.windows(2).map(|two| float(of(&two[1]).saturating_sub(of(&two[0]))) * scale).collect();
        Line { key, title, now: short(values.last().copied().unwrap_or_default()), values }
    };
    vec![
        Chart::new(
            "Sockets by transport",
            vec![
                sockets("websocket", "Websocket", |census| census.websocket.all()),
                sockets("polling", "Polling", |census| census.polling.all()),
            ],
        ),
        Chart::new(
            "Sockets by protocol",
            vec![
                sockets("fourth", "Engine.IO 4", |census| census.websocket.fourth + census.polling.fourth),
                sockets("third", "Engine.IO 3", |census| census.websocket.third + census.polling.third),
            ],
        ),
        Chart::new(
            "Messages a second",
            vec![rate("rate", "Messages", Duration::from_secs(1), |sample| sample.messages)],
        ),
        Chart::new(
            "Server errors a minute",
            vec![rate("failures", "Errors", Duration::from_mins(1), |sample| sample.errors)],
        ),
    ]
}

/// Exact up to 2^32, and no chart shows more.
fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{charts, in_bytes, in_time};
    use crate::metrics::{Census, Protocols, Sample};

    #[test]
    fn a_chart_ends_at_its_right_edge_and_reaches_its_top() {
        let sample = |fourth, messages| {
            let websocket = Protocols { fourth, ..Protocols::default() };
            Sample { sockets: Census { websocket, ..Census::default() }, messages, errors: 0 }
        };
        let charts = charts(&[sample(0, 10), sample(4, 60)]);
        let points = |chart: usize| charts[chart].points(&charts[chart].lines[0]);
        assert_eq!(points(0), "600.0,0.0 595.0,120.0 ");
        assert_eq!((points(2).as_str(), charts[2].lines[0].now.as_str()), ("600.0,0.0 ", "10"));
        assert_eq!(points(3), "600.0,120.0 ", "nothing has failed");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!((in_bytes(0).as_str(), in_bytes(1_572_864).as_str()), ("0.0 MiB", "1.5 MiB"));
        let texts = [59, 3600 + 120, 90_000].map(|seconds| in_time(Duration::from_secs(seconds)));
        assert_eq!(texts, ["0 min", "1 h 2 min", "1 d 1 h"]);
    }
}
