// SPDX-License-Identifier: Apache-2.0

//! The client of the distribution specification: one [`Client`] for each registry and settings.
//!
//! A [`Pool`] makes the clients. Those that reach a host alike share how many requests are on their way to it at once,
//! and whether it answers. When it wants to be left alone, and what it turned out not to support, is known to the one
//! client to whom it said so.
//!
//! ```text
//! client error                what can be done here, and what was being done when it failed
//! manifests deletes deletion blobs uploads lists referrers search   the endpoints of the specification
//! own                         what registries do by APIs of their own
//! pages                       lists that come page by page, bounded
//! connection ask admission exchange   the one path of every request: limits, repetition, credential, redirects
//! request answer drain outgoing   what goes out and comes in: bounded, watched
//! auth elsewhere              who we are, at the registry and where it redirects to
//! boundaries guard observer    what the process may do, and who looks on
//! outlet                      messages to those who are no registries, the same way out
//! limiter turnstile way               what a host bears, from us and from all who reach it alike
//! host habits lacks list_ends profile what it turned out to be like, and is known to be like
//! origin owner reach link onward range rest pace retry cause   rules without I/O
//! kind status meaning error_body said missing secrets   what an answer that is an error means, and what may be shown of it
//! ```

mod admission;
mod answer;
mod ask;
pub mod auth;
mod blobs;
mod boundaries;
mod cause;
mod class;
mod client;
mod connection;
mod deletes;
mod deletion;
pub mod docker_config;
mod drain;
mod elsewhere;
mod error;
mod error_body;
mod exchange;
pub mod fuzzing;
mod guard;
mod habits;
mod hint;
mod host;
mod http;
mod kind;
mod lacks;
mod limiter;
pub mod link;
mod list_ends;
mod lists;
mod manifests;
mod meaning;
mod missing;
mod observer;
mod onward;
mod origin;
mod outgoing;
mod outlet;
mod own;
mod owner;
mod pace;
mod pages;
mod ping;
mod pool;
mod profile;
pub mod range;
mod reach;
pub mod redact;
mod referrers;
mod request;
mod request_limits;
mod rest;
mod retry;
mod said;
mod search;
mod secrets;
mod settings;
mod sharers;
mod silence;
mod specified;
mod status;
mod traffic;
mod turnstile;
mod uploads;
mod way;

pub use auth::{Credential, IssueError, IssueFault, Issuer};
pub use blobs::BlobBody;
pub use boundaries::{
    Addresses, Boundaries, Cidr, CidrError, Denied, HostGlob, HostGlobError, InsecureHost,
    OutOfBounds,
};
pub use class::Class;
pub use client::{Client, Identity};
pub use deletion::Deletion;
pub use error::Error;
pub use http::check_authorities;
pub use kind::{Kind, Side};
pub use manifests::{Resolved, Stored};
pub use observer::Observer;
pub use origin::UnsafeUrl;
pub use outgoing::BodyError;
pub use outlet::{Outlet, Post, PostError};
pub use own::{Creation, Encryption, Removed, RepositoryPage, SignedApi};
pub use pool::{Pool, PoolBuilder};
pub use referrers::Referrers;
pub use request_limits::{Rate, RateError, RequestLimits};
pub use search::FoundRepository;
pub use settings::{Keyring, Proxy, Settings, Tls};
pub use traffic::Traffic;
pub use uploads::{Session, Upload};
