// SPDX-License-Identifier: Apache-2.0

//! Deletes (distribution specification, content management): a tag by its name, a manifest by its
//! digest, and never one in place of the other, because a digest takes every tag of it along. Registries that delete
//! tags by an API of their own are asked there.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use super::answer::Reply;
use super::auth::{Credential, Scope};
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::deletion::{Deletable, Deletion};
use super::error_body::Code;
use super::manifests;
use super::own::github::Packages;
use super::own::{Means, Removed, acr, hub};
use super::profile::Deletes;
use super::request::Request;
use crate::oci::{Digest, Repository, Tag, TagOrDigest};

/// For how long a look is one right before: who waits longer for the registry's limits looks again.
const FRESH: Duration = Duration::from_millis(500);

/// What the status of an answer to a delete means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Deleted,
    /// Gone, unless the registry says so of everything that it does not understand.
    NotFound,
    /// The registry cannot do it, and would say the same of any other one.
    Unable,
    /// The registry cannot do it with this one.
    UnableHere,
    Error,
}

/// A tag that is to go.
pub(super) struct Doomed<'a> {
    pub(super) repository: &'a Repository,
    pub(super) tag: &'a Tag,
    /// What it stands for, which is looked up right before every try.
    pub(super) expected: &'a Digest,
    /// Tags of the same manifest that may go along.
    pub(super) also: &'a [Tag],
    /// None leaves after that.
    pub(super) until: Option<Instant>,
    /// When it was seen to stand for what is expected: right after that, the first look is done.
    pub(super) seen: Option<Instant>,
}

/// Deletes a tag as long as it stands for what is expected, by what means its registry has.
pub(super) async fn delete_tag(
    connection: &Connection,
    doomed: &Doomed<'_>,
) -> Result<Deletion, Cause> {
    let Doomed {
        repository, tag, ..
    } = doomed;
    let means = Means::of(&connection.registry);
    if means == Means::Specified {
        if !connection.host.may_delete(Deletable::Tag) {
            return Ok(Deletion::Unsupported);
        }
        let request = request(connection, repository, &doomed.target());
        return by_request(connection, doomed, &means, &request).await;
    }
    // What is gone needs no right to delete.
    let first = AtomicBool::new(false);
    if doomed.seen.is_none()
        && let ControlFlow::Break(deletion) = doomed.check(connection, &first).await?
    {
        return Ok(deletion);
    }
    match &means {
        Means::Specified => Ok(Deletion::Unsupported),
        Means::Acr => {
            let request = acr::request(connection, repository, tag);
            by_request(connection, doomed, &means, &request).await
        }
        Means::DockerHub => {
            let request = hub::delete_request(connection, repository, tag).await?;
            by_request(connection, doomed, &means, &request).await
        }
        Means::GitHub { api } => {
            let packages = Packages::to_delete(connection, api)?;
            by_version(connection, doomed, &packages).await
        }
        Means::Signed => by_signed_call(connection, doomed).await,
    }
}

// === impl Doomed ===

impl Doomed<'_> {
    fn target(&self) -> TagOrDigest {
        TagOrDigest::Tag(self.tag.clone())
    }

    /// Whether it was looked at right before, and not before a wait for the registry's limits.
    fn is_just_seen(&self) -> bool {
        self.seen.is_some_and(|seen| seen.elapsed() < FRESH)
    }

    /// Whether it still is what it was. `is_sent`: whether a try has left, which is noted here.
    async fn check(
        &self,
        connection: &Connection,
        is_sent: &AtomicBool,
    ) -> Result<ControlFlow<Deletion>, Cause> {
        let found = manifests::resolve(connection, self.repository, &self.target(), None).await?;
        Ok(match found {
            // The answer to a try before was lost, not its effect.
            None if is_sent.load(Relaxed) => ControlFlow::Break(Deletion::Deleted),
            None => ControlFlow::Break(Deletion::Missing),
            Some(found) if found.digest != *self.expected => ControlFlow::Break(Deletion::Moved),
            Some(_) if is_past(self.until) => ControlFlow::Break(Deletion::TooLate),
            Some(_) => ControlFlow::Continue(()),
        })
    }
}

async fn by_request(
    connection: &Connection,
    doomed: &Doomed<'_>,
    means: &Means,
    request: &Request,
) -> Result<Deletion, Cause> {
    let is_sent = AtomicBool::new(false);
    // Other means ask for a token first, which takes its time.
    let is_seen = || *means == Means::Specified && doomed.is_just_seen();
    let check = || async {
        if is_seen() && !is_sent.swap(true, Relaxed) {
            return Ok(ControlFlow::Continue(()));
        }
        let checked = doomed.check(connection, &is_sent).await?;
        is_sent.store(is_sent.load(Relaxed) || checked.is_continue(), Relaxed);
        Ok(checked)
    };
    match connection.ask_checked(request, check).await? {
        ControlFlow::Break(deletion) => Ok(deletion),
        ControlFlow::Continue(reply) => conclude(connection, doomed, means, reply).await,
    }
}

/// As a version of a package of GitHub, of which nothing else is left.
async fn by_version(
    connection: &Connection,
    doomed: &Doomed<'_>,
    packages: &Packages<'_>,
) -> Result<Deletion, Cause> {
    let Doomed {
        repository,
        tag,
        expected,
        also,
        ..
    } = doomed;
    let version = packages.find(repository, expected).await?;
    let is_sent = AtomicBool::new(false);
    let check = || async {
        let checked = doomed.check(connection, &is_sent).await?;
        if checked.is_break() {
            return Ok(checked);
        }
        if !packages
            .has_only(&version, (repository, expected), (tag, also))
            .await?
        {
            return Ok(ControlFlow::Break(Deletion::Shared));
        }
        if is_past(doomed.until) {
            return Ok(ControlFlow::Break(Deletion::TooLate));
        }
        is_sent.store(true, Relaxed);
        Ok(ControlFlow::Continue(()))
    };
    let request = packages.delete(version.clone());
    match connection.ask_checked(&request, check).await? {
        ControlFlow::Break(deletion) => Ok(deletion),
        ControlFlow::Continue(reply) => {
            let api = String::new();
            conclude(connection, doomed, &Means::GitHub { api }, reply).await
        }
    }
}

/// By a call that whoever has the keys of an identity signs.
async fn by_signed_call(connection: &Connection, doomed: &Doomed<'_>) -> Result<Deletion, Cause> {
    let credential = connection.authenticator.credential();
    let api = match credential {
        Credential::Issued(issuer) => issuer.signed(),
        Credential::Anonymous
        | Credential::Basic { .. }
        | Credential::IdentityToken { .. }
        | Credential::RegistryToken(_) => None,
    };
    let api = api.ok_or_else(|| {
        Cause::needs(
            "Amazon ECR deletes tags by its own API, which wants signatures with the keys of an identity, and no \
             password: name one with provider: AWS",
        )
    })?;
    api.ready().await.map_err(Cause::Own)?;
    let is_sent = AtomicBool::new(false);
    let check = || async {
        let checked = doomed.check(connection, &is_sent).await?;
        is_sent.store(is_sent.load(Relaxed) || checked.is_continue(), Relaxed);
        Ok(checked)
    };
    let call = || api.delete_tag(doomed.repository, doomed.tag);
    let done = connection.act_checked(Class::ManifestDelete, check, call);
    Ok(match done.await? {
        ControlFlow::Break(deletion) => deletion,
        // It stood there right before.
        ControlFlow::Continue(Removed::Now | Removed::Before) => Deletion::Deleted,
        ControlFlow::Continue(Removed::Needed) => Deletion::Needed,
    })
}

/// What the answer to the deletion of a tag means.
async fn conclude(
    connection: &Connection,
    doomed: &Doomed<'_>,
    means: &Means,
    reply: Reply,
) -> Result<Deletion, Cause> {
    let (repository, target) = (doomed.repository, doomed.target());
    if *means == Means::Specified {
        return outcome(connection, repository, &target, Deletable::Tag, reply).await;
    }
    match reply.status.as_u16() {
        200 | 202 | 204 => Ok(Deletion::Deleted),
        status => {
            if status == 401 && *means == Means::DockerHub {
                hub::forget_token(connection).await;
            }
            // Such an API says so of what somebody may not see, too.
            let is_gone = status == 404
                && manifests::resolve(connection, repository, &target, None)
                    .await?
                    .is_none();
            if is_gone {
                Ok(Deletion::Deleted)
            } else {
                Err(reply.into_cause())
            }
        }
    }
}

/// Deletes a manifest, and with it every tag that stands for it. No try leaves after `until`.
pub(super) async fn delete_manifest(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
    until: Option<Instant>,
) -> Result<Deletion, Cause> {
    let target = TagOrDigest::Digest(digest.clone());
    if !connection.host.may_delete(Deletable::Manifest) {
        return Ok(Deletion::Unsupported);
    }
    let request = request(connection, repository, &target);
    let check = || async {
        Ok(if is_past(until) {
            ControlFlow::Break(Deletion::TooLate)
        } else {
            ControlFlow::Continue(())
        })
    };
    match connection.ask_checked(&request, check).await? {
        ControlFlow::Break(deletion) => Ok(deletion),
        ControlFlow::Continue(reply) => {
            outcome(connection, repository, &target, Deletable::Manifest, reply).await
        }
    }
}

fn is_past(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

fn request(connection: &Connection, repository: &Repository, target: &TagOrDigest) -> Request {
    let url = connection.url(&[repository.as_str(), "manifests", target.as_str()]);
    let scope = Scope::of(repository, connection.host.delete_actions());
    Request::new(Class::ManifestDelete, Method::DELETE, url, scope)
}

async fn outcome(
    connection: &Connection,
    repository: &Repository,
    target: &TagOrDigest,
    what: Deletable,
    reply: Reply,
) -> Result<Deletion, Cause> {
    let code = reply.code();
    let code = code.as_ref().map(Code::as_str);
    match verdict(what, connection.host.deletes(), reply.status.as_u16(), code) {
        Verdict::Deleted => Ok(Deletion::Deleted),
        Verdict::Unable => {
            connection.host.learn_cannot_delete(what);
            Ok(Deletion::Unsupported)
        }
        Verdict::UnableHere => Ok(Deletion::Unsupported),
        Verdict::Error => Err(reply.into_cause()),
        Verdict::NotFound => {
            let found = manifests::resolve(connection, repository, target, None).await?;
            Ok(match (found, what) {
                // It stood there right before the request, which some registries carry out twice.
                (None, Deletable::Tag) => Deletion::Deleted,
                (None, Deletable::Manifest) => Deletion::Missing,
                (Some(_), _) => Deletion::Unsupported,
            })
        }
    }
}

/// What a status means, with its code where registries agree on none.
fn verdict(what: Deletable, known: Deletes, status: u16, code: Option<&str>) -> Verdict {
    let refusal = match (status, code) {
        (200 | 202 | 204, _) => return Verdict::Deleted,
        (404, _) => return Verdict::NotFound,
        // zot says so of a manifest that an index needs.
        (405, Some("DENIED")) => Verdict::Error,
        (405 | 501, _) | (400 | 403, Some("UNSUPPORTED")) => Verdict::Unable,
        _ if what == Deletable::Manifest => Verdict::Error,
        // distribution 2 takes the tag for a digest, as do its kin under other codes.
        (400, Some("DIGEST_INVALID")) => Verdict::Unable,
        (400, None | Some("TAG_INVALID" | "MANIFEST_INVALID")) => Verdict::UnableHere,
        _ => Verdict::Error,
    };
    // Where others are deleted, it is this one that must not be: it is locked, for one.
    if known == Deletes::Everything {
        return Verdict::Error;
    }
    refusal
}

#[cfg(test)]
mod tests {
    use super::Deletable::{Manifest, Tag};
    use super::*;

    #[test]
    fn what_answers_to_a_delete_mean() {
        let unknown = [
            (Tag, 200, None, Verdict::Deleted),
            (Tag, 202, None, Verdict::Deleted),
            (Tag, 204, None, Verdict::Deleted),
            (Tag, 404, Some("MANIFEST_UNKNOWN"), Verdict::NotFound),
            (Tag, 404, None, Verdict::NotFound),
            (Tag, 405, Some("UNSUPPORTED"), Verdict::Unable),
            (Tag, 405, None, Verdict::Unable),
            (Tag, 405, Some("DENIED"), Verdict::Error),
            (Tag, 501, None, Verdict::Unable),
            (Tag, 400, Some("DIGEST_INVALID"), Verdict::Unable),
            (Tag, 400, Some("UNSUPPORTED"), Verdict::Unable),
            (Tag, 400, Some("MANIFEST_INVALID"), Verdict::UnableHere),
            (Tag, 400, None, Verdict::UnableHere),
            (Tag, 400, Some("NAME_INVALID"), Verdict::Error),
            (Tag, 403, Some("UNSUPPORTED"), Verdict::Unable),
            (Tag, 403, Some("DENIED"), Verdict::Error),
            (Tag, 401, Some("UNAUTHORIZED"), Verdict::Error),
            (Tag, 412, None, Verdict::Error),
            (Tag, 302, None, Verdict::Error),
            (Manifest, 202, None, Verdict::Deleted),
            (Manifest, 405, Some("UNSUPPORTED"), Verdict::Unable),
            (Manifest, 400, Some("DIGEST_INVALID"), Verdict::Error),
            (
                Manifest,
                400,
                Some("GOOGLE_MANIFEST_DANGLING_TAG"),
                Verdict::Error,
            ),
            (Manifest, 400, None, Verdict::Error),
        ];
        for (what, status, code, expected) in unknown {
            let found = verdict(what, Deletes::Unknown, status, code);
            assert_eq!(found, expected, "{what:?} {status} {code:?}");
        }
        for (status, expected) in [
            (202, Verdict::Deleted),
            (404, Verdict::NotFound),
            (405, Verdict::Error),
            (400, Verdict::Error),
        ] {
            let found = verdict(Tag, Deletes::Everything, status, None);
            assert_eq!(found, expected, "a lock is no inability: {status}");
        }
    }
}
