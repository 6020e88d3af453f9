//! Somebody who must not notice what others do to the server.

use super::app::{PATIENT, Storage, TestApp, start_with};
use super::person::Person;
use super::wire::Wire;

/// A server, somebody with an account, and a socket of theirs. Nobody runs into the deadline.
pub async fn start_with_bystander(storage: Storage) -> (TestApp, Person, Wire) {
    let app = start_with(storage, &[PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    let bystander = Wire::enter(&app, &alice).await;
    (app, alice, bystander)
}

/// Nothing has happened that the bystander could have heard, and they are still served.
pub async fn notices_nothing(bystander: &mut Wire) {
    bystander.say("marker").await;
    bystander.hears("alice@ref.example: marker").await;
}
