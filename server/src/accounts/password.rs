//! Password hashes: argon2id, computed beside the threads that serve requests.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::{Semaphore, oneshot};

use crate::error::{Error, Result};

/// Hashes and checks passwords: on all cores but one, some more waiting, and the rest refused.
///
/// The parameters are argon2's defaults, which are OWASP's first choice: 19 MiB, 2 passes, 1 lane. It has threads of its
/// own, each of which keeps its 19 MiB: allocated anew for each password, they fragment the heap until it is many times
/// as large.
pub struct Passwords {
    threads: ThreadPool,
    places: Arc<Semaphore>,
    all_places: usize,
    /// The hash of nobody's password: checking against it costs what checking a real one does.
    nobody: Arc<str>,
}

impl Passwords {
    pub fn new(cores: usize, queue: usize) -> anyhow::Result<Self> {
        // Where all cores are busy, Linux looks for none on which a thread could run at once, however readily its present one
        // would give way: those who chat would wait for each other on the same core.
        let at_once = cores.saturating_sub(1).max(1);
        let threads = ThreadPoolBuilder::new()
            .num_threads(at_once)
            .thread_name(|_| "passwords".to_owned())
            .start_handler(|_| give_way())
            // Whoever waits for the result is told by its absence.
            .panic_handler(|_| tracing::error!("a password check panicked"))
            .build()
            .context("passwords need threads")?;
        let nobody = hash_of_nobody()?.into();
        let all_places = at_once + queue;
        Ok(Self { threads, places: Arc::new(Semaphore::new(all_places)), all_places, nobody })
    }

    pub async fn hash(&self, password: String) -> Result<String> {
        self.compute(move || hash_now(&password)).await?
    }

    /// Whether `password` is the one of `hash`; without a hash it is not, after the same time.
    pub async fn verify(&self, password: String, hash: Option<&str>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.map_or_else(|| self.nobody.clone(), Arc::from);
        let matches = self.compute(move || verify_now(&password, &hash)).await?;
        Ok(known && matches)
    }

    /// How many checks are under way or wait.
    pub fn waiting(&self) -> usize {
        self.all_places - self.places.available_permits()
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Error::Throttled(1))?;
        let (sender, receiver) = oneshot::channel();
        self.threads.spawn(move || {
            // Nobody waits any more: the place is free without the work.
            if !sender.is_closed() && sender.send(work()).is_err() {
                tracing::debug!("nobody waits for a password check any more");
            }
            // Kept until here, whether or not somebody waits.
            drop(place);
        });
        receiver.await.map_err(|error| Error::Internal(error.into()))
    }
}

/// Whoever chats must not notice that many sign in: this thread has a core only while none of the others wants it. The lowest
/// priority alone would not do, as Linux lets whoever has a core finish its turn of some milliseconds.
fn give_way() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::warn!(%error, "checks of passwords are as urgent as the chat");
    }
}

thread_local! {
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

fn hash_now(password: &str) -> Result<String> {
    let (params, salt) = (Params::default(), Salt::generate());
    let output = derive(password, Algorithm::Argon2id, Version::V0x13, params, &salt);
    output.and_then(|output| encode(salt, output)).map_err(failed)
}

/// A hash that no password has, but for one that nobody will find.
fn hash_of_nobody() -> Result<String> {
    let output = [Salt::generate(), Salt::generate()].iter().flat_map(|salt| salt.to_vec()).collect::<Vec<_>>();
    let output = Output::new(&output).map_err(argon2::password_hash::Error::from);
    output.and_then(|output| encode(Salt::generate(), output)).map_err(failed)
}

/// In the PHC string format.
fn encode(salt: Salt, output: Output) -> argon2::password_hash::Result<String> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&Params::default())?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

fn failed(error: argon2::password_hash::Error) -> Error {
    Error::Internal(anyhow!("argon2: {error}"))
}

/// Whether `password` is the one of `hash`; of a hash that cannot be read it is not.
fn verify_now(password: &str, hash: &str) -> bool {
    let matches = || {
        let hash = PasswordHash::new(hash).ok()?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let derived = derive(password, algorithm, version, Params::try_from(&hash).ok()?, &hash.salt?).ok()?;
        // Compared in constant time.
        Some(derived == hash.hash?)
    };
    matches().unwrap_or(false)
}

fn derive(
    password: &str,
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: &Salt,
) -> argon2::password_hash::Result<Output> {
    MEMORY.with_borrow_mut(|memory| {
        let blocks = params.block_count().max(memory.len());
        memory.resize(blocks, Block::default());
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let argon2 = Argon2::new(algorithm, version, params);
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..length).ok_or(argon2::password_hash::Error::OutputSize)?;
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, memory)?;
        Ok(Output::new(output)?)
    })
}

#[cfg(test)]
mod tests {
    use super::{Passwords, hash_now, hash_of_nobody, verify_now};

    #[test]
    fn a_hash_matches_its_password_only() {
        let hash = hash_now("qwerty").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify_now("qwerty", &hash) && !verify_now("Qwerty", &hash));
        assert_ne!(hash, hash_now("qwerty").unwrap());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn checks_run_while_nothing_else_does() {
        const SCHED_IDLE: &str = "5";
        let stat = || std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let stat = Passwords::new(1, 0).unwrap().compute(stat).await.unwrap();
        // The 41st field of proc(5); the second is in parentheses, and the last that may hold a space.
        let (_, from_third) = stat.rsplit_once(')').unwrap();
        assert_eq!(from_third.split_whitespace().nth(41 - 3), Some(SCHED_IDLE), "{stat}");
    }

    #[test]
    fn nobodys_hash_looks_like_anybodys_and_matches_nothing() {
        let (nobody, somebody) = (hash_of_nobody().unwrap(), hash_now("qwerty").unwrap());
        assert_eq!((nobody.len(), nobody.split_at(31).0), (somebody.len(), somebody.split_at(31).0));
        assert!(!verify_now("qwerty", &nobody));
    }

    /// Made by the reference implementation: RFC 9106's designers' `argon2` command, with other parameters than ours.
    #[test]
    fn hashes_of_other_programs_match() {
        let hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(verify_now("password", hash) && !verify_now("passwore", hash));
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        for hash in ["", "qwerty", "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2id$v=19$m=1,t=2,p=1$c29tZXNhbHQ$aGFzaA"] {
            assert!(!verify_now("qwerty", hash), "{hash}");
        }
    }
}
