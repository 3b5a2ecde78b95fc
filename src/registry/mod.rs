//! The client of the distribution specification: one [`Client`] for each registry and credential.
//!
//! A [`Pool`] makes the clients and shares between them what belongs to a host: how many requests
//! it bears at once, when it wants to be left alone, what it turned out not to support.

pub mod auth;
mod client;
mod error;
mod settings;

pub use auth::Credential;
pub use client::{
    BlobBody, BodyError, Client, Identity, Pool, Referrers, Resolved, Session, Stored, Traffic,
    Upload,
};
pub use error::{Error, Kind};
pub use settings::{Proxy, Settings, Tls};
