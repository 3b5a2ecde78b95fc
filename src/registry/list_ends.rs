// SPDX-License-Identifier: Apache-2.0

//! What is remembered of lists that turned out to be whole, so that they are not asked on again each time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

/// How long a page is believed to be the whole list.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// How many lists of a host are remembered before all are forgotten.
const LISTS: usize = 10_000;

/// The only page of lists behind which nothing more came, as hashes.
#[derive(Debug, Default)]
pub(super) struct ListEnds {
    hasher: RandomState,
    lists: Mutex<HashMap<u64, (u64, Instant)>>,
}

impl ListEnds {
    /// The hash of a page.
    pub(super) fn page(&self, names: &[Option<String>]) -> u64 {
        self.hasher.hash_one(names)
    }

    /// Whether this page was the whole list when it was last asked on.
    pub(super) fn is_whole(&self, list: &Url, page: u64) -> bool {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lists.get(&self.hasher.hash_one(list));
        known.is_some_and(|(known, since)| *known == page && since.elapsed() <= MEMORY)
    }

    /// Nothing more came behind this page.
    pub(super) fn learn(&self, list: &Url, page: u64) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= LISTS {
            lists.clear();
        }
        lists.insert(self.hasher.hash_one(list), (page, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_page_is_believed_to_be_whole_for_an_hour_and_as_long_as_it_is_the_same() {
        let ends = ListEnds::default();
        let list: Url = "https://r.test/v2/a/tags/list?n=1000".parse().unwrap();
        let other: Url = "https://r.test/v2/b/tags/list?n=1000".parse().unwrap();
        let page = |names: &[&str]| {
            let names: Vec<Option<String>> =
                names.iter().map(|name| Some((*name).to_owned())).collect();
            ends.page(&names)
        };
        assert!(!ends.is_whole(&list, page(&["1"])));
        ends.learn(&list, page(&["1"]));
        assert!(ends.is_whole(&list, page(&["1"])));
        assert!(!ends.is_whole(&list, page(&["1", "2"])));
        assert!(!ends.is_whole(&other, page(&["1"])));
        advance(MEMORY + Duration::from_secs(1)).await;
        assert!(!ends.is_whole(&list, page(&["1"])));
    }
}
