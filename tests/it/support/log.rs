//! What the server writes into its log, where that is all an operator sees.

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Mutex;

use tempfile::NamedTempFile;
use tokio::sync::watch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::util::SubscriberInitExt;

use super::wire::within_deadline;

/// The log of the servers of one test, which runs on one thread.
pub struct Log {
    file: NamedTempFile,
    written: watch::Receiver<()>,
    _guard: DefaultGuard,
}

/// Tells that something was written.
struct Writer {
    file: File,
    written: watch::Sender<()>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.written.send_replace(());
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Log {
    pub fn listen() -> Self {
        let file = NamedTempFile::new().unwrap();
        let (sender, written) = watch::channel(());
        let writer = Mutex::new(Writer { file: file.reopen().unwrap(), written: sender });
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer);
        Self { file, written, _guard: subscriber.finish().set_default() }
    }

    /// How many lines hold this text.
    pub fn count(&self, text: &str) -> usize {
        self.lines(text).len()
    }

    /// The line that is the `number`th, from 1 on, to hold this text, once it is written.
    pub async fn line(&self, number: usize, text: &str) -> String {
        let mut written = self.written.clone();
        within_deadline(async {
            loop {
                if let Some(line) = self.lines(text).into_iter().nth(number - 1) {
                    return line;
                }
                written.changed().await.unwrap();
            }
        })
        .await
    }

    fn lines(&self, text: &str) -> Vec<String> {
        let log = fs::read_to_string(self.file.path()).unwrap();
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}
