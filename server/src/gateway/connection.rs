//! The TCP connections under the sockets: what the protocol engine above them cannot do.
//!
//! * An event may follow the CONNECT packet of a client in the same burst. The engine connects in a task of its own and
//!   would drop the event, so nothing behind a CONNECT is read until the socket is connected.
//! * The engine has no way to close one client's transport. A close frame that seems to come from the client does it,
//!   cleanly and with the code 1000.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is known of one accepted connection; it travels with its requests as an extension.
#[derive(Default)]
pub struct Connection {
    carries: AtomicU8,
    connected: AtomicBool,
    closing: AtomicBool,
    /// Bytes that the kernel has taken.
    written: AtomicU64,
    reader: AtomicWaker,
}

/// What a connection carries.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Carries {
    Http = 0,
    /// A websocket whose client is connected to the namespace without asking (Engine.IO 3).
    ConnectedByServer = 1,
    /// A websocket whose client will send a CONNECT packet (Engine.IO 4).
    ConnectedByClient = 2,
    /// A websocket that takes over from polling: connected already.
    Upgrade = 3,
}

impl Connection {
    /// What was said of the connection before concerned another session.
    pub fn carry(&self, what: Carries) {
        self.connected.store(false, Ordering::Release);
        self.closing.store(false, Ordering::Release);
        self.carries.store(what as u8, Ordering::Release);
    }

    /// The socket has been connected to its namespace: go on reading.
    pub fn set_connected(&self) {
        self.connected.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// Closes a websocket with the code 1000, once what is queued for writing is written. Has no effect on HTTP.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.reader.wake();
    }

    fn count_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn must_hold(&self, frames: &Frames) -> bool {
        let carries = self.carries.load(Ordering::Acquire);
        !self.connected.load(Ordering::Acquire)
            && (carries == Carries::ConnectedByServer as u8 || frames.is_behind_connect)
    }

    fn must_walk(&self) -> bool {
        self.carries.load(Ordering::Acquire) == Carries::ConnectedByClient as u8
            && !self.connected.load(Ordering::Acquire)
    }

    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub fn is_websocket(&self) -> bool {
        self.carries.load(Ordering::Acquire) != Carries::Http as u8
    }
}

/// An accepted TCP connection under its [`Connection`].
pub struct Stream {
    tcp: TcpStream,
    connection: Arc<Connection>,
    frames: Frames,
    close_frame_sent: bool,
}

/// A close frame as a client sends it (RFC 6455, section 5.5.1): code 1000 under a mask of zeros.
const CLOSE_FRAME: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

impl Stream {
    pub fn new(tcp: TcpStream, connection: Arc<Connection>) -> Self {
        Self { tcp, connection, frames: Frames::default(), close_frame_sent: false }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.connection.is_websocket() {
            return Pin::new(&mut this.tcp).poll_read(cx, buf);
        }
        this.connection.reader.register(cx.waker());
        if this.connection.closing.load(Ordering::Acquire) && buf.remaining() >= CLOSE_FRAME.len() {
            if !std::mem::replace(&mut this.close_frame_sent, true) {
                buf.put_slice(&CLOSE_FRAME);
            }
            return Poll::Ready(Ok(()));
        }
        if this.connection.must_hold(&this.frames) {
            return Poll::Pending;
        }
        if this.connection.must_walk() {
            return this.frames.poll_read(&mut this.tcp, cx, buf);
        }
        Pin::new(&mut this.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.tcp).poll_write(cx, buf))?;
        this.connection.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.tcp).poll_write_vectored(cx, bufs))?;
        this.connection.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}

/// Reads a client's frames (RFC 6455, section 5.2) one at a time, to stop behind the one that holds a CONNECT packet.
#[derive(Default)]
struct Frames {
    header: Vec<u8>,
    payload_left: u64,
    payload_start: Vec<u8>,
    is_behind_connect: bool,
}

impl Frames {
    fn poll_read(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 512];
        let wanted = usize::try_from(self.wanted()).unwrap_or(usize::MAX).min(bytes.len()).min(buf.remaining());
        let mut read = ReadBuf::new(&mut bytes[..wanted]);
        ready!(Pin::new(tcp).poll_read(cx, &mut read))?;
        self.walk(read.filled());
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }

    /// How many bytes lie before the next point of interest.
    fn wanted(&self) -> u64 {
        match self.header_length() - self.header.len() {
            0 => self.payload_left,
            missing => missing as u64,
        }
    }

    fn header_length(&self) -> usize {
        let Some(second) = self.header.get(1) else { return 2 };
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length_bytes + if second & 0x80 == 0 { 0 } else { 4 }
    }

    /// Takes at most what was [`Self::wanted`].
    fn walk(&mut self, bytes: &[u8]) {
        if self.header.len() < self.header_length() {
            self.header.extend_from_slice(bytes);
            if self.header.len() == self.header_length() {
                self.payload_left = self.payload_length();
            }
        } else {
            let start = 4_usize.saturating_sub(self.payload_start.len()).min(bytes.len());
            self.payload_start.extend_from_slice(&bytes[..start]);
            self.payload_left -= bytes.len() as u64;
        }
        if self.header.len() == self.header_length() && self.payload_left == 0 {
            self.is_behind_connect = self.holds_connect();
            self.header.clear();
            self.payload_start.clear();
        }
    }

    fn payload_length(&self) -> u64 {
        let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        match self.header[1] & 0x7f {
            126 => big_endian(&self.header[2..4]),
            127 => big_endian(&self.header[2..10]),
            short => short.into(),
        }
    }

    /// Whether the frame just read is a text `40`, `40{…` or `40/,…`: CONNECT to the main namespace.
    fn holds_connect(&self) -> bool {
        let is_text = self.header[0] & 0x0f == 1;
        let mask = &self.header[self.header.len() - 4.min(self.header.len())..];
        let start: Vec<u8> = self.payload_start.iter().zip(mask).map(|(byte, key)| byte ^ key).collect();
        is_text && matches!(start[..], [b'4', b'0'] | [b'4', b'0', b'{', ..] | [b'4', b'0', b'/', b','])
    }
}

#[cfg(test)]
mod tests {
    use super::Frames;

    fn masked(payload: &[u8]) -> Vec<u8> {
        let key = [7, 1, 200, 33];
        let mut frame = vec![0x81];
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
            long => {
                frame.push(0x80 | 0x7e);
                frame.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        frame.extend(key);
        frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// The frames after whose last byte reading stops, fed in pieces of at most `piece` bytes.
    fn stops(frames: &[&[u8]], piece: usize) -> Vec<usize> {
        let mut reader = Frames::default();
        let mut stops = Vec::new();
        for (index, payload) in frames.iter().enumerate() {
            let frame = masked(payload);
            let mut rest = &frame[..];
            while !rest.is_empty() {
                let wanted = usize::try_from(reader.wanted()).unwrap().min(piece).min(rest.len());
                let (now, later) = rest.split_at(wanted);
                reader.walk(now);
                rest = later;
            }
            if std::mem::take(&mut reader.is_behind_connect) {
                stops.push(index);
            }
        }
        stops
    }

    #[test]
    fn reading_stops_behind_a_connect_packet_and_nowhere_else() {
        let long = [b"40{\"token\":\"".as_slice(), &[b'x'; 400], b"\"}"].concat();
        let frames: [&[u8]; 7] = [b"2probe", b"5", b"40", b"42[\"a\"]", b"40/other,", b"", &long];
        for piece in [1, 3, 512] {
            assert_eq!(stops(&frames, piece), [2, 6], "in pieces of {piece}");
        }
    }
}
