// SPDX-License-Identifier: Apache-2.0

//! Lists of names: tags and repositories. All or nothing: a list with a page missing would make
//! tags vanish.

use std::collections::BTreeSet;
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
use super::kind::Kind;
use super::link;
use super::onward::{Ask, Next, Onward, Page};
use super::own;
use super::pages::Pages;
use super::request::Request;
use crate::oci::{Repository, Tag, json, limits};
use crate::runtime::memory::{self, HeldMemory};

/// How often a list is begun anew because a page of it has vanished.
const RESTARTS: u32 = 2;
/// How many repositories are asked for at once: distribution refuses more.
const CATALOG_PAGE: u32 = 1_000;

/// What a name takes besides its letters, in bytes, about: on a page, and in a list with what becomes of it.
const NAME_ON_PAGE: usize = 48;
const NAME_IN_LIST: usize = 128;

/// A page, as far as it matters. Nexus sends null for no tags, Artifactory digests among them.
#[derive(Default, Deserialize)]
struct Names {
    #[serde(default, alias = "tags", alias = "repositories")]
    names: Option<Vec<Option<String>>>,
}

/// A list that is being read.
struct List<'a, K> {
    /// Where it begins.
    url: &'a Url,
    scope: &'a Scope,
    /// Which of its names are wanted.
    keep: &'a K,
}

/// What came of walking the pages.
enum Walk<T> {
    Complete(BTreeSet<T>),
    /// The registry refuses to be told how many names a page has.
    PageRefused(Reply),
    /// The page to go on with is gone: its predecessor was deleted meanwhile.
    PageGone(Reply),
}

/// The tags of a repository that are wanted, sorted.
pub(super) async fn tags(
    connection: &Connection,
    repository: &Repository,
    keep: impl Fn(&Tag) -> bool,
) -> Result<Vec<Tag>, Cause> {
    let list = List {
        url: &connection.url(&[repository.as_str(), "tags", "list"]),
        scope: &Scope::pull(repository),
        keep: &keep,
    };
    list.read(connection, || connection.host.tag_page()).await
}

/// The repositories that are wanted, sorted. All of them are of one namespace, where that is known.
pub(super) async fn repositories(
    connection: &Connection,
    namespace: Option<&str>,
    keep: impl Fn(&Repository) -> bool,
) -> Result<Vec<Repository>, Cause> {
    if let Some(listed) = own::list::repositories(connection, namespace, false, &keep).await? {
        return Ok(listed);
    }
    let refusal = match catalog(connection, &keep).await {
        Err(cause) if is_of_nobody(cause.kind()) => cause,
        listed => return listed,
    };
    // Where the API refuses as well, what the specification has says more.
    let listed = own::list::repositories(connection, namespace, true, &keep).await;
    match listed {
        Ok(Some(listed)) => Ok(listed),
        Ok(None) => Err(refusal),
        Err(cause) if is_of_nobody(cause.kind()) => Err(refusal),
        Err(cause) => Err(cause),
    }
}

/// Whether it says that there is no catalog for whoever asks.
fn is_of_nobody(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::AuthenticationFailed | Kind::AccessDenied | Kind::NotFound
    )
}

async fn catalog(
    connection: &Connection,
    keep: &impl Fn(&Repository) -> bool,
) -> Result<Vec<Repository>, Cause> {
    let list = List {
        url: &connection.url(&["_catalog"]),
        scope: &Scope::catalog(),
        keep,
    };
    let page_size = || Some(connection.host.tag_page()?.min(CATALOG_PAGE));
    list.read(connection, page_size).await
}

// === impl List ===

impl<K> List<'_, K> {
    async fn read<T>(
        &self,
        connection: &Connection,
        page_size: impl Fn() -> Option<u32>,
    ) -> Result<Vec<T>, Cause>
    where
        T: FromStr + Ord,
        K: Fn(&T) -> bool,
    {
        let mut pages = Pages::new(connection, limits::LIST_ENTRIES);
        let mut restarts = 0;
        loop {
            match self.walk(&mut pages, page_size()).await? {
                Walk::Complete(names) => return Ok(names.into_iter().collect()),
                Walk::PageRefused(reply) | Walk::PageGone(reply) if restarts == RESTARTS => {
                    return Err(reply.into_cause());
                }
                Walk::PageRefused(_) => connection.host.learn_refuses_pages(),
                Walk::PageGone(_) => {}
            }
            restarts += 1;
            pages.restart();
        }
    }

    async fn walk<T>(&self, pages: &mut Pages<'_>, size: Option<u32>) -> Result<Walk<T>, Cause>
    where
        T: FromStr + Ord,
        K: Fn(&T) -> bool,
    {
        let mut names = BTreeSet::new();
        let mut onward = Onward::new(size);
        let first = self.page(&Ask { size, last: None });
        let ends = &pages.host().list_ends;
        // The first page, as long as nothing came behind it.
        let mut only = None;
        let mut next = Some(first.clone());
        while let Some(url) = next {
            let is_first = url == first;
            let request = self.request(url);
            let reply = pages.read(&request).await?;
            let what_next = match reply.status.as_u16() {
                200 => {
                    let (listed, _held) = parse(&reply)?;
                    let hash = ends.page(&listed);
                    let page = self.collect(&reply, listed, pages, &mut names)?;
                    next = link::next_page(&reply.headers, &request.url)?;
                    if next.is_some() {
                        onward.linked();
                        continue;
                    }
                    if reply.is_of_distribution() {
                        onward.names_next();
                    }
                    let is_full = size.is_some_and(|size| page.listed == size as usize);
                    if is_first && !is_full && ends.is_whole(&first, hash) {
                        break;
                    }
                    only = if is_first {
                        (!is_full).then_some(hash)
                    } else {
                        only.filter(|_| page.fresh == 0)
                    };
                    onward.came(page)
                }
                status if is_first && size.is_some() && may_be_of_size(status) => {
                    return Ok(Walk::PageRefused(reply));
                }
                status if onward.is_guess() && is_refusal(status) => onward.refused(),
                404 if !is_first => return Ok(Walk::PageGone(reply)),
                _ => return Err(reply.into_cause()),
            };
            next = match what_next {
                Next::End => {
                    if let Some(page) = only.filter(|_| !is_first) {
                        ends.learn(&first, page);
                    }
                    None
                }
                Next::Ask(ask) => Some(self.page(&ask)),
                Next::Cut => return Err(cut()),
            };
        }
        Ok(Walk::Complete(names))
    }

    fn request(&self, url: Url) -> Request {
        Request::new(Class::Lookup, Method::GET, url, self.scope.clone())
            .limit(limits::LIST_PAGE_BYTES)
    }

    /// The URL of a page.
    fn page(&self, ask: &Ask) -> Url {
        let mut url = self.url.clone();
        if let Some(size) = ask.size {
            url.query_pairs_mut().append_pair("n", &size.to_string());
        }
        if let Some(last) = &ask.last {
            url.query_pairs_mut().append_pair("last", last);
        }
        url
    }

    /// Adds the wanted names of a page. What is not a name is left out: nobody can ask for it.
    fn collect<T>(
        &self,
        reply: &Reply,
        listed: Vec<Option<String>>,
        pages: &mut Pages<'_>,
        names: &mut BTreeSet<T>,
    ) -> Result<Page, Cause>
    where
        T: FromStr + Ord,
        K: Fn(&T) -> bool,
    {
        let (mut fresh, mut dropped, mut kept) = (0, listed.len(), 0);
        for name in listed.iter().flatten() {
            if pages.note(name)? {
                fresh += 1;
            }
            let length = name.len();
            let Ok(name) = name.parse() else { continue };
            dropped -= 1;
            if (self.keep)(&name) {
                kept += NAME_IN_LIST + length;
                names.insert(name);
            }
        }
        if dropped > 0 {
            debug!(
                host = super::origin::of(&reply.url),
                listed = listed.len(),
                dropped,
                "a list contains what is not a name"
            );
        }
        memory::keep(kept)?;
        pages.turn(fresh)?;
        Ok(Page {
            listed: listed.len(),
            fresh,
            is_sorted: listed.iter().flatten().is_sorted(),
            last: listed.into_iter().flatten().next_back(),
        })
    }
}

/// The names of a page, and what they take. They are counted before they are parsed.
fn parse(reply: &Reply) -> Result<(Vec<Option<String>>, HeldMemory), Cause> {
    let count = json::count_values(&reply.body);
    if count > limits::LIST_ENTRIES {
        let most = limits::LIST_ENTRIES;
        return Err(Cause::Protocol(format!(
            "a page of the list has more than {most} entries"
        )));
    }
    let held = memory::hold(reply.body.len() + NAME_ON_PAGE * count)?;
    // Where, not what: the message of the parser quotes the registry.
    let names = names(&reply.body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        reply.unusable(Cause::Protocol(format!(
            "the list is not of the expected form at line {line}, column {column}"
        )))
    })?;
    Ok((names, held))
}

/// The names that a page lists.
pub(super) fn names(body: &[u8]) -> serde_json::Result<Vec<Option<String>>> {
    let page: Option<Names> = serde_json::from_slice(body)?;
    Ok(page.unwrap_or_default().names.unwrap_or_default())
}

/// Whether an answer to the first page may be about the number of names that was asked for, whatever registries
/// think is wrong with it.
fn may_be_of_size(status: u16) -> bool {
    matches!(status, 400 | 405 | 406 | 413 | 414 | 416 | 422 | 501)
}

/// Whether an answer to a page that no registry promised says that there is no such page.
fn is_refusal(status: u16) -> bool {
    matches!(status, 400..=499 | 501) && !matches!(status, 401 | 403)
}

fn cut() -> Cause {
    Cause::Protocol(
        "the registry cuts the list, names no next page and refuses to be asked for one".to_owned(),
    )
}
