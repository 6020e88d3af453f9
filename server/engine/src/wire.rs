//! The byte stream under a websocket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// How many frames leave in one call at most.
const SLICES: usize = 64;

/// The writing half. Over TCP it can be written to at any time, by whoever has something to write; else by the task alone
/// that polls it.
pub(crate) enum Writer {
    Tcp(OwnedWriteHalf),
    Other(Mutex<Pin<Box<dyn AsyncWrite + Send>>>),
}

/// The reading half.
pub(crate) enum Reader {
    Tcp(OwnedReadHalf),
    Other(Pin<Box<dyn AsyncRead + Send>>),
}

/// A stream in two halves, and what was read of it already.
pub(crate) struct Wire {
    pub reader: Reader,
    pub writer: Writer,
    pub read: Bytes,
}

impl Wire {
    pub fn of_upgraded(upgraded: Upgraded) -> Self {
        match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => Self::of_tcp(parts.io.into_inner(), parts.read_buf),
            Err(upgraded) => match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(parts) => Self::of_tcp(parts.io.into_inner(), parts.read_buf),
                Err(upgraded) => Self::of_stream(TokioIo::new(upgraded)),
            },
        }
    }

    fn of_tcp(tcp: TcpStream, read: Bytes) -> Self {
        let (reader, writer) = tcp.into_split();
        Self { reader: Reader::Tcp(reader), writer: Writer::Tcp(writer), read }
    }

    pub fn of_stream(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let writer = Writer::Other(Mutex::new(Box::pin(writer)));
        Self { reader: Reader::Other(Box::pin(reader)), writer, read: Bytes::new() }
    }
}

impl Reader {
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Other(stream) => stream.as_mut().poll_read(cx, buffer),
        }
    }
}

impl Writer {
    /// Writes without waiting, if that can be done by anybody.
    ///
    /// # Errors
    /// `WouldBlock` where it cannot be, or where the peer takes no more for now.
    pub fn try_write(&self, frames: &[Bytes]) -> io::Result<usize> {
        let Self::Tcp(tcp) = self else { return Err(io::ErrorKind::WouldBlock.into()) };
        match frames {
            [frame] => tcp.try_write(frame),
            frames => with_slices(frames, |slices| tcp.try_write_vectored(slices)),
        }
    }

    /// Writes, or has the task woken when there is room again.
    pub fn poll_write(&self, cx: &mut Context<'_>, frames: &[Bytes]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => loop {
                std::task::ready!(tcp.as_ref().poll_write_ready(cx))?;
                match self.try_write(frames) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    written => return Poll::Ready(written),
                }
            },
            Self::Other(stream) => {
                let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                let written = with_slices(frames, |slices| stream.as_mut().poll_write_vectored(cx, slices))?;
                // Behind a buffer it would not have left.
                std::task::ready!(stream.as_mut().poll_flush(cx))?;
                written.map(Ok)
            }
        }
    }
}

fn with_slices<T>(frames: &[Bytes], write: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = frames.len().min(SLICES);
    for (slice, frame) in slices.iter_mut().zip(frames) {
        *slice = IoSlice::new(frame);
    }
    write(&slices[..count])
}

/// Drops the first `written` bytes of `frames`.
pub(crate) fn advance(frames: &mut std::collections::VecDeque<Bytes>, mut written: usize) {
    while let Some(first) = frames.front_mut() {
        if written < first.len() {
            first.advance(written);
            return;
        }
        written -= first.len();
        frames.pop_front();
    }
}
