//! Engine.IO over a websocket, down to its frames.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::app::TestApp;
use super::wire::{Eio, Heard};

#[derive(Debug)]
pub struct Websocket(Box<WebSocketStream<TcpStream>>);

impl Websocket {
    /// A websocket of its own, or one that is to take over `session` from polling.
    pub async fn connect(app: &TestApp, eio: Eio, session: Option<&str>) -> Self {
        Self::try_connect(app, eio, session).await.unwrap()
    }

    /// # Errors
    /// The status of the answer where it is refused.
    pub async fn try_connect(app: &TestApp, eio: Eio, session: Option<&str>) -> Result<Self, u16> {
        Self::try_connect_as(app, eio, session, "").await
    }

    /// The same as a browser does that has cookies.
    pub async fn try_connect_as(app: &TestApp, eio: Eio, session: Option<&str>, cookies: &str) -> Result<Self, u16> {
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that a client that does not read is noticed soon.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let tcp = socket.connect(app.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let session = session.map(|session| format!("&sid={session}")).unwrap_or_default();
        let url = format!("ws://{}/socket.io/?EIO={}&transport=websocket{session}", app.address, eio.number());
        let mut request = url.into_client_request().unwrap();
        if !cookies.is_empty() {
            request.headers_mut().insert("Cookie", cookies.parse().unwrap());
        }
        match tokio_tungstenite::client_async(request, tcp).await {
            Ok((stream, _)) => Ok(Self(Box::new(stream))),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends packets as a frame each, in one go.
    pub async fn send(&mut self, packets: &[&str]) {
        for packet in packets {
            self.0.feed(Message::text(*packet)).await.unwrap();
        }
        self.0.flush().await.unwrap();
    }

    /// Sends a packet as far as the server takes it.
    pub async fn send_text(&mut self, packet: &str) {
        self.0.send(Message::text(packet)).await.ok();
    }

    pub async fn send_binary(&mut self, bytes: &'static [u8]) {
        self.0.send(Message::Binary(Bytes::from_static(bytes))).await.unwrap();
    }

    /// Sends a text frame, whether or not it is text.
    pub async fn send_text_frame(&mut self, bytes: &'static [u8]) {
        self.0.send(Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true))).await.unwrap();
    }

    /// Sends the first of a text message's fragments.
    pub async fn send_beginning(&mut self, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.0.send(Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), false))).await.unwrap();
    }

    /// Sends a ping of the websocket's own.
    pub async fn send_ping(&mut self) -> Result<(), Error> {
        self.0.send(Message::Ping(Bytes::new())).await
    }

    pub async fn read(&mut self) -> Heard {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Heard::Packet(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => {
                    return Heard::Closed(frame.map(|CloseFrame { code, .. }| code.into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("not a packet: {other:?}"),
                Some(Err(_)) | None => return Heard::Closed(None),
            }
        }
    }
}
