//! Password hashes: argon2id, computed beside the threads that serve requests.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// Hashes and checks passwords: as many at once as there are cores, some more waiting, and the rest refused.
///
/// The parameters are argon2's defaults, which are OWASP's first choice: 19 MiB, 2 passes, 1 lane.
pub struct Passwords {
    cores: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// The hash of nobody's password: checking against it costs what checking a real one does.
    nobody: Arc<str>,
}

impl Passwords {
    pub fn new(cores: usize, queue: usize) -> Result<Self> {
        Ok(Self {
            cores: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(cores + queue)),
            nobody: hash_now(&crate::random::alphanumeric::<32>())?.into(),
        })
    }

    pub async fn hash(&self, password: String) -> Result<String> {
        self.compute(move || hash_now(&password)).await?
    }

    /// Whether `password` is the one of `hash`; without a hash it is not, after the same time.
    pub async fn verify(&self, password: String, hash: Option<&str>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.map_or_else(|| self.nobody.clone(), Arc::from);
        let matches =
            self.compute(move || Argon2::default().verify_password(password.as_bytes(), &*hash).is_ok()).await?;
        Ok(known && matches)
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Error::Throttled(1))?;
        let core = self.cores.clone().acquire_owned().await.map_err(|error| Error::Internal(error.into()))?;
        // The permits go along: work goes on when its request is gone, and still takes its core.
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((core, place));
            result
        });
        task.await.map_err(|error| Error::Internal(error.into()))
    }
}

fn hash_now(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| Error::Internal(anyhow::anyhow!("argon2: {error}")))
}
