use std::fmt;

use rmpv::Value;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// All that an event or an acknowledgement carries, however much it is; binary stays binary.
///
/// It is a tuple to serde, since that is what socketioxide takes for several arguments; anything else is one.
#[derive(Debug)]
pub struct Arguments(Vec<Value>);

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for argument in &self.0 {
            tuple.serialize_element(argument)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // JSON has no tuples of a certain length: any array is one.
        deserializer.deserialize_tuple(0, Elements)
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Arguments;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Arguments, A::Error> {
        let mut arguments = Vec::new();
        while let Some(argument) = elements.next_element()? {
            arguments.push(argument);
        }
        Ok(Arguments(arguments))
    }
}
