//! Referrers: what points at a manifest (distribution specification, listing referrers).

use std::collections::HashSet;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, StatusCode};

use super::answer::Reply;
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::error::Kind;
use super::error_body::Code;
use super::link;
use super::request::Request;
use crate::oci::{Content, Descriptor, Digest, Manifest, Repository, limits, media_type};

/// The manifests that refer to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// What the registry lists.
    Listed(Vec<Descriptor>),
    /// The registry keeps no list: the tag `sha256-…` of the digest may be one.
    Unsupported,
}

pub(super) async fn list(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
) -> Result<Referrers, Cause> {
    if !connection.host.may_list_referrers() {
        return Ok(Referrers::Unsupported);
    }
    let mut referrers = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(connection.url(&[repository.as_str(), "referrers", digest.as_str()]));
    while let Some(url) = next {
        if !seen.insert(url.clone()) || referrers.len() > limits::DESCRIPTORS {
            return Err(Cause::Protocol(
                "the list of referrers has no end".to_owned(),
            ));
        }
        let request = Request::new(
            Class::Lookup,
            Method::GET,
            url.clone(),
            Scope::pull(repository),
        )
        .header(ACCEPT, HeaderValue::from_static(media_type::OCI_INDEX))
        .limit(limits::MANIFEST_BYTES)
        .without_redirects();
        let reply = match connection.ask(&request).await {
            Ok(reply) => reply,
            // Some registries refuse the endpoint to everyone.
            Err(cause) if cause.kind() == Kind::AuthenticationFailed && seen.len() == 1 => {
                return Ok(Referrers::Unsupported);
            }
            Err(cause) => return Err(cause),
        };
        match reply.status.as_u16() {
            200 => {}
            // GHCR redirects to its web site.
            300..=399 | 400 | 403 | 404 | 405 if seen.len() == 1 => {
                if is_about_the_host(&reply) {
                    connection.host.learn_lacks_referrers();
                }
                return Ok(Referrers::Unsupported);
            }
            _ => return Err(reply.into_cause()),
        }
        next = link::next_page(&reply.headers, &url)?;
        referrers.extend(entries(&reply)?);
    }
    Ok(Referrers::Listed(referrers))
}

/// Whether the answer would be the same for every repository and digest.
fn is_about_the_host(reply: &Reply) -> bool {
    let code = reply.code();
    let is_about_the_name = matches!(
        code.as_ref().map(Code::as_str),
        Some("NAME_UNKNOWN" | "NAME_INVALID" | "MANIFEST_UNKNOWN" | "BLOB_UNKNOWN")
    );
    reply.status != StatusCode::FORBIDDEN && !is_about_the_name
}

fn entries(reply: &Reply) -> Result<Vec<Descriptor>, Cause> {
    let manifest = Manifest::parse(reply.body.clone(), reply.media_type().as_ref(), None)?;
    match manifest.content() {
        Content::Index(index) => Ok(index.manifests.clone()),
        Content::Image(_) => Err(Cause::Protocol(
            "the list of referrers is not an index".to_owned(),
        )),
    }
}
