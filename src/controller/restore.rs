// SPDX-License-Identifier: Apache-2.0

//! What earlier processes knew: the records in the cluster.

use std::collections::HashMap;

use kube::api::ListParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt};

use super::bystanders;
use super::context::Shared;
use super::objects::{Guarded, PAGE_SIZE, api};
use super::records::Records;
use crate::api::ImageMirror;
use crate::plan::conflicts::Seniority;
use crate::runtime::kubernetes::ObjectPages;
use crate::sync::Ledger;

/// The mirrors that there are, by `namespace/name`.
type Mirrors = HashMap<String, (Option<String>, Seniority)>;

/// Which mirrors are taken over.
#[derive(Clone, Copy)]
pub(super) enum RestoredMirrors<'a> {
    /// All of them.
    All,
    /// Those that this picks. Others work on the rest.
    Some(&'a (dyn Fn(&ObjectRef<ImageMirror>) -> bool + Sync)),
}

impl RestoredMirrors<'_> {
    fn has(self, mirror: &ObjectRef<ImageMirror>) -> bool {
        match self {
            Self::All => true,
            Self::Some(picks) => picks(mirror),
        }
    }
}

/// Takes over the records of the mirrors of a namespace, or of all.
pub(super) async fn restore(
    client: &Client,
    namespace: Option<&str>,
    extent: RestoredMirrors<'_>,
    shared: &Shared,
    ledger: &Ledger,
) -> Result<(), kube::Error> {
    let mirrors = list_mirrors(&api(client, namespace), extent, shared).await?;
    let mut objects = 0_u64;
    Records::list(&api(client, namespace), |object| {
        let namespace = object.namespace().unwrap_or_default();
        let (registry, _) = object.spec.repository.split_once('/').unwrap_or_default();
        shared.portion.note(registry.parse().iter());
        let mirror = ObjectRef::new(object.spec.mirror.as_str()).within(&namespace);
        let name = format!("{namespace}/{}", object.spec.mirror);
        let known = mirrors.get(&name);
        let uid = known.and_then(|(uid, _)| uid.as_deref());
        // What is no record protects what stands in it, whoever works on the mirror.
        if !extent.has(&mirror) && !Records::is_strange(&object, uid) {
            return;
        }
        let restored = shared.records.restore(&object, uid, ledger);
        let (Some((uid, seniority)), Some(restored)) = (known, restored) else {
            return;
        };
        objects += 1;
        if restored.has_pending {
            shared.memory.mark_pending(&name, uid.clone());
        }
        shared
            .state
            .restore_claims(seniority.clone(), restored.claims);
    })
    .await?;
    tracing::info!(mirrors = mirrors.len(), objects, "records read");
    Ok(())
}

/// Until they have said what they want, they want whatever they may.
async fn list_mirrors(
    api: &Api<Guarded<ImageMirror>>,
    extent: RestoredMirrors<'_>,
    shared: &Shared,
) -> Result<Mirrors, kube::Error> {
    let mut pages = ObjectPages::of(api, ListParams::default().limit(PAGE_SIZE));
    let mut mirrors = Mirrors::new();
    while let Some(objects) = pages.next().await? {
        mirrors.extend(objects.iter().map(identify));
        let understood = objects.iter().filter_map(|object| object.0.as_ref().ok());
        for mirror in understood.clone() {
            if let RestoredMirrors::Some(picks) = extent
                && picks(&ObjectRef::from_obj(mirror))
            {
                // The watch may not have told yet what the member before said last.
                let status = mirror.status.clone().unwrap_or_default();
                shared.memory.write(mirror, status);
            }
        }
        bystanders::await_word(shared, understood.filter_map(bystanders::read));
    }
    Ok(mirrors)
}

fn identify(mirror: &Guarded<ImageMirror>) -> (String, (Option<String>, Seniority)) {
    let name = format!(
        "{}/{}",
        mirror.namespace().unwrap_or_default(),
        mirror.name_any()
    );
    let created = mirror.creation_timestamp().map(|time| time.0);
    let seniority = Seniority {
        created,
        order: 0,
        uid: mirror.uid(),
        name: name.clone(),
    };
    (name, (mirror.uid(), seniority))
}
