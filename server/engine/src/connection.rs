//! One Engine.IO connection: what waits for the client, what carries it there, and how it ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use engine_link::{Above, Cut, IntakeFull, Settings, Waiting};
use engineioxide_core::{ProtocolVersion, Sid, TransportType};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::flusher::Flusher;
use crate::frame;
use crate::outbox::{Batch, Outbox, Progress};
use crate::packet::Packet;
use crate::polling::Polling;
use crate::socket::DisconnectReason;
use crate::socketio::{self, Attachments};

/// How long a Socket.IO client's packets are held back at most until it is connected to its namespace.
const HOLD: Duration = Duration::from_secs(10);

/// Close codes of RFC 6455, section 7.4.1.
pub(crate) const NORMAL_CLOSURE: u16 = 1000;
pub(crate) const PROTOCOL_ERROR: u16 = 1002;
pub(crate) const POLICY_VIOLATION: u16 = 1008;
/// Registered with IANA since.
const TRY_AGAIN_LATER: u16 = 1013;

pub(crate) struct Connection {
    pub id: Sid,
    pub protocol: ProtocolVersion,
    pub settings: Arc<Settings>,
    max_packets: usize,
    flusher: Arc<Flusher>,
    began: Instant,
    /// When the client was last heard of, in milliseconds from `began`.
    heard: AtomicU64,
    state: Mutex<State>,
    /// Wakes the task that watches over the connection.
    pub woken: Notify,
    /// Wakes those who wait for the client to be connected, for its post to be through, or for the transport to be closed.
    pub settled: Notify,
}

pub(crate) struct State {
    pub carrier: Carrier,
    pub end: Option<End>,
    /// Nothing more will come from the client.
    is_read: bool,
    standing: Standing,
    /// What has come of a packet with attachments.
    attachments: Attachments,
}

/// How a client of Socket.IO stands with its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has not asked to be connected, or was refused.
    Outside,
    /// What it sends is held back until it is connected.
    Held,
    Connected,
    /// It has said goodbye, and is to close the transport: what else it says does not count.
    Leaving,
}

/// What carries packets to the client.
pub(crate) enum Carrier {
    Polling(Polling),
    Websocket(Outbox),
    /// The transport is closed.
    Gone,
}

/// Why a connection has ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub reason: DisconnectReason,
    pub cut: Option<Cut>,
}

/// What becomes of that which waits when a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It is sent, and behind it the end.
    Sent,
    /// The same on a websocket, with this close code. A poller, which has broken the protocol, has its post or its next
    /// poll refused.
    SentWith {
        code: u16,
    },
    /// The same on a websocket. A poller is told nothing but that this is the end.
    Left,
    Dropped,
}

/// Nothing more can be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl From<DisconnectReason> for End {
    fn from(reason: DisconnectReason) -> Self {
        Self { reason, cut: None }
    }
}

impl From<Cut> for End {
    fn from(cut: Cut) -> Self {
        Self { reason: DisconnectReason::TransportError, cut: Some(cut) }
    }
}

/// How a session begins.
pub(crate) struct Beginning {
    pub id: Sid,
    pub protocol: ProtocolVersion,
    pub carrier: Carrier,
    pub settings: Arc<Settings>,
    pub max_packets: usize,
    pub flusher: Arc<Flusher>,
}

impl Connection {
    pub fn begin(beginning: Beginning) -> Arc<Self> {
        let Beginning { id, protocol, carrier, settings, max_packets, flusher } = beginning;
        // Engine.IO 3 clients are connected to the main namespace without asking.
        let is_held = settings.above == Above::SocketIo && protocol == ProtocolVersion::V3;
        let attachments = Attachments::new(&settings.intake);
        let state = Mutex::new(State {
            carrier,
            end: None,
            is_read: false,
            standing: if is_held { Standing::Held } else { Standing::Outside },
            attachments,
        });
        let (began, heard) = (Instant::now(), AtomicU64::new(0));
        let (woken, settled) = (Notify::new(), Notify::new());
        Arc::new(Self { id, protocol, settings, max_packets, flusher, began, heard, state, woken, settled })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn transport(&self) -> TransportType {
        match self.state().carrier {
            Carrier::Polling(_) => TransportType::Polling,
            Carrier::Websocket(_) | Carrier::Gone => TransportType::Websocket,
        }
    }

    /// Whether a packet may be queued. A client for which too many wait is cut.
    pub fn check(&self) -> Result<(), Refused> {
        let mut state = self.state();
        if state.end.is_some() {
            return Err(Refused::Closed);
        }
        if state.carrier.waiting().0 < self.max_packets {
            return Ok(());
        }
        self.end_now(&mut state, Cut::QueueFull.into(), Rest::Dropped);
        Err(Refused::Full)
    }

    /// Queues packets, with no other between them. A client for which too many bytes wait is cut.
    pub fn push(self: &Arc<Self>, packets: impl IntoIterator<Item = Packet>) -> Result<(), Refused> {
        let mut state = self.state();
        if state.end.is_some() {
            return Err(Refused::Closed);
        }
        for packet in packets {
            let packet = self.in_dialect(&mut state, packet);
            match &mut state.carrier {
                Carrier::Polling(polling) => polling.push(packet),
                Carrier::Websocket(outbox) => outbox.push(&packet),
                Carrier::Gone => return Err(Refused::Closed),
            }
        }
        if state.carrier.waiting().1 > self.settings.send_queue_bytes {
            self.end_now(&mut state, Cut::QueueFull.into(), Rest::Dropped);
            return Err(Refused::Full);
        }
        self.send(state);
        Ok(())
    }

    /// Queues packets of which nobody asks what becomes: the handler hears of a client that is cut for them, or has gone.
    pub fn tell(self: &Arc<Self>, packets: impl IntoIterator<Item = Packet>) {
        self.push(packets).ok();
    }

    /// A packet as the client's generation reads it. A refused CONNECT lets go of what was held behind it.
    fn in_dialect(&self, state: &mut State, packet: Packet) -> Packet {
        match packet {
            Packet::Message(text) if self.settings.above == Above::SocketIo => {
                if state.standing == Standing::Held && socketio::refuses_to_connect(&text) {
                    state.standing = Standing::Outside;
                    self.settled.notify_waiters();
                }
                let is_third = self.protocol == ProtocolVersion::V3;
                Packet::Message(if is_third { socketio::for_third(text) } else { text })
            }
            packet => packet,
        }
    }

    /// Answers a websocket's ping. A client for which too much waits is cut.
    pub fn answer_ping(self: &Arc<Self>, data: &[u8]) {
        if self.check().is_err() {
            return;
        }
        let mut state = self.state();
        if let State { carrier: Carrier::Websocket(outbox), end: None, .. } = &mut *state {
            outbox.push_frame(frame::pong(data));
            self.send(state);
        }
    }

    /// Has what was queued sent.
    pub fn send(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let must_schedule = match &mut state.carrier {
            Carrier::Polling(polling) => {
                polling.wake();
                false
            }
            Carrier::Websocket(outbox) => outbox.must_schedule(),
            Carrier::Gone => false,
        };
        drop(state);
        if must_schedule {
            self.flusher.schedule(self.clone());
        }
    }

    /// Queues a packet that may be left out, and is where the client is not ready for it.
    pub fn push_volatile(self: &Arc<Self>, packets: impl IntoIterator<Item = Packet>) -> bool {
        let is_ready = match &self.state().carrier {
            Carrier::Polling(polling) => polling.is_polled(),
            Carrier::Websocket(outbox) => outbox.is_empty(),
            Carrier::Gone => false,
        };
        is_ready && self.push(packets).is_ok()
    }

    /// Writes what waits for a websocket. For the flusher only.
    pub fn flush(&self) {
        if let Some(batch) = self.take_batch(|_| true) {
            self.write(batch);
        }
    }

    fn write(&self, mut batch: Batch) {
        loop {
            match batch.try_write() {
                Ok(progress) => match self.settle(batch, &progress) {
                    Some(next) => batch = next,
                    None => return,
                },
                Err(_) => return self.fail(),
            }
        }
    }

    /// Writes what the websocket's peer did not take before; pending where there is no such thing, or it still does not.
    fn poll_blocked(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(mut batch) = self.take_batch(|outbox| outbox.blocked_since().is_some()) {
            match batch.poll_write(cx) {
                Poll::Pending => {
                    self.settle(batch, &Progress { written: 0, is_blocked: true });
                    return Poll::Pending;
                }
                Poll::Ready(Ok(progress)) => {
                    if let Some(next) = self.settle(batch, &progress) {
                        self.write(next);
                    }
                }
                Poll::Ready(Err(_)) => self.fail(),
            }
        }
        Poll::Pending
    }

    fn take_batch(&self, of: impl FnOnce(&Outbox) -> bool) -> Option<Batch> {
        match &mut self.state().carrier {
            Carrier::Websocket(outbox) if of(outbox) => Some(outbox.take()),
            _ => None,
        }
    }

    fn settle(&self, batch: Batch, progress: &Progress) -> Option<Batch> {
        let mut state = self.state();
        let Carrier::Websocket(outbox) = &mut state.carrier else { return None };
        let was_blocked = outbox.blocked_since().is_some();
        let next = outbox.settle(batch, progress);
        if (progress.is_blocked && !was_blocked) || (outbox.is_empty() && state.end.is_some()) {
            self.woken.notify_one();
        }
        next
    }

    /// The websocket takes nothing any more, whether the connection had ended before or ends by this.
    pub fn fail(&self) {
        let mut state = self.state();
        self.end_now(&mut state, DisconnectReason::TransportError.into(), Rest::Dropped);
        if let Carrier::Websocket(outbox) = &mut state.carrier {
            outbox.drop_all();
        }
        self.woken.notify_one();
    }

    /// Waits for what its watcher must look at; writes to a blocked peer meanwhile.
    pub async fn until_woken(self: &Arc<Self>) {
        tokio::select! {
            biased;
            () = self.woken.notified() => {}
            () = std::future::poll_fn(|cx| self.poll_blocked(cx)) => {}
        }
    }

    /// When the client must have taken something of what waits for it.
    pub fn write_deadline(&self) -> Option<Instant> {
        match &self.state().carrier {
            Carrier::Websocket(outbox) => Some(outbox.blocked_since()? + self.settings.write_timeout),
            Carrier::Polling(_) | Carrier::Gone => None,
        }
    }

    // What comes from the client.

    pub fn note_heard(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(now, Ordering::Relaxed);
    }

    pub fn began(&self) -> Instant {
        self.began
    }

    pub fn heard(&self) -> Instant {
        self.began + Duration::from_millis(self.heard.load(Ordering::Relaxed))
    }

    /// Holds back what the client sends next, until it is connected.
    pub fn hold(&self) {
        let mut state = self.state();
        if state.standing == Standing::Outside {
            state.standing = Standing::Held;
        }
    }

    fn set_connected(&self) {
        let mut state = self.state();
        if state.standing != Standing::Leaving {
            state.standing = Standing::Connected;
        }
        self.settled.notify_waiters();
    }

    pub fn is_held(&self) -> bool {
        let state = self.state();
        state.standing == Standing::Held && state.end.is_none()
    }

    /// Whether nothing that the client says counts any more.
    pub fn is_leaving(&self) -> bool {
        self.state().standing == Standing::Leaving
    }

    /// Returns once nothing is held back any more.
    pub async fn let_go(&self) {
        if tokio::time::timeout(HOLD, self.until(|| !self.is_held())).await.is_err() {
            let mut state = self.state();
            if state.standing == Standing::Held {
                state.standing = Standing::Outside;
            }
        }
    }

    /// Notes a packet, which is held until its last attachment is there, if any follow; whether any do.
    ///
    /// # Errors
    /// See [`engine_link::Share::hold`].
    pub fn expect_attachments(&self, packet: &str) -> Result<bool, IntakeFull> {
        self.state().attachments.expect(packet)
    }

    /// Notes an attachment, which is held until the last one is there.
    ///
    /// # Errors
    /// See [`engine_link::Share::hold`].
    pub fn note_attachment(&self, attachment: &[u8]) -> Result<(), IntakeFull> {
        self.state().attachments.note(attachment)
    }

    /// Lets go of a packet whose last attachment has been handed on. What has ended the connection is held until that has
    /// gone.
    pub fn settle_attachments(&self) {
        let mut state = self.state();
        if state.end.is_none() {
            state.attachments.settle();
        }
    }

    // How it ends.

    /// Ends the connection; has no effect on one that has ended.
    pub fn end(&self, end: End, rest: Rest) {
        self.end_now(&mut self.state(), end, rest);
    }

    /// Ends it once what waits has been sent.
    pub fn close(self: &Arc<Self>, reason: DisconnectReason) {
        self.end_and_send(reason, Rest::Sent);
    }

    /// The same, with a close code that says more: see [`Rest::SentWith`].
    pub fn close_with(self: &Arc<Self>, reason: DisconnectReason, code: u16) {
        self.end_and_send(reason, Rest::SentWith { code });
    }

    /// Ends it for a client that has gone, or says that it goes.
    pub fn hang_up(self: &Arc<Self>, reason: DisconnectReason) {
        self.end_and_send(reason, Rest::Left);
    }

    /// Ends it because the server holds as much as it may of what is half sent.
    pub fn turn_away(self: &Arc<Self>) {
        self.end_and_send(Cut::IntakeFull, Rest::SentWith { code: TRY_AGAIN_LATER });
    }

    fn end_and_send(self: &Arc<Self>, end: impl Into<End>, rest: Rest) {
        let mut state = self.state();
        self.end_now(&mut state, end.into(), rest);
        self.send(state);
    }

    fn end_now(&self, state: &mut State, end: End, rest: Rest) {
        if state.end.is_some() {
            return;
        }
        match (&mut state.carrier, rest) {
            (Carrier::Polling(_), Rest::Sent) | (Carrier::Gone, _) => {}
            (Carrier::Polling(polling), _) => polling.drop_all(),
            (Carrier::Websocket(outbox), Rest::Dropped) => outbox.drop_all(),
            (Carrier::Websocket(outbox), Rest::Sent | Rest::Left) => outbox.push_last(frame::close(NORMAL_CLOSURE)),
            (Carrier::Websocket(outbox), Rest::SentWith { code }) => outbox.push_last(frame::close(code)),
        }
        state.end = Some(end);
        if let Carrier::Polling(polling) = &mut state.carrier {
            polling.wake();
        }
        self.woken.notify_one();
        self.settled.notify_waiters();
    }

    pub fn reason(&self) -> Option<DisconnectReason> {
        self.state().end.as_ref().map(|end| end.reason.clone())
    }

    pub fn has_ended(&self) -> bool {
        self.state().end.is_some()
    }

    /// Whether it has ended, and no poller is still to be told so.
    pub fn is_over(&self) -> bool {
        let state = self.state();
        state.end.is_some() && !matches!(state.carrier, Carrier::Polling(_))
    }

    /// Nothing more will come from the client: its transport is closed.
    pub fn note_read(&self) {
        self.state().is_read = true;
        self.woken.notify_one();
    }

    /// Whether everything that was to be sent before the transport closes has been, and the client has closed its side.
    pub fn is_finished(&self) -> bool {
        let state = self.state();
        match &state.carrier {
            Carrier::Polling(polling) => polling.is_finished(),
            Carrier::Websocket(outbox) => outbox.is_dropped() || (outbox.is_empty() && state.is_read),
            Carrier::Gone => true,
        }
    }

    /// Closes the transport, whatever is left.
    pub fn set_gone(&self) {
        self.state().carrier = Carrier::Gone;
        self.settled.notify_waiters();
    }

    pub async fn gone(&self) {
        self.until(|| matches!(self.state().carrier, Carrier::Gone)).await;
    }

    pub async fn until(&self, condition: impl Fn() -> bool) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if condition() {
                return;
            }
            settled.await;
        }
    }
}

impl Carrier {
    /// How many packets and bytes wait.
    fn waiting(&self) -> (usize, usize) {
        match self {
            Self::Polling(polling) => polling.waiting(),
            Self::Websocket(outbox) => outbox.waiting(),
            Self::Gone => (0, 0),
        }
    }
}

/// What a server may do with a connection.
pub(crate) struct EngineSide(pub Arc<Connection>);

impl engine_link::Connection for EngineSide {
    fn connected(&self) {
        self.0.set_connected();
    }

    fn close(&self) {
        self.0.close(DisconnectReason::TransportClose);
    }

    fn close_after(&self, patience: Duration) {
        if std::mem::replace(&mut self.0.state().standing, Standing::Leaving) == Standing::Leaving {
            return;
        }
        self.0.settled.notify_waiters();
        // Nothing is kept of a client that has gone by then.
        let connection = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            if let Some(connection) = connection.upgrade() {
                connection.close(DisconnectReason::TransportClose);
            }
        });
    }

    fn waiting(&self) -> Waiting {
        let (packets, bytes) = self.0.state().carrier.waiting();
        Waiting { packets, bytes }
    }

    fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    fn cut(&self) -> Option<Cut> {
        self.0.state().end.as_ref()?.cut
    }
}
