// SPDX-License-Identifier: Apache-2.0

//! Lists that come page by page: tags, repositories and referrers are read through here, so that
//! none of them grows or lasts without an end.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

use futures::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::answer::Reply;
use super::cause::Cause;
use super::connection::Connection;
use super::host::Host;
use super::request::Request;
use crate::oci::limits;

/// The pages of one list.
pub(super) struct Pages<'a> {
    connection: &'a Connection,
    bounds: Bounds,
}

/// What a list may cost, and what it cost so far.
///
/// What was seen is kept as hashes: a list of 250,000 names takes some megabytes, however long they
/// are and however few of them are wanted. Two that collide are no harm: the hashes only tell
/// whether the list goes on.
struct Bounds {
    /// The most entries that it may have.
    entries: usize,
    hasher: RandomState,
    seen_urls: HashSet<u64>,
    seen_entries: HashSet<u64>,
    pages: usize,
    bytes: usize,
    /// Pages with nothing new on them.
    barren: usize,
    /// When the last page must have come. It runs from the first one, which may have waited for its turn.
    until: Option<Instant>,
}

// === impl Pages ===

impl<'a> Pages<'a> {
    /// A list of at most so many entries.
    pub(super) fn new(connection: &'a Connection, entries: usize) -> Self {
        Self {
            connection,
            bounds: Bounds::new(entries),
        }
    }

    /// What is known of the host that is asked.
    pub(super) fn host(&self) -> &'a Host {
        &self.connection.host
    }

    /// Asks for a page, which must be another one than those before.
    pub(super) async fn read(&mut self, request: &Request) -> Result<Reply, Cause> {
        self.bounds.enter(&request.url)?;
        // Boxed, because what asks for lists lies deep in other futures.
        let asked = self.connection.ask(request).boxed();
        let reply = self.bounds.within(asked).await??;
        self.bounds.weigh(reply.body.len())?;
        Ok(reply)
    }

    /// Has a page asked for by somebody else: the one with this token, which must be another one than those before.
    pub(super) async fn act<T>(
        &mut self,
        token: &str,
        page: impl Future<Output = Result<T, Cause>>,
    ) -> Result<T, Cause> {
        self.bounds.enter(&token)?;
        self.bounds.within(page).await?
    }

    /// Takes note of an entry, and says whether it is new.
    pub(super) fn note(&mut self, entry: &str) -> Result<bool, Cause> {
        self.bounds.note(entry)
    }

    /// Turns a page on which so many entries were new.
    pub(super) fn turn(&mut self, fresh: usize) -> Result<(), Cause> {
        self.bounds.turn(fresh)
    }

    /// Begins the list anew. What it cost so far still counts.
    pub(super) fn restart(&mut self) {
        self.bounds.seen_urls.clear();
        self.bounds.seen_entries.clear();
    }
}

// === impl Bounds ===

impl Bounds {
    fn new(entries: usize) -> Self {
        Self {
            entries,
            hasher: RandomState::new(),
            seen_urls: HashSet::new(),
            seen_entries: HashSet::new(),
            pages: 0,
            bytes: 0,
            barren: 0,
            until: None,
        }
    }

    /// Enters a page by what it is asked for with.
    fn enter(&mut self, url: &impl Hash) -> Result<(), Cause> {
        self.pages += 1;
        let is_new = self.seen_urls.insert(self.hasher.hash_one(url));
        if !is_new || self.pages > limits::LIST_PAGES {
            return Err(endless());
        }
        Ok(())
    }

    /// Waits for a page, as long as there is time for the list.
    async fn within<T>(&mut self, page: impl Future<Output = T>) -> Result<T, Cause> {
        let page = match self.until {
            None => page.await,
            Some(until) => timeout_at(until, page).await.map_err(|_| {
                let minutes = limits::LIST_TIME.as_secs() / 60;
                Cause::Protocol(format!("the list takes longer than {minutes} minutes"))
            })?,
        };
        self.until
            .get_or_insert_with(|| Instant::now() + limits::LIST_TIME);
        Ok(page)
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), Cause> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limits::LIST_BYTES {
            let most = limits::LIST_BYTES;
            return Err(Cause::Protocol(format!(
                "the list has more than {most} bytes"
            )));
        }
        Ok(())
    }

    fn note(&mut self, entry: &str) -> Result<bool, Cause> {
        let is_new = self.seen_entries.insert(self.hasher.hash_one(entry));
        if self.seen_entries.len() > self.entries {
            let most = self.entries;
            return Err(Cause::Protocol(format!(
                "the list has more than {most} entries"
            )));
        }
        Ok(is_new)
    }

    /// Some registries send an empty page and go on; one sent them without end (oras-go#1214).
    fn turn(&mut self, fresh: usize) -> Result<(), Cause> {
        self.barren += usize::from(fresh == 0);
        if self.barren > limits::BARREN_PAGES {
            return Err(endless());
        }
        Ok(())
    }
}

fn endless() -> Cause {
    Cause::Protocol("the pages of the list have no end".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;
    use url::Url;

    use super::*;

    fn url(page: usize) -> Url {
        format!("https://r.test/v2/a/tags/list?page={page}")
            .parse()
            .unwrap()
    }

    /// After how many times something fails; nothing where it does not within a million.
    fn fails_after(mut step: impl FnMut(&mut Bounds, usize) -> bool) -> Option<usize> {
        let mut bounds = Bounds::new(5);
        (0..1_000_000).find(|time| !step(&mut bounds, *time))
    }

    #[test]
    fn nothing_of_a_list_is_without_a_bound() {
        let enter = |bounds: &mut Bounds, time| bounds.enter(&url(time)).is_ok();
        assert_eq!(fails_after(enter), Some(limits::LIST_PAGES), "pages");
        let same = |bounds: &mut Bounds, _| bounds.enter(&url(1)).is_ok();
        assert_eq!(fails_after(same), Some(1), "the same page");
        let weigh = |bounds: &mut Bounds, _| bounds.weigh(limits::LIST_PAGE_BYTES).is_ok();
        assert_eq!(fails_after(weigh), Some(8), "bytes");
        let note = |bounds: &mut Bounds, time: usize| bounds.note(&time.to_string()).is_ok();
        assert_eq!(fails_after(note), Some(5), "entries");
        let turn = |bounds: &mut Bounds, time| bounds.turn(time % 2).is_ok();
        let last = 2 * limits::BARREN_PAGES;
        assert_eq!(fails_after(turn), Some(last), "pages with nothing on them");
        let full = |bounds: &mut Bounds, _| bounds.turn(1).is_ok();
        assert_eq!(fails_after(full), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_takes_minutes_and_no_hours() {
        let minutes = |count: u64| sleep(Duration::from_secs(60 * count));
        let mut bounds = Bounds::new(1);
        let begun = bounds.within(minutes(60)).await;
        assert!(begun.is_ok(), "the first page may wait for its turn");
        assert!(bounds.within(minutes(9)).await.is_ok());
        let start = Instant::now();
        assert!(bounds.within(minutes(9)).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(60));
    }

    #[test]
    fn an_entry_is_new_once() {
        let mut bounds = Bounds::new(2);
        let found = ["a", "b", "a"].map(|entry| bounds.note(entry).unwrap());
        assert_eq!(found, [true, true, false]);
    }
}
