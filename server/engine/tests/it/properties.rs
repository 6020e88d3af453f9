use bytes::Bytes;
use engineioxide::frame::{Decoder, Message, Violation};
use engineioxide::jsonp;
use engineioxide::packet::Packet;
use engineioxide::payload::{DoubleEncoding, Framing, TextEncoding, decode, encode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

const MAX_MESSAGE: usize = 4096;

/// Text as a packet may have it: without the character that separates packets.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,20}", "[^\u{1e}]{0,20}", "[\"\\\\né\u{80}-\u{ff}€😀]{0,20}"]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn packet() -> impl Strategy<Value = Packet> {
    prop_oneof![
        text().prop_map(|text| Packet::Open(text.into())),
        Just(Packet::Close),
        text().prop_map(|text| Packet::Ping(text.into())),
        text().prop_map(|text| Packet::Pong(text.into())),
        text().prop_map(|text| Packet::Message(text.into())),
        bytes().prop_map(Packet::Binary),
        Just(Packet::Upgrade),
        Just(Packet::Noop),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<i32>().prop_map(Value::from), any::<String>().prop_map(Value::from)];
    leaf.prop_recursive(3, 16, 4, |inner| vec(inner, 0..4).prop_map(Value::from))
}

/// A message, and the frames that a client may send it in.
#[derive(Clone, Debug)]
struct Sent {
    message: Message,
    frames: Vec<Vec<u8>>,
}

fn data() -> impl Strategy<Value = Sent> {
    let content = prop_oneof![
        text().prop_map(|text| (0x1, Bytes::from(text.clone()), Message::Text(text.into()))),
        bytes().prop_map(|bytes| (0x2, bytes.clone(), Message::Binary(bytes))),
        (200..600usize).prop_map(|length| (0x2, vec![7; length].into(), Message::Binary(vec![7; length].into()))),
    ];
    (content, vec(any::<Index>(), 0..4), any::<[u8; 4]>()).prop_map(|((opcode, payload, message), cuts, mask)| {
        let fragments = cut(&payload, &cuts);
        let last = fragments.len() - 1;
        let frame = |(at, payload): (usize, &&[u8])| {
            let opcode = if at == 0 { opcode } else { 0 };
            client_frame(if at == last { 0x80 | opcode } else { opcode }, mask, payload)
        };
        Sent { message, frames: fragments.iter().enumerate().map(frame).collect() }
    })
}

fn control() -> impl Strategy<Value = Sent> {
    (any::<bool>(), bytes(), any::<[u8; 4]>()).prop_map(|(is_ping, payload, mask)| {
        let first = if is_ping { 0x89 } else { 0x8a };
        let frames = vec![client_frame(first, mask, &payload)];
        Sent { message: if is_ping { Message::Ping(payload) } else { Message::Pong }, frames }
    })
}

fn client_frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut frame = vec![first];
    match length {
        0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        _ => frame.extend([vec![0xfe], length.to_be_bytes().to_vec()].concat()),
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn cut<'a>(whole: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).chain([whole.len()]).collect();
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter().map(|end| &whole[std::mem::replace(&mut start, end)..end]).collect()
}

/// What a decoder makes of an input that arrives in these pieces.
fn read(pieces: &[&[u8]]) -> (Vec<Message>, Option<Violation>) {
    let mut decoder = Decoder::new(MAX_MESSAGE);
    let mut messages = Vec::new();
    let mut arrived = 0;
    for piece in pieces {
        arrived += piece.len();
        let mut rest = *piece;
        loop {
            match decoder.decode(&mut rest) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
        assert!(rest.is_empty());
        assert!(decoder.held() <= (2 * arrived).min(MAX_MESSAGE + 125));
    }
    (messages, None)
}

proptest! {
    #[test]
    fn every_framing_gives_back_what_was_put_in(packets in vec(packet(), 1..6)) {
        for (framing, encoding, setting) in [
            (Framing::Separated, None, DoubleEncoding::Detect),
            (Framing::Binary, None, DoubleEncoding::Detect),
            (Framing::Text, Some(TextEncoding::Twice), DoubleEncoding::Always),
        ] {
            let body = encode(&packets, framing, encoding);
            prop_assert_eq!(&decode(&body, framing, &mut None, setting).unwrap(), &packets);
        }
    }

    #[test]
    fn escaped_text_is_the_same_json_in_ascii(json in json()) {
        let packets = [Packet::Message(json.to_string().into())];
        let body = encode(&packets, Framing::Text, None);
        prop_assert!(body.is_ascii());
        let packets = decode(&body, Framing::Text, &mut None, DoubleEncoding::Detect).unwrap();
        let [Packet::Message(text)] = packets.as_slice() else { panic!("{packets:?}") };
        prop_assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json);
    }

    #[test]
    fn text_encoded_twice_is_detected(texts in vec(text(), 1..4)) {
        let packets: Vec<_> = texts.into_iter().map(|text| Packet::Message(text.into())).collect();
        let body = encode(&packets, Framing::Text, Some(TextEncoding::Twice));
        let mut encoding = None;
        let decoded = decode(&body, Framing::Text, &mut encoding, DoubleEncoding::Detect).unwrap();
        prop_assert_eq!(decoded, packets);
        prop_assert_eq!(encoding, (!body.is_ascii()).then_some(TextEncoding::Twice));
    }

    #[test]
    fn hostile_bodies_are_packets_or_an_error(body in vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(body);
        for framing in [Framing::Separated, Framing::Binary, Framing::Text] {
            if let Ok(packets) = decode(&body, framing, &mut None, DoubleEncoding::Detect) {
                prop_assert!(packets.len() <= body.len());
            }
        }
    }

    #[test]
    fn a_wrapped_payload_is_the_same_string_and_harmless(index: u64, payload: String) {
        let script = jsonp::wrap(index, &payload);
        let start = format!("___eio[{index}](");
        let literal = script.strip_prefix(&start).and_then(|rest| rest.strip_suffix(");")).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(literal).unwrap(), payload);
        assert!(!literal.contains(['<', '\n', '\u{2028}', '\u{2029}']));
    }

    #[test]
    fn a_form_gives_back_what_a_page_put_in(payload in "[a-n\\\\é€ +%&=]{0,30}") {
        // As the client does it: first the backslash and the letter, then the line feeds (here there are none).
        let escaped = payload.replace("\\n", "\\\\n");
        let encoded = escaped.bytes().fold("d=".to_owned(), |form, byte| format!("{form}%{byte:02X}"));
        prop_assert_eq!(jsonp::unwrap(encoded.as_bytes()).unwrap(), payload);
    }

    #[test]
    fn messages_do_not_depend_on_how_the_connection_cuts_them(
        sent in vec(prop_oneof![data(), control()], 0..6),
        between in control(),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        // A control frame between the first fragment of each message and the others.
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for Sent { message, frames } in sent {
            if frames.len() > 1 {
                expected.push(between.message.clone());
                input.extend([frames[0].clone(), between.frames.concat(), frames[1..].concat()].concat());
            } else {
                input.extend(frames.concat());
            }
            expected.push(message);
        }
        prop_assert_eq!(read(&cut(&input, &cuts)), (expected.clone(), None));
        prop_assert_eq!(read(&input.chunks(1).collect::<Vec<_>>()), (expected, None));
    }

    #[test]
    fn hostile_frames_are_messages_or_a_violation_in_any_cut(
        input in vec(prop_oneof![any::<u8>(), Just(0x82), Just(0x80), Just(0x02), Just(0xff)], 0..300),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        prop_assert_eq!(read(&cut(&input, &cuts)), read(&[&input]));
    }
}
