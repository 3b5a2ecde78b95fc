//! Lists of names, page by page: tags and repositories. All or nothing: a list with a page missing
//! would make tags vanish.

use std::collections::{BTreeSet, HashSet};
use std::str::FromStr;

use reqwest::Method;
use serde::Deserialize;
use tracing::debug;
use url::Url;

use super::answer::Reply;
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::link;
use super::request::Request;
use crate::oci::{Repository, Tag, limits};

/// How often a list is begun anew because a page of it has vanished.
const RESTARTS: u32 = 2;
/// How many repositories are asked for at once: distribution refuses more.
const CATALOG_PAGE: u32 = 1_000;

/// A page, as far as it matters. Nexus sends null for no tags, Artifactory digests among them.
#[derive(Deserialize)]
struct Page {
    #[serde(default, alias = "tags", alias = "repositories")]
    names: Option<Vec<Option<String>>>,
}

/// What came of walking the pages.
enum Walk<T> {
    Complete(BTreeSet<T>),
    /// The registry refuses to be told how many names a page has.
    PageRefused(Reply),
    /// The page to go on with is gone: its predecessor was deleted meanwhile.
    PageGone(Reply),
}

pub(super) async fn tags(
    connection: &Connection,
    repository: &Repository,
) -> Result<Vec<Tag>, Cause> {
    let url = connection.url(&[repository.as_str(), "tags", "list"]);
    let scope = Scope::pull(repository);
    list(connection, &url, &scope, || connection.host.tag_page()).await
}

pub(super) async fn repositories(connection: &Connection) -> Result<Vec<Repository>, Cause> {
    let url = connection.url(&["_catalog"]);
    list(connection, &url, &Scope::catalog(), || {
        let page = connection.host.tag_page()?;
        Some(page.min(CATALOG_PAGE))
    })
    .await
}

async fn list<T: FromStr + Ord>(
    connection: &Connection,
    url: &Url,
    scope: &Scope,
    page_size: impl Fn() -> Option<u32>,
) -> Result<Vec<T>, Cause> {
    let mut restarts = 0;
    loop {
        let mut first = url.clone();
        if let Some(size) = page_size() {
            first.query_pairs_mut().append_pair("n", &size.to_string());
        }
        match walk(connection, first, scope).await? {
            Walk::Complete(names) => return Ok(names.into_iter().collect()),
            Walk::PageRefused(reply) | Walk::PageGone(reply) if restarts == RESTARTS => {
                return Err(reply.into_cause());
            }
            Walk::PageRefused(_) => connection.host.learn_refuses_pages(),
            Walk::PageGone(_) => {}
        }
        restarts += 1;
    }
}

async fn walk<T: FromStr + Ord>(
    connection: &Connection,
    first: Url,
    scope: &Scope,
) -> Result<Walk<T>, Cause> {
    let mut names = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut next = Some(first);
    while let Some(url) = next {
        let is_first = seen.is_empty();
        let is_sized = url.query().is_some();
        if !seen.insert(url.clone()) || seen.len() > limits::LIST_PAGES {
            return Err(Cause::Protocol(
                "the pages of the list have no end".to_owned(),
            ));
        }
        let request = Request::new(Class::Lookup, Method::GET, url.clone(), scope.clone())
            .limit(limits::LIST_PAGE_BYTES);
        let reply = connection.ask(&request).await?;
        match reply.status.as_u16() {
            200 => {}
            400 | 413 if is_first && is_sized => return Ok(Walk::PageRefused(reply)),
            404 if !is_first => return Ok(Walk::PageGone(reply)),
            _ => return Err(reply.into_cause()),
        }
        collect(&reply, &mut names)?;
        next = link::next_page(&reply.headers, &url)?;
    }
    Ok(Walk::Complete(names))
}

/// Adds the names of a page. What is not a name is left out: nobody can ask for it.
fn collect<T: FromStr + Ord>(reply: &Reply, names: &mut BTreeSet<T>) -> Result<(), Cause> {
    // Where, not what: the message of the parser quotes the registry.
    let Page { names: page } = serde_json::from_slice(&reply.body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        reply.unusable(Cause::Protocol(format!(
            "the list is not of the expected form at line {line}, column {column}"
        )))
    })?;
    let page = page.unwrap_or_default();
    let listed = page.len();
    let mut dropped = listed;
    for name in page.into_iter().flatten() {
        if let Ok(name) = name.parse() {
            names.insert(name);
            dropped -= 1;
        }
    }
    if dropped > 0 {
        debug!(
            host = super::origin::of(&reply.url),
            listed, dropped, "a list contains what is not a name"
        );
    }
    if names.len() > limits::LIST_ENTRIES {
        return Err(Cause::Protocol(format!(
            "the list has more than {} entries",
            limits::LIST_ENTRIES
        )));
    }
    Ok(())
}
