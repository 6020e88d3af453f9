//! Rows of a table as staff look through them: what is wanted of them, and how it is read from the database.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, Order, PaginatorTrait, QueryFilter, QueryOrder, SelectorTrait,
};

use crate::error::Result;

/// Rows on a page.
pub const PAGE: u64 = 50;
/// Rows of an export that are read at once.
/// Few, as a message may be long.
pub const PORTION: u64 = 100;
/// A longer text is searched for by its beginning: SQLite takes patterns up to a length only.
const MAX_SEARCH: usize = 200;
/// Marks what is no wildcard in a pattern.
const ESCAPE: char = '!';

/// What somebody wants to see of a table.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// A text that a row must have in one of its columns.
    search: String,
    /// Values of filters, by the filter's name.
    filters: HashMap<&'static str, String>,
    /// The key of the column to sort by; else the newest come first.
    pub sort: Option<&'static str>,
    pub order: Order,
    pub part: Part,
}

#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The page of this number, from 1 on, or the last one where there are fewer.
    Page(u64),
    /// The next rows of an export: those with a smaller id, newest first. Read so, nothing is left out or repeated while
    /// rows come and go.
    Below(i64),
}

/// What there is of it.
#[derive(Debug)]
pub struct Found<Row> {
    pub rows: Vec<Row>,
    /// How many rows there are on all pages; unknown of an export.
    pub total: u64,
    /// The number of this page.
    pub page: u64,
}

impl Wanted {
    pub fn new(search: &str, filters: HashMap<&'static str, String>) -> Self {
        let search = search.trim().chars().take(MAX_SEARCH).collect();
        Self { search, filters, sort: None, order: Order::Desc, part: Part::Page(1) }
    }

    pub fn search(&self) -> &str {
        &self.search
    }

    pub fn filter(&self, name: &str) -> Option<&str> {
        self.filters.get(name).map(String::as_str)
    }

    /// The value of a filter that is `yes` or `no`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.filter(name)? {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.filter(name)?.parse().ok()
    }

    /// Holds for rows that have the text in one of `columns`, in capitals or not.
    pub fn is_in(&self, columns: impl IntoIterator<Item = Expr>) -> Condition {
        if self.search.is_empty() {
            return Condition::all();
        }
        // No text in a database has one, and PostgreSQL takes none to look for either.
        if self.search.contains('\0') {
            return Condition::all().add(Expr::cust("1 = 0"));
        }
        let like = |text: &str| LikeExpr::new(pattern(text)).escape(ESCAPE);
        columns.into_iter().fold(Condition::any(), |any, column| {
            // SQLite knows capitals of ASCII only: others are found as they were typed.
            let lowered = Expr::from(Func::lower(column.clone()));
            any.add(lowered.like(like(&self.search.to_lowercase()))).add(column.like(like(&self.search)))
        })
    }

    /// The wanted part of `rows` that are in memory, newest first unless `by` has something to say.
    pub fn part_of<Row>(&self, mut rows: Vec<Row>, id: impl Fn(&Row) -> i64) -> Found<Row> {
        let total = rows.len() as u64;
        match self.part {
            Part::Page(page) => {
                let page = Ord::clamp(page, 1, pages(total));
                let skipped = usize::try_from((page - 1) * PAGE).unwrap_or(usize::MAX);
                let rows = rows.into_iter().skip(skipped).take(size(PAGE)).collect();
                Found { rows, total, page }
            }
            Part::Below(below) => {
                rows.retain(|row| id(row) < below);
                rows.sort_by_key(|row| std::cmp::Reverse(id(row)));
                rows.truncate(size(PORTION));
                Found { rows, total, page: 1 }
            }
        }
    }
}

/// How many pages that many rows have: at least one.
pub fn pages(total: u64) -> u64 {
    Ord::max(total.div_ceil(PAGE), 1)
}

fn size(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// A pattern for texts that contain this one, whose own `%` and `_` are nothing but themselves.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// Reads the wanted part of what `query` finds, by `sort`, and where that is equal by `id`.
pub async fn read<'db, S>(
    db: &'db DatabaseConnection,
    query: S,
    wanted: &Wanted,
    sort: Expr,
    id: impl ColumnTrait,
) -> Result<Found<<S::Selector as SelectorTrait>::Item>>
where
    S: PaginatorTrait<'db, DatabaseConnection> + QueryFilter + QueryOrder,
{
    match wanted.part {
        Part::Page(page) => {
            let query = query.order_by(sort, wanted.order.clone()).order_by(id, wanted.order.clone());
            let paginator = query.paginate(db, PAGE);
            let total = paginator.num_items().await?;
            let page = Ord::clamp(page, 1, pages(total));
            Ok(Found { rows: paginator.fetch_page(page - 1).await?, total, page })
        }
        Part::Below(below) => {
            let query = query.filter(id.lt(below)).order_by(id, Order::Desc);
            Ok(Found { rows: query.paginate(db, PORTION).fetch_page(0).await?, total: 0, page: 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn wildcards_in_a_text_stand_for_themselves() {
        assert_eq!(pattern("50%_!"), "%50!%!_!!%");
    }
}
