// SPDX-License-Identifier: Apache-2.0

use serde_json::json;

use super::*;

fn found(api_version: &str, object: &Value) -> Result<Vec<String>, String> {
    let more = ["spec.agent".to_owned()];
    let found = pod_images(api_version, object, &more, true).map_err(|error| error.to_string())?;
    let images = found
        .images
        .into_iter()
        .map(|found| format!("{} = {}", found.field, found.image));
    let left_out = found
        .left_out
        .into_iter()
        .map(|left_out| format!("{}: {}", left_out.field, left_out.message));
    Ok(images.chain(left_out).collect())
}

#[test]
fn pod_specs_are_found_by_shape() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let pinned = format!("b:1@{digest}");
    let pod = json!({
        "containers": [{"name": "a", "image": "a"}, {"name": "b", "image": pinned}],
        "initContainers": [{"name": "c", "image": "eu.corp/c:1", "env": [{"name": "IMAGE", "value": "no:1"}]}],
        "ephemeralContainers": [{"name": "d", "image": "d:1"}],
        "volumes": [
            {"name": "v", "image": {"reference": "v:1", "pullPolicy": "Always"}},
            {"name": "w", "configMap": {"name": "no"}},
        ],
    });
    let deployment = json!({
        "metadata": {"annotations": {"image": "no:1"}},
        "spec": {"template": {"spec": pod}},
        "status": {"containers": [{"image": "no:1"}]},
    });
    let mut expected = vec![
        "containers[0].image = docker.io/library/a:latest".to_owned(),
        format!("containers[1].image = docker.io/library/{pinned}"),
        "initContainers[0].image = eu.corp/c:1".to_owned(),
        "ephemeralContainers[0].image = docker.io/library/d:1".to_owned(),
        "volumes[0].image.reference = docker.io/library/v:1".to_owned(),
    ];
    expected = expected
        .iter()
        .map(|line| format!("spec.template.spec.{line}"))
        .collect();
    expected.sort();
    for api_version in ["apps/v1", "argoproj.io/v1alpha1"] {
        let mut found = found(api_version, &deployment).unwrap();
        found.sort();
        assert_eq!(found, expected, "{api_version}");
    }
}

#[test]
fn fields_of_custom_resources_and_what_is_left_out() {
    let object = json!({"spec": {
        "image": "quay.io/a/b:1",
        "imageName": "ghcr.io/c/d",
        "agent": "e",
        "baseImage": "quay.io/f/g",
        "version": "v2.0",
        "other": {"image": {"repository": "no", "tag": "1"}},
        "blank": {"image": " "},
        "steps": [{"name": "s", "image": "busybox"}, {"image": "$(params.image)"}],
        "run": {"image": "curl", "command": ["x"]},
        "values": {"image": "no:1"},
        "validate": {"pattern": {"spec": {"containers": [{"image": "no:1"}]}}},
        "containers": [{"image": "!*:latest"}, {"image": "auto"}, {"image": 1}, {}],
    }});
    insta::assert_snapshot!(found("corp.test/v1", &object).unwrap().join("\n"));
    assert_eq!(found("apiextensions.k8s.io/v1", &object).unwrap(), [""; 0]);
}

#[test]
fn in_workloads_an_image_is_an_image() {
    for (image, message) in [
        (json!("nginx:1:2"), "\"nginx:1:2\" is no image"),
        (json!({"repository": "a"}), "an image is a text"),
        (json!(1.25), "an image is a text"),
        (
            json!("a".repeat(1_000_000) + "!"),
            "…\" is no image: it has more than 1024",
        ),
    ] {
        let object = json!({"spec": {"containers": [{"name": "a", "image": image}]}});
        let error = found("v1", &object).unwrap_err();
        assert!(error.starts_with("spec.containers[0].image: "), "{error}");
        assert!(error.contains(message), "{error}");
        assert!(error.len() < 400, "{error}");
        // A cluster has what it has, and a custom resource may have words of its own.
        let lenient = pod_images("v1", &object, &[], false).unwrap();
        assert_eq!(lenient.left_out.len(), 1);
        assert_eq!(found("corp.test/v1", &object).unwrap().len(), 1);
    }
    for variable in ["{{ .Values.image }}", "a:${TAG}", "$(params.image)"] {
        let object = json!({"spec": {"containers": [{"image": variable}, {"image": "b:1"}]}});
        let found = found("v1", &object).unwrap();
        assert_eq!(found[0], "spec.containers[1].image = docker.io/library/b:1");
        assert!(found[1].contains("is made of variables: render it first"));
    }
    let config_map = json!({"data": {"image": "no:1", "pod.yaml": "containers: [{image: no:1}]"}});
    assert_eq!(found("v1", &config_map).unwrap(), [""; 0]);
}

#[test]
fn a_name_that_an_operator_puts_together_is_left_out_and_a_reference_is_found() {
    let object = json!({"spec": {
        "extensions": [{"image": {"reference": "ghcr.io/a/vector:1"}}],
        "template": {"spec": {"volumes": [{"image": {"reference": "v:1"}}]}},
        "driver": {"repository": "nvcr.io/nvidia", "image": "driver", "version": "550.1", "args": ["x"]},
        "whole": {"repository": "nvcr.io/nvidia", "image": "nvcr.io/nvidia/driver:1"},
        "baseImage": "quay.io/f/g", "tag": "", "version": "v2",
    }});
    insta::assert_snapshot!(found("corp.test/v1", &object).unwrap().join("\n"), @"
    spec.baseImage = quay.io/f/g:v2
    spec.extensions[0].image.reference = ghcr.io/a/vector:1
    spec.template.spec.volumes[0].image.reference = docker.io/library/v:1
    spec.whole.image = nvcr.io/nvidia/driver:1
    spec.driver.image: it is a part of a name that its operator puts together
    ");
}

#[test]
fn further_fields_are_found_in_lists_and_before_all_rules() {
    let object = json!({"spec": {
        "image": "quay.io/a/whole",
        "agents": ["q.io/a/b:1", "q.io/c/d"],
        "nodes": [{"agent": {"picture": "e:1"}}],
    }});
    for (more, expected) in [
        ("spec.image", &["spec.image = quay.io/a/whole:latest"][..]),
        (
            "agents",
            &[
                "spec.agents[0] = q.io/a/b:1",
                "spec.agents[1] = q.io/c/d:latest",
            ],
        ),
        (
            "nodes.agent.picture",
            &["spec.nodes[0].agent.picture = docker.io/library/e:1"],
        ),
        (
            "nodes[0].agent.picture",
            &["spec.nodes[0].agent.picture = docker.io/library/e:1"],
        ),
        ("nodes[1].agent.picture", &[]),
        ("icture", &[]),
    ] {
        let found = pod_images("corp.test/v1", &object, &[more.to_owned()], true).unwrap();
        let found = found
            .images
            .iter()
            .map(|it| format!("{} = {}", it.field, it.image));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{more}");
    }
}

#[test]
fn of_a_long_path_the_end_is_kept() {
    let object = json!({"a".repeat(100_000): [{"image": "a/b:1"}]});
    let found = pod_images("corp.test/v1", &object, &[], true).unwrap();
    let field = &found.images[0].field;
    assert_eq!(field.chars().count(), SHOWN + 1);
    assert!(field.starts_with("…a") && field.ends_with("a[0].image"));
}

#[test]
fn nesting_has_an_end() {
    let mut deep = json!({"containers": [{"image": "a"}]});
    for _ in 0..=DEPTH {
        deep = json!({"a": deep});
    }
    assert!(found("v1", &deep).unwrap_err().contains("levels deep"));
}
