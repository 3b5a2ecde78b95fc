// SPDX-License-Identifier: Apache-2.0

//! A member at work on its leases: it renews its own, and takes and hands over those of shards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::Client;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::fleet::{Duties, Fleet};
use super::hands::Hands;
use super::heart::Heart;
use super::shard::Shard;
use super::store::{LeaseListing, LeaseStore};
use crate::runtime::lease::Settings;
use crate::runtime::lease::claim::{Claim, Expiry};
use crate::runtime::lease::error::Error;

/// Shortest time between two looks at the leases.
const SOON: Duration = Duration::from_millis(50);

/// One of the processes that share the work, for as long as its claim lasts.
#[derive(Debug)]
pub struct Membership {
    claim: Claim,
    leave: CancellationToken,
    store: LeaseStore,
    heart: AbortOnDropHandle<()>,
    work: AbortOnDropHandle<()>,
}

/// Takes and hands over.
struct Worker {
    store: LeaseStore,
    fleet: Fleet,
    hands: Arc<Hands>,
    claim: Claim,
    leave: CancellationToken,
}

// === impl Membership ===

impl Membership {
    /// Joins the members, and takes shards from then on. `None`: `cancel` came first.
    ///
    /// Failures of the API server are logged and waited out, whatever they are.
    pub async fn join(
        client: Client,
        settings: Settings,
        hands: Arc<Hands>,
        cancel: &CancellationToken,
    ) -> Option<Self> {
        let (identity, timing, division) =
            (settings.identity.clone(), settings.timing, hands.division());
        let store = LeaseStore::new(client, settings, division);
        let mut heart = Heart::new(store.clone(), division);
        let until = cancel.run_until_cancelled(heart.first_claim()).await?;
        tracing::info!(member = %identity, %division, "sharing the work");
        let (expiry, claim) = Expiry::new(until);
        let leave = CancellationToken::new();
        let worker = Worker {
            store: store.clone(),
            fleet: Fleet::new(identity, division, timing),
            hands,
            claim: claim.clone(),
            leave: leave.clone(),
        };
        Some(Self {
            claim,
            leave,
            store,
            heart: AbortOnDropHandle::new(tokio::spawn(beat(heart, expiry))),
            work: AbortOnDropHandle::new(tokio::spawn(worker.run())),
        })
    }

    /// The right to act.
    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// Hands over everything, so that others take it at once. For a clean stop, when nothing writes any more.
    pub async fn leave(self) -> Result<(), Error> {
        let Self {
            leave,
            store,
            heart,
            work,
            ..
        } = self;
        leave.cancel();
        let within = store.settings().timing.renew_deadline();
        let left = timeout(within, work).await;
        // No beat may come after the lease is gone.
        heart.abort();
        let _ = heart.await;
        // Whoever could not hand over lets its leases run out.
        if matches!(left, Ok(Ok(()))) {
            store.leave().await?;
            tracing::info!("handed over all shards");
        }
        Ok(())
    }
}

/// Renews until the claim is lost, which ends with this.
async fn beat(mut heart: Heart, expiry: Expiry) {
    loop {
        sleep(heart.retry()).await;
        let until = heart.beat().await;
        let lives = until.is_none_or(|until| expiry.extend(until));
        if !lives || Instant::now() >= expiry.at() {
            tracing::error!("the lease of this member could not be renewed in time");
            return;
        }
    }
}

// === impl Worker ===

impl Worker {
    /// Does what there is to do about shards, until it has left or its claim is lost.
    async fn run(mut self) {
        let retry = self.store.settings().timing.retry();
        let mut complaint = None;
        loop {
            let is_leaving = self.leave.is_cancelled();
            let began = Instant::now();
            let listed = self.store.list().await;
            if !self.claim.is_current() {
                return;
            }
            let mut next = began + retry;
            match listed {
                Err(error) => {
                    let text = error.to_string();
                    if complaint.as_ref() != Some(&text) {
                        tracing::warn!(error = text, "cannot look for the leases, trying again");
                        complaint = Some(text);
                    }
                }
                Ok(listing) => {
                    self.fleet
                        .see(listing.leases.clone(), began, Instant::now());
                    let held = self.hands.held();
                    if is_leaving && held.is_empty() && !self.fleet.has_any() {
                        return;
                    }
                    let duties = self.fleet.decide(&held, is_leaving);
                    self.hands.know(self.fleet.roster(is_leaving));
                    if let Some(again) = duties.again {
                        next = next.min(again);
                    }
                    self.fulfil(duties, &held, &listing).await;
                }
            }
            let pause = next.saturating_duration_since(Instant::now()).max(SOON);
            tokio::select! {
                () = sleep(pause) => {}
                // Nothing of a shard runs any more: others wait for it.
                () = self.hands.idled() => {}
                () = self.leave.cancelled(), if !is_leaving => {}
            }
        }
    }

    async fn fulfil(&self, duties: Duties, held: &BTreeSet<Shard>, listing: &LeaseListing) {
        let Duties {
            take,
            hand_over,
            clear,
            again: _,
        } = duties;
        for shard in &hand_over {
            self.hands.close(*shard);
        }
        let given = hand_over.iter().filter(|shard| self.hands.is_idle(**shard));
        let given: Vec<Shard> = given.copied().collect();
        for shard in given.iter().filter(|shard| held.contains(shard)) {
            tracing::info!(%shard, "handing over a shard");
            // Whatever comes of the write: it is not worked on any more.
            self.hands.let_go(*shard);
        }
        let release = given.iter().map(|shard| self.release(*shard, listing));
        let take = take.iter().map(|shard| self.take(*shard, listing));
        tokio::join!(join_all(release), join_all(take));
        for member in clear {
            if self.claim.is_current()
                && let Err(error) = self.store.clear(&member, listing).await
            {
                tracing::warn!(%member, %error, "the lease of a member that is gone stays");
            }
        }
    }

    async fn release(&self, shard: Shard, listing: &LeaseListing) {
        if let Some(lease) = self.store.released(shard, listing)
            && self.claim.is_current()
            && let Err(error) = self.store.write(&lease).await
        {
            tracing::warn!(%shard, %error, "the shard is not handed over, trying again");
        }
    }

    /// What is written without an answer is not held: it is written again.
    async fn take(&self, shard: Shard, listing: &LeaseListing) {
        if !self.claim.is_current() {
            return;
        }
        match self.store.write(&self.store.taken(shard, listing)).await {
            Ok(Some(_)) => {
                tracing::info!(%shard, "taking a shard");
                self.hands.take(shard);
            }
            // Somebody else was faster.
            Ok(None) => {}
            Err(error) => tracing::warn!(%shard, %error, "the shard is not taken, trying again"),
        }
    }
}
