// SPDX-License-Identifier: Apache-2.0

use serde_json::json;

use super::*;
use crate::oci::Digest;

fn metadata() -> Value {
    json!({"name": "web", "namespace": "shop"})
}

fn pod_spec() -> Value {
    json!({
        "containers": [{"name": "a", "image": "eu.corp/container:1"}, {"name": "left-to-others"}],
        "initContainers": [{"name": "b", "image": "eu.corp/init:1"}],
        "ephemeralContainers": [{"name": "c", "image": "eu.corp/ephemeral:1"}],
        "volumes": [{"name": "d", "image": {"reference": "eu.corp/volume:1"}}, {"name": "e", "emptyDir": {}}],
    })
}

fn template() -> Value {
    json!({"template": {"metadata": {}, "spec": pod_spec()}})
}

/// An object of each kind whose pods use the same images.
fn objects() -> Vec<(Kind, Value)> {
    let with_spec = |spec: Value| json!({"metadata": metadata(), "spec": spec});
    let revision = json!({
        "metadata": {"name": "web", "namespace": "shop", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "uid": "1"},
        ]},
        "data": {"spec": template()}, "revision": 1,
    });
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let object = match kind {
                Kind::Pod => with_spec(pod_spec()),
                Kind::Deployment
                | Kind::StatefulSet
                | Kind::DaemonSet
                | Kind::ReplicationController
                | Kind::ReplicaSet
                | Kind::Job => with_spec(template()),
                Kind::CronJob => with_spec(json!({"jobTemplate": {"spec": template()}})),
                Kind::PodTemplate => {
                    json!({"metadata": metadata(), "template": {"spec": pod_spec()}})
                }
                Kind::ControllerRevision => revision.clone(),
            };
            (kind, object)
        })
        .collect()
}

fn page(kind: Kind, items: &[Value]) -> String {
    let list = format!("{}List", kind.name());
    json!({"kind": list, "metadata": {"resourceVersion": "7"}, "items": items}).to_string()
}

#[test]
fn every_kind_uses_the_images_of_all_its_containers_and_volumes() {
    for (kind, object) in objects() {
        let mut alone = InUse::default();
        add_object(&mut alone, kind, &object).unwrap();
        let mut listed = InUse::default();
        let next = add_page(&mut listed, kind, &page(kind, &[object]));
        assert_eq!(next, Ok(None));
        for in_use in [alone, listed] {
            for word in ["container", "init", "ephemeral", "volume"] {
                let user = in_use.user_of_image(&format!("eu.corp/{word}:1"));
                let expected = format!("{} shop/web", kind.name());
                assert_eq!(user, Some(expected), "{word}");
            }
        }
    }
}

#[test]
fn a_pod_uses_what_its_node_says_that_it_runs() {
    let digest = |word: &str| Digest::sha256(word.as_bytes());
    let status = |word: &str| {
        json!([{
            "name": word, "image": format!("eu.corp/{word}:run"), "imageID": format!("eu.corp/{word}@{}", digest(word)),
            "volumeMounts": [{"name": "v", "volumeStatus": {"image": {"imageRef": digest(&format!("{word}-volume"))}}}],
        }])
    };
    let pod = json!({
        "metadata": metadata(), "spec": {"containers": [{"image": "eu.corp/app:1"}]},
        "status": {
            "containerStatuses": status("container"),
            "initContainerStatuses": status("init"),
            "ephemeralContainerStatuses": status("ephemeral"),
        },
    });
    let mut in_use = InUse::default();
    add_object(&mut in_use, Kind::Pod, &pod).unwrap();
    for word in ["container", "init", "ephemeral"] {
        for image in [
            format!("eu.corp/{word}:run"),
            format!("else/where@{}", digest(word)),
            format!("else/where@{}", digest(&format!("{word}-volume"))),
        ] {
            let user = in_use.user_of_image(&image);
            assert_eq!(user.as_deref(), Some("Pod shop/web"), "{image}");
        }
    }
}

#[test]
fn a_revision_of_somebody_elses_uses_whatever_looks_like_an_image() {
    let data = json!({"spec": {"roles": [{"image": "eu.corp/deep:1"}], "set": {"template": {"image": "eu.corp/er:1"}}}});
    let revision = json!({"metadata": metadata(), "data": data});
    let mut in_use = InUse::default();
    add_object(&mut in_use, Kind::ControllerRevision, &revision).unwrap();
    assert!(in_use.user_of_image("eu.corp/deep:1").is_some());
    assert!(in_use.user_of_image("eu.corp/er:1").is_some());

    let empty = json!({"metadata": metadata()});
    add_object(&mut in_use, Kind::ControllerRevision, &empty).unwrap();
}

#[test]
fn what_is_not_understood_is_named() {
    let cases = [
        (Kind::Pod, json!({"metadata": metadata(), "spec": {}})),
        (Kind::Pod, json!({"metadata": metadata()})),
        (
            Kind::Pod,
            json!({"metadata": {"name": "web"}, "spec": pod_spec()}),
        ),
        (
            Kind::Pod,
            json!({"metadata": metadata(), "spec": {"containers": [{"image": 7}]}}),
        ),
        (
            Kind::Job,
            json!({"metadata": metadata(), "spec": {"template": {}}}),
        ),
        (
            Kind::CronJob,
            json!({"metadata": metadata(), "spec": template()}),
        ),
        (
            Kind::PodTemplate,
            json!({"metadata": metadata(), "spec": template()}),
        ),
        (
            Kind::ControllerRevision,
            json!({
                "metadata": {"name": "web", "namespace": "shop", "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "1"},
                ]},
                "data": {"spec": {}},
            }),
        ),
    ];
    let messages: Vec<String> = cases
        .iter()
        .map(|(kind, object)| {
            let mut in_use = InUse::default();
            let alone = add_object(&mut in_use, *kind, object).unwrap_err();
            let listed = add_page(
                &mut in_use,
                *kind,
                &page(*kind, std::slice::from_ref(object)),
            );
            assert_eq!(listed, Err(PageError::Object(alone.clone())));
            alone.to_string()
        })
        .collect();
    insta::assert_snapshot!(messages.join("\n"), @"
    Pod shop/web is not understood: missing field `containers`
    Pod shop/web is not understood: missing field `spec`
    Pod ?/web is not understood: missing field `namespace`
    Pod shop/web is not understood: invalid type: integer `7`, expected a string
    Job shop/web is not understood: missing field `spec`
    CronJob shop/web is not understood: missing field `jobTemplate`
    PodTemplate shop/web is not understood: missing field `template`
    ControllerRevision shop/web is not understood: data: missing field `template`
    ");
}

#[test]
fn what_is_no_page_is_no_empty_page() {
    let cases = [
        "",
        "{}",
        "[]",
        r#"{"kind": "PodList", "metadata": {}}"#,
        r#"{"kind": "PodList", "metadata": {}, "items": null}"#,
        r#"{"kind": "PodList", "items": []}"#,
        r#"{"kind": "Status", "metadata": {}, "items": []}"#,
        r#"{"kind": "PodList", "metadata": {}, "items": [{}"#,
    ];
    for text in cases {
        let page = add_page(&mut InUse::default(), Kind::Pod, text);
        assert!(
            matches!(page, Err(PageError::NoPage { .. })),
            "{text}: {page:?}"
        );
    }
}

#[test]
fn a_page_names_the_next_one() {
    for (metadata, expected) in [
        (json!({"continue": "token"}), Some("token".to_owned())),
        (json!({"continue": ""}), None),
        (json!({}), None),
    ] {
        let page = json!({"kind": "PodList", "metadata": metadata, "items": []}).to_string();
        let next = add_page(&mut InUse::default(), Kind::Pod, &page);
        assert_eq!(next, Ok(expected));
    }
}

#[test]
fn any_string_of_any_kind_counts() {
    for (kind, mut object) in objects() {
        object["metadata"]["annotations"] = json!({"x": "run eu.corp/annotated:1"});
        let mut in_use = InUse::default();
        add_object(&mut in_use, kind, &object).unwrap();
        let expected = format!("{} shop/web", kind.name());
        assert_eq!(in_use.user_of_image("eu.corp/annotated:1"), Some(expected));
    }
}

#[test]
fn a_list_of_another_kind_is_read_by_its_strings() {
    let image = json!({"executor": {"image": "eu.corp/executor:1"}});
    let scaled = json!({"metadata": metadata(), "spec": image});
    let node = json!({"metadata": {"name": "n"}, "status": {"images": [{"names": ["eu.corp/executor:1"]}]}});
    for (kind, object, user) in [
        ("ScaledJob", scaled, "ScaledJob shop/web"),
        ("Node", node, "Node n"),
    ] {
        let list = json!({
            "kind": format!("{kind}List"), "metadata": {"continue": "next"}, "items": [object],
        });
        let mut in_use = InUse::default();
        let next = add_other_page(&mut in_use, "corp/v1", "things", &list.to_string());
        assert_eq!(next, Ok(Some("next".to_owned())));
        assert_eq!(
            in_use.user_of_image("eu.corp/executor:1").as_deref(),
            Some(user)
        );
    }
    let table = |kind: &str| json!({"kind": kind, "metadata": {}, "items": []}).to_string();
    let nameless =
        json!({"kind": "XList", "metadata": {}, "items": [{"image": "x:1"}]}).to_string();
    let (a, b, c) = (
        table("Table"),
        table("PartialObjectMetadataList"),
        table("List"),
    );
    for text in [
        "",
        "[]",
        r#"{"kind": "XList"}"#,
        r#"{"kind": "XList", "metadata": {}, "items": null}"#,
        &a,
        &b,
        &c,
        &nameless,
    ] {
        assert!(
            add_other_page(&mut InUse::default(), "corp/v1", "things", text).is_err(),
            "{text}"
        );
    }
}
