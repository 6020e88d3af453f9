//! What every list of the admin site can do.

use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::person::Person;
use crate::support::staff::{Staff, column, led_to};
use crate::support::wire::Wire;

const TABLES: [&str; 7] = ["users", "tokens", "sessions", "connections", "conversations", "messages", "audit"];

/// Users without passwords, as many as are needed.
async fn add_users(app: &TestApp, emails: impl IntoIterator<Item = String>, first_name: &str) {
    let rows = emails.into_iter().map(|email| {
        let key = email.to_lowercase();
        format!("('{email}', '{key}', '', '{first_name}', '', TRUE, FALSE, '2026-01-01 00:00:00+00:00')")
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let columns = "email, email_key, password_hash, first_name, last_name, is_active, is_staff, created_at";
    app.execute(&format!("INSERT INTO users ({columns}) VALUES {rows}")).await;
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[rstest]
#[tokio::test]
async fn a_search_finds_texts_as_they_are(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let emails = ["a%b@ref.example", "a_b@ref.example", "axb@ref.example", "A!B@ref.example"];
    add_users(&app, emails.map(str::to_owned), "Émile").await;
    let all = ["A!B@ref.example", "axb@ref.example", "a_b@ref.example", "a%b@ref.example"];
    for (search, expected) in [
        ("a%b", &["a%b@ref.example"][..]),
        ("a_b", &["a_b@ref.example"]),
        ("a!b", &["A!B@ref.example"]),
        (" AXB@REF ", &["axb@ref.example"]),
        ("Émile", &all),
        ("emile", &[]),
        ("a\0b", &[]),
        ("' OR 1=1 --", &[]),
        ("<script>alert(1)</script>", &[]),
    ] {
        let page = staff.page(&format!("/admin/users/?{}", query(&[("q", search)]))).await;
        assert_eq!(column(&page, "E-mail"), expected, "{search:?}");
        assert!(!page.contains("<script>alert"), "{page}");
    }
}

#[rstest]
#[tokio::test]
async fn lists_are_filtered_and_sorted_by_the_database(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "mia").await;
    let (ann, zoe) = (Person::join(&app, "ann").await, Person::join(&app, "Zoe").await);
    staff.act("users", "deactivate", &[zoe.id.0]).await;
    for (query, expected) in [
        ("", &[&zoe.email, &ann.email, &staff.person.email][..]),
        ("?sort=email", &[&ann.email, &staff.person.email, &zoe.email]),
        ("?sort=-email", &[&zoe.email, &staff.person.email, &ann.email]),
        ("?staff=yes", &[&staff.person.email]),
        ("?staff=no&active=yes", &[&ann.email]),
        ("?active=no&staff=", &[&zoe.email]),
    ] {
        let page = staff.page(&format!("/admin/users/{query}")).await;
        assert_eq!(column(&page, "E-mail").iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let page = staff.page("/admin/users/?sort=-email").await;
    assert!(page.contains(r#"aria-sort="descending"><a href="/admin/users/?sort=email">E-mail"#), "{page}");
    let page = staff.page("/admin/users/?sort=email&active=yes").await;
    assert!(page.contains(r#"href="/admin/users/?active=yes&#38;sort=-email""#), "{page}");
}

#[rstest]
#[tokio::test]
async fn every_column_of_every_list_sorts(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let _wire = Wire::enter(&app, &staff.person).await;
    let message = serde_json::json!({ "message": "who is on the staff?" });
    assert_eq!(staff.person.post(&app, "/api/messages/").json(&message).answer().await.status, 201);
    let room = serde_json::json!({ "kind": "open", "name": "Kitchen" });
    assert_eq!(staff.person.post(&app, "/api/conversations/").json(&room).answer().await.status, 201);
    for table in TABLES {
        let page = staff.page(&format!("/admin/{table}/")).await;
        let keys: Vec<_> = page.split("?sort=").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(!keys.is_empty(), "{table}");
        for key in keys {
            for direction in ["", "-"] {
                let page = staff.page(&format!("/admin/{table}/?q=staff&sort={direction}{key}")).await;
                assert!(page.contains("aria-sort="), "{table} {key}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn what_makes_no_sense_in_an_address_is_left_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    for table in TABLES {
        for nonsense in [
            "sort=password_hash",
            "sort=--email",
            "sort=%00",
            "page=0",
            "page=-1",
            "page=99999999999999999999999",
            "page=18446744073709551615",
            "page=x",
            "staff=maybe&active=%00&act=%00&user=x&kind=%27&transport=carrier+pigeon",
            "done=nothing",
            "done=%3Cscript%3E&count=1",
            "done=deactivate&count=%3Cscript%3E",
        ] {
            let page = staff.page(&format!("/admin/{table}/?{nonsense}")).await;
            assert!(page.contains("Page 1 of 1") && !page.contains("<script>"), "{table} {nonsense}: {page}");
        }
        let long = "x%_".repeat(5_000);
        assert_eq!(staff.browser.get(&format!("/admin/{table}/?q={long}")).answer().await.status, 200);
    }
}

#[rstest]
#[tokio::test]
async fn lists_come_in_pages_of_fifty(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    add_users(&app, (1..=101).map(|n| format!("u{n:03}@ref.example")), "").await;
    let page = staff.page("/admin/users/?q=u&staff=no&sort=email&page=2").await;
    let emails = column(&page, "E-mail");
    assert_eq!((emails.len(), emails[0].as_str(), emails[49].as_str()), (50, "u051@ref.example", "u100@ref.example"));
    assert!(page.contains("Page 2 of 3, 101 in all"), "{page}");
    for link in [
        r#"<a class="quiet" href="/admin/users/?q=u&#38;staff=no&#38;sort=email" rel="prev">"#,
        r#"<a class="quiet" href="/admin/users/?q=u&#38;staff=no&#38;sort=email&#38;page=3" rel="next">"#,
    ] {
        assert!(page.contains(link), "{link} is not in {page}");
    }
    let page = staff.page("/admin/users/?q=u&staff=no&page=4").await;
    assert!(page.contains("Page 3 of 3") && column(&page, "E-mail").len() == 1, "the last one instead: {page}");
}

#[rstest]
#[tokio::test]
async fn what_is_listed_is_exported_whole_and_harmless(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    add_users(&app, (1..=1_203).map(|n| format!("u{n:04}@ref.example")), "=1+1").await;
    add_users(&app, ["other@ref.example".to_owned()], "say \"hi\", all").await;
    let answer = staff.browser.get("/admin/users/export.csv?q=u&staff=no&sort=email").answer().await;
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"users.csv\""));
    let table = answer.body.strip_prefix('\u{feff}').expect("spreadsheets take it for UTF-8");
    let lines: Vec<_> = table.split_terminator("\r\n").collect();
    assert_eq!(lines[0], r#""id","E-mail","First name","Last name","Staff","Active","Joined","Last login""#);
    let row =
        |id: i64, n: i64| format!(r#""{id}","u{n:04}@ref.example","'=1+1","","No","Yes","2026-01-01T00:00:00Z","""#);
    let expected: Vec<_> = (1..=1_203).rev().map(|n| row(n + 1, n)).collect();
    assert_eq!(lines[1..], expected);

    let answer = staff.browser.get("/admin/users/export.csv?q=hi").answer().await;
    assert!(answer.body.contains(r#","say ""hi"", all","#), "{}", answer.body);
    for table in TABLES {
        let answer = staff.browser.get(&format!("/admin/{table}/export.csv?page=7&q=%00")).answer().await;
        assert_eq!((answer.status, answer.body.lines().count()), (200, 1), "{table}");
    }
}

#[rstest]
#[tokio::test]
async fn what_cannot_be_taken_back_is_asked_about_first(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let id = ann.id.0.to_string();
    let next = "/admin/users/?q=ann&done=activate&count=1";
    let form = [("id", id.as_str()), ("action", "deactivate"), ("next", next)];
    let answer = staff.submit("/admin/users/act/", &form).await;
    assert_eq!(answer.status, 200);
    for part in ["<h1>Deactivate?</h1>", "<li>ann@ref.example</li>", r#"name="confirmed" value="yes""#] {
        assert!(answer.body.contains(part), "{part} is not in {}", answer.body);
    }
    assert_eq!(app.count("users WHERE NOT is_active").await, 0);

    let form: Vec<_> = form.into_iter().chain([("confirmed", "yes")]).collect();
    let answer = staff.submit("/admin/users/act/", &form).await;
    assert_eq!(led_to(&answer), (302, "/admin/users/?q=ann&done=deactivate&count=1"));
    assert_eq!(app.count("users WHERE NOT is_active").await, 1);
}

#[rstest]
#[tokio::test]
async fn a_selection_that_makes_no_sense_is_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let many: Vec<_> = (1..=51).map(|id: i64| id.to_string()).collect();
    let many: Vec<_> = many.iter().map(|id| ("id", id.as_str())).chain([("action", "activate")]).collect();
    let huge = "1".repeat(100);
    for (fields, status) in [
        (&many[..], 400),
        (&[("id", "1"), ("action", "drop table")], 400),
        (&[("id", "1")], 400),
        (&[("id", "x"), ("action", "activate")], 400),
        (&[("id", "1\0"), ("action", "activate")], 400),
        (&[("id", &huge), ("action", "activate")], 400),
    ] {
        assert_eq!(staff.submit("/admin/users/act/", fields).await.status, status, "{fields:?}");
    }
    let answer = staff.submit("/admin/users/act/", &[("action", "activate")]).await;
    assert_eq!(led_to(&answer), (302, "/admin/users/?done=nothing&count=0"));
    assert!(staff.page("/admin/users/?done=nothing&count=0").await.contains("Nothing was selected."));
    let answer = staff.act("users", "activate", &[-1, 0, 999_999]).await;
    assert_eq!(led_to(&answer), (302, "/admin/users/?done=activate&count=0"));
    let gone = [("id", "999999"), ("action", "deactivate")];
    assert!(staff.submit("/admin/users/act/", &gone).await.body.contains("not there any more"));
    for elsewhere in ["//elsewhere.example/", "https://elsewhere.example/", "/login/", "/admin/\r\nx"] {
        let fields = [("id", "999999"), ("action", "activate"), ("next", elsewhere)];
        let answer = staff.submit("/admin/users/act/", &fields).await;
        assert_eq!(led_to(&answer), (302, "/admin/users/?done=activate&count=0"), "{elsewhere:?}");
    }
}

#[rstest]
#[tokio::test]
async fn every_row_has_a_page_without_its_secret(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    staff.browser.get("/api/auth/token/").answer().await;
    for (path, name) in [
        ("/admin/tokens/1/", "Token 1 of staff@ref.example"),
        ("/admin/tokens/2/", "Token 2 of staff@ref.example"),
        ("/admin/sessions/1/", "Session 1 of staff@ref.example"),
        ("/admin/audit/1/", "Entry 1: make staff"),
    ] {
        let page = staff.page(path).await;
        assert!(page.contains(&format!("<h1>{name}</h1>")), "{page}");
        assert!(!page.contains(&staff.person.token) && !page.contains(&staff.browser.cookie("sessionid").unwrap()));
    }
    let page = staff.page("/admin/tokens/?kind=session").await;
    assert_eq!(column(&page, "Token"), ["2"]);
    let page = staff.page("/admin/tokens/?user=1&q=staff&sort=owner").await;
    assert_eq!(column(&page, "Token"), ["1", "2"]);
}
