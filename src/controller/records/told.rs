// SPDX-License-Identifier: Apache-2.0

//! What pods told of their pushes, as the controller hears it: of nothing but what it announced itself.

use std::collections::HashMap;

use futures::{StreamExt, stream};
use kube::{Client, ResourceExt};

use super::common::{WRITES, list_own};
use super::convert;
use super::copied::Copied;
use crate::api::mirrored_repository::COPIED_ANNOTATION;
use crate::controller::cluster::Cluster;
use crate::plan::Mirror;
use crate::sync::Push;
use crate::sync::ledger::{Ledger, Slot};

/// What pods told of their pushes.
#[derive(Default)]
pub(in crate::controller) struct ToldPushes {
    /// The pushes that were announced, each of the very digest that was.
    pushed: HashMap<Slot, Push>,
    heard: HeardObjects,
}

/// The objects that say something, by their names.
#[derive(Default)]
pub(in crate::controller) struct HeardObjects(Vec<String>);

impl ToldPushes {
    /// The pushes, and where they were told.
    pub(in crate::controller) fn split(self) -> (HashMap<Slot, Push>, HeardObjects) {
        (self.pushed, self.heard)
    }
}

/// Reads what pods told of a mirror. Nobody is asked where no push of it is announced.
pub(in crate::controller) async fn hear(
    client: &Client,
    mirror: &Mirror,
    ledger: &Ledger,
) -> Result<ToldPushes, kube::Error> {
    let mut told = ToldPushes::default();
    if !ledger.has_announced(&mirror.name) {
        return Ok(told);
    }
    list_own(client, mirror, |object| {
        let copied = Copied::of(&object).zip(convert::page(&object));
        let Some((copied, page)) = copied.filter(|(_, page)| page.mirror == mirror.name) else {
            return;
        };
        told.heard.0.push(object.name_any());
        for (tag, push) in copied.tags {
            let slot = page.slot(&tag);
            let announced = ledger.read(&slot);
            if announced.is_some_and(|record| record.announces(&push.digest)) {
                told.pushed.insert(slot, push);
            }
        }
    })
    .await?;
    Ok(told)
}

/// Takes away what was told and heard. What stays says nothing of what is announced from now on.
pub(in crate::controller) async fn take_away(
    cluster: &Cluster,
    mirror: &Mirror,
    heard: HeardObjects,
) {
    let taking = stream::iter(heard.0).for_each_concurrent(WRITES, async |name| {
        let annotation = (COPIED_ANNOTATION, None);
        let taken = cluster
            .annotate_record(&mirror.namespace, &name, annotation)
            .await;
        if let Err(error) = taken {
            tracing::warn!(%error, name, "what pods told was not taken away");
        }
    });
    taking.await;
}
