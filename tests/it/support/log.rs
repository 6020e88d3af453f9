//! What the server writes into its log, where that is all an operator sees.

use std::fs;

use tempfile::NamedTempFile;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::util::SubscriberInitExt;

/// The log of the servers of one test, which runs on one thread.
pub struct Log {
    file: NamedTempFile,
    _guard: DefaultGuard,
}

impl Log {
    pub fn listen() -> Self {
        let file = NamedTempFile::new().unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(file.reopen().unwrap());
        Self { file, _guard: subscriber.finish().set_default() }
    }

    /// How many lines hold this text.
    pub fn count(&self, text: &str) -> usize {
        fs::read_to_string(self.file.path()).unwrap().lines().filter(|line| line.contains(text)).count()
    }
}
