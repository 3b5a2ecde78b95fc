//! What earlier processes knew: the records in the cluster.

use std::collections::HashMap;

use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};

use super::context::Shared;
use super::objects::api;
use super::records::{PAGE_SIZE, Records};
use crate::api::ImageMirror;
use crate::plan::conflicts::Seniority;
use crate::sync::Ledger;

/// The mirrors that there are, by `namespace/name`.
type Mirrors = HashMap<String, (Option<String>, Seniority)>;

/// Takes over the records of the mirrors of a namespace, or of all.
pub(super) async fn restore(
    client: &Client,
    namespace: Option<&str>,
    shared: &Shared,
    ledger: &Ledger,
) -> Result<(), kube::Error> {
    let mirrors = list_mirrors(&api(client, namespace)).await?;
    let mut objects = 0_u64;
    Records::list(&api(client, namespace), |object| {
        let owner = object.owner_references().first();
        let owner = owner.map(|owner| owner.uid.clone());
        let name = format!(
            "{}/{}",
            object.namespace().unwrap_or_default(),
            object.spec.mirror
        );
        // Records of a mirror that is gone are about to go, too.
        let Some((uid, seniority)) = mirrors.get(&name).filter(|(uid, _)| *uid == owner) else {
            return;
        };
        let Some(restored) = shared.records.restore(&object, ledger) else {
            return;
        };
        objects += 1;
        if restored.has_pending {
            shared.memory.mark_pending(&name, uid.clone());
        }
        shared
            .syncer
            .restore_claims(seniority.clone(), restored.claims);
    })
    .await?;
    tracing::info!(mirrors = mirrors.len(), objects, "records read");
    Ok(())
}

async fn list_mirrors(api: &Api<ImageMirror>) -> Result<Mirrors, kube::Error> {
    let mut parameters = ListParams::default().limit(PAGE_SIZE);
    let mut mirrors = Mirrors::new();
    loop {
        let page = api.list_metadata(&parameters).await?;
        let next = page.metadata.continue_.clone();
        mirrors.extend(page.items.iter().map(identify));
        match next {
            Some(token) if !token.is_empty() => parameters.continue_token = Some(token),
            Some(_) | None => return Ok(mirrors),
        }
    }
}

fn identify(mirror: &PartialObjectMeta<ImageMirror>) -> (String, (Option<String>, Seniority)) {
    let name = format!(
        "{}/{}",
        mirror.namespace().unwrap_or_default(),
        mirror.name_any()
    );
    let created = mirror.creation_timestamp().map(|time| time.0);
    let seniority = Seniority {
        created,
        name: name.clone(),
    };
    (name, (mirror.uid(), seniority))
}
