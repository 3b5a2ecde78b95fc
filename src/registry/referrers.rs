// SPDX-License-Identifier: Apache-2.0

//! Referrers: what points at a manifest (distribution specification, listing referrers).
//!
//! A registry that does not know the endpoint says so in any way: with a status, with a page of its web
//! site, with an empty body. All of that is [`Referrers::Unsupported`], and whoever asked looks at the
//! fallback tag. What may hide signatures is an error: trouble of the registry, and a list that is torn.

use std::collections::BTreeMap;

use reqwest::header::{ACCEPT, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use url::Url;

use super::answer::Reply;
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::error_body::Code;
use super::kind::Kind;
use super::link;
use super::origin;
use super::pages::Pages;
use super::request::Request;
use crate::oci::{Descriptor, Digest, MediaType, Repository, json, limits, media_type};
use crate::runtime::memory;

/// The manifests that refer to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// What the registry lists. Of an entry, only the digest is sure: a type that is not given is empty, a
    /// size 0.
    Listed(Vec<Descriptor>),
    /// The registry keeps no list: the tag `sha256-…` of the digest may be one.
    Unsupported,
}

/// What an answer to the first page means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// The body decides.
    Answered,
    /// The registry cannot list referrers, whatever it is asked.
    Unable,
    /// It cannot list those of this manifest.
    UnableHere,
    /// It is in trouble, or wants something of us.
    Failure,
}

/// A list, as far as it matters: none where it has no `manifests`, empty where they are null.
#[derive(Deserialize)]
struct List {
    #[serde(default, deserialize_with = "present")]
    manifests: Option<Vec<Option<Entry>>>,
}

/// An entry. Artifactory leaves out types and sizes (regclient#885).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default, deserialize_with = "lenient")]
    digest: Option<Digest>,
    #[serde(default, deserialize_with = "lenient")]
    media_type: Option<MediaType>,
    #[serde(default, deserialize_with = "lenient")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    annotations: Option<BTreeMap<String, String>>,
}

/// A list that is being read.
struct Walk<'a> {
    pages: Pages<'a>,
    repository: &'a Repository,
    /// Whether the list is known to lie elsewhere.
    follows_redirects: bool,
}

/// Lists what refers to a manifest. Of a host that has not answered yet, one asks; the others wait until it
/// is told whether the host can list referrers at all.
pub(super) async fn list(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
) -> Result<Referrers, Cause> {
    if !connection.host.may_list_referrers(repository) {
        return Ok(Referrers::Unsupported);
    }
    let first = connection.host.first_referrers_answer();
    let mut own = None;
    first
        .get_or_init(|| async { own = Some(ask(connection, repository, digest).await) })
        .await;
    match own {
        Some(answer) => answer,
        None => ask(connection, repository, digest).await,
    }
}

/// Asks for what refers to a digest that nothing has: a registry with the API answers with an empty list.
/// An answer that tells nothing is nobody's: the next one asks again.
pub(super) async fn probe(connection: &Connection, repository: &Repository) {
    let host = &connection.host;
    let first = host.first_referrers_answer();
    let is_known = || host.lists_referrers() || !host.may_list_referrers(repository);
    let probe = first.get_or_try_init(|| async {
        if !is_known() {
            // Whatever is wrong is told to whoever needs the list.
            let _ = ask(connection, repository, &Digest::sha256(b"")).await;
        }
        if is_known() { Ok(()) } else { Err(()) }
    });
    let _ = probe.await;
}

async fn ask(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
) -> Result<Referrers, Cause> {
    if !connection.host.may_list_referrers(repository) {
        return Ok(Referrers::Unsupported);
    }
    let mut list = Walk {
        pages: Pages::new(connection, limits::DESCRIPTORS),
        repository,
        follows_redirects: false,
    };
    let first = connection.url(&[repository.as_str(), "referrers", digest.as_str()]);
    let reply = match list.ask(first.clone()).await {
        Ok(reply) if leads_to_a_list(&reply, digest) => {
            list.follows_redirects = true;
            list.pages.restart();
            list.ask(first.clone()).await?
        }
        Ok(reply) => reply,
        // Some registries refuse the endpoint to everyone.
        Err(cause) if is_shut(&cause) && !connection.host.lists_referrers() => {
            return Ok(Referrers::Unsupported);
        }
        Err(cause) => return Err(cause),
    };
    let code = reply.code();
    let code = code.as_ref().map(Code::as_str);
    match meaning(
        reply.status.as_u16(),
        code,
        connection.host.lists_referrers(),
    ) {
        Meaning::Answered => {}
        Meaning::Unable => {
            connection.host.learn_lacks_referrers(repository);
            return Ok(Referrers::Unsupported);
        }
        Meaning::UnableHere => return Ok(Referrers::Unsupported),
        Meaning::Failure => return Err(reply.into_cause()),
    }
    let Some(entries) = entries(&reply)? else {
        return Ok(Referrers::Unsupported);
    };
    connection.host.learn_lists_referrers();
    let next = link::next_page(&reply.headers, &first)?;
    list.read(entries, next).await.map(Referrers::Listed)
}

// === impl Walk ===

impl Walk<'_> {
    async fn ask(&mut self, url: Url) -> Result<Reply, Cause> {
        let scope = Scope::pull(self.repository);
        let mut request = Request::new(Class::Lookup, Method::GET, url, scope)
            .header(ACCEPT, HeaderValue::from_static(media_type::OCI_INDEX))
            .limit(limits::MANIFEST_BYTES);
        request.follows_redirects = self.follows_redirects;
        self.pages.read(&request).await
    }

    /// All entries: those of the first page, and of the pages behind it.
    async fn read(
        mut self,
        mut referrers: Vec<Descriptor>,
        mut next: Option<Url>,
    ) -> Result<Vec<Descriptor>, Cause> {
        self.turn(&referrers)?;
        while let Some(url) = next {
            let reply = self.ask(url.clone()).await?;
            if reply.status != StatusCode::OK {
                return Err(reply.into_cause());
            }
            let page = entries(&reply)?.ok_or_else(no_list)?;
            self.turn(&page)?;
            referrers.extend(page);
            if referrers.len() > limits::DESCRIPTORS {
                return Err(Cause::Protocol(format!(
                    "the list has more than {} entries",
                    limits::DESCRIPTORS
                )));
            }
            next = link::next_page(&reply.headers, &url)?;
        }
        Ok(referrers)
    }

    fn turn(&mut self, page: &[Descriptor]) -> Result<(), Cause> {
        let mut fresh = 0;
        for entry in page {
            fresh += usize::from(self.pages.note(entry.digest.as_str())?);
        }
        self.pages.turn(fresh)
    }
}

/// Whether the answer sends us to the same list elsewhere, as a registry behind a redirect does, and not
/// to a web site, as GHCR does.
fn leads_to_a_list(reply: &Reply, digest: &Digest) -> bool {
    reply.status.is_redirection()
        && origin::redirect_target(reply.headers.get(LOCATION), &reply.url)
            .is_ok_and(|url| url.path().ends_with(&format!("/referrers/{digest}")))
}

/// Whether the endpoint is refused to us, or to everyone: without a challenge that can be answered.
fn is_shut(cause: &Cause) -> bool {
    cause.is_without_challenge() || cause.kind() == Kind::AuthenticationFailed
}

/// What the status of the first answer means, with its error code.
///
/// `lists` says that the host has listed referrers before. Where it has not, 401 and 403 are taken for
/// an endpoint that is shut for everyone: its manifests can be read with the same credential, and the
/// fallback tag is still looked at. Where it has, they would hide what is there.
fn meaning(status: u16, code: Option<&str>, lists: bool) -> Meaning {
    let is_about_the_name = matches!(
        code,
        Some("NAME_UNKNOWN" | "NAME_INVALID" | "MANIFEST_UNKNOWN" | "BLOB_UNKNOWN")
    );
    match status {
        200 => Meaning::Answered,
        _ if code == Some("TOOMANYREQUESTS") => Meaning::Failure,
        401 | 403 if lists => Meaning::Failure,
        300..=399 | 400 | 404 | 405 | 501 if !lists && !is_about_the_name => Meaning::Unable,
        407 | 408 | 425 | 429 | 500 | 502..=599 => Meaning::Failure,
        _ => Meaning::UnableHere,
    }
}

/// The entries of a page; nothing where it is no list at all.
fn entries(reply: &Reply) -> Result<Option<Vec<Descriptor>>, Cause> {
    let says_index = reply.media_type().is_some_and(|name| name.is_index());
    memory::keep(json::weigh(&reply.body))?;
    parse(&reply.body, says_index)
}

pub(super) fn parse(body: &[u8], says_index: bool) -> Result<Option<Vec<Descriptor>>, Cause> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    if json::count_values(body) > limits::JSON_VALUES {
        return Err(Cause::Protocol(format!(
            "a page of the list of referrers has more than {} values",
            limits::JSON_VALUES
        )));
    }
    let list: Option<List> = match serde_json::from_slice(body) {
        Ok(list) => list,
        Err(error) if says_index || error.classify() == Category::Eof => return Err(no_list()),
        Err(_) => return Ok(None),
    };
    let Some(manifests) = list.and_then(|list| list.manifests) else {
        return Ok(None);
    };
    let manifests = manifests.into_iter().flatten();
    manifests
        .map(descriptor)
        .collect::<Result<_, _>>()
        .map(Some)
}

fn descriptor(entry: Entry) -> Result<Descriptor, Cause> {
    let digest = entry.digest.ok_or_else(|| {
        Cause::Protocol("the list of referrers has an entry without a valid digest".to_owned())
    })?;
    Ok(Descriptor {
        media_type: entry.media_type.unwrap_or_else(|| MediaType::from("")),
        digest,
        size: entry.size.unwrap_or_default(),
        platform: None,
        artifact_type: entry.artifact_type,
        annotations: entry.annotations.unwrap_or_default(),
        data: None,
    })
}

fn no_list() -> Cause {
    Cause::Protocol("the list of referrers is not an index, or breaks off".to_owned())
}

/// What is there; empty where it is null.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Some(Option::deserialize(deserializer)?.unwrap_or_default()))
}

/// What can be read; nothing in place of anything else.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_statuses_mean() {
        use Meaning::{Answered, Failure, Unable, UnableHere};
        // Status, code, of a host that has listed none yet, and of one that has.
        let cases = [
            (200, None, Answered, Answered),
            (204, None, UnableHere, UnableHere),
            (302, None, Unable, UnableHere),
            (303, None, Unable, UnableHere),
            (400, None, Unable, UnableHere),
            (400, Some("TOOMANYREQUESTS"), Failure, Failure),
            (401, Some("UNAUTHORIZED"), UnableHere, Failure),
            (403, Some("DENIED"), UnableHere, Failure),
            (404, None, Unable, UnableHere),
            (404, Some("NAME_UNKNOWN"), UnableHere, UnableHere),
            (404, Some("MANIFEST_UNKNOWN"), UnableHere, UnableHere),
            (405, Some("UNSUPPORTED"), Unable, UnableHere),
            (406, None, UnableHere, UnableHere),
            (407, None, Failure, Failure),
            (410, None, UnableHere, UnableHere),
            (422, None, UnableHere, UnableHere),
            (429, None, Failure, Failure),
            (500, None, Failure, Failure),
            (501, None, Unable, UnableHere),
            (502, None, Failure, Failure),
            (507, None, Failure, Failure),
            (520, None, Failure, Failure),
        ];
        for (status, code, unknown, known) in cases {
            let found = (meaning(status, code, false), meaning(status, code, true));
            assert_eq!(found, (unknown, known), "{status} {code:?}");
        }
    }

    #[test]
    fn lists_and_what_is_none() {
        let digest = Digest::sha256(b"x");
        let entry = |more: &str| format!(r#"{{"manifests":[{{"digest":"{digest}"{more}}}]}}"#);
        let found = |body: &str, says_index| {
            let entries = parse(body.as_bytes(), says_index);
            entries.map(|list| list.map(|list| list.len())).ok()
        };
        // What is found where nothing is said of the type, and where it is said to be an index.
        let one = (Some(Some(1)), Some(Some(1)));
        let empty = (Some(Some(0)), Some(Some(0)));
        let none = (Some(None), Some(None));
        let failure = (None, None);
        let by_type = (Some(None), None);
        let cases = [
            ("no more than a digest", entry(""), one),
            (
                "null in all places",
                entry(
                    r#","mediaType":null,"size":null,"annotations":null,"artifactType":null,"platform":null"#,
                ),
                one,
            ),
            (
                "other kinds of values",
                entry(r#","mediaType":7,"size":"12","annotations":{"a":1},"artifactType":[]"#),
                one,
            ),
            ("a negative size", entry(r#","size":-1"#), one),
            (
                "null manifests",
                r#"{"schemaVersion":2,"manifests":null}"#.to_owned(),
                empty,
            ),
            ("no manifests", r#"{"manifests":[]}"#.to_owned(), empty),
            (
                "null among them",
                r#"{"manifests":[null]}"#.to_owned(),
                empty,
            ),
            ("an empty object", "{}".to_owned(), none),
            (
                "an error",
                r#"{"errors":[{"code":"UNSUPPORTED"}]}"#.to_owned(),
                none,
            ),
            ("an image", r#"{"config":{},"layers":[]}"#.to_owned(), none),
            ("nothing", String::new(), none),
            ("blanks", " \r\n".to_owned(), none),
            ("null", "null".to_owned(), none),
            (
                "a web page",
                "<!doctype html><title>Log in</title>".to_owned(),
                by_type,
            ),
            ("a text", "not found".to_owned(), by_type),
            ("a number", "404".to_owned(), by_type),
            ("a list", "[]".to_owned(), none),
            (
                "manifests that are none",
                r#"{"manifests":"none"}"#.to_owned(),
                by_type,
            ),
            ("torn", entry("").split_at(40).0.to_owned(), failure),
            (
                "no digest",
                r#"{"manifests":[{"size":1}]}"#.to_owned(),
                failure,
            ),
            (
                "a digest of another kind",
                r#"{"manifests":[{"digest":"md5:0"}]}"#.to_owned(),
                failure,
            ),
        ];
        for (name, body, expected) in cases {
            let both = (found(&body, false), found(&body, true));
            assert_eq!(both, expected, "{name}");
        }
    }
}
