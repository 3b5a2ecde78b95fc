// SPDX-License-Identifier: Apache-2.0

use super::documents::validated;
use super::*;

const DOCUMENTS: &str = r#"
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base, namespace: platform}
spec:
  source: {registry: docker.io}
  images:
    - repository: library/alpine
      tags: ["3.20", "3.21*"]
    - repository: library/nginx
      policyRefs: [{name: stable}]
  destinations:
    - {name: eu, registry: r.example.com, repository: "mirror/{repository}"}
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: stable, namespace: platform}
spec:
  select:
    semver: {range: ">=1.20 <2"}
"#;

pub(super) fn refusals(text: &str) -> String {
    match validated(text) {
        Ok(mirror) => format!("{} is valid", mirror.name),
        Err(invalid) => {
            let messages: Vec<String> = invalid.iter().map(ToString::to_string).collect();
            messages.join(" | ")
        }
    }
}

pub(super) fn with(part: &str, replacement: &str) -> String {
    assert!(DOCUMENTS.contains(part), "{part} is not in the text");
    DOCUMENTS.replacen(part, replacement, 1)
}

/// The mirror with more in its spec.
pub(super) fn spec(more: &str) -> String {
    with("  source:", &format!("  {more}\n  source:"))
}

#[test]
fn an_identity_is_for_the_registry_of_its_cloud() {
    let text = with("registry: docker.io", "registry: gcr.io, provider: GCP");
    let account = "registry: public.ecr.aws, provider: AWS, serviceAccountName: push,";
    let text = text.replacen("registry: r.example.com,", account, 1);
    let mirror = validated(&text).unwrap();
    let identities: Vec<String> = mirror
        .accesses()
        .map(|access| {
            let identity = access.identity.as_ref().unwrap();
            format!("{:?} {:?}", identity.cloud, identity.service_account)
        })
        .collect();
    assert_eq!(
        identities,
        [r"Google None", r#"EcrPublic Some(ObjectName("push"))"#]
    );
}

#[test]
fn what_a_valid_mirror_is() {
    let mirror = validated(DOCUMENTS).unwrap();
    assert_eq!(mirror.name, "platform/base");
    assert_eq!(mirror.platforms, Platforms::All);
    let entries: Vec<String> = mirror
        .images
        .iter()
        .map(|entry| {
            let tags: Vec<String> = entry.tags.iter().map(ToString::to_string).collect();
            let policies: Vec<&str> = entry
                .policies
                .iter()
                .map(|policy| policy.name.as_str())
                .collect();
            format!(
                "{} {tags:?} {policies:?} {}",
                entry.repository,
                entry.needs_listing()
            )
        })
        .collect();
    assert_eq!(
        entries,
        [
            r#"library/alpine ["3.20", "3.21*"] [] true"#,
            r#"library/nginx [] ["stable"] true"#,
        ]
    );
    let Schedule::Every(interval) = mirror.schedule else {
        panic!("expected an interval");
    };
    assert_eq!(interval.duration().to_string(), "1h");
}

#[test]
fn policies_of_the_mirror_and_of_an_entry_are_joined() {
    let mirror = validated(&spec("policyRefs: [{name: stable}]")).unwrap();
    let counts: Vec<usize> = mirror
        .images
        .iter()
        .map(|entry| entry.policies.len())
        .collect();
    assert_eq!(counts, [1, 1]);
}

#[test]
fn docker_hubs_own_images_are_found_without_their_namespace() {
    let mirror = validated(&with("library/alpine", "alpine")).unwrap();
    let repositories: Vec<String> = mirror
        .images
        .iter()
        .map(|entry| entry.repository.to_string())
        .collect();
    assert_eq!(repositories, ["library/alpine", "library/nginx"]);
}

#[test]
fn literal_tags_need_no_listing() {
    let mirror = validated(&with(r#"["3.20", "3.21*"]"#, r#"["3.20"]"#)).unwrap();
    assert!(!mirror.images.first().unwrap().needs_listing());
}

#[test]
fn what_a_policy_lacks_is_told_apart_from_what_the_spec_lacks() {
    let text = with("name: stable}]", "name: other}]").replace("docker.io", "docker io");
    let reasons: Vec<(String, &str)> = validated(&text)
        .unwrap_err()
        .into_iter()
        .map(|invalid| (invalid.path, invalid.reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("spec.source.registry".to_owned(), "InvalidSpec"),
            (
                "spec.images[1].policyRefs[0].name".to_owned(),
                "DependencyNotReady"
            ),
        ]
    );
}
