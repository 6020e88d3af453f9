//! What must hold of a whole server, whatever strangers send it: one function for each fuzz target. `tests/it/engine/mutations.rs`
//! runs the same ones on stable, for a moment.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::{SinkExt, StreamExt};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use natter::app::App;
use natter::config::Config;
use natter::serve::{self, Listeners};
use natter::supervisor::Supervisor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The doors: a method, a path, and whether it is somebody with a token who comes.
const DOORS: [(Method, &str, bool); 22] = [
    (Method::GET, "/login/", false),
    (Method::POST, "/login/", false),
    (Method::GET, "/signup/", false),
    (Method::POST, "/signup/", false),
    (Method::POST, "/password-reset/", false),
    (Method::GET, "/admin/login/", false),
    (Method::POST, "/admin/login/", false),
    (Method::GET, "/admin/users/", false),
    (Method::POST, "/api/users/", false),
    (Method::POST, "/api/users/reset-password/", false),
    (Method::POST, "/api/auth/signin/", false),
    (Method::GET, "/api/users/", true),
    (Method::PATCH, "/api/users/me/", true),
    (Method::GET, "/api/users/me/devices/", true),
    (Method::GET, "/api/messages/", true),
    (Method::POST, "/api/messages/", true),
    (Method::PATCH, "/api/messages/1/", true),
    (Method::GET, "/api/conversations/", true),
    (Method::POST, "/api/conversations/", true),
    (Method::PUT, "/api/conversations/1/read/", true),
    (Method::GET, "/api/presence/", true),
    (Method::GET, "/socket.io/", false),
];

const CONTENT_TYPES: [&str; 4] =
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain"];

/// Separates the parts of a request, and of packets.
const SEPARATOR: u8 = 0x1e;

/// A token of CSRF that is always given and may or may not be given back.
const CSRF: &str = "csrfcsrfcsrfcsrfcsrfcsrfcsrfcsrf";

/// What no page may hold as it was sent.
const MARKUP: &str = "<fuzz";

/// `data` is a door, a type of content, and then what somebody says there: the query, a cookie, the language, who forwards
/// it, the body.
pub fn request(data: &[u8]) {
    let Some((door, kind, said)) = data.split_at_checked(2).map(|(choices, said)| (choices[0], choices[1], said))
    else {
        return;
    };
    let mut server = Server::shared();
    let (method, path, has_token) = &DOORS[usize::from(door) % DOORS.len()];
    let parts: Vec<_> = said.splitn(5, |byte| *byte == SEPARATOR).collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let Ok(uri) = Uri::try_from(format!("{path}?{}", in_uri(part(0)))) else { return };
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("Host", "a.example")
        .header("Content-Type", CONTENT_TYPES[usize::from(kind) % CONTENT_TYPES.len()])
        .header("Cookie", [format!("csrftoken={CSRF}; ").as_bytes(), &in_header(part(1))].concat())
        .header("Accept-Language", in_header(part(2)))
        .header("X-Forwarded-For", in_header(part(3)));
    if *has_token {
        request = request.header("Authorization", format!("Token {}", server.token));
    }
    let Ok(request) = request.body(Full::new(Bytes::copy_from_slice(part(4)))) else { return };
    let answer = server.answer(request);

    assert!(answer.status().as_u16() < 500, "{method} {path} is answered {}", answer.status());
    if let Some(location) = answer.headers().get(LOCATION) {
        let location = location.to_str().expect("an address is ASCII");
        assert!(location.starts_with('/') && !location.starts_with("//") && !location.contains('\\'), "{location}");
    }
    let kind = answer.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_owned()).unwrap_or_default();
    if kind.starts_with(b"application/json") && !answer.body().is_empty() {
        assert!(serde_json::from_slice::<Value>(answer.body()).is_ok(), "{:?}", answer.body());
    }
    if kind.starts_with(b"text/html") {
        let page = std::str::from_utf8(answer.body()).expect("a page is UTF-8");
        assert!(!page.contains(MARKUP), "{method} {path} repeats markup");
    }
    assert_nothing_has_panicked();
}

/// `data` are packets of a client that has authenticated; one that begins with a byte from 128 on is binary.
pub fn packets(data: &[u8]) {
    let mut server = Server::shared();
    server.say(data);
    assert_nothing_has_panicked();
    server.hears_itself();
}

type Socket = WebSocketStream<TcpStream>;

/// A server, somebody who has a token there, and a socket of theirs that nothing may disturb.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    token: String,
    client: Option<SendRequest<Full<Bytes>>>,
    bystander: Option<Socket>,
    said: u64,
    _data: TempDir,
}

/// Whether anything in this process has panicked, which a server survives and must not.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

impl Server {
    fn shared() -> MutexGuard<'static, Self> {
        static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
        SERVER.get_or_init(|| Mutex::new(Self::start())).lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start() -> Self {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panicked| {
            HAS_PANICKED.store(true, Ordering::Release);
            before(panicked);
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let data = tempfile::tempdir().expect("a temporary folder");
        let address = runtime.block_on(serve(&data));
        let mut server =
            Self { runtime, address, token: String::new(), client: None, bystander: None, said: 0, _data: data };
        let account = json!({ "email": "ann@a.example", "password": "qwerty" });
        server.post("/api/users/", &account);
        let signed_in = server.post("/api/auth/signin/", &json!({ "username": "ann@a.example", "password": "qwerty" }));
        signed_in.headers()["x-token"].to_str().expect("a token").clone_into(&mut server.token);
        server.bystander = Some(server.runtime.block_on(enter(server.address, &server.token)));
        server
    }

    fn post(&mut self, path: &str, body: &Value) -> Response<Bytes> {
        let request = Request::post(path).header("Host", "a.example").header("Content-Type", "application/json");
        self.answer(request.body(Full::new(body.to_string().into())).expect("a request"))
    }

    fn answer(&mut self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let Self { runtime, address, client, .. } = self;
        runtime.block_on(async {
            if client.as_ref().is_none_or(SendRequest::is_closed) {
                let tcp = TcpStream::connect(*address).await.expect("a connection");
                let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await.expect("a connection");
                tokio::spawn(connection);
                *client = Some(sender);
            }
            let sender = client.as_mut().expect("it is there");
            sender.ready().await.expect("a connection");
            let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
            Response::from_parts(parts, body.collect().await.expect("a whole answer").to_bytes())
        })
    }

    /// Says packets on a socket of their own, and waits until the server has read them, or has cut it.
    fn say(&self, data: &[u8]) {
        self.runtime.block_on(async {
            let mut socket = enter(self.address, &self.token).await;
            for packet in data.split(|byte| *byte == SEPARATOR) {
                let message = match packet.split_first() {
                    Some((128.., bytes)) => Message::binary(bytes.to_owned()),
                    _ => Message::text(String::from_utf8_lossy(packet).into_owned()),
                };
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            // A websocket's own ping is answered once all before it is read.
            if socket.send(Message::Ping(Bytes::new())).await.is_ok() {
                while let Some(Ok(heard)) = socket.next().await {
                    if matches!(heard, Message::Pong(_) | Message::Close(_)) {
                        break;
                    }
                }
            }
        });
    }

    /// The bystander says something, and hears it, whatever else there is to hear.
    fn hears_itself(&mut self) {
        self.said += 1;
        let Self { runtime, bystander, said, .. } = self;
        let bystander = bystander.as_mut().expect("it is there");
        let text = format!("bystander {said}");
        runtime.block_on(async {
            let packet = format!("42{}", json!(["client-sent-message", { "message": text }]));
            bystander.send(Message::text(packet)).await.expect("the bystander is cut");
            hears(bystander, &text).await;
        });
    }
}

fn assert_nothing_has_panicked() {
    assert!(!HAS_PANICKED.load(Ordering::Acquire), "the server has panicked");
}

async fn serve(data: &TempDir) -> SocketAddr {
    let settings = [("PORT", "0"), ("DATA_DIR", data.path().to_str().expect("a path")), ("NATTER_RATE_LIMITS", "off")];
    let settings = settings.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let config = Config::load(None, settings, &[]).expect("settings");
    let listeners = Listeners::bind(&config).await.expect("a port");
    let address = listeners.clients.local_addr().expect("an address");
    let (app, queues) = App::open(config, format!("http://{address}")).await.expect("a server");
    tokio::spawn(serve::serve(listeners, app, queues, Supervisor::default(), std::future::pending()));
    address
}

/// A socket that has authenticated.
async fn enter(address: SocketAddr, token: &str) -> Socket {
    let tcp = TcpStream::connect(address).await.expect("a connection");
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let (mut socket, _) = tokio_tungstenite::client_async(url, tcp).await.expect("a websocket");
    for packet in ["40".to_owned(), format!("42{}", json!(["authentication", { "token": token }]))] {
        socket.send(Message::text(packet)).await.expect("a socket");
    }
    hears(&mut socket, r#"["authenticated""#).await;
    socket
}

async fn hears(socket: &mut Socket, text: &str) {
    loop {
        match socket.next().await.expect("the socket is cut").expect("the socket is cut") {
            Message::Text(heard) if heard.contains(text) => return,
            // The server's own heartbeat.
            Message::Text(heard) if heard.as_str() == "2" => socket.send(Message::text("3")).await.expect("a socket"),
            _ => {}
        }
    }
}

/// As much of it as it takes to be an address: the rest is escaped.
fn in_uri(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'!' | b'$'..=b';' | b'=' | b'?'..=b'Z' | b'_' | b'a'..=b'z' | b'~' => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    bytes.iter().map(escape).collect()
}

/// Without what no header may hold.
fn in_header(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte >= b' ' && *byte != 0x7f).collect()
}
