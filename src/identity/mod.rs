// SPDX-License-Identifier: Apache-2.0

//! Who we are in the clouds: identities that have no password, and the short-lived credentials that registries take for
//! them.
//!
//! By hand, on the HTTP client and the cryptography that are here anyway. The clouds' own crates were weighed: those of
//! AWS bring 31 more crates with a second HTTP stack and need a newer compiler, Google's does not say when a token ends,
//! Azure's has no exchange with its registry. What is needed of them is a signature and a handful of requests, and here
//! each answer is bounded, and nothing is followed, logged or read from a place that a mirror could name.
//!
//! ```text
//! identities renewed      credentials by identity and registry, renewed in time
//! aws google azure quay    what each of them wants to be asked, and answers
//! puller message          messages of queues, taken as an identity
//! who environment         whose identity, and what the process was told
//! http answer words jwt oauth life   requests, and what may be believed and shown of an answer
//! ```

mod answer;
mod aws;
mod azure;
mod environment;
mod error;
mod google;
mod http;
mod identities;
mod jwt;
mod life;
mod message;
mod oauth;
mod puller;
mod quay;
mod renewed;
mod who;
mod words;

pub use environment::Environment;
pub use error::Error;
pub use identities::Identities;
pub use message::{Batch, QueueMessage, Wait};
pub use puller::Puller;
pub use who::{Account, Tokens, Who};
