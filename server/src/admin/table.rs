//! The tables of the admin site: what a table says of itself, and the pages that all of them get for it.
//!
//! A list with search, filters, sorting and pages; a file of what is listed; a page for each row; and what can be done with
//! one or many of them. What cannot be taken back is asked about first.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_extra::extract::WithRejection;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use sea_orm::Order;
use url::form_urlencoded;

use super::audit::Actor;
use super::door::{HOME, only};
use super::page::{Cell, Shell, Site, Visit, address};
use super::staff::Staff;
use crate::admin;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::api::path_and_query;
use crate::http::language::{filters, translate};
use crate::http::page::{is_local_path, redirect};
use crate::http::parameters::Parameters;
use crate::listing::{self, Found, PAGE, PORTION, Part, Wanted};

/// A table whose rows staff may look at. Its rows are numbered.
pub trait Table: Send + Sync + 'static {
    type Row: Send + Sync + 'static;

    /// Its pages are at `/admin/<path>/`.
    const PATH: &'static str;
    const TITLE: &'static str;
    /// What its search looks through.
    const SEARCHES: &'static str;
    const COLUMNS: &'static [Column<Self::Row>];
    const FILTERS: &'static [Filter] = &[];
    const ACTIONS: &'static [Action] = &[];
    /// A page on which a row is made: its address and name.
    const NEW: Option<(&'static str, &'static str)> = None;

    fn id(row: &Self::Row) -> i64;

    /// What a row is called where it stands alone, in the reader's language.
    fn name(row: &Self::Row) -> String;

    fn list(site: &Site, wanted: &Wanted) -> impl Future<Output = Result<Found<Self::Row>>> + Send;

    fn by_ids(site: &Site, ids: &[i64]) -> impl Future<Output = Result<Vec<Self::Row>>> + Send;
}

pub struct Column<Row> {
    /// Names it in addresses.
    key: &'static str,
    title: &'static str,
    is_sortable: bool,
    cell: fn(&Row) -> Cell,
}

impl<Row> Column<Row> {
    pub const fn new(key: &'static str, title: &'static str, cell: fn(&Row) -> Cell) -> Self {
        Self { key, title, is_sortable: false, cell }
    }

    /// One that the table's query can sort by.
    pub const fn sortable(key: &'static str, title: &'static str, cell: fn(&Row) -> Cell) -> Self {
        Self { is_sortable: true, ..Self::new(key, title, cell) }
    }
}

pub struct Filter {
    pub name: &'static str,
    pub label: &'static str,
    pub options: Options,
}

pub enum Options {
    /// Values, and what they are called.
    Of(fn() -> Vec<(&'static str, &'static str)>),
    AnyNumber,
    AnyText,
}

pub fn yes_or_no() -> Vec<(&'static str, &'static str)> {
    vec![("yes", "Yes"), ("no", "No")]
}

/// What a row of somebody's is called.
pub fn named(pattern: &str, id: i64, email: Option<&str>) -> String {
    let named = translate(pattern).with("id", id);
    match email {
        Some(email) => named.with("user", email).to_string(),
        None => named.with("user", translate("nobody")).to_string(),
    }
}

/// What can be done with rows.
pub struct Action {
    pub key: &'static str,
    pub label: &'static str,
    /// What was done, before a number.
    pub done: &'static str,
    /// What is asked first, where it cannot be taken back or shuts somebody out.
    pub warning: Option<&'static str>,
    /// Whether nobody may do it to themselves. Its rows are users then.
    pub spares_oneself: bool,
    pub perform: Perform,
}

/// Does it to the rows of these numbers; returns to how many it was done.
pub type Perform = for<'a> fn(&'a Site, &'a Actor, &'a [i64]) -> BoxFuture<'a, Result<usize>>;

/// What was done by a form, as the address names it, and as is said before a number.
#[derive(Clone, Copy)]
pub struct Outcome {
    pub key: &'static str,
    pub done: &'static str,
}

impl Action {
    pub fn outcome(&self) -> Outcome {
        Outcome { key: self.key, done: self.done }
    }
}

/// The pages of a table.
pub fn routes<T: Table>() -> Router<App> {
    Router::new()
        .route(&address(T::PATH), only(get(show_list::<T>)))
        .route(&(address(T::PATH) + "export.csv"), only(get(export::<T>)))
        .route(&(address(T::PATH) + "act/"), only(get(go_to_list::<T>).post(act::<T>)))
}

/// A page for each row, of a table that has no better one.
pub fn record_route<T: Table>() -> Router<App> {
    Router::new().route(&(address(T::PATH) + "{id}/"), only(get(show_record::<T>)))
}

/// Reads what is wanted of a table from an address. What makes no sense there is as if it were left out.
fn wanted_from<T: Table>(parameters: &Parameters) -> Wanted {
    let filters = T::FILTERS.iter().filter_map(|filter| {
        let value = parameters.get(filter.name)?.trim();
        filter.takes(value).then(|| (filter.name, value.to_owned()))
    });
    let mut wanted = Wanted::new(parameters.get("q").unwrap_or_default(), filters.collect());
    let sort = parameters.get("sort").unwrap_or_default();
    let (key, order) = sort.strip_prefix('-').map_or((sort, Order::Asc), |key| (key, Order::Desc));
    if let Some(column) = T::COLUMNS.iter().find(|column| column.is_sortable && column.key == key) {
        (wanted.sort, wanted.order) = (Some(column.key), order);
    }
    wanted.part = Part::Page(parameters.get("page").and_then(|page| page.parse().ok()).unwrap_or(1));
    wanted
}

impl Filter {
    fn takes(&self, value: &str) -> bool {
        match self.options {
            Options::Of(options) => options().iter().any(|(option, _)| *option == value),
            Options::AnyNumber => value.parse::<i64>().is_ok(),
            // No text in a database has a null character, and PostgreSQL takes none to look for either.
            Options::AnyText => !value.is_empty() && !value.contains('\0'),
        }
    }
}

/// Addresses of the same list, seen differently.
struct Addresses<'a> {
    path: String,
    wanted: &'a Wanted,
    filters: Vec<(&'static str, &'a str)>,
}

impl<'a> Addresses<'a> {
    fn of<T: Table>(wanted: &'a Wanted) -> Self {
        let filters = T::FILTERS.iter().filter_map(|filter| Some((filter.name, wanted.filter(filter.name)?)));
        Self { path: address(T::PATH), wanted, filters: filters.collect() }
    }

    fn with(&self, file: &str, sort: Option<(&str, &Order)>, page: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.wanted.search().is_empty() {
            query.append_pair("q", self.wanted.search());
        }
        for (name, value) in &self.filters {
            query.append_pair(name, value);
        }
        if let Some((key, order)) = sort {
            query.append_pair("sort", &format!("{}{key}", if *order == Order::Desc { "-" } else { "" }));
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        let query = query.finish();
        let path = format!("{}{file}", self.path);
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    fn page(&self, page: u64) -> String {
        self.with("", self.wanted.sort.map(|key| (key, &self.wanted.order)), page)
    }

    fn sorted_by(&self, key: &str) -> String {
        let is_ascending = self.wanted.sort == Some(key) && self.wanted.order == Order::Asc;
        self.with("", Some((key, if is_ascending { &Order::Desc } else { &Order::Asc })), 1)
    }

    fn export(&self) -> String {
        self.with("export.csv", None, 1)
    }
}

/// Rows as a table, with what can be done with them.
#[derive(Template)]
#[template(path = "admin/rows.html")]
pub struct Rows {
    title: &'static str,
    act: String,
    csrf_token: String,
    /// Where to go after something was done.
    here: String,
    heads: Vec<Head>,
    lines: Vec<RowView>,
    actions: &'static [Action],
}

struct Head {
    title: &'static str,
    /// The list sorted by this column.
    href: Option<String>,
    sorted: Option<&'static str>,
}

struct RowView {
    id: i64,
    name: String,
    /// With the columns' titles. The first one leads to the row's page.
    cells: Vec<(&'static str, Cell)>,
}

impl Rows {
    /// `rows` as they are, on somebody else's page.
    pub fn of<T: Table>(rows: &[T::Row], csrf_token: String, here: String) -> Self {
        let heads = T::COLUMNS.iter().map(|column| Head { title: column.title, href: None, sorted: None });
        Self::under::<T>(heads.collect(), rows, csrf_token, here)
    }

    fn under<T: Table>(heads: Vec<Head>, rows: &[T::Row], csrf_token: String, here: String) -> Self {
        let lines = rows.iter().map(|row| RowView { id: T::id(row), name: T::name(row), cells: linked::<T>(row) });
        let act = address(T::PATH) + "act/";
        Self { title: T::TITLE, act, csrf_token, here, heads, lines: lines.collect(), actions: T::ACTIONS }
    }
}

/// How much of a text a list shows.
const BRIEF: usize = 300;

fn linked<T: Table>(row: &T::Row) -> Vec<(&'static str, Cell)> {
    let mut cells = cells::<T>(row);
    for (_, cell) in &mut cells {
        if let Cell::Text(text) = cell {
            *text = brief(text, BRIEF);
        }
    }
    if let Some((_, first)) = cells.first_mut() {
        *first = Cell::Link { text: first.shown(), href: format!("{}{}/", address(T::PATH), T::id(row)) };
    }
    cells
}

/// The beginning of a text, of so many characters at most.
pub fn brief(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn cells<T: Table>(row: &T::Row) -> Vec<(&'static str, Cell)> {
    T::COLUMNS.iter().map(|column| (column.title, (column.cell)(row))).collect()
}

#[derive(Template)]
#[template(path = "admin/list.html")]
struct ListPage {
    shell: Shell,
    title: &'static str,
    searches: &'static str,
    notice: Option<String>,
    path: String,
    search: String,
    /// Kept by a new search.
    sort: Option<String>,
    is_narrowed: bool,
    filters: Vec<FilterView>,
    rows: Rows,
    total: u64,
    page: u64,
    pages: u64,
    previous: Option<String>,
    next: Option<String>,
    export: String,
    new: Option<(&'static str, &'static str)>,
}

struct FilterView {
    name: &'static str,
    label: &'static str,
    /// None where anything will do.
    options: Option<Vec<(&'static str, &'static str, bool)>>,
    value: String,
}

async fn show_list<T: Table>(site: Site, visit: Visit, parameters: Parameters) -> Result<Response> {
    let wanted = wanted_from::<T>(&parameters);
    let Found { rows, total, page } = T::list(&site, &wanted).await?;
    let addresses = Addresses::of::<T>(&wanted);
    let pages = listing::pages(total);
    let heads = T::COLUMNS.iter().map(|column| Head {
        title: column.title,
        href: column.is_sortable.then(|| addresses.sorted_by(column.key)),
        sorted: (wanted.sort == Some(column.key)).then_some(match wanted.order {
            Order::Desc => "descending",
            _ => "ascending",
        }),
    });
    let filters = T::FILTERS.iter().map(|filter| FilterView::of(filter, wanted.filter(filter.name)));
    let rows = Rows::under::<T>(heads.collect(), &rows, visit.csrf_token.clone(), addresses.page(page));
    let list = ListPage {
        shell: visit.shell(T::PATH),
        title: T::TITLE,
        searches: T::SEARCHES,
        notice: notice(&parameters, T::ACTIONS.iter().map(Action::outcome)),
        path: addresses.path.clone(),
        search: wanted.search().to_owned(),
        sort: parameters.get("sort").filter(|_| wanted.sort.is_some()).map(str::to_owned),
        is_narrowed: !wanted.search().is_empty() || !addresses.filters.is_empty(),
        filters: filters.collect(),
        rows,
        total,
        page,
        pages,
        previous: (page > 1).then(|| addresses.page(page - 1)),
        next: (page < pages).then(|| addresses.page(page + 1)),
        export: addresses.export(),
        new: T::NEW,
    };
    Ok(visit.show(list))
}

impl FilterView {
    fn of(filter: &Filter, value: Option<&str>) -> Self {
        let options = match filter.options {
            Options::Of(options) => {
                let is_it = |option: &str| value == Some(option);
                Some(options().into_iter().map(|(option, label)| (option, label, is_it(option))).collect())
            }
            Options::AnyNumber | Options::AnyText => None,
        };
        Self { name: filter.name, label: filter.label, options, value: value.unwrap_or_default().to_owned() }
    }
}

#[derive(Template)]
#[template(path = "admin/record.html")]
struct RecordPage {
    shell: Shell,
    list: String,
    title: &'static str,
    name: String,
    facts: Facts,
    /// Where its actions are sent, and what is sent with them.
    act: String,
    id: i64,
    actions: &'static [Action],
}

/// What is known of a row.
#[derive(Template)]
#[template(path = "admin/facts.html")]
pub struct Facts {
    facts: Vec<(&'static str, Cell)>,
}

impl Facts {
    pub fn of<T: Table>(row: &T::Row) -> Self {
        Self { facts: cells::<T>(row) }
    }
}

async fn show_record<T: Table>(
    site: Site,
    visit: Visit,
    WithRejection(Path(id), _): WithRejection<Path<i64>, Error>,
) -> Result<Response> {
    let row = T::by_ids(&site, &[id]).await?.into_iter().next().ok_or(Error::NotFound)?;
    let record = RecordPage {
        shell: visit.shell(T::PATH),
        list: address(T::PATH),
        title: T::TITLE,
        name: T::name(&row),
        facts: Facts::of::<T>(&row),
        act: address(T::PATH) + "act/",
        id,
        actions: T::ACTIONS,
    };
    Ok(visit.show(record))
}

/// Spreadsheets take a file for UTF-8 that begins with it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What is listed, as a file for spreadsheets. It is read and sent bit by bit, however much there is.
async fn export<T: Table>(site: Site, staff: Staff, parameters: Parameters) -> Result<Response> {
    let wanted = wanted_from::<T>(&parameters);
    let address = Addresses::of::<T>(&wanted).export();
    let narrowed = address.split_once('?').map_or("", |(_, query)| query);
    admin::export(&site.app, &staff.actor(), T::PATH, brief(narrowed, BRIEF)).await?;
    let heads = csv_line(std::iter::once("id").chain(T::COLUMNS.iter().map(|column| column.title)));
    let heads = format!("{BYTE_ORDER_MARK}{heads}");
    let rows = stream::try_unfold(Some(i64::MAX), move |below| portion::<T>(site.clone(), wanted.clone(), below));
    let text = stream::once(std::future::ready(Ok(heads))).chain(rows);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", T::PATH)),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(text)).into_response())
}

/// The lines of the next rows, and where those after them begin.
async fn portion<T: Table>(
    site: Site,
    mut wanted: Wanted,
    below: Option<i64>,
) -> Result<Option<(String, Option<i64>)>> {
    let Some(below) = below else { return Ok(None) };
    wanted.part = Part::Below(below);
    // The answer has begun: all that can be done is to break it off.
    let Found { rows, .. } = T::list(&site, &wanted).await.inspect_err(Error::log)?;
    let line = |row: &T::Row| {
        let cells = T::COLUMNS.iter().map(|column| (column.cell)(row).exported());
        csv_line(std::iter::once(T::id(row).to_string()).chain(cells))
    };
    let lines = rows.iter().map(line).collect();
    let is_full = rows.len() as u64 == PORTION;
    Ok(Some((lines, rows.last().map(T::id).filter(|_| is_full))))
}

/// A line of RFC 4180.
fn csv_line<S: AsRef<str>>(cells: impl Iterator<Item = S>) -> String {
    let cells: Vec<_> = cells.map(|cell| format!("\"{}\"", harmless(cell.as_ref()).replace('"', "\"\""))).collect();
    cells.join(",") + "\r\n"
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    format!("{}{text}", if is_formula { "'" } else { "" })
}

/// What a form asks to be done.
struct Request {
    action: String,
    ids: BTreeSet<i64>,
    is_confirmed: bool,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "admin/confirm.html")]
struct ConfirmPage {
    shell: Shell,
    title: &'static str,
    warning: &'static str,
    action: &'static Action,
    act: String,
    /// Number and name of what it is done to.
    rows: Vec<(i64, String)>,
    /// Whether whoever asks was among them.
    is_spared: bool,
    next: String,
}

/// For whoever reloads a question, or had to log in to answer it.
async fn go_to_list<T: Table>(_: Staff) -> Response {
    redirect(&address(T::PATH))
}

async fn act<T: Table>(site: Site, visit: Visit, form: Bytes) -> Result<Response> {
    let order = Request::read(&form)?;
    let next = order.next.unwrap_or_else(|| address(T::PATH));
    let action = T::ACTIONS.iter().find(|action| action.key == order.action);
    let action = action.ok_or(Error::Malformed("There is no such action.".into()))?;
    let mut ids: Vec<_> = order.ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(redirect(&with_notice(&next, NOTHING, 0)));
    }
    if let Some(warning) = action.warning.filter(|_| !order.is_confirmed) {
        let own = visit.staff.user.id.0;
        let is_spared = action.spares_oneself && ids.contains(&own);
        ids.retain(|id| !is_spared || *id != own);
        let rows = T::by_ids(&site, &ids).await?;
        let rows = rows.iter().map(|row| (T::id(row), T::name(row))).collect();
        let (shell, act) = (visit.shell(T::PATH), address(T::PATH) + "act/");
        let page = ConfirmPage { shell, title: T::TITLE, warning, action, act, rows, is_spared, next };
        return Ok(visit.show(page));
    }
    let count = (action.perform)(&site, &visit.staff.actor(), &ids).await?;
    Ok(redirect(&with_notice(&next, action.key, count)))
}

/// Said where nothing was selected.
const NOTHING: &str = "nothing";

impl Request {
    /// # Errors
    /// [`Error::Malformed`] where it selects more than a page has, or what is no number.
    fn read(form: &[u8]) -> Result<Self> {
        let mut order = Self { action: String::new(), ids: BTreeSet::new(), is_confirmed: false, next: None };
        for (name, value) in form_urlencoded::parse(form) {
            match name.as_ref() {
                "action" => order.action = value.into_owned(),
                "id" => {
                    let id = value.parse().map_err(|_| Error::Malformed("A selected row has no number.".into()))?;
                    order.ids.insert(id);
                }
                "confirmed" => order.is_confirmed = true,
                "next" => {
                    order.next = Some(value.into_owned()).filter(|next| is_local_path(next) && next.starts_with(HOME));
                }
                _ => {}
            }
            if order.ids.len() as u64 > PAGE {
                return Err(Error::Malformed("More is selected than a page has.".into()));
            }
        }
        Ok(order)
    }
}

/// `next`, with what was done and to how many: said by the page there.
pub fn with_notice(next: &str, done: &str, count: usize) -> String {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let others = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "done" && name != "count");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(others).append_pair("done", done).append_pair("count", &count.to_string());
    format!("{path}?{}", query.finish())
}

/// What the address says was done, in the words of these outcomes.
pub fn notice(parameters: &Parameters, outcomes: impl IntoIterator<Item = Outcome>) -> Option<String> {
    let done = parameters.get("done")?;
    if done == NOTHING {
        return Some(translate("Nothing was selected.").to_string());
    }
    let count: usize = parameters.get("count")?.parse().ok()?;
    let outcome = outcomes.into_iter().find(|outcome| outcome.key == done)?;
    Some(format!("{}: {count}.", translate(outcome.done)))
}

/// This address, without what it says was done.
pub fn here(uri: &Uri) -> String {
    let here = path_and_query(uri);
    here.split_once('?').map_or(here, |(path, _)| path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{csv_line, with_notice};

    #[test]
    fn a_cell_of_a_file_is_quoted_and_never_a_formula() {
        let line = csv_line(["a", "=1+1", "+1", "-1", "@x", "\tx", "\rx", "say \"hi\", all"].into_iter());
        assert_eq!(line, "\"a\",\"'=1+1\",\"'+1\",\"'-1\",\"'@x\",\"'\tx\",\"'\rx\",\"say \"\"hi\"\", all\"\r\n");
    }

    #[test]
    fn a_notice_takes_the_place_of_an_older_one() {
        let next = with_notice("/admin/users/?q=a%26b&done=x&count=1", "activate", 3);
        assert_eq!(next, "/admin/users/?q=a%26b&done=activate&count=3");
    }
}
