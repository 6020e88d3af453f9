//! The set-up link: while there is no staff, whoever reads the server's terminal can make the first account.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::door::HOME;
use crate::accounts::user;
use crate::app::App;
use crate::error::{Error, Result};

/// What is kept of the link: the hash of its key, while it is good.
#[derive(Default)]
pub struct Setup(Arc<Mutex<Option<[u8; 32]>>>);

/// The link, while somebody uses it: nobody else can meanwhile.
pub struct Held(OwnedMutexGuard<Option<[u8; 32]>>);

impl Setup {
    /// # Errors
    /// [`Error::NotFound`] where the link has another key, or is void.
    pub async fn hold(&self, key: &str) -> Result<Held> {
        let kept = self.0.clone().lock_owned().await;
        let is_good = kept.is_some_and(|hash| bool::from(hash.ct_eq(&hash_of(key))));
        if is_good { Ok(Held(kept)) } else { Err(Error::NotFound) }
    }
}

impl Held {
    pub fn void(mut self) {
        *self.0 = None;
    }
}

/// The path of a new link, if there is no staff; an older link is void.
pub async fn invite(app: &App) -> Result<Option<String>> {
    if user::has_staff(app.database.read()).await? {
        return Ok(None);
    }
    let key = crate::random::alphanumeric::<32>();
    *app.setup.0.lock().await = Some(hash_of(&key));
    Ok(Some(format!("{HOME}setup/{key}/")))
}

/// # Errors
/// [`Error::NotFound`] where the link is void: of another key, used, or not needed any more.
pub async fn check(app: &App, key: &str) -> Result<()> {
    let link = app.setup.hold(key).await?;
    if user::has_staff(app.database.read()).await? {
        link.void();
        return Err(Error::NotFound);
    }
    Ok(())
}

fn hash_of(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}
