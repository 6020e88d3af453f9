//! The making of links for new passwords, beside the requests that ask for them: from the time that an answer takes,
//! nobody learns whether an address has an account.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{Email, password_reset, user};
use crate::config::{Accounts, Config};
use crate::database::{Database, in_time};
use crate::error::{Error, Result};

/// How a link reaches whoever it is for. There is no mail yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By the log, where only programs on this machine reach the server: whoever tries it out reads the log, too.
    Log,
    Nowhere,
}

impl Delivery {
    pub fn of(config: &Config) -> Self {
        // Whoever names a public URL or a proxy has others come by it, though the server listens on a loopback address.
        let is_reached_by_others =
            !config.host.is_loopback() || !config.public_url.is_empty() || !config.http.trusted_proxies.is_empty();
        if is_reached_by_others { Self::Nowhere } else { Self::Log }
    }
}

/// The way to the task.
pub struct ResetLinks(Mutex<Option<mpsc::Sender<Email>>>);

/// The task's end.
pub struct Maker {
    queue: mpsc::Receiver<Email>,
    database: Database,
    delivery: Delivery,
    /// The address of this server, for the links.
    public_url: String,
}

impl ResetLinks {
    pub fn new(config: &Accounts, delivery: Delivery, database: Database, public_url: String) -> (Self, Maker) {
        let (sender, queue) = mpsc::channel(config.reset_queue.get());
        (Self(Mutex::new(Some(sender))), Maker { queue, database, delivery, public_url })
    }

    /// Asks for a link for whoever has this address.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where too many ask, or the server stops.
    pub fn ask(&self, email: Email) -> Result<()> {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = queue.as_ref().map(|queue| queue.try_send(email));
        sent.is_some_and(|sent| sent.is_ok()).then_some(()).ok_or(Error::Unavailable("links for new passwords"))
    }

    /// Takes nothing more in; [`Maker::run`] ends once what is queued is done.
    pub fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Maker {
    pub async fn run(mut self) {
        while let Some(email) = self.queue.recv().await {
            if let Err(error) = in_time(self.make(&email)).await {
                tracing::error!(%error, "a link for a new password could not be made");
            }
        }
    }

    async fn make(&self, email: &Email) -> Result<()> {
        if self.delivery == Delivery::Nowhere {
            tracing::warn!("somebody has asked for a new password, and there is no mail to send a link by");
            return Ok(());
        }
        let user = user::by_email(self.database.read(), email.as_str()).await?;
        let Some(user) = user.filter(|user| user.is_active) else { return Ok(()) };
        let key = crate::random::alphanumeric::<32>();
        let transaction = self.database.begin().await?;
        let is_new = password_reset::insert(&transaction, user.id, &key).await?;
        transaction.commit().await?;
        if is_new {
            let link = format!("{}/password-reset/{key}/", self.public_url);
            tracing::warn!(
                user = user.id.0,
                link,
                "somebody has asked for a new password; there is no mail to send this by"
            );
        }
        Ok(())
    }
}
