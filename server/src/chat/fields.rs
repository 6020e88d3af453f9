//! What clients say of conversations, the same behind every door.

use super::{MAX_NAME_CHARACTERS, Room, Summary};
use crate::accounts::User;
use crate::accounts::email::MAX_CHARACTERS;
use crate::app::App;
use crate::chat;
use crate::error::{Error, Result};
use crate::http::fields::{Fields, Text};

pub const NAME: Text = Text::up_to(MAX_NAME_CHARACTERS);
pub const EMAIL: Text = Text::up_to(MAX_CHARACTERS);

/// Which conversation somebody opens.
pub enum Opening {
    /// `{kind: "open" | "invitation", name}`.
    Room(Room, String),
    /// `{kind: "direct", email}`.
    Direct(String),
}

impl Opening {
    pub fn of(mut fields: Fields) -> Result<Self> {
        let kind = fields.required("kind", Text::up_to(usize::MAX));
        let opening = match kind.as_str() {
            "open" => Self::Room(Room::Open, fields.required("name", NAME)),
            "invitation" => Self::Room(Room::Invitation, fields.required("name", NAME)),
            "direct" => Self::Direct(fields.required("email", EMAIL)),
            _ => {
                fields.finish()?;
                return Err(Error::invalid("kind", format!("\"{kind}\" is not a valid choice.")));
            }
        };
        fields.finish()?;
        Ok(opening)
    }

    pub async fn perform(self, app: &App, user: &User) -> Result<Summary> {
        match self {
            Self::Room(kind, name) => chat::open_room(app, user, kind, name).await,
            Self::Direct(email) => chat::open_direct(app, user, &email).await,
        }
    }
}
