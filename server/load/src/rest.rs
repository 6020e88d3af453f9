//! Accounts over the REST API: one request each, on a connection of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::plan::Target;

const PATIENCE: Duration = Duration::from_secs(30);

/// Makes an account.
pub fn sign_up(target: &Target, email: &str, password: &str) -> Result<()> {
    post(target, "/api/users/", &json!({ "email": email, "password": password })).context("sign-up failed")?;
    Ok(())
}

/// Returns a new token.
pub fn sign_in(target: &Target, user: &str, password: &str) -> Result<String> {
    let head = post(target, "/api/auth/signin/", &json!({ "username": user, "password": password }))
        .with_context(|| format!("{user} could not sign in"))?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let token = headers.find(|(name, _)| name.eq_ignore_ascii_case("x-token"));
    let (_, token) = token.context("the answer to the sign-in has no header X-Token")?;
    Ok(token.trim().to_owned())
}

/// Returns the head of a 201.
fn post(target: &Target, path: &str, body: &Value) -> Result<String> {
    let answer = ask(target, path, &body.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 201") {
        bail!("{path} answers {status:?} {body}");
    }
    Ok(head.to_owned())
}

fn ask(target: &Target, path: &str, body: &str) -> Result<String> {
    let authority = &target.authority;
    let mut stream = TcpStream::connect(target.address).with_context(|| format!("nobody listens at {authority}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("{path} was not answered"))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
