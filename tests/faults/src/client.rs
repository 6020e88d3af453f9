//! One client of a fault run: it talks, hears, comes back with what it has, and puts everything down.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::history::{Message, Sending, What};
use crate::link::{Dialect, Way};
use crate::socket::{Socket, Word};
use crate::stage::{Order, Phase, Stage};

/// Who a client is.
#[derive(Clone, Debug)]
pub struct Role {
    pub client: usize,
    pub email: String,
    pub author: i64,
    pub token: String,
    pub dialect: Dialect,
    /// What it hears, and may speak in.
    pub conversations: Vec<i64>,
    /// A conversation that it is not in.
    pub elsewhere: Option<i64>,
}

/// The conversation that is everybody's, and the only one that the original knows of.
pub const EVERYONE: i64 = 1;

/// How often a client looks whether there are orders.
const TICK: Duration = Duration::from_millis(25);
/// Between two attempts to connect.
const RETURN_MS: std::ops::Range<u64> = 20..200;
/// Between two times that a client speaks.
const PAUSE_MS: std::ops::Range<u64> = 300..2_500;
/// How many messages it says at once.
const BURST: std::ops::RangeInclusive<u32> = 1..=6;
/// Before what was refused for the time being is said again.
const RETRY: Duration = Duration::from_millis(300);
/// When a message is not answered for so long, the client gives the connection up.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);
const LONG_TEXT: std::ops::Range<usize> = 1_000..12_000;

pub struct Client<'a> {
    stage: &'a Stage,
    role: Role,
    random: StdRng,
    connection: u32,
    /// The last message that it has, by conversation.
    places: BTreeMap<i64, i64>,
    /// What is not answered, in the order in which it was first said.
    pending: Vec<Pending>,
    attempts: u64,
    said: u64,
    /// A message that was acknowledged, whose name is taken.
    taken: Option<(i64, String)>,
}

/// A message that is not through.
struct Pending {
    conversation: i64,
    name: Option<String>,
    text: String,
    /// When it was last attempted over this connection, and the attempt.
    attempt: Option<(Instant, u64)>,
    /// Not to be said before.
    due: Instant,
}

impl<'a> Client<'a> {
    pub fn new(stage: &'a Stage, role: Role, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        let places = role.conversations.iter().map(|conversation| (*conversation, 0)).collect();
        let (pending, taken) = (Vec::new(), None);
        Self { stage, role, random, connection: 0, places, pending, attempts: 0, said: 0, taken }
    }

    /// Comes back again and again, until the run is over.
    pub fn run(&mut self) {
        while self.stage.phase() != Phase::Over {
            self.connection += 1;
            if let Err(error) = self.live() {
                self.stage.note(self.role.client, &error);
            }
            if self.stage.phase() == Phase::Over {
                return;
            }
            self.stage.is_settled(self.role.client, false);
            self.forget_attempts();
            std::thread::sleep(Duration::from_millis(self.random.random_range(RETURN_MS)));
        }
    }

    /// One connection, from its beginning to its end.
    fn live(&mut self) -> Result<()> {
        let to = self.stage.node(self.random.random()).context("no server is there")?;
        let mut socket = Socket::connect(Way { to, from: Ipv4Addr::LOCALHOST }, self.role.dialect)?;
        let offsets = self.places.iter().map(|(conversation, last)| (*conversation, Some(*last))).collect();
        self.put_down(What::Begins { offsets });
        let ended = self.talk(&mut socket);
        if self.stage.phase() != Phase::Over {
            self.put_down(What::Ends);
        }
        ended
    }

    fn talk(&mut self, socket: &mut Socket) -> Result<()> {
        socket.emit("authentication", &self.credentials())?;
        let began = Instant::now();
        let (mut is_in, mut speaks_at) = (false, began);
        while self.stage.phase() != Phase::Over {
            match self.stage.order(self.role.client) {
                Some(Order::Break) => bail!("it breaks off"),
                Some(Order::Stall(time)) => {
                    std::thread::sleep(time);
                    socket.link.forgive_silence();
                }
                None => {}
            }
            if is_in {
                if self.stage.phase() == Phase::Talk && Instant::now() >= speaks_at {
                    self.think_of_messages();
                    speaks_at = Instant::now() + Duration::from_millis(self.random.random_range(PAUSE_MS));
                }
                self.say(socket)?;
                self.stage.is_settled(self.role.client, self.pending.is_empty() && self.stage.is_all(&self.places));
            }
            if !is_in && began.elapsed() > ANSWER_PATIENCE {
                bail!("the authentication is not answered");
            }
            // Much may wait, and is not to keep it from speaking.
            if let Some(word) = socket.next(Instant::now() + TICK)? {
                is_in |= self.hear(word)?;
            }
        }
        Ok(())
    }

    /// Who hears the first conversation only asks for it as the original's clients did.
    fn credentials(&self) -> Value {
        let token = &self.role.token;
        if self.role.conversations == [EVERYONE] {
            return json!({ "token": token, "serverOffset": self.places.get(&EVERYONE) });
        }
        let offsets: BTreeMap<_, _> =
            self.places.iter().map(|(conversation, last)| (conversation.to_string(), last)).collect();
        json!({ "token": token, "conversations": offsets })
    }

    fn think_of_messages(&mut self) {
        for _ in 0..self.random.random_range(BURST) {
            let places = self.role.conversations.len();
            let mut conversation = self.role.conversations[self.random.random_range(0..places)];
            self.said += 1;
            let filler = if self.random.random_ratio(1, 30) {
                "x".repeat(self.random.random_range(LONG_TEXT))
            } else {
                String::new()
            };
            let text = format!("{}-{} {filler}", self.role.client, self.said);
            let mut name = Some(format!("{}-{}", self.role.client, self.said));
            match self.random.random_range(0..100) {
                // Without a name it is said once.
                0..10 => name = None,
                // To be refused, as it is no name.
                10..12 => name = Some(String::new()),
                12..14 => {
                    if let Some((of, taken)) = self.taken.take() {
                        (conversation, name) = (of, Some(taken));
                    }
                }
                14..17 => conversation = self.role.elsewhere.unwrap_or(conversation),
                _ => {}
            }
            self.pending.push(Pending { conversation, name, text, attempt: None, due: Instant::now() });
        }
    }

    /// Says what is not under way, in the order in which it was first said.
    fn say(&mut self, socket: &mut Socket) -> Result<()> {
        let now = Instant::now();
        for index in 0..self.pending.len() {
            let pending = &self.pending[index];
            match pending.attempt {
                Some((at, _)) if now > at + ANSWER_PATIENCE => bail!("a message is not answered"),
                Some(_) => continue,
                None if pending.due > now => continue,
                None => {}
            }
            self.attempts += 1;
            let attempt = self.attempts;
            let Pending { conversation, name, text, .. } = pending;
            let mut payload = json!({ "message": text, "conversation": conversation });
            if let Some(name) = name {
                payload["clientOffset"] = json!(name);
            }
            let line = format!("{}: {text}", self.role.email);
            let (conversation, name, author) = (*conversation, name.clone(), self.role.author);
            self.put_down(What::Sends(Sending { attempt, conversation, name, author, line: line.into() }));
            self.pending[index].attempt = Some((now, attempt));
            socket.ask("client-sent-message", &payload, attempt)?;
        }
        Ok(())
    }

    /// Takes what the server says. Returns whether it lets the client in by it.
    fn hear(&mut self, word: Word) -> Result<bool> {
        match word {
            Word::Answer { id, data } => self.hear_answer(id, &data)?,
            Word::Event { name, data } => match name.as_str() {
                "authenticated" => return Ok(true),
                "server-got-message" => {
                    let message = message_of(&data)?;
                    self.places.insert(message.conversation, message.seq);
                    self.put_down(What::Hears(message));
                }
                "history-gap" => {
                    let (conversation, after, next) =
                        (number(&data, "conversation")?, number(&data, "after")?, number(&data, "next")?);
                    self.places.insert(conversation, next - 1);
                    self.put_down(What::ToldGap { conversation, after, next });
                }
                "unauthorized" => {
                    self.put_down(What::Wonders("a good token is refused"));
                    bail!("the server does not know the token");
                }
                _ => {}
            },
        }
        Ok(false)
    }

    fn hear_answer(&mut self, attempt: u64, data: &Value) -> Result<()> {
        let place = self.pending.iter().position(|pending| pending.attempt.is_some_and(|(_, sent)| sent == attempt));
        let Some(place) = place else {
            self.put_down(What::Wonders("an attempt is answered that is not under way"));
            bail!("attempt {attempt} is answered, and is not under way");
        };
        if data["ok"] == true {
            let (conversation, seq) = (number(data, "conversation")?, number(data, "seq")?);
            self.put_down(What::Acknowledged { attempt, conversation, seq });
            let Pending { conversation, name, .. } = self.pending.remove(place);
            self.taken = name.map(|name| (conversation, name));
            return Ok(());
        }
        let code = data["error"]["code"].as_str().with_context(|| format!("{data} is no answer"))?;
        self.put_down(What::Refused { attempt, is_certain: code != "unavailable" });
        let pending = &mut self.pending[place];
        if matches!(code, "overloaded" | "stopping" | "unavailable") && pending.name.is_some() {
            (pending.attempt, pending.due) = (None, Instant::now() + RETRY);
        } else {
            self.pending.remove(place);
        }
        Ok(())
    }

    /// What has a name can be said again; of the rest nobody knows.
    fn forget_attempts(&mut self) {
        self.pending.retain(|pending| pending.name.is_some() || pending.attempt.is_none());
        for pending in &mut self.pending {
            (pending.attempt, pending.due) = (None, Instant::now());
        }
    }

    fn put_down(&self, what: What) {
        self.stage.put_down(self.role.client, self.connection, what);
    }
}

/// A message as the API and the socket tell it.
pub fn message_of(data: &Value) -> Result<Message> {
    let line: Arc<str> = data["message"].as_str().with_context(|| format!("{data} is no message"))?.into();
    let (conversation, seq, author) = (number(data, "conversation")?, number(data, "seq")?, number(data, "author")?);
    Ok(Message { conversation, seq, author, line })
}

pub fn number(data: &Value, key: &str) -> Result<i64> {
    data[key].as_i64().with_context(|| format!("{data} has no number {key}"))
}
