//! The socket's messages: `client-sent-message`, and what its sender hears of it.

use serde_json::{Value, json};
use socketioxide::adapter::Adapter;
use socketioxide::extract::{AckSender, SocketRef};

use super::{Message, Post, Refusal};
use crate::accounts::Identity;
use crate::app::App;
use crate::chat;

/// Tells a sender without an ack that a message was not posted.
const REFUSED: &str = "message-refused";

/// Posts what `author` has sent. A payload without a message is ignored, as the original should have done.
pub fn receive<A: Adapter>(
    app: &App,
    author: &Identity,
    payload: &Value,
    socket: &SocketRef<A>,
    ack: Option<AckSender<A>>,
) {
    let Some(text) = payload.get("message").and_then(text_of) else {
        if let Some(ack) = ack {
            refuse(ack, Refusal::Invalid("A message is a text."));
        }
        return;
    };
    // One that is no text is as good as an empty one.
    let client_offset = payload.get("clientOffset").filter(|offset| !offset.is_null());
    let client_offset = client_offset.map(|offset| text_of(offset).unwrap_or_default());
    let (socket, offset) = (socket.clone(), client_offset.clone());
    let reply = Box::new(move |result| match (result, ack) {
        (Ok(message), Some(ack)) => accept(ack, &message),
        (Ok(_), None) => {}
        (Err(refusal), Some(ack)) => refuse(ack, refusal),
        (Err(refusal), None) => tell(&socket, refusal, offset.as_deref()),
    });
    chat::post(app, Post { author: author.user, email: author.email.clone(), text, client_offset, reply });
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
    answer(ack, &json!({ "ok": true, "conversation": conversation, "seq": seq }));
}

/// Answers an ack with why the message was not posted.
pub fn refuse<A: Adapter>(ack: AckSender<A>, refusal: Refusal) {
    answer(ack, &json!({ "ok": false, "error": { "code": refusal.code(), "message": refusal.message() } }));
}

fn answer<A: Adapter>(ack: AckSender<A>, answer: &Value) {
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
