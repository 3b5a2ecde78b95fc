// SPDX-License-Identifier: Apache-2.0

//! The records of a mirror as a pod of a Job has them. It reads them, and says beside them what it pushed: what claims, bars
//! and deletes stands where only the controller may write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use kube::{Client, ResourceExt};

use super::common::{keep_each, list_own};
use super::convert;
use super::copied::Copied;
use super::restored::Restored;
use super::writer::Writer;
use crate::api::mirrored_repository::COPIED_ANNOTATION;
use crate::controller::cluster::{Cluster, WriteError};
use crate::oci::Tag;
use crate::plan::Mirror;
use crate::runtime::clock;
use crate::sync::Push;
use crate::sync::ledger::{Keep, KeepError, Ledger, Memory, Page};

/// The records of a mirror, as a pod of a Job has them.
pub(in crate::controller) struct PodRecords {
    cluster: Cluster,
    /// The UID of the Job.
    job: String,
    /// What is told of each object, by its name.
    told: Arc<Mutex<BTreeMap<String, Told>>>,
}

/// What is told of an object.
struct Told {
    page: Page,
    /// The tags of it that are to be pushed.
    announced: BTreeSet<Tag>,
    /// Those that were.
    pushed: BTreeMap<Tag, Push>,
}

// === impl PodRecords ===

impl PodRecords {
    /// Those that the pod of a Job tells of what it pushed.
    pub(in crate::controller) fn new(cluster: Cluster, job: &str) -> Self {
        Self {
            cluster,
            job: job.to_owned(),
            told: Arc::default(),
        }
    }

    /// Takes over what the controller put on record of a mirror, and what pods of this Job told since. Gives what the
    /// mirror holds by that.
    pub(in crate::controller) async fn take_over(
        &self,
        client: &Client,
        mirror: &Mirror,
        ledger: &Ledger,
    ) -> Result<Restored, kube::Error> {
        let uid = mirror.uid.as_deref();
        let mut objects = Vec::new();
        list_own(client, mirror, |object| objects.push(object)).await?;
        let mut all = Restored::default();
        let (mut leaves, now) = (Vec::new(), clock::now());
        for object in objects {
            let Some((page, mut leaf)) = convert::read(&object) else {
                continue;
            };
            match Writer::of(&object, uid) {
                Writer::Ourselves => {}
                Writer::Edited => leaf.disclaim(),
                Writer::Stranger => continue,
            }
            let copied = Copied::of(&object).filter(|copied| copied.job == self.job);
            let copied = copied.map(|copied| copied.tags).unwrap_or_default();
            let (mut announced, mut pushed) = (BTreeSet::new(), BTreeMap::new());
            for (tag, record) in &mut leaf.records {
                if !record.is_pending() {
                    continue;
                }
                announced.insert(tag.clone());
                let told = copied.get(tag);
                if let Some(push) = told.filter(|push| record.announces(&push.digest)) {
                    *record = push.conclude(record.clone(), now);
                    pushed.insert(tag.clone(), push.clone());
                }
            }
            let restored = convert::restored(&object, &page, &leaf);
            all.claims.extend(restored.claims);
            all.has_pending |= restored.has_pending;
            let told = Told {
                page: page.clone(),
                announced,
                pushed,
            };
            self.lock().insert(object.name_any(), told);
            leaves.push((page, leaf));
        }
        ledger.replace(&mirror.name, leaves);
        Ok(all)
    }

    /// Tells what was pushed of a repository.
    async fn tell(&self, memory: &Memory, namespace: &str, page: &Page) -> Result<(), WriteError> {
        for (name, pushed) in self.untold(memory, page) {
            let copied = Copied {
                job: self.job.clone(),
                tags: pushed,
            };
            let text = copied.write();
            let annotation = (COPIED_ANNOTATION, Some(&*text));
            self.cluster
                .annotate_record(namespace, &name, annotation)
                .await?;
            if let Some(told) = self.lock().get_mut(&name) {
                told.pushed = copied.tags;
            }
        }
        Ok(())
    }

    /// The objects of a repository of which more is to be told, with all that is.
    fn untold(&self, memory: &Memory, page: &Page) -> Vec<(String, BTreeMap<Tag, Push>)> {
        let records = memory.page(page).records;
        let told = self.lock();
        let objects = told.iter().filter(|(_, told)| told.page == *page);
        let pushed = objects.map(|(name, told)| {
            let pushed = told.announced.iter().filter_map(|tag| {
                let push = records.get(tag).and_then(Push::of)?;
                Some((tag.clone(), push))
            });
            let pushed: BTreeMap<Tag, Push> = pushed.collect();
            (pushed != told.pushed).then(|| (name.clone(), pushed))
        });
        pushed.flatten().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keep for PodRecords {
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        owner: &'a Mirror,
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        keep_each(pages, move |page| self.tell(memory, &owner.namespace, page))
    }
}
