//! The page on which people see where they are signed in, and sign out there.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::account_page::HOME;
use super::{DeviceId, Devices, Origin};
use crate::accounts;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::bar::Bar;
use crate::http::current_user::Member;
use crate::http::data::Data;
use crate::http::language::{Language, filters, translate};
use crate::http::page::{Page, redirect, with_csrf_cookie};
use crate::http::pagination::page_number;
use crate::http::parameters::Parameters;
use crate::http::{cookies, csrf};

const DEVICES: &str = "/account/devices/";
const IN_ENGLISH: StaticFormatDescription =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
const IN_GERMAN: StaticFormatDescription =
    format_description!("[day padding:none].[month padding:none].[year], [hour]:[minute] UTC");

pub fn routes() -> Router<App> {
    Router::new()
        .route("/account/devices", get(go_to_devices))
        .route(DEVICES, get(show))
        .route("/account/devices/sign-out/", get(go_to_devices).post(sign_out))
        .route("/account/devices/sign-out-others/", get(ask).post(sign_out_others))
}

async fn go_to_devices() -> Response {
    redirect(DEVICES)
}

/// What was done by a button that led here; the address names it.
#[derive(Clone, Copy)]
enum Done {
    One,
    Already,
    Others,
}

impl Done {
    const ALL: [Self; 3] = [Self::One, Self::Already, Self::Others];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Already => "gone",
            Self::Others => "others",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::One => "The device is signed out.",
            Self::Already => "No such device is signed in any more.",
            Self::Others => "All other devices are signed out.",
        }
    }
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    bar: Bar,
    done: Option<&'static str>,
    devices: Devices,
}

/// A time for people.
fn readable(time: &OffsetDateTime) -> String {
    let readable = match Language::current() {
        Language::English => IN_ENGLISH,
        Language::German => IN_GERMAN,
    };
    time.format(readable).unwrap_or_default()
}

/// A time for programs.
fn exact(time: &OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

/// What a device says that it is.
fn called(client: &str) -> String {
    match Origin::browser_and_system(client) {
        Some((browser, system)) => {
            translate("{browser} on {system}").with("browser", browser).with("system", system).to_string()
        }
        None => client.to_owned(),
    }
}

/// What people call a device that does not say what it is.
fn unknown(id: DeviceId) -> &'static str {
    match id {
        DeviceId::Session(_) => "Unknown browser",
        DeviceId::Token(_) => "Unknown program",
    }
}

/// What stands before its address.
fn place(id: DeviceId) -> &'static str {
    match id {
        DeviceId::Session(_) => "Browser at",
        DeviceId::Token(_) => "Program at",
    }
}

async fn show(State(app): State<App>, member: Member, parameters: Parameters, headers: HeaderMap) -> Result<Response> {
    let done = parameters.get("done").and_then(Done::named).map(Done::sentence);
    let number = page_number(&parameters)?;
    let devices = accounts::devices(&app, &member.user, DeviceId::Session(member.session.id), number).await?;
    let csrf_token = csrf::token_for(&headers);
    let page = DevicesPage { bar: Bar::of(&member.user, HOME, csrf_token.clone()), done, devices };
    Ok(with_csrf_cookie(Page(page).into_response(), &csrf_token))
}

fn show_done(done: Done) -> Response {
    redirect(&format!("{DEVICES}?done={}", done.name()))
}

async fn sign_out(State(app): State<App>, member: Member, Data(data): Data) -> Result<Response> {
    let named = data.get("device").and_then(|value| value.as_str()).unwrap_or_default();
    let signed_out = async {
        let id = named.parse()?;
        accounts::sign_out_device(&app, &member.user, id).await.map(|()| id)
    }
    .await;
    match signed_out {
        Ok(DeviceId::Session(id)) if id == member.session.id => {
            let mut response = redirect("/login/");
            cookies::delete_session(response.headers_mut());
            Ok(response)
        }
        Ok(_) => Ok(show_done(Done::One)),
        // Such as by a second click.
        Err(Error::NotFound) => Ok(show_done(Done::Already)),
        Err(error) => Err(error),
    }
}

/// Asked first, as it takes back every token that programs have.
#[derive(Template)]
#[template(path = "sign_out_others.html")]
struct QuestionPage {
    bar: Bar,
}

async fn ask(member: Member, headers: HeaderMap) -> Response {
    let csrf_token = csrf::token_for(&headers);
    let page = QuestionPage { bar: Bar::of(&member.user, HOME, csrf_token.clone()) };
    with_csrf_cookie(Page(page).into_response(), &csrf_token)
}

async fn sign_out_others(State(app): State<App>, member: Member) -> Result<Response> {
    accounts::sign_out_others(&app, &member.user, DeviceId::Session(member.session.id)).await?;
    Ok(show_done(Done::Others))
}
