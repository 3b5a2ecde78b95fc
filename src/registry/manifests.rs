//! Manifests: look up, fetch, store (distribution specification, pulling and pushing manifests).

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH, SERVER};
use reqwest::{Method, StatusCode};

use super::answer::Reply;
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::host::Head;
use super::request::Request;
use crate::oci::{Digest, Manifest, MediaType, Repository, TagOrDigest, limits, media_type};

/// The header by which distribution and its kin are known.
const API_VERSION: &str = "docker-distribution-api-version";
/// The header that confirms that a referrer is listed at its subject.
const OCI_SUBJECT: &str = "oci-subject";

/// What a tag or digest stands for at a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its media type, where the registry said it.
    pub media_type: Option<MediaType>,
    /// Its length in bytes, where the registry said it.
    pub size: Option<u64>,
}

/// What the registry said of a manifest that it stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether it listed the manifest among the referrers of its subject.
    pub subject_indexed: bool,
}

pub(super) async fn resolve(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
    known: Option<&Digest>,
) -> Result<Option<Resolved>, Cause> {
    let mut request = read(connection, Class::Lookup, Method::HEAD, repository, target);
    if let Some(tag) = known.and_then(entity_tag) {
        request = request.header(IF_NONE_MATCH, tag);
    }
    let reply = connection.ask(&request).await?;
    match (reply.status, known) {
        // A login page knows no digest of a manifest, and GET says what it is.
        (StatusCode::OK, _) if reply.is_web_page() && reply.digest().is_none() => {}
        (StatusCode::OK, _) => {
            if let Some(resolved) = described(&reply, target)? {
                return Ok(Some(resolved));
            }
        }
        (StatusCode::NOT_MODIFIED, Some(known)) => {
            return Ok(Some(Resolved {
                digest: known.clone(),
                media_type: None,
                size: None,
            }));
        }
        (StatusCode::NOT_FOUND, _) if is_truly_missing(connection, &reply) => return Ok(None),
        // Registries that know no HEAD here, or answer it wrongly: GET has the last word.
        (
            StatusCode::NOT_FOUND
            | StatusCode::FORBIDDEN
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED,
            _,
        ) => {}
        _ => return Err(reply.into_cause()),
    }
    resolve_by_get(connection, repository, target, reply.status).await
}

/// What the headers of a HEAD say, where they say enough.
fn described(reply: &Reply, target: &TagOrDigest) -> Result<Option<Resolved>, Cause> {
    let announced = reply.digest();
    let digest = match (target.digest(), announced) {
        (Some(asked), Some(announced)) if asked.algorithm() == announced.algorithm() => {
            if *asked != announced {
                return Err(Cause::Digest {
                    announced,
                    found: asked.clone(),
                });
            }
            announced
        }
        (Some(asked), _) => asked.clone(),
        (None, Some(announced)) => announced,
        (None, None) => return Ok(None),
    };
    Ok(Some(Resolved {
        digest,
        media_type: reply.media_type(),
        size: reply.length(),
    }))
}

/// Whether 404 to a HEAD means what it says. Nexus and some Artifactory answer so for manifests
/// that are there.
fn is_truly_missing(connection: &Connection, reply: &Reply) -> bool {
    match connection.host.head() {
        Head::Trusted => true,
        Head::Untrusted => false,
        Head::Unknown => {
            let is_nexus = reply
                .header(SERVER)
                .is_some_and(|server| server.starts_with("Nexus"));
            !is_nexus && reply.headers.contains_key(API_VERSION)
        }
    }
}

async fn resolve_by_get(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
    head: StatusCode,
) -> Result<Option<Resolved>, Cause> {
    let request = read(
        connection,
        Class::ManifestRead,
        Method::GET,
        repository,
        target,
    )
    .limit(limits::MANIFEST_BYTES);
    let reply = connection.ask(&request).await?;
    let head_is_wrong = head == StatusCode::NOT_FOUND;
    match reply.status {
        StatusCode::OK => {
            if head_is_wrong {
                connection.host.learn_head(Head::Untrusted);
            }
            let manifest = verified(&reply, target)?;
            Ok(Some(Resolved {
                digest: manifest.digest().clone(),
                media_type: Some(manifest.media_type().clone()),
                size: Some(manifest.size()),
            }))
        }
        StatusCode::NOT_FOUND => {
            if head_is_wrong && connection.host.head() == Head::Unknown {
                connection.host.learn_head(Head::Trusted);
            }
            Ok(None)
        }
        _ => Err(reply.into_cause()),
    }
}

pub(super) async fn fetch(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
) -> Result<Manifest, Cause> {
    let request = read(
        connection,
        Class::ManifestRead,
        Method::GET,
        repository,
        target,
    )
    .limit(limits::MANIFEST_BYTES);
    let reply = connection.ask(&request).await?;
    match reply.status {
        StatusCode::OK => verified(&reply, target),
        _ => Err(reply.into_cause()),
    }
}

/// The manifest in an answer. The bytes decide; the digest in the header must not contradict them.
fn verified(reply: &Reply, target: &TagOrDigest) -> Result<Manifest, Cause> {
    let announced = reply.digest();
    let media_type = reply.media_type();
    let parsed = Manifest::parse(reply.body.clone(), media_type.as_ref(), target.digest());
    let manifest = parsed.map_err(|error| reply.unusable(error.into()))?;
    check_announced(announced, &manifest)?;
    Ok(manifest)
}

pub(super) async fn put(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
    manifest: &Manifest,
) -> Result<Stored, Cause> {
    let url = connection.url(&[repository.as_str(), "manifests", target.as_str()]);
    let scope = Scope::pull_push(repository);
    let media_type = HeaderValue::from_str(manifest.media_type().as_str()).map_err(|_| {
        Cause::Protocol("the media type of the manifest fits in no header".to_owned())
    })?;
    let request = Request::new(Class::ManifestWrite, Method::PUT, url, scope)
        .header(CONTENT_TYPE, media_type)
        .body(manifest.bytes().clone());
    let reply = connection.ask(&request).await?;
    if !matches!(
        reply.status,
        StatusCode::CREATED | StatusCode::OK | StatusCode::ACCEPTED
    ) {
        return Err(reply.into_cause());
    }
    check_announced(reply.digest(), manifest)?;
    Ok(Stored {
        subject_indexed: reply.headers.contains_key(OCI_SUBJECT),
    })
}

/// Refuses a digest in a header that is not one of the bytes.
fn check_announced(announced: Option<Digest>, manifest: &Manifest) -> Result<(), Cause> {
    match announced {
        Some(announced) if !announced.matches(manifest.bytes()) => Err(Cause::Digest {
            announced,
            found: manifest.digest().clone(),
        }),
        _ => Ok(()),
    }
}

fn read(
    connection: &Connection,
    class: Class,
    method: Method,
    repository: &Repository,
    target: &TagOrDigest,
) -> Request {
    let url = connection.url(&[repository.as_str(), "manifests", target.as_str()]);
    Request::new(class, method, url, Scope::pull(repository))
        .header(ACCEPT, HeaderValue::from_static(media_type::ACCEPT))
}

/// The entity tag under which registries know a manifest: its digest in quotes.
fn entity_tag(digest: &Digest) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{digest}\"")).ok()
}
