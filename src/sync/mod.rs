// SPDX-License-Identifier: Apache-2.0

//! One round: what a mirror says, what is there, what is to be done, and doing it.
//!
//! ```text
//! list     (I/O)   repositories and tag lists of the sources
//! select   (pure)  candidates -> selected, with a reason for every exclusion
//! resolve  (I/O)   tag -> digest, once, and what the destination tags name meanwhile; everything
//!                  after this speaks of the digest only
//! own      (pure)  two images never share a destination tag
//! gate     (I/O + pure)  what policies ask of those digests -> admitted, refused, quarantined
//! decide   (pure)  digests -> copy, move, freeze, nothing
//! late     (I/O)   what came to refer to images that stay as they are
//! apply    (I/O)   the plan -> outcomes; one item's failure never stops another
//! prune    (I/O + pure)  what is no longer wanted -> kept, listed, deleted
//! ```

mod build_times;
mod claims;
mod connect;
mod copies;
mod failure;
mod input;
mod item;
mod learned;
pub mod ledger;
mod mirror_round;
mod mode;
pub mod neighbours;
mod observer;
mod only;
mod parents;
mod peers;
pub mod prune;
pub mod reach;
mod round;
pub mod secrets;
mod shape;
mod sighting;
mod state;
mod steps;
pub mod trust;
mod wishes;
pub mod workloads;

pub use self::connect::{Connect, ConnectError};
pub use self::copies::{Hearsay, NotAsked, Push};
pub use self::input::RoundInput;
pub use self::ledger::Ledger;
pub use self::mode::Mode;
pub use self::observer::Observer;
pub use self::only::Only;
pub use self::round::{copy_share, glance, round, round_elsewhere};
pub use self::state::{Allowance, State};
pub use crate::plan::report::Report;
