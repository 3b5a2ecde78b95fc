// SPDX-License-Identifier: Apache-2.0

//! What the API server accepts of the custom resources, what it refuses, and in which words.

mod mirrors;
mod policies;
mod statuses;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use regex::Regex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use transship::api::document::{self, Contents, Resource};
use transship::plan::{self, Policy};

use self::mirrors::{MIRROR, MIRRORS};
use self::policies::{POLICIES, POLICY, RECORD, RECORDS};
use super::stage::until;
use crate::docs;
use crate::support::cluster::{ControlPlane, Namespace};

/// The name of the case, a part of an object that is accepted, what takes its place, and the refusal; nothing
/// where the object is still accepted.
type Case = (&'static str, &'static str, &'static str, &'static str);

/// What the API server adds where the schema alone refuses an object.
const NOTE: &str = ", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// The largest record, in bytes: the store takes a quarter as much again.
const RECORD_SIZE: usize = 1_250_000;

fn value(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

fn with(object: &str, part: &str, replacement: &str) -> String {
    assert!(object.contains(part), "{part}");
    object.replacen(part, replacement, 1)
}

/// What is said of an object that would be created; nothing if it is accepted.
async fn refusal(namespace: &Namespace<'_>, yaml: &str) -> String {
    let object = value(yaml);
    let client = namespace.plane().client();
    let kind = object["kind"].as_str().unwrap();
    let path = client.path(kind, Some(namespace.name())).await;
    let query = "dryRun=All&fieldValidation=Strict";
    let answer = client.create(&format!("{path}?{query}"), &object).await;
    if answer.status == 201 {
        return String::new();
    }
    said(&answer.body)
}

/// The message of a refusal without what is the same in all of them.
fn said(refusal: &Value) -> String {
    let message = refusal["message"].as_str().unwrap().replace(NOTE, "");
    let message = match message.split_once(" is invalid: ") {
        Some((_, rest)) => rest,
        None => &message,
    };
    let inside = message
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inside.unwrap_or(message).to_owned()
}

/// Whether the same text in a file would be refused.
fn is_refused_in_a_file(yaml: &str) -> bool {
    let Ok(Contents { documents, .. }) = document::parse(yaml, "file.yaml") else {
        return true;
    };
    documents.iter().any(|document| match &document.resource {
        Resource::ImageMirror(mirror) => plan::validate(mirror, &[]).is_err(),
        Resource::ImagePolicy(policy) => Policy::validate(policy).is_err(),
        Resource::MirroredRepository(_) | Resource::Secret(_) => false,
    })
}

#[tokio::test]
async fn objects_are_accepted_or_refused() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("admission").await;
    let tables: [(&str, &[Case]); 3] =
        [(MIRROR, &MIRRORS), (POLICY, &POLICIES), (RECORD, &RECORDS)];
    for (object, cases) in tables {
        assert_eq!(refusal(&namespace, object).await, "");
        for (name, part, replacement, expected) in cases {
            let yaml = with(object, part, replacement);
            assert_eq!(refusal(&namespace, &yaml).await, *expected, "{name}");
        }
    }
}

/// As many items as told; `#` is the number of each.
fn items(count: usize, item: &str) -> String {
    let items: Vec<String> = (0..count)
        .map(|number| item.replace('#', &number.to_string()))
        .collect();
    items.join(", ")
}

#[tokio::test]
async fn nothing_is_longer_than_its_bound() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("bounds").await;
    let select = "select: {limit: 9}";
    let mirrors = [
        (
            "docker.io",
            "r".repeat(260),
            "spec.source.registry: Too long: may not be more than 259 bytes",
        ),
        (
            "library/alpine",
            "r".repeat(256),
            "spec.images[0].repository: Too long: may not be more than 255 bytes",
        ),
        (
            "[a]",
            format!("[{}]", "a".repeat(265)),
            "spec.images[0].tags[0]: Too long: may not be more than 264 bytes",
        ),
        (
            "[a]",
            format!("[{}]", items(257, "a#")),
            "spec.images[0].tags: Too many: 257: must have at most 256 items",
        ),
        (
            "\n    - {repository: library/alpine, tags: [a]}",
            format!(" [{}]", items(257, "{repository: r#, tags: [a]}")),
            "spec.images: Too many: 257: must have at most 256 items",
        ),
        (
            "\n    - {name: eu, registry: r.example.com}",
            format!(" [{}]", items(9, "{name: d#, registry: r.example.com}")),
            "spec.destinations: Too many: 9: must have at most 8 items",
        ),
        (
            "name: eu",
            format!("name: eu, repository: {}", "m".repeat(256)),
            "spec.destinations[0].repository: Too long: may not be more than 255 bytes",
        ),
        (
            "name: eu",
            format!("name: eu, tags: [{}]", items(5, "a#")),
            "spec.destinations[0].tags: Too many: 5: must have at most 4 items",
        ),
        (
            "spec:",
            format!("spec:\n  policyRefs: [{}]", items(9, "{name: p#}")),
            "spec.policyRefs: Too many: 9: must have at most 8 items",
        ),
        (
            "spec:",
            format!("spec:\n  schedule: {{cron: '{}'}}", "*".repeat(101)),
            "spec.schedule.cron: Too long: may not be more than 100 bytes",
        ),
    ];
    let policies = [
        (
            select,
            format!("select: {{include: [{}]}}", "a".repeat(257)),
            "spec.select.include[0]: Too long: may not be more than 256 bytes",
        ),
        (
            select,
            format!("select: {{exclude: [{}]}}", items(17, "a#")),
            "spec.select.exclude: Too many: 17: must have at most 16 items",
        ),
        (
            select,
            format!("require: {{labels: {{{}}}}}", items(33, "l#: v")),
            "spec.require.labels: Too many: 33: must have at most 32 items",
        ),
    ];
    for (object, cases) in [(MIRROR, &mirrors[..]), (POLICY, &policies)] {
        for (part, replacement, expected) in cases {
            let yaml = with(object, part, replacement);
            assert_eq!(refusal(&namespace, &yaml).await, *expected);
            assert!(is_refused_in_a_file(&yaml), "{expected}");
        }
    }
}

#[test]
fn what_the_api_server_refuses_is_refused_in_files() {
    for (object, cases) in [(MIRROR, &MIRRORS[..]), (POLICY, &POLICIES)] {
        assert!(!is_refused_in_a_file(object));
        for (name, part, replacement, refusal) in cases {
            let yaml = with(object, part, replacement);
            assert!(refusal.is_empty() || is_refused_in_a_file(&yaml), "{name}");
        }
    }
}

#[tokio::test]
async fn a_record_stays_with_its_repository() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("immutable").await;
    namespace.apply(RECORD).await;
    let path = namespace.path("mrepo", "record").await;
    let client = plane.client();
    for change in [
        json!({"mirror": "other"}),
        json!({"destination": "us"}),
        json!({"repository": "r.example.com/nginx"}),
        json!({"part": 1}),
    ] {
        let answer = client.merge(&path, &json!({"spec": change})).await;
        assert_eq!(answer.status, 422);
        assert_eq!(
            said(&answer.body),
            "spec: Invalid value: a record belongs to its repository for good: delete it instead, and Transship writes a new one"
        );
    }
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    client.merge(&path, &label).await.assert_success();
}

#[tokio::test]
async fn changes_are_checked_as_new_objects_are() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("changes").await;
    namespace.apply(MIRROR).await;
    let path = namespace.path("imir", "base").await;
    let both = json!({"spec": {"interval": "1h", "schedule": {"cron": "0 3 * * *"}}});
    let answer = plane.client().merge(&path, &both).await;
    assert_eq!(
        said(&answer.body),
        "spec.schedule: Invalid value: cannot be combined with interval: remove one of them"
    );
    let one = json!({"spec": {"interval": "1h"}});
    let changed = plane.client().merge(&path, &one).await.assert_success();
    assert_eq!(changed["metadata"]["generation"], 2);
}

/// A fresh object is never taken for one that was looked at, and nobody but the controller writes its status.
#[tokio::test]
async fn a_fresh_object_is_not_observed() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("fresh").await;
    for (object, kind, name) in [(MIRROR, "imir", "base"), (POLICY, "impol", "stable")] {
        namespace
            .apply(&format!("{object}status: {{observedGeneration: 1}}\n"))
            .await;
        let object = namespace.json(kind, name).await.unwrap();
        assert_eq!(
            object["status"],
            json!({"observedGeneration": -1}),
            "{kind}"
        );
        assert_eq!(object["metadata"]["generation"], 1);
    }
}

// === statuses ===

/// What the types can say is what the schema keeps: the API server drops fields that it does not know.
#[tokio::test]
async fn statuses_are_kept_as_they_are_written() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("statuses").await;
    keep(&namespace, MIRROR, "imir/base", &statuses::mirror()).await;
    keep(&namespace, POLICY, "impol/stable", &statuses::policy()).await;
    for largest in [
        statuses::record(),
        statuses::manifests(),
        statuses::large_manifest(),
    ] {
        namespace
            .kubectl(&["delete", "mrepo", "record", "--ignore-not-found"])
            .await;
        keep(&namespace, RECORD, "mrepo/record", &largest).await;
        let record = namespace.json("mrepo", "record").await.unwrap();
        let size = record.to_string().len();
        assert!(size < RECORD_SIZE, "{size}");
    }
}

/// Writes a status as the controller does, twice: the second time is no change.
async fn keep<Status>(namespace: &Namespace<'_>, object: &str, named: &str, status: &Status)
where
    Status: Serialize + DeserializeOwned + PartialEq + Debug,
{
    namespace.apply(object).await;
    let (kind, name) = named.split_once('/').unwrap();
    let path = namespace.path(kind, name).await + "/status";
    let mut versions = BTreeSet::new();
    for _ in 0..2 {
        let change = json!({"status": status});
        let kept = namespace.plane().client().merge(&path, &change).await;
        let mut kept = kept.assert_success();
        assert_eq!(
            &serde_json::from_value::<Status>(kept["status"].take()).unwrap(),
            status
        );
        versions.insert(kept["metadata"]["resourceVersion"].to_string());
    }
    assert_eq!(versions.len(), 1, "{named}");
}

// === what a person sees ===

#[tokio::test]
async fn definitions_and_examples_are_applied_without_a_warning() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("samples").await;
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let file = format!("--filename={}", definitions.display());
    let arguments = ["apply", "--server-side", "--dry-run=server", &file];
    let applied = plane.kubectl(&arguments).await;
    assert_eq!((applied.code, applied.stderr.as_str()), (Some(0), ""));
    let own_namespace = Regex::new(r",? ?\bnamespace: \w+").unwrap();
    for (name, text) in docs::examples::examples() {
        let applied = namespace
            .try_apply(&own_namespace.replace_all(&text, ""))
            .await;
        assert_eq!(
            (applied.code, applied.stderr.as_str()),
            (Some(0), ""),
            "{name}"
        );
    }
}

#[tokio::test]
async fn objects_are_listed_with_their_columns() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("columns").await;
    namespace.apply(MIRROR).await;
    namespace.apply(POLICY).await;
    namespace.apply(RECORD).await;
    let mut lists = Vec::new();
    for kind in ["imir", "impol", "mrepo"] {
        let listed = namespace.kubectl_ok(&["get", kind, "--output=wide"]).await;
        let words: Vec<&str> = listed.lines().next().unwrap().split("   ").collect();
        let columns = words.iter().map(|word| word.trim());
        lists.push(
            columns
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" | "),
        );
    }
    insta::assert_snapshot!(lists.join("\n"), @r"
    NAME | SOURCE | SYNCED | FAILED | REFUSED | READY | REASON | LAST SYNC | AGE | QUARANTINED | NEXT SYNC | MESSAGE
    NAME | MIRRORS | SELECTED | READY | REASON | AGE | MODE | MESSAGE
    NAME | MIRROR | DESTINATION | REPOSITORY | TAGS | CANDIDATES | AGE
    ");
    let selected = [
        "get",
        "imir",
        "--field-selector=spec.source.registry=docker.io",
        "--output=name",
    ];
    assert_eq!(
        namespace.kubectl_ok(&selected).await,
        "imagemirror.transship.dev/base\n"
    );
    let all = namespace
        .kubectl_ok(&["get", "transship", "--output=name"])
        .await;
    let kinds: BTreeSet<&str> = all
        .lines()
        .filter_map(|line| line.split('.').next())
        .collect();
    assert_eq!(kinds.len(), 3, "{all}");
}

/// What kubectl says of a field.
async fn explain(field: &str) -> String {
    let plane = ControlPlane::shared().await;
    // What a definition adds is told of a moment after it is there.
    until("a field that can be explained", async || {
        let finished = plane.kubectl(&["explain", field]).await;
        finished.code == Some(0) || !finished.stderr.contains("couldn't find resource")
    })
    .await;
    let explained = plane.kubectl_ok(&["explain", field]).await;
    let lines: Vec<&str> = explained.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[tokio::test]
async fn fields_of_mirrors_are_explained() {
    insta::assert_snapshot!(explain("imir.spec.platforms.index").await, @r"
    GROUP:      transship.dev
    KIND:       ImageMirror
    VERSION:    v1alpha1

    FIELD: index <string>
    ENUM:
        Rewrite
        Preserve
        Unwrap

    DESCRIPTION:
        How the index of a multi-platform image is written.

        Possible values:
         - Rewrite: Writes a correct index of the kept platforms, which has another
        digest.
         - Preserve: Writes the original index although some of its images are
        missing, so that its digest and signatures stay valid.
         - Unwrap: Writes no index, but the image of the only listed platform, for
        what runs images without one. Attestations stay behind.

    ");
    insta::assert_snapshot!(explain("imir.spec.images").await, @r#"
    GROUP:      transship.dev
    KIND:       ImageMirror
    VERSION:    v1alpha1

    FIELD: images <[]Object>


    DESCRIPTION:
        The images to copy, 1 to 256, each repository once.
        One repository, or several by a glob, and which of its tags to copy.

    FIELDS:
      absent	<string>
      enum: Fail, Skip
        What to do about tags and digests that are written in full and do not exist.

        Possible values:
         - Fail: It counts as failed.
         - Skip: It is left out until it exists.

      as	<string>
        Name that takes the place of the source repository in the templates of
        destinations, such as apps/{name}; with {repository}, {registry},
        {namespace}, {name}. {repository} where absent.

      digests	<[]string>
        Images that are kept by digest, up to 256. The tag `sha256.<digits>` holds
        each of them at the destinations.

      policyRefs	<[]Object>
        Policies for this image, in addition to those of the mirror, up to 8.

      replace	<[]Object>
        Replacements in the values of the placeholders of `as`, one after the other,
        up to 4: from / to - makes a-b of a/b.

      repository	<string> -required-
        Repository, or a glob: * inside one component, ** across components. A glob
        needs the registry's catalog. On Docker Hub alpine means library/alpine.

      retag	<map[string]string>
        Other names for tags that are written in full, up to 64: with {"1.27":
        stable} the tag 1.27 is stable for the destinations, in the place of {tag}.

      select	<Object>
        Which of the listed tags to copy, as in a policy, for this entry alone. What
        it selects is added to what policies select.

      tags	<[]string>
        Tags and tag globs, up to 256. All tags where empty, if select or a policy
        selects among them. With 1.27@sha256:… that digest is copied, and no other.
    "#);
}

#[tokio::test]
async fn fields_of_policies_are_explained() {
    insta::assert_snapshot!(explain("impol.spec.select.newest").await, @r"
    GROUP:      transship.dev
    KIND:       ImagePolicy
    VERSION:    v1alpha1

    FIELD: newest <Object>


    DESCRIPTION:
        Keeps only the newest of the tags that passed the other rules.

    FIELDS:
      by	<string>
      enum: Version, Number, Name, Created, ....
        What makes a tag newer.

        Possible values:
         - Version: The version in the tag. Tags without one are left out.
         - Number: The number that the tag is, such as 41 or 1700000000. Tags that
        are none are left out.
         - Name: The tag's text, the last in natural order being the newest: `r1070`
        comes after `r99`.
         - Created: The time at which the image was built, by its config. That is
        read once for each digest, and each tag is asked for its digest in each
        round. Tags without a time are left out.
         - FirstSeen: The time at which Transship first saw the tag.

      count	<integer> -required-
        How many tags to keep, 1 to 10000.

      per	<string>
      enum: All, Major, Minor
        Whether to count over all versions, or in each major or minor version.

        Possible values:
         - All: All versions.
         - Major: Those of one major version.
         - Minor: Those of one minor version.

      variants	<string>
      enum: Separate, Together
        Whether each variant such as alpine is counted for itself.

        Possible values:
         - Separate: Each variant, such as alpine or bookworm-slim, is counted for
        itself.
         - Together: What stands behind a version is read as one build of it among
        others.
    ");
    insta::assert_snapshot!(explain("imir.status.lastSyncTime").await, @r"
    GROUP:      transship.dev
    KIND:       ImageMirror
    VERSION:    v1alpha1

    FIELD: lastSyncTime <string>


    DESCRIPTION:
        When a round last copied or deleted something, or found everything in sync
        for the first time or again.

    ");
}
