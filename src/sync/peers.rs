// SPDX-License-Identifier: Apache-2.0

//! What the mirrors of one run tell each other. A mirror waits for another one only where that may write to a
//! repository that it cares for, so one that hangs holds up no stranger; and what it waits for does not depend on who
//! is faster.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::SetOnce;

use super::ledger::Ledger;
use super::wishes::Wishes;
use crate::oci::{Registry, Repository};
use crate::plan::Mirror;
use crate::plan::prune::may_write;

/// The mirrors of one run, in their order.
pub(super) struct Peers(Vec<Peer>);

/// How far a mirror of the run is.
pub(super) struct Peer {
    mirror: Arc<Mirror>,
    /// What it wants, once that is known.
    wishes: SetOnce<Arc<Wishes>>,
    /// Whether nothing more is copied.
    copied: SetOnce<()>,
    /// Whether it is done.
    done: SetOnce<()>,
}

// === impl Peers ===

impl Peers {
    pub(super) fn new<'a>(mirrors: impl Iterator<Item = &'a Arc<Mirror>>) -> Self {
        let peers = mirrors.map(|mirror| Peer {
            mirror: mirror.clone(),
            wishes: SetOnce::new(),
            copied: SetOnce::new(),
            done: SetOnce::new(),
        });
        Self(peers.collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.0.iter()
    }

    /// Says what a mirror wants, and waits for those that may want some of it. Gives what they want and what it wants
    /// itself, in the order of the run.
    pub(super) async fn tell_wishes(&self, me: &Peer, wishes: &Arc<Wishes>) -> Vec<Arc<Wishes>> {
        // Said once.
        let _ = me.wishes.set(wishes.clone());
        let places: BTreeSet<(&Registry, &Repository)> = wishes.repositories().collect();
        let may_want = |peer: &Peer| {
            let mut places = places.iter();
            places.any(|(registry, repository)| may_write(&peer.mirror, Some(registry), repository))
        };
        let mut all = Vec::new();
        for peer in &self.0 {
            if peer.is(me) || may_want(peer) {
                all.push(peer.wishes.wait().await.clone());
            }
        }
        all
    }

    /// Says that a mirror copies nothing more, and waits until what it has on record may be pruned: others that may
    /// write there have copied what they want, and those that come first and have something on record there are done.
    pub(super) async fn tell_copied(&self, me: &Peer, ledger: &Ledger) {
        // Said once.
        let _ = me.copied.set(());
        if self.0.len() == 1 {
            return;
        }
        let own = repositories(ledger, &me.mirror);
        for peer in self.0.iter().filter(|peer| !peer.is(me)) {
            let mut own = own.iter();
            if own.any(|repository| may_write(&peer.mirror, None, repository)) {
                peer.copied.wait().await;
            }
        }
        for peer in self.0.iter().take_while(|peer| !peer.is(me)) {
            if !repositories(ledger, &peer.mirror).is_disjoint(&own) {
                peer.done.wait().await;
            }
        }
    }
}

/// The repositories that a mirror has on record, at any registry.
fn repositories(ledger: &Ledger, mirror: &Mirror) -> BTreeSet<Repository> {
    let leaves = ledger.leaves(&mirror.name).into_iter();
    leaves.map(|(page, _)| page.repository).collect()
}

// === impl Peer ===

impl Peer {
    /// Says that the mirror is done.
    pub(super) fn tell_done(&self) {
        // Said once.
        let _ = self.done.set(());
    }

    fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
