// SPDX-License-Identifier: Apache-2.0

//! Objects that this version does not understand.

use serde_json::{Value, json};

use super::{mirror_of, source};
use crate::cluster::objects::policy;
use crate::cluster::page::Page;
use crate::cluster::stage::{controller_of, message, ready_for};
use crate::support::cluster::ControlPlane;
use crate::support::cluster::namespace::find_condition;
use crate::support::faults::FaultRegistry;

/// A control plane that takes anything as the spec of the project's kinds, as one of a later version may.
async fn loose_control_plane() -> ControlPlane {
    let plane = ControlPlane::start_bare().await;
    for kind in [
        "imagemirrors",
        "imagenotifications",
        "imagepolicies",
        "imagereceivers",
        "mirroredrepositories",
    ] {
        let file = format!("{}/crds/{kind}.yaml", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read_to_string(file).unwrap();
        let mut definition: Value = serde_saphyr::from_str(&file).unwrap();
        let version = &mut definition["spec"]["versions"][0];
        let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        version["schema"]["openAPIV3Schema"] =
            json!({"type": "object", "properties": {"spec": anything, "status": anything}});
        version.as_object_mut().unwrap().remove("selectableFields");
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let created = plane.client().create(definitions, &definition).await;
        created.assert_success();
    }
    let established = [
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd",
        "--all",
    ];
    plane.kubectl_ok(&established).await;
    plane
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_understood_does_not_stop_the_others() {
    let (source, destination) = (source(&["1"]), FaultRegistry::start());
    let plane = loose_control_plane().await;
    let namespace = plane.namespace("future").await;
    let mirror = mirror_of(&source, &destination);
    let odd = mirror
        .clone()
        .named("odd")
        .with("/interval", json!({"every": "day"}));
    let user = mirror.clone().named("user").policy("odd");
    let odd_policy = policy("odd", &json!({"include": "everything"}));
    namespace
        .apply(&format!("{mirror}{odd}{user}{odd_policy}"))
        .await;
    let owner = namespace.json("imir", "mirror").await.unwrap()["metadata"]["uid"].clone();
    let record = json!({
        "apiVersion": "transship.dev/v1alpha1",
        "kind": "MirroredRepository",
        "metadata": {"name": "odd", "ownerReferences": [{
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror", "name": "mirror", "uid": owner,
        }]},
        "spec": {"mirror": "mirror", "part": "all of it"},
    });
    namespace.apply(&record.to_string()).await;

    let controller = controller_of(&namespace)
        .argument("--page-address=127.0.0.1:0")
        .start()
        .await;
    ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    let page = Page::of(&controller).await;
    let odd = format!("{}/odd", namespace.name());
    for part in [
        format!("{odd} Stalled this version of transship does not understand it: "),
        format!(
            "not understood {odd} kubectl -n {} edit imir/odd",
            namespace.name()
        ),
    ] {
        page.tells(&part).await;
    }
    let told = page.get("/?q=quay.io/team/nothing:1").await.text();
    for part in [
        "quay.io/team/nothing:1 is not mirrored as far as is known here",
        &format!("this version of transship does not understand mirror {odd}, which may have it"),
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let stalled = async |kind: &str| {
        let object = ready_for(&namespace, kind, "odd", "InvalidSpec").await;
        assert!(find_condition(&object, "Stalled").is_some());
        message(&object).to_owned()
    };
    for kind in ["imir", "impol"] {
        let told = stalled(kind).await;
        let expected = "this version of transship does not understand it: ";
        assert!(told.contains(expected), "{told}");
    }
    ready_for(&namespace, "imir", "user", "DependencyNotReady").await;
}
