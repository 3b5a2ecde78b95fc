// SPDX-License-Identifier: Apache-2.0

//! What registries tell of pushes, as hints: which tags are worth a look. Nothing here acts, and nothing that an event
//! claims is believed; least of all its digest.
//!
//! ```text
//! sender         (checked) spec of a receiver -> who sends, where things stand
//! authenticity   whether the sender knows the token
//! oidc           whether Google vouches for a push
//! body senders   bounded bytes -> hints, by the format of each sender
//! scope          which registries a receiver may tell of
//! interest       whether a mirror may want what a hint names
//! pending        hints that wait for a look: each tag once, and not too often
//! bucket         how many events are taken in a time
//! ```

pub mod authenticity;
mod body;
pub mod bucket;
mod delivery;
pub mod hint;
pub mod interest;
pub mod oidc;
pub mod path;
pub mod pending;
pub mod receiver_status;
pub mod scope;
pub mod sender;
mod senders;

pub use body::{BODY_BYTES, Malformed};
pub use delivery::Delivery;
pub use hint::Hint;
pub use interest::Interest;
pub use scope::may_tell_of;
pub use sender::{Pull, Sender};

/// What an event says was pushed. None of it where it tells of something else.
pub fn read(sender: &Sender, delivery: &Delivery<'_>) -> Result<Vec<Hint>, Malformed> {
    let value = body::parse(delivery.body)?;
    let hints = senders::read(sender, delivery, &value);
    let mut hints: Vec<Hint> = hints
        .into_iter()
        .filter_map(|found| found.named(sender))
        .collect();
    hints.truncate(hint::HINTS);
    Ok(hints)
}

#[cfg(test)]
mod tests;
