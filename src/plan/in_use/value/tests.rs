// SPDX-License-Identifier: Apache-2.0

use serde_json::json;

use super::*;
use crate::oci::Digest;

fn is_used(object: &Value, image: &str) -> bool {
    let mut in_use = InUse::default();
    in_use.add_value("Thing shop/web", object);
    in_use.user_of_image(image).is_some()
}

#[test]
fn an_image_protects_wherever_it_stands_in_an_object() {
    let app = "eu.corp/team/app:1.2";
    let applied = json!({"spec": {"image": app}}).to_string();
    let cases = [
        json!({"spec": {"image": app}}),
        json!({"spec": {"imageName": app}}),
        json!({"args": [format!("--executor-image={app}")]}),
        json!({"command": ["run", "--image", app]}),
        json!({"env": [{"name": "RELATED_IMAGE_X", "value": app}]}),
        json!({"metadata": {"annotations": {"sidecar.istio.io/proxyImage": app}}}),
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}}),
        json!({"data": {"values.yaml": format!("image: {app}\nreplicas: 1\n")}}),
        json!({"data": {"list": format!("db:1,{app}")}}),
        json!({"status": {"images": [{"names": [app], "sizeBytes": 7}]}}),
        json!({"images": {app: {}}}),
        json!({"image": {"repository": "eu.corp/team/app", "tag": "1.2"}}),
        json!({"image": {"registry": "eu.corp", "repository": "team/app", "tag": "1.2"}}),
        json!({"images": [{"name": "x", "newName": "eu.corp/team/app", "newTag": "1.2"}]}),
        json!({"spec": {"repository": "eu.corp/team/app", "tag": 1.2}}),
        json!({"deep": [[[{"er": [{"x": app}]}]]]}),
    ];
    for object in cases {
        assert!(is_used(&object, app), "{object}");
        assert!(!is_used(&object, "eu.corp/team/app:1.3"), "{object}");
        assert!(!is_used(&object, "eu.corp/team/other:1.2"), "{object}");
    }
}

#[test]
fn a_name_alone_is_latest_where_images_are_meant() {
    let cases = [
        (json!({"image": "app"}), true),
        (json!({"sidecarImage": "app"}), true),
        (json!({"args": ["--sidecar-image", "app"]}), true),
        (json!({"env": [{"name": "IMAGE", "value": "app"}]}), true),
        (json!({"args": ["--name", "app"]}), false),
        (json!({"imagePullSecrets": [{"name": "app"}]}), false),
        (json!({"metadata": {"labels": {"app": "app"}}}), false),
        (json!({"metadata": {"name": "app"}}), false),
    ];
    for (object, expected) in cases {
        assert_eq!(is_used(&object, "eu.corp/app:latest"), expected, "{object}");
    }
}

#[test]
fn who_manages_which_field_is_no_image() {
    let object =
        json!({"metadata": {"managedFields": [{"fieldsV1": {"x:app:1": "eu.corp/app:1"}}]}});
    assert!(!is_used(&object, "eu.corp/app:1"));
}

#[test]
fn digests_protect_wherever_they_stand() {
    let digest = Digest::sha256(b"app");
    let image = format!("eu.corp/x@{digest}");
    for object in [
        json!({"x": digest.to_string()}),
        json!({"x": digest.encoded()}),
        json!({"image": {"repository": "else", "digest": digest.to_string()}}),
        json!({"x": format!("$(REGISTRY)/App@{digest}")}),
    ] {
        assert!(is_used(&object, &image), "{object}");
    }
}
