//! `natter serve`.

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::config::Config;
use crate::{serve, telemetry};

pub async fn run(config: Config) -> Result<()> {
    telemetry::start(telemetry::filter(&config.log)?)?;
    let listener = TcpListener::bind((config.host, config.port))
        .await
        .with_context(|| format!("cannot listen on {}:{}", config.host, config.port))?;
    let public_url = serve::public_url(&config, listener.local_addr()?);
    // Before anybody can know that the server is there.
    let shutdown = stop_signal()?;
    let (app, queues) = App::open(config, public_url).await?;
    welcome(&app);
    serve::serve(listener, app, queues, shutdown).await
}

/// Resolves on SIGTERM or Ctrl-C.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn welcome(app: &App) {
    let url = &app.public_url;
    let text = format!(
        "Natter {version} is listening, as process {process}.

  Chat    {url}/
  API     {url}/api/
  Socket  {url}/socket.io/

  const socket = io(\"{url}\");
  socket.on(\"connect\", () => socket.emit(\"authentication\", {{ token }}));
  socket.on(\"authenticated\", () => socket.emit(\"client-sent-message\", {{ message: \"hello\" }}));
  socket.on(\"server-got-message\", ({{ message }}) => console.log(message));
",
        version = env!("CARGO_PKG_VERSION"),
        process = std::process::id(),
    );
    // A server without anybody at its terminal serves all the same.
    if let Err(error) = super::say(&text) {
        tracing::warn!(%error, "the welcome could not be printed");
    }
}
