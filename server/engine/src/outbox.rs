//! Frames that wait for a websocket.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use engine_link::Above;
use engineioxide_core::{ProtocolVersion, Str};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::packet::{self, Packet};
use crate::wire::{Writer, advance};
use crate::{frame, payload};

/// The Engine.IO type of a message, before its text and, in Engine.IO 3, before its bytes.
const MESSAGE: u8 = b'4';
const MESSAGE_OF_BYTES: u8 = 4;

/// Frames in the order in which they are written. As most of the time one waits, or none, that one needs no memory elsewhere.
type Frames = SmallVec<[Bytes; 1]>;

pub(crate) struct Outbox {
    frames: Frames,
    /// Of all frames that are not written, including those in a [`Batch`].
    bytes: usize,
    writer: Arc<Writer>,
    dialect: Dialect,
    /// The flusher will come, or is here.
    is_scheduled: bool,
    /// The peer has taken nothing since then, while something waited.
    blocked_since: Option<Instant>,
    /// Nothing is sent any more.
    is_dropped: bool,
}

/// Larger ones are written as they are, for each socket would keep a copy for as long as it takes.
const JOINED_BYTES: usize = 256 * 1024;

/// Frames that are being written, while others may be queued.
pub(crate) struct Batch {
    frames: Frames,
    writer: Arc<Writer>,
}

/// How far a batch has come.
pub(crate) struct Progress {
    pub written: usize,
    /// The peer takes no more for now.
    pub is_blocked: bool,
}

impl Outbox {
    pub fn new(writer: Arc<Writer>, dialect: Dialect) -> Self {
        let frames = Frames::new();
        Self { frames, bytes: 0, writer, dialect, is_scheduled: false, blocked_since: None, is_dropped: false }
    }

    pub fn push(&mut self, packet: &Packet) {
        self.push_frame(self.dialect.frame(packet));
    }

    pub fn push_frame(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push(frame);
    }

    /// Queues the frame behind which nothing comes.
    pub fn push_last(&mut self, frame: Bytes) {
        self.push_frame(frame);
        self.writer.leave_to_kernel();
    }

    /// Forgets what waits, and what is being written.
    pub fn drop_all(&mut self) {
        self.frames = Frames::new();
        self.bytes = 0;
        self.blocked_since = None;
        self.is_dropped = true;
    }

    pub fn is_dropped(&self) -> bool {
        self.is_dropped
    }

    /// How many packets and bytes wait.
    pub fn waiting(&self) -> (usize, usize) {
        (self.frames.len(), self.bytes)
    }

    /// Whether the peer, or the stream under it, has taken all.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0 && self.blocked_since.is_none()
    }

    pub fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Whether the flusher must be told that there is something to write.
    pub fn must_schedule(&mut self) -> bool {
        self.blocked_since.is_none() && !self.frames.is_empty() && !std::mem::replace(&mut self.is_scheduled, true)
    }

    /// What waits, for whoever writes it.
    pub fn take(&mut self) -> Batch {
        Batch { frames: std::mem::take(&mut self.frames), writer: self.writer.clone() }
    }

    /// Takes back what was not written. Gives what has been queued meanwhile, if that can be written at once.
    pub fn settle(&mut self, mut batch: Batch, progress: &Progress) -> Option<Batch> {
        if self.is_dropped {
            return None;
        }
        self.bytes -= progress.written;
        if progress.is_blocked {
            batch.frames.append(&mut self.frames);
            self.frames = batch.frames;
            if progress.written > 0 || self.blocked_since.is_none() {
                self.blocked_since = Some(Instant::now());
            }
            self.is_scheduled = false;
            return None;
        }
        self.blocked_since = None;
        if !self.frames.is_empty() {
            self.is_scheduled = true;
            std::mem::swap(&mut self.frames, &mut batch.frames);
            return Some(batch);
        }
        self.is_scheduled = false;
        None
    }
}

impl Batch {
    /// Writes what can be written now.
    pub fn try_write(&mut self) -> io::Result<Progress> {
        if self.frames.len() >= MANY {
            self.frames = joined(std::mem::take(&mut self.frames));
        }
        let mut progress = Progress { written: 0, is_blocked: false };
        let mut left = &mut self.frames[..];
        while !left.is_empty() {
            match self.writer.try_write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    left = advance(left, written);
                    progress.written += written;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    progress.is_blocked = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let left = left.len();
        self.drop_written(left);
        Ok(progress)
    }

    fn drop_written(&mut self, left: usize) {
        self.frames.drain(..self.frames.len() - left);
    }

    /// Writes what can be written, or has the task woken when the peer takes more.
    pub fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Progress>> {
        if self.frames.is_empty() {
            ready!(self.writer.poll_flush(cx))?;
            return Poll::Ready(Ok(Progress { written: 0, is_blocked: false }));
        }
        let written = ready!(self.writer.poll_write(cx, &self.frames))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let left = advance(&mut self.frames, written).len();
        self.drop_written(left);
        let is_flushed = self.writer.poll_flush(cx)?.is_ready();
        Poll::Ready(Ok(Progress { written, is_blocked: !self.frames.is_empty() || !is_flushed }))
    }
}

/// From how many frames on they are made one before they are written: more calls of the kernel's for slices cost more than
/// a copy, which most often is one for many sockets.
const MANY: usize = 4;

/// Frames as one. Those who have missed the same turns of the flusher wait for the same frames, and share the one.
fn joined(frames: Frames) -> Frames {
    thread_local! {
        static LAST: RefCell<(Frames, Bytes)> = const { RefCell::new((SmallVec::new_const(), Bytes::new())) };
    }
    let is_same = |(a, b): (&Bytes, &Bytes)| a.as_ptr() == b.as_ptr() && a.len() == b.len();
    LAST.with_borrow_mut(|(of, one)| {
        if of.len() != frames.len() || !of.iter().zip(&frames).all(is_same) {
            let bytes = frames.iter().map(Bytes::len).sum();
            if bytes > JOINED_BYTES {
                return frames;
            }
            let mut whole = Vec::with_capacity(bytes);
            frames.iter().for_each(|frame| whole.extend_from_slice(frame));
            (*of, *one) = (frames, whole.into());
        }
        SmallVec::from_elem(one.clone(), 1)
    })
}

/// How the client of a websocket reads.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    pub protocol: ProtocolVersion,
    pub above: Above,
    /// It has asked for bytes in base64 (`b64=1`).
    pub wants_text: bool,
}

impl Dialect {
    /// A packet as a frame.
    pub fn frame(self, packet: &Packet) -> Bytes {
        match packet {
            Packet::Message(text) => self.frame_message(text),
            Packet::Binary(bytes) if self.wants_text => {
                frame::text(None, packet::base64(bytes, self.protocol).as_bytes())
            }
            Packet::Binary(bytes) if self.protocol == ProtocolVersion::V3 => {
                frame::binary(Some(MESSAGE_OF_BYTES), bytes)
            }
            Packet::Binary(bytes) => frame::binary(None, bytes),
            Packet::Open(text) => frame::text(Some(b'0'), text.as_bytes()),
            Packet::Close => frame::text(Some(b'1'), b""),
            Packet::Ping(text) => frame::text(Some(b'2'), text.as_bytes()),
            Packet::Pong(text) => frame::text(Some(b'3'), text.as_bytes()),
            Packet::Upgrade => frame::text(Some(b'5'), b""),
            Packet::Noop => frame::text(Some(b'6'), b""),
        }
    }

    /// Whoever emits one text to many sockets gives the same memory to each, and so each is given the same frame.
    fn frame_message(self, text: &Str) -> Bytes {
        thread_local! {
            static LAST: RefCell<Option<(Str, Bytes)>> = const { RefCell::new(None) };
            static LAST_IN_ASCII: RefCell<Option<(Str, Bytes)>> = const { RefCell::new(None) };
        }
        // socket.io-client 1.0 reads text that was encoded twice, all others once; the escapes of JSON they read alike.
        let in_ascii = self.protocol == ProtocolVersion::V3 && self.above == Above::SocketIo;
        let last = if in_ascii { &LAST_IN_ASCII } else { &LAST };
        last.with_borrow_mut(|last| match last {
            Some((of, frame)) if of.as_ptr() == text.as_ptr() && of.len() == text.len() => frame.clone(),
            _ => {
                let read = if in_ascii { payload::in_ascii(text) } else { Cow::from(text.as_str()) };
                let frame = frame::text(Some(MESSAGE), read.as_bytes());
                *last = Some((text.clone(), frame.clone()));
                frame
            }
        })
    }
}
