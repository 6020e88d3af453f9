//! The REST API: one request each, on a connection of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::plan::Target;

const PATIENCE: Duration = Duration::from_secs(30);

/// Makes an account.
pub fn sign_up(target: &Target, email: &str, password: &str) -> Result<()> {
    post(target, None, "/api/users/", &json!({ "email": email, "password": password })).context("sign-up failed")?;
    Ok(())
}

/// Returns a new token.
pub fn sign_in(target: &Target, user: &str, password: &str) -> Result<String> {
    let (head, _) = post(target, None, "/api/auth/signin/", &json!({ "username": user, "password": password }))
        .with_context(|| format!("{user} could not sign in"))?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let token = headers.find(|(name, _)| name.eq_ignore_ascii_case("x-token"));
    let (_, token) = token.context("the answer to the sign-in has no header X-Token")?;
    Ok(token.trim().to_owned())
}

/// Makes something, and returns it.
pub fn create(target: &Target, token: &str, path: &str, body: &Value) -> Result<Value> {
    let (_, created) = post(target, Some(token), path, body)?;
    serde_json::from_str(&created).with_context(|| format!("{path} answers {created:?}"))
}

pub fn read(target: &Target, token: &str, path: &str) -> Result<Value> {
    let (_, found) = ask(target, "GET", Some(token), path, "", "200")?;
    serde_json::from_str(&found).with_context(|| format!("{path} answers {found:?}"))
}

fn post(target: &Target, token: Option<&str>, path: &str, body: &Value) -> Result<(String, String)> {
    ask(target, "POST", token, path, &body.to_string(), "201")
}

/// Returns the head and the body of an answer that has the `expected` status.
fn ask(
    target: &Target,
    method: &str,
    token: Option<&str>,
    path: &str,
    body: &str,
    expected: &str,
) -> Result<(String, String)> {
    let authority = &target.authority;
    let mut stream = TcpStream::connect(target.address).with_context(|| format!("nobody listens at {authority}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let authorization = token.map(|token| format!("Authorization: Token {token}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {authorization}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("{path} was not answered"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with(&format!("HTTP/1.1 {expected}")) {
        bail!("{path} answers {status:?} {body}");
    }
    Ok((head.to_owned(), body.to_owned()))
}
