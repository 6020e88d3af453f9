//! The built binary, as an operator runs it.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::app::TestApp;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_natter");

/// What a command printed, and whether it succeeded.
#[derive(Debug)]
pub struct Outcome {
    pub succeeded: bool,
    pub printed: String,
    pub complained: String,
}

/// Runs `natter` with these arguments and nothing but this environment; `input` is what is typed.
pub async fn natter(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Outcome {
    let mut child = command(environment).args(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads nothing may be gone by now.
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { succeeded: output.status.success(), printed: text(output.stdout), complained: text(output.stderr) }
}

/// Starts a server, which is killed when it goes out of scope.
pub fn serve(environment: &[(&str, &str)]) -> Child {
    command(environment).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A command that is started and can be watched.
pub fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs `natter` on the database and data folder of a running server.
pub async fn natter_beside(app: &TestApp, arguments: &[&str], input: &str) -> Outcome {
    let data_dir = app.data_dir().to_str().unwrap();
    natter(arguments, &[("DATABASE_URL", app.database_url()), ("DATA_DIR", data_dir)], input).await
}

impl Outcome {
    /// What a command said that did its work and complained of nothing.
    pub fn done(&self) -> &str {
        assert!(self.succeeded && self.complained.is_empty(), "{self:?}");
        &self.printed
    }

    /// What a command said that failed and printed nothing.
    pub fn failed(&self) -> &str {
        assert!(!self.succeeded && self.printed.is_empty(), "{self:?}");
        &self.complained
    }
}
