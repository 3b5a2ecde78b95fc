// SPDX-License-Identifier: Apache-2.0

//! What the watches of a cluster have told, and what this process has on record.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};

use super::collected::{Collected, NotShown, PageSource, Visible};
use super::on_record::{concerning, leaving};
use super::sharing::{other_keeper, shared_work};
use super::tallies::RegistryTallies;
use crate::api::{ImageMirror, ImagePolicy};
use crate::controller::objects::Guarded;
use crate::controller::watch::Listed;
use crate::plan::mirror_home::MirrorHome;
use crate::plan::why::{KnownRecords, RecordQuery};
use crate::runtime::lease::shards::Hands;
use crate::sync::Ledger;

/// What the page of a controller is made of. Before this process leads there is nothing.
pub(in crate::controller) struct WatchedObjects {
    /// Where its mirrors are, for people.
    place: String,
    /// Where somebody finds the process that leads.
    leader: String,
    /// How registries behaved.
    pub(in crate::controller) tallies: Arc<RegistryTallies>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    working: Option<Working>,
    /// So many watches are going to tell of everything.
    expected: usize,
    scopes: Vec<WatchedScope>,
}

/// What this process works with, since it works.
#[derive(Clone)]
struct Working {
    ledger: Arc<Ledger>,
    /// The shards that it has, where several processes share the work.
    hands: Option<Arc<Hands>>,
}

/// What is watched of one namespace, or of all of them together.
#[derive(Clone)]
pub(in crate::controller) struct WatchedScope {
    pub(in crate::controller) mirrors: Store<Guarded<ImageMirror>>,
    pub(in crate::controller) policies: Store<Guarded<ImagePolicy>>,
    pub(in crate::controller) listed: [Listed; 2],
}

// === impl WatchedObjects ===

impl WatchedObjects {
    /// Nothing yet: of these namespaces, or of all where there are none, while this lease says who leads.
    pub(in crate::controller) fn new(namespaces: &[String], lease: &str) -> Self {
        Self {
            place: place(namespaces.iter().map(String::as_str), "in all namespaces"),
            leader: format!("the lease {lease} names the one that works"),
            tallies: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// This process works: it has this on record, where it does not work alone of these shards, and so many watches are
    /// going to tell of everything.
    pub(in crate::controller) fn lead(
        &self,
        ledger: &Arc<Ledger>,
        watches: usize,
        hands: Option<&Arc<Hands>>,
    ) {
        let mut state = self.lock();
        state.working = Some(Working {
            ledger: ledger.clone(),
            hands: hands.cloned(),
        });
        state.expected = watches;
    }

    /// One watch begins.
    pub(in crate::controller) fn add(&self, scope: WatchedScope) {
        self.lock().scopes.push(scope);
    }

    /// The namespaces that have mirrors.
    pub(super) fn namespaces(&self) -> Result<BTreeSet<String>, NotShown> {
        let (_, scopes) = self.scopes()?;
        let mirrors = scopes.iter().flat_map(|scope| scope.mirrors.state());
        Ok(mirrors.filter_map(|mirror| mirror.namespace()).collect())
    }

    /// All scopes, once they have told of everything.
    fn scopes(&self) -> Result<(Working, Vec<WatchedScope>), NotShown> {
        let state = self.lock();
        let working = state.working.clone();
        let working = working.ok_or_else(|| NotShown::StandsBy(self.leader.clone()))?;
        let mut listed = state.scopes.iter().flat_map(|scope| &scope.listed);
        if state.scopes.len() < state.expected || !listed.all(Listed::is_so) {
            return Err(NotShown::Reading);
        }
        Ok((working, state.scopes.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PageSource for WatchedObjects {
    fn home(&self) -> &MirrorHome {
        &MirrorHome::Cluster
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn look(&self, visible: &Visible) -> Result<Collected, NotShown> {
        let (Working { ledger, hands }, scopes) = self.scopes()?;
        let mirrors = scopes.iter().flat_map(|scope| scope.mirrors.state());
        let mirrors: Vec<_> = mirrors.filter(|object| is_in(&**object, visible)).collect();
        let policies = scopes.iter().flat_map(|scope| scope.policies.state());
        let understood = mirrors.iter().filter_map(|object| object.0.as_ref().ok());
        Ok(Collected {
            leaving: understood
                .flat_map(|mirror| leaving(&ledger, mirror))
                .collect(),
            policies: policies
                .filter(|object| is_in(&**object, visible))
                .collect(),
            traffic: self.tallies.all(),
            sharing: hands.map(|hands| shared_work(&hands, &mirrors)),
            mirrors,
        })
    }

    fn records(&self, mirror: &ImageMirror, query: RecordQuery<'_>) -> KnownRecords<'static> {
        let working = self.lock().working.clone();
        let Some(Working { ledger, hands }) = working else {
            return KnownRecords::Here(Vec::new());
        };
        let other = hands.and_then(|hands| other_keeper(&hands, mirror));
        other.map_or_else(|| concerning(&ledger, mirror, query), KnownRecords::With)
    }
}

fn is_in<K: Resource>(object: &K, visible: &Visible) -> bool {
    visible.covers(&object.namespace().unwrap_or_default())
}

/// Some namespaces for people; `none` where there are none.
pub(super) fn place<'a>(
    mut namespaces: impl ExactSizeIterator<Item = &'a str>,
    none: &str,
) -> String {
    match (namespaces.len(), namespaces.next()) {
        (1, Some(only)) => format!("in namespace {only:?}"),
        (0, _) | (_, None) => none.to_owned(),
        (several, Some(_)) => format!("in {several} namespaces"),
    }
}
