//! Users: their list, and the pages on which they are made and changed.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::get;
use axum_extra::extract::WithRejection;
use serde_json::{Map, Value};

use super::door::only;
use super::page::{Cell, Shell, Site, Visit, address};
use super::sessions::Sessions;
use super::staff::Staff;
use super::table::{self, Action, Column, Facts, Filter, Options, Outcome, Rows, Table, yes_or_no};
use super::tokens::Tokens;
use crate::accounts::routes::{profile_change_from, sign_up_from};
use crate::accounts::user::{self, User, UserId};
use crate::accounts::{MAX_PASSWORD_CHARACTERS, find_user};
use crate::admin::{self, Rights};
use crate::app::App;
use crate::error::{Error, Invalid, Result};
use crate::http::data::Data;
use crate::http::fields::{Fields, Text, is_checked};
use crate::http::language::filters;
use crate::http::page::redirect;
use crate::http::parameters::Parameters;
use crate::listing::{Found, Wanted};

pub struct Users;

impl Table for Users {
    type Row = User;

    const PATH: &'static str = "users";
    const TITLE: &'static str = "Users";
    const SEARCHES: &'static str = "e-mail and names";
    const COLUMNS: &'static [Column<User>] = &[
        Column::sortable("email", "E-mail", |user| Cell::text(&user.email)),
        Column::sortable("first_name", "First name", |user| Cell::text(&user.first_name)),
        Column::sortable("last_name", "Last name", |user| Cell::text(&user.last_name)),
        Column::sortable("staff", "Staff", |user| Cell::Flag(user.is_staff)),
        Column::sortable("active", "Active", |user| Cell::Flag(user.is_active)),
        Column::sortable("joined", "Joined", |user| Cell::Time(user.created_at)),
        Column::sortable("last_login", "Last login", |user| user.last_login_at.map_or(Cell::Nothing, Cell::Time)),
    ];
    const FILTERS: &'static [Filter] = &[
        Filter { name: "staff", label: "Staff", options: Options::Of(yes_or_no) },
        Filter { name: "active", label: "Active", options: Options::Of(yes_or_no) },
    ];
    const ACTIONS: &'static [Action] = &[
        Action {
            key: "deactivate",
            label: "Deactivate",
            done: "Users deactivated",
            warning: Some("They can no longer sign in, and are disconnected at once, wherever they are."),
            spares_oneself: true,
            perform: |site, by, ids| Box::pin(async move { admin::deactivate(&site.app, by, &user_ids(ids)).await }),
        },
        Action {
            key: "activate",
            label: "Activate",
            done: "Users activated",
            warning: None,
            spares_oneself: false,
            perform: |site, by, ids| Box::pin(async move { admin::activate(&site.app, by, &user_ids(ids)).await }),
        },
        Action {
            key: "make_staff",
            label: "Make staff",
            done: "Users made staff",
            warning: Some("They may do on this site whatever you may."),
            spares_oneself: false,
            perform: |site, by, ids| Box::pin(async move { admin::make_staff(&site.app, by, &user_ids(ids)).await }),
        },
        Action {
            key: "take_staff",
            label: "Take staff rights",
            done: "Users without staff rights now",
            warning: Some("They can no longer use this site."),
            spares_oneself: true,
            perform: |site, by, ids| Box::pin(async move { admin::take_staff(&site.app, by, &user_ids(ids)).await }),
        },
    ];
    const NEW: Option<(&'static str, &'static str)> = Some(("/admin/users/new/", "New user"));

    fn id(user: &User) -> i64 {
        user.id.0
    }

    fn name(user: &User) -> String {
        user.email.clone()
    }

    async fn list(site: &Site, wanted: &Wanted) -> Result<Found<User>> {
        user::list(site.app.database.read(), wanted).await
    }

    async fn by_ids(site: &Site, ids: &[i64]) -> Result<Vec<User>> {
        user::by_ids(site.app.database.read(), &user_ids(ids)).await
    }
}

fn user_ids(ids: &[i64]) -> Vec<UserId> {
    ids.iter().copied().map(UserId).collect()
}

/// The pages that only users have.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin/users/new/", only(get(show_new).post(create)))
        .route("/admin/users/{id}/", only(get(show).post(change)))
        .route("/admin/users/{id}/password/", only(get(go_to_user).post(set_password)))
}

/// What a form for a user holds, and what is wrong with it.
#[derive(Default)]
struct Form {
    email: String,
    first_name: String,
    last_name: String,
    is_staff: bool,
    invalid: Invalid,
}

impl Form {
    fn of(user: &User) -> Self {
        let User { email, first_name, last_name, is_staff, .. } = user.clone();
        Self { email, first_name, last_name, is_staff, invalid: Invalid::default() }
    }

    /// What was sent, to be shown again.
    fn refused(data: &Map<String, Value>, invalid: Invalid) -> Self {
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            email: text("email"),
            first_name: text("first_name"),
            last_name: text("last_name"),
            is_staff: is_checked(data, "is_staff"),
            invalid,
        }
    }

    fn errors(&self, field: &str) -> &[String] {
        self.invalid.of(field)
    }
}

#[derive(Template)]
#[template(path = "admin/new_user.html")]
struct NewUserPage {
    shell: Shell,
    form: Form,
}

async fn show_new(visit: Visit) -> Response {
    visit.show(NewUserPage { shell: visit.shell(Users::PATH), form: Form::default() })
}

async fn create(site: Site, visit: Visit, Data(data): Data) -> Result<Response> {
    let rights = if is_checked(&data, "is_staff") { Rights::Staff } else { Rights::None };
    let by = visit.staff.actor();
    let made = async { admin::create_user(&site.app, &by, sign_up_from(&data)?, rights).await }.await;
    match made {
        Ok(user) => Ok(redirect(&table::with_notice(&path_of(user.id), CREATED.key, 1))),
        Err(Error::Invalid(invalid)) => {
            let page = NewUserPage { shell: visit.shell(Users::PATH), form: Form::refused(&data, invalid) };
            Ok(visit.show(page))
        }
        Err(error) => Err(error),
    }
}

fn path_of(id: UserId) -> String {
    format!("{}{}/", address(Users::PATH), id.0)
}

/// What is done on these pages only.
const CREATED: Outcome = Outcome { key: "created", done: "Users created" };
const CHANGED: Outcome = Outcome { key: "changed", done: "Users changed" };
const PASSWORD_SET: Outcome = Outcome { key: "password", done: "Passwords set" };

#[derive(Template)]
#[template(path = "admin/user.html")]
struct UserPage {
    shell: Shell,
    notice: Option<String>,
    id: i64,
    email: String,
    facts: Facts,
    form: Form,
    password_errors: Vec<String>,
    /// What makes sense for this user, seen by this one of the staff.
    actions: Vec<&'static Action>,
    is_own: bool,
    tokens: Owned,
    sessions: Owned,
}

/// The newest of a user's tokens or sessions.
struct Owned {
    rows: Rows,
    total: u64,
    /// Where all of them are.
    list: String,
}

async fn show(
    site: Site,
    visit: Visit,
    WithRejection(Path(id), _): WithRejection<Path<i64>, Error>,
    parameters: Parameters,
    uri: Uri,
) -> Result<Response> {
    let user = find_user(&site.app, UserId(id)).await?;
    let actions = [Users::ACTIONS, Tokens::ACTIONS, Sessions::ACTIONS].into_iter().flatten();
    let outcomes = actions.map(Action::outcome).chain([CREATED, CHANGED, PASSWORD_SET]);
    let page = UserPage {
        notice: table::notice(&parameters, outcomes),
        ..user_page(&site, &visit, &user, &table::here(&uri)).await?
    };
    Ok(visit.show(page))
}

async fn user_page(site: &Site, visit: &Visit, user: &User, here: &str) -> Result<UserPage> {
    let is_own = user.id == visit.staff.user.id;
    let changes_something = |action: &Action| match action.key {
        "deactivate" => user.is_active,
        "activate" => !user.is_active,
        "make_staff" => !user.is_staff,
        "take_staff" => user.is_staff,
        _ => true,
    };
    let makes_sense = |action: &&Action| changes_something(action) && !(is_own && action.spares_oneself);
    Ok(UserPage {
        shell: visit.shell(Users::PATH),
        notice: None,
        id: user.id.0,
        email: user.email.clone(),
        facts: Facts::of::<Users>(user),
        form: Form::of(user),
        password_errors: Vec::new(),
        actions: Users::ACTIONS.iter().filter(makes_sense).collect(),
        is_own,
        tokens: owned::<Tokens>(site, visit, user, here).await?,
        sessions: owned::<Sessions>(site, visit, user, here).await?,
    })
}

async fn owned<T: Table>(site: &Site, visit: &Visit, user: &User, here: &str) -> Result<Owned> {
    let wanted = Wanted::new("", HashMap::from([("user", user.id.0.to_string())]));
    let Found { rows, total, .. } = T::list(site, &wanted).await?;
    let rows = Rows::of::<T>(&rows, visit.csrf_token.clone(), here.to_owned());
    Ok(Owned { rows, total, list: format!("{}?user={}", address(T::PATH), user.id.0) })
}

async fn change(
    site: Site,
    visit: Visit,
    WithRejection(Path(id), _): WithRejection<Path<i64>, Error>,
    Data(data): Data,
) -> Result<Response> {
    let user = find_user(&site.app, UserId(id)).await?;
    let by = visit.staff.actor();
    let changed = async { admin::change_user(&site.app, &by, user.clone(), profile_change_from(&data)?).await }.await;
    match changed {
        Ok(user) => Ok(redirect(&table::with_notice(&path_of(user.id), CHANGED.key, 1))),
        Err(Error::Invalid(invalid)) => {
            let page = user_page(&site, &visit, &user, &path_of(user.id)).await?;
            Ok(visit.show(UserPage { form: Form::refused(&data, invalid), ..page }))
        }
        Err(error) => Err(error),
    }
}

/// For whoever reloads a form that was refused, or had to log in to send it.
async fn go_to_user(_: Staff, WithRejection(Path(id), _): WithRejection<Path<i64>, Error>) -> Response {
    redirect(&path_of(UserId(id)))
}

async fn set_password(
    site: Site,
    visit: Visit,
    WithRejection(Path(id), _): WithRejection<Path<i64>, Error>,
    Data(data): Data,
) -> Result<Response> {
    let user = find_user(&site.app, UserId(id)).await?;
    let by = visit.staff.actor();
    let set = async { admin::set_password(&site.app, &by, user.clone(), password_from(&data)?).await }.await;
    match set {
        Ok(()) => Ok(redirect(&table::with_notice(&path_of(user.id), PASSWORD_SET.key, 1))),
        Err(Error::Invalid(invalid)) => {
            let page = user_page(&site, &visit, &user, &path_of(user.id)).await?;
            let password_errors = invalid.of("password").to_vec();
            Ok(visit.show(UserPage { password_errors, ..page }))
        }
        Err(error) => Err(error),
    }
}

fn password_from(data: &Map<String, Value>) -> Result<String> {
    let mut fields = Fields::of(data);
    let password = fields.required("password", Text::up_to(MAX_PASSWORD_CHARACTERS));
    fields.finish()?;
    Ok(password)
}
