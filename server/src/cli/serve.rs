//! `natter serve`.

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::admin::setup;
use crate::app::{App, create_data_dir};
use crate::config::Config;
use crate::database::Claim;
use crate::serve::{self, Listeners};
use crate::supervisor::Supervisor;
use crate::telemetry;

pub async fn run(config: Config, supervisor: Supervisor) -> Result<()> {
    telemetry::start(telemetry::filter(&config.log)?)?;
    allow_open_files();
    let listeners = Listeners::bind(&config).await?;
    let public_url = serve::public_url(&config, listeners.clients.local_addr()?);
    // Before anybody can know that the server is there.
    let shutdown = super::stop_signal()?;
    create_data_dir(&config.data_dir)?;
    let _claim = Claim::take(&config.database_url, &config.data_dir)?;
    let (app, queues) = App::open(config, public_url).await?;
    welcome(&app, setup::invite(&app).await?.as_deref());
    serve::serve(listeners, app, queues, supervisor, shutdown).await
}

/// Each socket is an open file, of which a program that does not ask for more often has 1024.
fn allow_open_files() {
    let limit = getrlimit(Resource::RLIMIT_NOFILE);
    if let Err(error) = limit.and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard)) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Says where everything is. `set_up` is the path at which the first staff account is made: it is said here, to who has the
/// terminal, and is never logged.
fn welcome(app: &App, set_up: Option<&str>) {
    let url = &app.public_url;
    let set_up = set_up
        .map(|path| format!("\n  Nobody may administer yet. Make the first staff account, once, at\n  {url}{path}\n"));
    let text = format!(
        "Natter {version} is listening, as process {process}.

  Chat    {url}/
  API     {url}/api/
  Socket  {url}/socket.io/
  Admin   {url}/admin/

  const socket = io(\"{url}\");
  socket.on(\"connect\", () => socket.emit(\"authentication\", {{ token }}));
  socket.on(\"authenticated\", () => socket.emit(\"client-sent-message\", {{ message: \"hello\" }}));
  socket.on(\"server-got-message\", ({{ message }}) => console.log(message));
{set_up}",
        version = env!("CARGO_PKG_VERSION"),
        process = std::process::id(),
        set_up = set_up.unwrap_or_default(),
    );
    // A server without anybody at its terminal serves all the same.
    if let Err(error) = super::say(&text) {
        tracing::warn!(%error, "the welcome could not be printed");
    }
}
