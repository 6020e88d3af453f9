//! Somebody of the staff, in a browser.

use natter::admin;
use natter::admin::audit::Actor;

use super::answer::{Answer, Ask};
use super::app::TestApp;
use super::browser::{Browser, Fields};
use super::person::Person;

pub struct Staff {
    pub person: Person,
    pub browser: Browser,
}

impl Staff {
    /// Signs `<name>@ref.example` up, and gives them the rights.
    pub async fn join(app: &TestApp, name: &str) -> Self {
        let person = Person::join(app, name).await;
        admin::make_staff(&app.app, &Actor::command_line(), &[person.id]).await.unwrap();
        let browser = Browser::logged_in(app, &person.email).await;
        Self { person, browser }
    }

    /// A page that is there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.browser.get(path).answer().await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// Does something with rows of a table, without being asked again.
    pub async fn act(&self, table: &str, action: &str, ids: &[i64]) -> Answer {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let fields = ids.iter().map(|id| ("id", id.as_str()));
        let fields: Vec<_> = fields.chain([("action", action), ("confirmed", "yes")]).collect();
        self.submit(&format!("/admin/{table}/act/"), &fields).await
    }

    pub async fn submit(&self, path: &str, fields: &Fields<'_>) -> Answer {
        self.browser.submit(path, fields).await
    }
}

/// The texts of a list's cells in a column, row by row.
pub fn column(page: &str, title: &str) -> Vec<String> {
    let mark = format!("data-title=\"{title}\">");
    page.split(&mark).skip(1).map(|rest| text_of(rest.split("</td>").next().unwrap())).collect()
}

/// The numbers of a list's rows.
pub fn ids(page: &str) -> Vec<i64> {
    let values = page.split("name=\"id\" value=\"").skip(1);
    values.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// HTML without its tags.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    let mut is_in_tag = false;
    for character in html.chars() {
        match character {
            '<' => is_in_tag = true,
            '>' => is_in_tag = false,
            _ if !is_in_tag => text.push(character),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// Where an answer leads.
pub fn led_to(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("location").unwrap_or_default())
}
