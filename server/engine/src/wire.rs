//! The byte stream under a websocket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// How many frames leave in one call at most.
const SLICES: usize = 64;

/// How many bytes the kernel takes beyond those that are on their way (Linux's `TCP_NOTSENT_LOWAT`). Left alone, it takes
/// megabytes, and more only when a third of them has left: a peer that reads slowly would seem to take nothing for minutes.
const UNSENT_BYTES: u32 = 64 * 1024;

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
        // A peer that has gone shows when it is written to.
        SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT_BYTES).ok();
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
    /// Has the kernel take all it can: a peer that is slow may read it after the server has stopped.
    pub fn leave_to_kernel(&self) {
        if let Self::Tcp(tcp) = self {
            SockRef::from(tcp.as_ref()).set_tcp_notsent_lowat(u32::MAX).ok();
        }
    }

    /// Writes without waiting, if that can be done by anybody.
    ///
    /// # Errors
    /// `WouldBlock` where it cannot be, or where the peer takes no more for now.
    pub fn try_write(&self, frames: &[Bytes]) -> io::Result<usize> {
        let Self::Tcp(tcp) = self else { return Err(io::ErrorKind::WouldBlock.into()) };
        // Not by way of the runtime, whose books on each socket are not needed where nobody waits.
        let socket = SockRef::from(tcp.as_ref());
        match frames {
            [frame] => socket.send(frame),
            frames => with_slices(frames, |slices| socket.send_vectored(slices)),
        }
    }

    /// Writes, or has the task woken when there is room again.
    pub fn poll_write(&self, cx: &mut Context<'_>, frames: &[Bytes]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => loop {
                std::task::ready!(tcp.as_ref().poll_write_ready(cx))?;
                match with_slices(frames, |slices| tcp.try_write_vectored(slices)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    written => return Poll::Ready(written),
                }
            },
            Self::Other(stream) => {
                let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                with_slices(frames, |slices| stream.as_mut().poll_write_vectored(cx, slices))
            }
        }
    }

    /// Lets go of what was written to a stream that keeps it back.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Other(stream) => stream.lock().unwrap_or_else(PoisonError::into_inner).as_mut().poll_flush(cx),
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

/// The frames that are left when the first `written` bytes have been.
pub(crate) fn advance(frames: &mut [Bytes], mut written: usize) -> &mut [Bytes] {
    let is_written = |frame: &&Bytes| {
        let rest = written.checked_sub(frame.len());
        written = rest.unwrap_or(written);
        rest.is_some()
    };
    let whole = frames.iter().take_while(is_written).count();
    let left = &mut frames[whole..];
    if let Some(first) = left.first_mut() {
        first.advance(written);
    }
    left
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    #[test]
    fn what_was_written_is_left_out() {
        let frames = || [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        for written in 0..=6 {
            let left: Vec<u8> = super::advance(&mut frames(), written).concat();
            assert_eq!(left, b"onetwo"[written..]);
        }
    }
}
