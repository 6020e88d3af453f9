//! What clients say and ask over the socket: `client-sent-message`, and requests, which are answered by their acks.

use serde_json::{Map, Value, json};
use socketioxide::adapter::Adapter;
use socketioxide::extract::{AckSender, SocketRef};

use super::fields::{EMAIL, NAME, Opening};
use super::{ConversationId, EVERYONE, Message, Post, Refusal, Reply, Summary};
use crate::accounts::{self, Identity, User, UserId};
use crate::app::App;
use crate::chat;
use crate::database::in_time;
use crate::error::Result;
use crate::http::fields::{Fields, Text, whole_number};

/// Tells a sender without an ack that a message was not posted.
const REFUSED: &str = "message-refused";

/// Conversations or people in one answer.
const LIST: u64 = 500;

/// Posts what `author` has sent. A payload without a message is ignored, as the original should have done.
pub fn receive<A: Adapter>(
    app: &App,
    author: &Identity,
    payload: &Value,
    socket: &SocketRef<A>,
    ack: Option<AckSender<A>>,
) {
    let Some(text) = payload.get("message").and_then(text_of) else {
        return refuse_if_asked(ack, Refusal::Invalid("A message is a text."));
    };
    // One that is no text is as good as an empty one.
    let client_offset = payload.get("clientOffset").filter(|offset| !offset.is_null());
    let client_offset = client_offset.map(|offset| text_of(offset).unwrap_or_default());
    let (socket, offset) = (socket.clone(), client_offset.clone());
    let reply: Reply = Box::new(move |result| match (result, ack) {
        (Ok(message), Some(ack)) => accept(ack, &message),
        (Ok(_), None) => {}
        (Err(refusal), Some(ack)) => refuse(ack, refusal),
        (Err(refusal), None) => tell(&socket, refusal, offset.as_deref()),
    });
    let Some(conversation) = conversation_of(payload) else {
        return reply(Err(Refusal::Invalid("A conversation is a whole number.")));
    };
    let email = author.email.clone();
    chat::post(app, Post { conversation, author: author.user, email, text, client_offset, reply });
}

/// The first one where a client names none; none where what it names is no number.
pub fn conversation_of(payload: &Value) -> Option<ConversationId> {
    match payload.get("conversation") {
        None | Some(Value::Null) => Some(EVERYONE),
        Some(number) => whole_number(number).map(ConversationId),
    }
}

/// A text as it is; a number or a boolean as JavaScript prints it.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        // As in JavaScript, where every number is a double.
        Value::Number(number) => number.as_f64().map(|number| ryu_js::Buffer::new().format(number).to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn accept<A: Adapter>(ack: AckSender<A>, message: &Message) {
    let Message { conversation, seq, .. } = message;
    send(ack, &json!({ "ok": true, "conversation": conversation, "seq": seq }));
}

/// Answers with why something was not done, if an answer was asked for.
pub fn refuse_if_asked<A: Adapter>(ack: Option<AckSender<A>>, refusal: Refusal) {
    if let Some(ack) = ack {
        refuse(ack, refusal);
    }
}

/// Answers an ack with why the message was not posted.
fn refuse<A: Adapter>(ack: AckSender<A>, refusal: Refusal) {
    send(ack, &json!({ "ok": false, "error": { "code": refusal.code(), "message": refusal.message() } }));
}

fn send<A: Adapter>(ack: AckSender<A>, answer: &Value) {
    if let Err(error) = ack.send(answer) {
        tracing::debug!(%error, "a sender could not be answered");
    }
}

fn tell<A: Adapter>(socket: &SocketRef<A>, refusal: Refusal, client_offset: Option<&str>) {
    let (code, message) = (refusal.code(), refusal.message());
    if let Err(error) =
        socket.emit(REFUSED, &json!({ "code": code, "message": message, "clientOffset": client_offset }))
    {
        tracing::debug!(%error, "a sender could not be told of a refusal");
    }
}

/// What somebody who has authenticated may ask for, by the name of the event.
#[derive(Clone, Copy, Debug)]
pub enum Request {
    EditMessage,
    DeleteMessage,
    ListConversations,
    OpenConversation,
    JoinConversation,
    LeaveConversation,
    InviteToConversation,
    RenameConversation,
    MarkRead,
    WhoIsHere,
}

impl Request {
    pub fn named(event: &str) -> Option<Self> {
        Some(match event {
            "edit-message" => Self::EditMessage,
            "delete-message" => Self::DeleteMessage,
            "list-conversations" => Self::ListConversations,
            "open-conversation" => Self::OpenConversation,
            "join-conversation" => Self::JoinConversation,
            "leave-conversation" => Self::LeaveConversation,
            "invite-to-conversation" => Self::InviteToConversation,
            "rename-conversation" => Self::RenameConversation,
            "mark-read" => Self::MarkRead,
            "who-is-here" => Self::WhoIsHere,
            _ => return None,
        })
    }
}

/// Does what is asked, and says through the ack what came of it: `{ok: true, …}` or `{ok: false, error}`.
pub async fn answer<A: Adapter>(
    app: &App,
    caller: &Identity,
    request: Request,
    payload: &Value,
    ack: Option<AckSender<A>>,
) {
    let answer = match in_time(perform(app, caller, request, payload)).await {
        Ok(Value::Object(answer)) => {
            Value::Object(std::iter::once(("ok".to_owned(), Value::Bool(true))).chain(answer).collect())
        }
        Ok(_) => json!({ "ok": true }),
        Err(error) => {
            error.log();
            json!({ "ok": false, "error": { "code": error.code(), "message": error.detail() } })
        }
    };
    if let Some(ack) = ack {
        send(ack, &answer);
    }
}

async fn perform(app: &App, caller: &Identity, request: Request, payload: &Value) -> Result<Value> {
    let nothing = Map::new();
    let mut fields = Fields::of(payload.as_object().unwrap_or(&nothing));
    match request {
        Request::EditMessage => {
            let (conversation, seq) = (conversation_in(&mut fields), fields.required_number("seq"));
            let text = fields.required("message", Text::up_to(usize::MAX).as_it_is());
            fields.finish()?;
            let message = chat::edit(app, caller.user, conversation, seq, text).await?;
            Ok(json!({ "message": message }))
        }
        Request::DeleteMessage => {
            let (conversation, seq) = (conversation_in(&mut fields), fields.required_number("seq"));
            fields.finish()?;
            let message = chat::delete(app, caller.user, conversation, seq).await?;
            Ok(json!({ "message": message }))
        }
        Request::MarkRead => {
            let (conversation, seq) = (conversation_in(&mut fields), fields.required_number("seq"));
            fields.finish()?;
            Ok(json!({ "seq": chat::mark_read(app, caller.user, conversation, seq).await? }))
        }
        Request::WhoIsHere => {
            let offset = offset_in(&mut fields);
            fields.finish()?;
            let (count, people) = app.presence.people(offset, LIST);
            Ok(json!({ "count": count, "people": people }))
        }
        Request::ListConversations => {
            let offset = offset_in(&mut fields);
            fields.finish()?;
            let (count, conversations) = chat::conversations(app, &user(app, caller.user).await?, offset, LIST).await?;
            Ok(json!({ "count": count, "conversations": conversations }))
        }
        Request::OpenConversation => {
            let opening = Opening::of(fields)?;
            Ok(shown(&opening.perform(app, &user(app, caller.user).await?).await?))
        }
        Request::JoinConversation => {
            let conversation = conversation_in(&mut fields);
            fields.finish()?;
            Ok(shown(&chat::join(app, &user(app, caller.user).await?, conversation).await?))
        }
        Request::LeaveConversation => {
            let conversation = conversation_in(&mut fields);
            fields.finish()?;
            chat::remove(app, &user(app, caller.user).await?, conversation, caller.user).await?;
            Ok(Value::Null)
        }
        Request::InviteToConversation => {
            let conversation = conversation_in(&mut fields);
            let email = fields.required("email", EMAIL);
            fields.finish()?;
            let guest = chat::invite(app, &user(app, caller.user).await?, conversation, &email).await?;
            Ok(json!({ "user": guest.id }))
        }
        Request::RenameConversation => {
            let conversation = conversation_in(&mut fields);
            let name = fields.required("name", NAME);
            fields.finish()?;
            Ok(shown(&chat::rename(app, &user(app, caller.user).await?, conversation, name).await?))
        }
    }
}

fn shown(conversation: &Summary) -> Value {
    json!({ "conversation": conversation })
}

async fn user(app: &App, id: UserId) -> Result<User> {
    accounts::find_user(app, id).await
}

/// How many of a list are left out; none, unless a client says so.
fn offset_in(fields: &mut Fields) -> u64 {
    fields.optional_number("offset").and_then(|offset| offset.try_into().ok()).unwrap_or_default()
}

fn conversation_in(fields: &mut Fields) -> ConversationId {
    fields.optional_number("conversation").map_or(EVERYONE, ConversationId)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text_of;

    #[test]
    fn numbers_and_booleans_are_printed_as_javascript_does() {
        let cases = [
            (json!("a\u{0}b"), Some("a\u{0}b")),
            (json!(42), Some("42")),
            (json!(1.5e21), Some("1.5e+21")),
            (json!(-0.0), Some("0")),
            (json!(1e-7), Some("1e-7")),
            (json!(12_345_678_901_234_567_890_u64), Some("12345678901234567000")),
            (json!(true), Some("true")),
            (json!(null), None),
            (json!({ "a": 1 }), None),
            (json!([1]), None),
        ];
        for (value, expected) in cases {
            assert_eq!(text_of(&value).as_deref(), expected, "{value}");
        }
    }
}
