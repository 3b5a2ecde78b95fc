// SPDX-License-Identifier: Apache-2.0

//! What the watches of a cluster have told, and what this process has on record.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};

use super::collected::{Collected, NotShown, Visible};
use super::on_record::{concerning, leaving};
use super::tallies::RegistryTallies;
use crate::api::{ImageMirror, ImagePolicy, MirroredRepository};
use crate::controller::objects::Guarded;
use crate::controller::watch::Listed;
use crate::plan::why::AskedImage;
use crate::sync::Ledger;

/// What the page of a controller is made of. Before this process leads there is nothing.
pub(in crate::controller) struct WatchedObjects {
    /// Where its mirrors are, for people.
    pub(super) place: String,
    /// Where somebody finds the process that leads.
    leader: String,
    /// How registries behaved.
    pub(in crate::controller) tallies: Arc<RegistryTallies>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ledger: Option<Arc<Ledger>>,
    /// So many watches are going to tell of everything.
    expected: usize,
    scopes: Vec<WatchedScope>,
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

    /// This process leads: it has this on record, and so many watches are going to tell of everything.
    pub(in crate::controller) fn lead(&self, ledger: &Arc<Ledger>, watches: usize) {
        let mut state = self.lock();
        state.ledger = Some(ledger.clone());
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

    /// What is known of what somebody may see.
    pub(super) fn look(&self, visible: &Visible) -> Result<Collected, NotShown> {
        let (ledger, scopes) = self.scopes()?;
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
            mirrors,
        })
    }

    /// What is on record of a mirror and may be about an image.
    pub(super) fn records(
        &self,
        mirror: &ImageMirror,
        asked: &AskedImage,
    ) -> Vec<MirroredRepository> {
        let ledger = self.lock().ledger.clone();
        ledger.map_or_else(Vec::new, |ledger| concerning(&ledger, mirror, asked))
    }

    /// All scopes, once they have told of everything.
    fn scopes(&self) -> Result<(Arc<Ledger>, Vec<WatchedScope>), NotShown> {
        let state = self.lock();
        let ledger = state.ledger.clone();
        let ledger = ledger.ok_or_else(|| NotShown::StandsBy(self.leader.clone()))?;
        let mut listed = state.scopes.iter().flat_map(|scope| &scope.listed);
        if state.scopes.len() < state.expected || !listed.all(Listed::is_so) {
            return Err(NotShown::Reading);
        }
        Ok((ledger, state.scopes.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
