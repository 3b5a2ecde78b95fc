//! The client of the distribution specification: one [`Client`] for each registry and settings.
//!
//! A [`Pool`] makes the clients and shares between them what belongs to a host: how many requests
//! it bears at once, when it wants to be left alone, what it turned out not to support.
//!
//! ```text
//! client                      the operations, and what was being done when one failed
//! manifests blobs uploads lists referrers      the endpoints of the specification
//! connection                  the one path of every request: limits, credential, redirects, repetition
//! answer outgoing             bodies in and out: bounded, watched
//! limiter host profile        what a host bears, is like, and is known to be like
//! origin reach link range     pure rules: where we may be sent, what a next page and a part are
//! retry status cause error    when again, and what went wrong
//! ```

mod answer;
pub mod auth;
mod blobs;
mod cause;
mod class;
mod client;
mod connection;
mod error;
mod host;
mod http;
mod limiter;
mod link;
mod lists;
mod manifests;
mod origin;
mod outgoing;
mod pool;
mod profile;
mod range;
mod reach;
mod referrers;
mod retry;
mod settings;
mod status;
mod traffic;
mod uploads;

pub use auth::Credential;
pub use blobs::BlobBody;
pub use class::Class;
pub use client::{Client, Identity};
pub use error::{Error, Kind};
pub use manifests::{Resolved, Stored};
pub use outgoing::BodyError;
pub use pool::Pool;
pub use referrers::Referrers;
pub use settings::{Proxy, Settings, Tls};
pub use traffic::Traffic;
pub use uploads::{Session, Upload};
