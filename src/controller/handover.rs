// SPDX-License-Identifier: Apache-2.0

//! Follows which shards this process holds: what is on record of one is read when it was taken, and its rounds end when
//! it is to be handed over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use super::bystanders;
use super::context::Context;
use super::portion::{Portion, shard_of_mirror};
use super::records::OtherShards;
use super::restore::{RestoredMirrors, restore};
use crate::api::ImageMirror;
use crate::runtime::kubernetes::explain;
use crate::runtime::lease::shards::{Hands, Pass, Shard, ShardStage, ShardStages};
use crate::sync::Ledger;

/// Time until records that could not be read are tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What was done about which shards so far.
struct Handover<'a> {
    context: &'a Context,
    ledger: &'a Ledger,
    namespace: Option<&'a str>,
    hands: &'a Arc<Hands>,
    others: &'a OtherShards,
    /// Those of whose mirrors this process knows more than stands on record.
    known: BTreeSet<Shard>,
}

/// Follows until told to end. Does nothing where this process works on everything.
pub(super) async fn follow(
    context: &Context,
    ledger: &Ledger,
    namespace: Option<&str>,
    end: &CancellationToken,
) {
    let Portion::Shards { hands, others } = &context.shared.portion else {
        return;
    };
    // Of mirrors that are not known nothing could be said.
    if !context.mirrors_listed.wait().await {
        return;
    }
    let mut handover = Handover {
        context,
        ledger,
        namespace,
        hands,
        others,
        known: BTreeSet::new(),
    };
    let (mut stages, mut members) = (hands.follow(), hands.follow_members());
    loop {
        context
            .shared
            .connector
            .share_out(*members.borrow_and_update());
        let now = stages.borrow_and_update().clone();
        if end.run_until_cancelled(handover.see(&now)).await.is_none() {
            return;
        }
        tokio::select! {
            changed = stages.changed() => if changed.is_err() { return },
            changed = members.changed() => if changed.is_err() { return },
            () = end.cancelled() => return,
        }
    }
}

impl Handover<'_> {
    async fn see(&mut self, stages: &ShardStages) {
        let metrics = &self.context.shared.metrics;
        metrics.hold(self.hands.division(), stages);
        let rounds = &self.context.shared.rounds;
        rounds.end_where(|mirror| {
            stages.get(&shard_of_mirror(self.hands, mirror)) == Some(&ShardStage::Closing)
        });
        let gone = self
            .known
            .iter()
            .filter(|shard| !stages.contains_key(shard));
        let gone: BTreeSet<Shard> = gone.copied().collect();
        if !gone.is_empty() {
            let _change = self.others.pause().await;
            self.set_aside(&gone);
            self.known.retain(|shard| !gone.contains(shard));
        }
        let taken = stages
            .iter()
            .filter(|(_, stage)| **stage == ShardStage::Taken);
        let passes: Vec<(Shard, Pass)> = taken
            .filter_map(|(shard, _)| Some((*shard, self.hands.prepare(*shard)?)))
            .collect();
        if !passes.is_empty() {
            self.take_over(passes).await;
        }
    }

    /// Reads what is on record of shards, and begins to work on them.
    async fn take_over(&mut self, passes: Vec<(Shard, Pass)>) {
        let shards: BTreeSet<Shard> = passes.iter().map(|(shard, _)| *shard).collect();
        {
            let _change = self.others.pause().await;
            while !self.read(&shards).await {
                tokio::time::sleep(RETRY).await;
            }
            self.known.extend(&shards);
        }
        for (shard, pass) in passes {
            if self.hands.open(&pass) {
                tracing::info!(%shard, "working on a shard");
            }
        }
        self.look_at(&shards);
    }

    async fn read(&self, shards: &BTreeSet<Shard>) -> bool {
        self.set_aside(shards);
        let is_taken =
            |mirror: &ObjectRef<ImageMirror>| shards.contains(&shard_of_mirror(self.hands, mirror));
        let shared = &self.context.shared;
        let extent = RestoredMirrors::Some(&is_taken);
        let read = restore(&shared.client, self.namespace, extent, shared, self.ledger).await;
        if let Err(error) = &read {
            let error = explain(error);
            tracing::warn!(error, "cannot read the MirroredRepositories, trying again");
        }
        read.is_ok()
    }

    /// Forgets all of these shards that does not stand on record. What their mirrors may want is not pruned.
    fn set_aside(&self, shards: &BTreeSet<Shard>) {
        for mirror in self.mirrors(shards) {
            self.context
                .forget_remains(&mirror, bystanders::read(&mirror));
        }
    }

    /// Asks for a look at all that is worked on here now.
    fn look_at(&self, shards: &BTreeSet<Shard>) {
        let context = self.context;
        for object in context.mirrors.state() {
            let name = ObjectRef::new(&object.name_any());
            let name = name.within(&object.namespace().unwrap_or_default());
            if shards.contains(&shard_of_mirror(self.hands, &name)) {
                context.look_at_mirror(ObjectRef::from_obj(&*object));
            }
        }
        if shards.contains(&self.hands.division().first()) {
            let policies = context.policies.state().into_iter();
            context.look_at_policies(policies.map(|policy| ObjectRef::from_obj(&*policy)));
        }
    }

    fn mirrors(&self, shards: &BTreeSet<Shard>) -> Vec<ImageMirror> {
        let objects = self.context.mirrors.state().into_iter();
        let understood = objects.filter_map(|object| object.0.as_ref().ok().cloned());
        understood
            .filter(|mirror| {
                shards.contains(&shard_of_mirror(self.hands, &ObjectRef::from_obj(mirror)))
            })
            .collect()
    }
}
