// SPDX-License-Identifier: Apache-2.0

//! From nothing to mirrors that stay in sync: helm, kubectl, and registries.

use regex::Regex;
use serde_json::{Value, json};

use super::objects::{Mirror, policy};
use super::release::{Release, USER};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{Controller, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// What the policy and the entries of the mirror select of [`fill`].
const SELECTED: [(&str, &[&str]); 3] = [
    ("base/alpine", &["3.20", "3.21.0", "3.21.1"]),
    ("web/nginx", &["1.26.0", "1.27.0", "1.27.1"]),
    ("team/tools", &["2.0.0"]),
];

/// The source and the two destinations.
struct Registries {
    source: Registry,
    eu: Registry,
    us: Registry,
}

impl Registries {
    async fn start() -> Self {
        let start = || Registry::start(Kind::Distribution3, Security::Plain);
        let (source, eu, us) = tokio::join!(start(), start(), start());
        fill(&source).await;
        Self { source, eu, us }
    }

    /// A mirror of three repositories: literal tags, globs, and whatever the policy selects.
    fn mirror(&self) -> Mirror {
        Mirror::of(&self.source.host())
            .named("base-images")
            .image("base/alpine", &["3.20", "3.21*"])
            .image("web/nginx", &[])
            .image("team/tools", &[])
            .policy("releases")
            .destination("eu", &self.eu.host())
            .destination("us", &self.us.host())
            .with("/destinations/0/repository", "mirror/{repository}")
            .with("/interval", "30s")
    }

    /// Both destinations have what the source has, down to the last byte.
    async fn assert_equal(&self, repository: &str, tag: &str) {
        for (destination, prefix) in [(&self.eu, "mirror/"), (&self.us, "")] {
            let mut source = Witness::new(self.source.client(), repository);
            let mut witness = Witness::new(destination.client(), &format!("{prefix}{repository}"));
            let problems = witness.check_against(tag, &mut source, tag).await;
            assert_eq!(problems, [], "{repository}:{tag}");
        }
    }

    /// A text without what is another one in every run: ports, names made of uids, and ages.
    fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, registry) in [("source", &self.source), ("eu", &self.eu), ("us", &self.us)] {
            text = text.replace(&registry.host(), name);
        }
        for (pattern, name) in [
            (r"mr-[0-9a-f]{40}", "mr-HASH"),
            (r"\b(\d+[smh])+\b", "AGE"),
            (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", "TIME"),
            (r" {2,}", "  "),
            (r" +\n", "\n"),
        ] {
            text = Regex::new(pattern)
                .unwrap()
                .replace_all(&text, name)
                .into_owned();
        }
        text
    }
}

async fn fill(source: &Registry) {
    let client = source.client();
    let tags = [
        ("base/alpine", &["3.20", "3.21.0", "3.21.1", "edge"][..]),
        (
            "web/nginx",
            &["1.26.0", "1.27.0", "1.27.1", "1.28.0-rc1", "latest"],
        ),
    ];
    for (repository, tags) in tags {
        for (tag, seed) in tags.iter().zip(1..) {
            client.push(repository, tag, &image(seed)).await;
        }
    }
    let signed = ImageBuilder::new(100)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[4096])
        .attestations()
        .referrer("application/vnd.example.sbom")
        .signature_tag();
    client.push("team/tools", "2.0.0", &signed.build()).await;
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[4096]).build()
}

/// Tables of kubectl, the lines of each in the order of their text.
fn sorted(tables: &str) -> String {
    let sorted = tables.split("\n\n").map(|table| {
        let mut lines: Vec<&str> = table.lines().collect();
        lines[1..].sort_unstable();
        lines.join("\n")
    });
    sorted.collect::<Vec<_>>().join("\n\n")
}

async fn annotate(namespace: &Namespace<'_>, annotation: &str) {
    let arguments = ["annotate", "--overwrite", "imir", "base-images", annotation];
    namespace.kubectl_ok(&arguments).await;
}

/// Waits until a request was answered with a round.
async fn handled(namespace: &Namespace<'_>, request: &str) -> Value {
    namespace
        .wait_for("imir", "base-images", request, |mirror| {
            mirror["status"]["lastHandledReconcileAt"] == request
        })
        .await
}

async fn everything_arrives(namespace: &Namespace<'_>, registries: &Registries) {
    let ready = [
        "wait",
        "--for=condition=Ready",
        "imir/base-images",
        "--timeout=60s",
    ];
    namespace.kubectl_ok(&ready).await;
    for (repository, tags) in SELECTED {
        for tag in tags {
            registries.assert_equal(repository, tag).await;
        }
    }
    assert_eq!(
        registries.us.client().tags("web/nginx").await.unwrap(),
        SELECTED[1].1
    );
    let table = namespace.kubectl_ok(&["get", "imir,impol,mrepo"]).await;
    insta::assert_snapshot!(sorted(&registries.redact(&table)), @"
    NAME  SOURCE  SYNCED  FAILED  REFUSED  READY  REASON  LAST SYNC  AGE
    imagemirror.transship.dev/base-images  source  7/7  0  0  True  Succeeded  AGE  AGE

    NAME  MIRRORS  SELECTED  READY  REASON  AGE
    imagepolicy.transship.dev/releases  1  6  True  Succeeded  AGE

    NAME  MIRROR  DESTINATION  REPOSITORY  TAGS  CANDIDATES  AGE
    mirroredrepository.transship.dev/mr-HASH  base-images  eu  eu/mirror/base/alpine  3  0  AGE
    mirroredrepository.transship.dev/mr-HASH  base-images  eu  eu/mirror/team/tools  1  0  AGE
    mirroredrepository.transship.dev/mr-HASH  base-images  eu  eu/mirror/web/nginx  3  0  AGE
    mirroredrepository.transship.dev/mr-HASH  base-images  us  us/base/alpine  3  0  AGE
    mirroredrepository.transship.dev/mr-HASH  base-images  us  us/team/tools  1  0  AGE
    mirroredrepository.transship.dev/mr-HASH  base-images  us  us/web/nginx  3  0  AGE
    ");
    let wide = namespace
        .kubectl_ok(&["get", "imir", "--output=wide"])
        .await;
    insta::assert_snapshot!(registries.redact(&wide), @"
    NAME  SOURCE  SYNCED  FAILED  REFUSED  READY  REASON  LAST SYNC  AGE  QUARANTINED  NEXT SYNC  MESSAGE
    base-images  source  7/7  0  0  True  Succeeded  AGE  AGE  0  TIME  7 of 7 tags are synced
    ");
}

async fn changes_arrive_at_the_next_interval(namespace: &Namespace<'_>, registries: &Registries) {
    let source = registries.source.client();
    source.push("web/nginx", "1.27.2", &image(201)).await;
    source.push("base/alpine", "3.20", &image(202)).await;
    let mirror = namespace
        .wait_for("imir", "base-images", "both are copied", |mirror| {
            mirror["status"]["synced"] == "8/8" && mirror["status"]["history"][0]["copied"] == 4
        })
        .await;
    registries.assert_equal("web/nginx", "1.27.2").await;
    registries.assert_equal("base/alpine", "3.20").await;
    assert_eq!(
        find_condition(&mirror, "Ready").unwrap()["reason"],
        "Succeeded"
    );
    assert_eq!(mirror["status"]["recent"][0]["action"], "Copied");
}

async fn changes_arrive_at_once_on_request(namespace: &Namespace<'_>, registries: &Registries) {
    // The next round on schedule is tomorrow.
    let source = registries.source.client();
    let daily = json!({"spec": {"interval": "24h"}});
    let path = namespace.path("imir", "base-images").await;
    let client = namespace.plane().client();
    client.merge(&path, &daily).await.assert_success();
    namespace
        .wait_for_condition("imir", "base-images", "Ready", "True")
        .await;
    source.push("web/nginx", "1.27.3", &image(203)).await;
    annotate(namespace, "transship.dev/reconcile-at=monday").await;
    let mirror = handled(namespace, "monday").await;
    assert_eq!(mirror["status"]["synced"], "9/9");
    registries.assert_equal("web/nginx", "1.27.3").await;
    source.push("web/nginx", "1.27.3", &image(204)).await;
    annotate(
        namespace,
        "reconcile.fluxcd.io/requestedAt=2026-11-24T12:00:00Z",
    )
    .await;
    let is_answered = |mirror: &Value| {
        mirror["status"]["lastHandledRequestedAt"] == "2026-11-24T12:00:00Z"
            && mirror["status"]["lastHandledReconcileAt"] == "monday"
    };
    namespace
        .wait_for("imir", "base-images", "each is answered", is_answered)
        .await;
    registries.assert_equal("web/nginx", "1.27.3").await;
}

async fn all_of_it_is_told(
    namespace: &Namespace<'_>,
    registries: &Registries,
    controller: &Controller,
) {
    let columns =
        "--output=custom-columns=TYPE:.type,REASON:.reason,COUNT:.series.count,MESSAGE:.message";
    let events = namespace.kubectl_ok(&["get", "events", columns]).await;
    insta::assert_snapshot!(sorted(&registries.redact(&events)), @"
    TYPE  REASON  COUNT  MESSAGE
    Normal  Succeeded  <none>  7 of 7 tags are synced
    Normal  Succeeded  <none>  8 of 8 tags are synced
    Normal  Synced  2  copied 2
    Normal  Synced  <none>  copied 14
    Normal  Synced  <none>  copied 4
    ");
    let object = format!("namespace=\"{}\",name=\"base-images\"", namespace.name());
    for (series, least) in [
        (
            format!("transship_resource_ready{{kind=\"ImageMirror\",{object}}}"),
            1.0,
        ),
        (format!("transship_tags{{{object},state=\"synced\"}}"), 9.0),
        (
            "transship_rounds_total{result=\"succeeded\",reason=\"Succeeded\"}".to_owned(),
            5.0,
        ),
        ("transship_blobs_total{how=\"uploaded\"}".to_owned(), 1.0),
        (
            format!(
                "transship_source_pulls_total{{registry=\"{}\"}}",
                registries.source.host()
            ),
            1.0,
        ),
    ] {
        let value = controller.metric(&series).await;
        assert!(
            value.is_some_and(|value| value >= least),
            "{series}: {value:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_mirrors_that_stay_in_sync() {
    let (release, registries) = tokio::join!(Release::install(), Registries::start());
    let namespace = release.plane.namespace("platform").await;
    let releases = policy(
        "releases",
        &json!({"semver": {"range": ">=1.0.0", "prereleases": "Exclude"}}),
    );
    namespace
        .apply(&format!("{}{releases}", registries.mirror()))
        .await;

    everything_arrives(&namespace, &registries).await;
    changes_arrive_at_the_next_interval(&namespace, &registries).await;
    changes_arrive_at_once_on_request(&namespace, &registries).await;
    all_of_it_is_told(&namespace, &registries, &release.controller).await;

    let mut refused = release.plane.audit_of(USER).await;
    // Before there is a lease, it is asked for; and 429 is no refusal: the API server makes room for a new kind.
    refused.retain(|entry| entry.code >= 400 && entry.code != 429 && entry.resource != "leases");
    assert_eq!(refused, []);
}
