// SPDX-License-Identifier: Apache-2.0

//! What is shared by everything that speaks to one host as one and the same: limits, and what the host turned out to
//! be like. Others may be told something else there, so nothing of it is theirs.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::deletion::Deletable;
use super::habits::Habits;
use super::lacks::{Inability, InabilityOf};
use super::limiter::Limiter;
use super::list_ends::ListEnds;
use super::profile::{Deletes, Profile};
use super::sharers::RequestSharers;
use crate::oci::Repository;

/// One host. Facts are learned one at a time and none depends on another.
#[derive(Debug)]
pub(super) struct Host {
    /// How much may be asked of it at once.
    pub(super) limiter: Limiter,
    /// How it takes blobs.
    pub(super) habits: Habits,
    profile: &'static Profile,
    refuses_pages: AtomicBool,
    /// Which of its lists are known to be whole.
    pub(super) list_ends: ListEnds,
    lists_referrers: AtomicBool,
    lacks_referrers: InabilityOf,
    first_referrers: Mutex<FirstAnswer>,
    deletes_no_tags: Inability,
    deletes_no_manifests: Inability,
    head: AtomicU8,
    answers_head: AtomicBool,
    fails_head: Inability,
    omits_digest: Inability,
}

/// Set when something was asked for the first time: until then one asks, and all others wait.
pub(super) type FirstAnswer = Arc<OnceCell<()>>;

/// What 404 to a HEAD means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Head {
    /// Nobody knows yet: ask again with GET.
    Unknown,
    /// That there is no such manifest.
    Trusted,
    /// Nothing: the manifest may be there.
    Untrusted,
}

// === impl Host ===

impl Host {
    /// A host as its profile describes it.
    pub(super) fn new(profile: &'static Profile, sharers: &RequestSharers) -> Self {
        let head = if profile.trusts_head {
            Head::Trusted
        } else {
            Head::Unknown
        };
        Self {
            limiter: Limiter::new(profile, sharers),
            habits: Habits::new(profile),
            profile,
            refuses_pages: AtomicBool::new(false),
            list_ends: ListEnds::default(),
            lists_referrers: AtomicBool::new(false),
            lacks_referrers: InabilityOf::default(),
            first_referrers: Mutex::default(),
            deletes_no_tags: Inability::default(),
            deletes_no_manifests: Inability::default(),
            head: AtomicU8::new(head as u8),
            answers_head: AtomicBool::new(profile.trusts_head),
            fails_head: Inability::default(),
            omits_digest: Inability::default(),
        }
    }

    /// How many tags to ask for at once; nothing where the host does not want to be told.
    pub(super) fn tag_page(&self) -> Option<u32> {
        (!self.refuses_pages.load(Relaxed)).then_some(self.profile.tag_page)
    }

    /// It does not want to be told how many tags to list.
    pub(super) fn learn_refuses_pages(&self) {
        self.refuses_pages.store(true, Relaxed);
    }

    /// Whether it may list the referrers of a repository.
    pub(super) fn may_list_referrers(&self, repository: &Repository) -> bool {
        self.profile.referrers && !self.lacks_referrers.is_believed(repository)
    }

    /// Whether it has listed referrers before.
    pub(super) fn lists_referrers(&self) -> bool {
        self.lists_referrers.load(Relaxed)
    }

    /// It lists referrers.
    pub(super) fn learn_lists_referrers(&self) {
        self.lists_referrers.store(true, Relaxed);
    }

    /// It has no list of referrers, says a repository. When that is believed no more, one asks again.
    pub(super) fn learn_lacks_referrers(&self, repository: &Repository) {
        self.lacks_referrers.learn(repository);
        *self.first_referrers() = FirstAnswer::default();
    }

    /// The first answer to whoever asked for referrers, whatever it was.
    pub(super) fn first_referrers_answer(&self) -> FirstAnswer {
        self.first_referrers().clone()
    }

    fn first_referrers(&self) -> MutexGuard<'_, FirstAnswer> {
        let first = self.first_referrers.lock();
        first.unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is known to delete.
    pub(super) fn deletes(&self) -> Deletes {
        self.profile.deletes
    }

    /// The actions that a token to delete is asked for.
    pub(super) fn delete_actions(&self) -> &'static str {
        self.profile.delete_actions
    }

    /// Whether it may be able to delete such a thing.
    pub(super) fn may_delete(&self, what: Deletable) -> bool {
        self.profile.deletes != Deletes::Nothing && !self.deletes_none(what).is_believed()
    }

    /// It cannot delete such a thing.
    pub(super) fn learn_cannot_delete(&self, what: Deletable) {
        self.deletes_none(what).learn();
    }

    fn deletes_none(&self, what: Deletable) -> &Inability {
        match what {
            Deletable::Tag => &self.deletes_no_tags,
            Deletable::Manifest => &self.deletes_no_manifests,
        }
    }

    /// What 404 to a HEAD means.
    pub(super) fn head(&self) -> Head {
        match self.head.load(Relaxed) {
            value if value == Head::Trusted as u8 => Head::Trusted,
            value if value == Head::Untrusted as u8 => Head::Untrusted,
            _ => Head::Unknown,
        }
    }

    /// Whether it has answered a HEAD for a manifest with what is there.
    pub(super) fn answers_head(&self) -> bool {
        self.answers_head.load(Relaxed)
    }

    /// It answered a HEAD for a manifest with what is there.
    pub(super) fn learn_answers_head(&self) {
        self.answers_head.store(true, Relaxed);
    }

    /// Whether a HEAD for a manifest is worth a try: it may be answered, and say what a tag names.
    pub(super) fn may_answer_head(&self, is_of_tag: bool) -> bool {
        let is_of_no_use = is_of_tag && self.omits_digest.is_believed();
        !is_of_no_use && !self.fails_head.is_believed()
    }

    /// It answered a HEAD with an error, and a GET for the same with the manifest. Where it is known to
    /// answer HEAD, that was an accident.
    pub(super) fn learn_fails_head(&self) {
        if !self.profile.trusts_head {
            self.fails_head.learn();
        }
    }

    /// It answered a HEAD for a tag without the digest.
    pub(super) fn learn_omits_digest(&self) {
        if !self.profile.trusts_head {
            self.omits_digest.learn();
        }
    }

    /// What 404 to a HEAD turned out to mean. Where it is known to mean what it says, the manifest only came
    /// between the two requests.
    pub(super) fn learn_head(&self, head: Head) {
        if !self.profile.trusts_head {
            self.head.store(head as u8, Relaxed);
        }
    }
}
