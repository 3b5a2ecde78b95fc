// SPDX-License-Identifier: Apache-2.0

//! Manifests: look up, fetch, store (distribution specification, pulling and pushing manifests).

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};

use super::answer::Reply;
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::host::Head;
use super::kind::Side;
use super::missing;
use super::request::Request;
use crate::oci::{Digest, Manifest, MediaType, Repository, TagOrDigest, limits, media_type};

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
    /// Whether it named the digest of what it stored, or was asked what the tag stands for.
    pub is_confirmed: bool,
}

pub(super) async fn resolve(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
    known: Option<&Digest>,
) -> Result<Option<Resolved>, Cause> {
    resolve_on(None, connection, repository, target, known).await
}

/// The same at the registry of one side.
pub(super) async fn resolve_on(
    side: Option<Side>,
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
    known: Option<&Digest>,
) -> Result<Option<Resolved>, Cause> {
    let lookup = Lookup {
        connection,
        side,
        repository,
        target,
        known,
        is_stored: false,
    };
    lookup.head_or_get().await
}

/// The same of what the registry has said that it stored: 404 to a HEAD is no proof that it is not there, even
/// where it was one for what never was.
pub(super) async fn resolve_stored(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
) -> Result<Option<Resolved>, Cause> {
    let lookup = Lookup {
        connection,
        side: Some(Side::Destination),
        repository,
        target,
        known: None,
        is_stored: true,
    };
    lookup.head_or_get().await
}

/// What is looked up.
struct Lookup<'a> {
    connection: &'a Connection,
    side: Option<Side>,
    repository: &'a Repository,
    target: &'a TagOrDigest,
    /// What it is known to stand for.
    known: Option<&'a Digest>,
    /// Whether the registry has said that it is there.
    is_stored: bool,
}

// === impl Lookup ===

impl Lookup<'_> {
    /// Asks with HEAD where that may be answered well, else with GET.
    async fn head_or_get(&self) -> Result<Option<Resolved>, Cause> {
        let Self {
            connection, target, ..
        } = *self;
        let is_of_tag = target.digest().is_none();
        if !connection.host.may_answer_head(is_of_tag) {
            return self.get(None).await;
        }
        let reply = match connection.ask(&self.head()).await {
            Ok(reply) => reply,
            // Some say so to every HEAD, and do not say what they want: GET works, for anybody.
            Err(cause) if cause.is_without_challenge() => {
                return self.get(Some(StatusCode::UNAUTHORIZED)).await;
            }
            Err(cause) => return Err(cause),
        };
        match (reply.status, self.known) {
            // A login page knows no digest of a manifest, and GET says what it is.
            (StatusCode::OK, _) if reply.is_web_page() && reply.digest().is_none() => {}
            (StatusCode::OK, _) => {
                if let Some(resolved) = described(&reply, target)? {
                    connection.host.learn_answers_head();
                    return Ok(Some(resolved));
                }
            }
            (StatusCode::NOT_MODIFIED, Some(known)) => {
                connection.host.learn_answers_head();
                return Ok(Some(unchanged(known)));
            }
            (StatusCode::NOT_FOUND, _) if self.is_truly_missing(&reply) => return Ok(None),
            // Nobody asked whether it was modified; and what was said of who we are is not enough for a GET either.
            (StatusCode::NOT_MODIFIED, None) | (StatusCode::UNAUTHORIZED, _) => {
                return Err(reply.into_cause());
            }
            _ => {}
        }
        // Registries that know no HEAD here, or answer it wrongly: GET has the last word. An error is the
        // same, and has words with it that an answer to a HEAD cannot have.
        self.get(Some(reply.status)).await
    }

    /// 500 is handed back at once: some answer it to every HEAD (sonatype/nexus-public#1059).
    fn head(&self) -> Request {
        self.request(Class::Lookup, Method::HEAD)
            .hand_back(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether 404 to a HEAD means what it says. Nexus and some Artifactory answer so for manifests that are there,
    /// and a proxy in front of them may hide who they are (crazy-max/diun#1614, February 2026): a source is not
    /// believed before it has answered a HEAD. At a destination nothing is lost, and most of it is absent.
    fn is_truly_missing(&self, reply: &Reply) -> bool {
        let host = &self.connection.host;
        let is_unproven = self.side == Some(Side::Source) && !host.answers_head();
        if self.is_stored || is_unproven {
            return false;
        }
        match host.head() {
            Head::Trusted => true,
            Head::Untrusted => false,
            Head::Unknown => reply.is_of_distribution(),
        }
    }

    fn request(&self, class: Class, method: Method) -> Request {
        let request = read(self.connection, class, method, self.repository, self.target);
        match self.known.and_then(entity_tag) {
            Some(tag) => request.header(IF_NONE_MATCH, tag),
            None => request,
        }
    }

    /// Looks it up by reading it. `head` is what a HEAD was answered.
    async fn get(&self, head: Option<StatusCode>) -> Result<Option<Resolved>, Cause> {
        let request = self
            .request(Class::ManifestRead, Method::GET)
            .limit(limits::MANIFEST_BYTES);
        let reply = self.connection.ask(&request).await?;
        match (reply.status, self.known) {
            (StatusCode::OK, _) => {
                let manifest = verified(&reply, self.target)?;
                self.learn(head);
                Ok(Some(Resolved {
                    digest: manifest.digest().clone(),
                    media_type: Some(manifest.media_type().clone()),
                    size: Some(manifest.size()),
                }))
            }
            (StatusCode::NOT_MODIFIED, Some(known)) => {
                self.learn(head);
                Ok(Some(unchanged(known)))
            }
            (StatusCode::NOT_FOUND, _) => {
                let host = &self.connection.host;
                if head == Some(StatusCode::NOT_FOUND) && host.head() == Head::Unknown {
                    host.learn_head(Head::Trusted);
                }
                Ok(None)
            }
            _ => Err(reply.into_cause()),
        }
    }

    /// The manifest is there, whatever a HEAD was answered.
    fn learn(&self, head: Option<StatusCode>) {
        let host = &self.connection.host;
        match head {
            None => {}
            Some(StatusCode::NOT_FOUND) => host.learn_head(Head::Untrusted),
            Some(StatusCode::OK) => host.learn_omits_digest(),
            Some(_) => host.learn_fails_head(),
        }
    }
}

fn unchanged(known: &Digest) -> Resolved {
    Resolved {
        digest: known.clone(),
        media_type: None,
        size: None,
    }
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
    if reply.body.is_empty() {
        return Err(Cause::Protocol(
            "the answer is empty where a manifest should be: the registry has lost it, or something on the way \
             drops it; if it is so for others, too, push the image again"
                .to_owned(),
        ));
    }
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
    let refused = match connection.ask(&request).await {
        Ok(reply) if is_stored(reply.status) => {
            let announced = reply.digest();
            check_announced(announced.clone(), manifest)?;
            return Ok(Stored {
                subject_indexed: reply.headers.contains_key(OCI_SUBJECT),
                is_confirmed: announced.as_ref() == Some(manifest.digest()),
            });
        }
        Ok(reply) => refusal(reply),
        Err(cause) => cause,
    };
    if may_be_there(&refused) && names(connection, repository, target, manifest).await {
        return Ok(Stored {
            subject_indexed: false,
            is_confirmed: true,
        });
    }
    Err(refused)
}

fn is_stored(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=202 | 204)
}

/// Why a manifest was not taken.
fn refusal(reply: Reply) -> Cause {
    let missing = missing::digests_in(&reply.body);
    let cause = reply.into_cause();
    if let Cause::Status(answer) = cause {
        return if answer.lacks_content() {
            Cause::Incomplete { answer, missing }
        } else {
            Cause::Status(answer)
        };
    }
    cause
}

/// Whether a manifest that was not taken may be there already, or by now.
///
/// Registries refuse to store again what they have: Oracle's answers 409 to a digest
/// (docker/cli#5874), those with immutable tags answer 400, 403, 409 or 412 to a tag that names this very
/// manifest. And a write that was not answered well may have been done.
fn may_be_there(refused: &Cause) -> bool {
    match refused.status().map(|status| status.as_u16()) {
        Some(401 | 404 | 413 | 429) => false,
        Some(_) => refused.missing().is_none(),
        None => refused.is_worth_repeating(),
    }
}

/// Whether the tag or digest stands for this manifest.
async fn names(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
    manifest: &Manifest,
) -> bool {
    let found = resolve_stored(connection, repository, target).await;
    matches!(found, Ok(Some(found)) if found.digest == *manifest.digest())
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
