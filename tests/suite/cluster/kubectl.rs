// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship`, by kubectl itself.

mod first_hour;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::objects::{Mirror, policy};
use super::stage::{Stage, change, ready_for, sync, until};
use crate::support::cluster::{ControlPlane, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::program::Finished;
use crate::support::registries::{Kind, Registry, Security};

/// The plugin as it is installed, and who uses it.
pub(super) struct Plugin<'a> {
    bin: TempDir,
    kubeconfig: PathBuf,
    namespace: &'a Namespace<'static>,
}

impl<'a> Plugin<'a> {
    pub(super) fn of(namespace: &'a Namespace<'static>) -> Self {
        Self::with(namespace, namespace.plane().kubeconfig())
    }

    fn with(namespace: &'a Namespace<'static>, kubeconfig: &Path) -> Self {
        let bin = tempfile::tempdir().unwrap();
        for name in ["kubectl-transship", "kubectl_complete-transship"] {
            symlink(env!("CARGO_BIN_EXE_transship"), bin.path().join(name)).unwrap();
        }
        Self {
            bin,
            kubeconfig: kubeconfig.to_owned(),
            namespace,
        }
    }

    async fn kubectl(&self, arguments: &[&str]) -> Finished {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&path);
        let path = std::iter::once(self.bin.path().to_owned()).chain(path);
        let path = std::env::join_paths(path).unwrap();
        let program = self
            .namespace
            .plane()
            .kubectl_with(&self.kubeconfig, arguments);
        let program = program.environment("PATH", path);
        program.environment("COLUMNS", "100").run().await
    }

    /// `kubectl transship …` in the namespace.
    async fn run(&self, words: &str) -> Finished {
        let words = words.split(' ');
        let mut arguments = vec!["transship"];
        arguments.extend(words);
        arguments.extend(["-n", self.namespace.name()]);
        self.kubectl(&arguments).await
    }

    /// What machines read, which is as the schema says.
    async fn document(&self, words: &str) -> Value {
        let finished = self.run(&format!("{words} -o json")).await;
        assert_ne!(finished.code, Some(2), "{words}: {}", finished.stderr);
        let document: Value = serde_json::from_str(&finished.stdout).unwrap();
        let schema = jsonschema::validator_for(&transship::cli::output_schema()).unwrap();
        let faults = schema.iter_errors(&document);
        let faults: Vec<String> = faults.map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{words}: {faults:?}\n{document:#}");
        document
    }

    /// What it prints, and how it ends.
    pub(super) async fn assert(&self, words: &str, code: i32, expected: &str) -> Finished {
        let finished = self.run(words).await;
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert_eq!(finished.code, Some(code), "{words}: {said}");
        // Messages are broken into lines.
        let words_said: Vec<&str> = said.split_whitespace().collect();
        assert!(words_said.join(" ").contains(expected), "{words}: {said}");
        finished
    }
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[1024]).build()
}

async fn registries() -> (Registry, Registry) {
    let start = || Registry::start(Kind::Distribution3, Security::Plain);
    let (source, destination) = tokio::join!(start(), start());
    let tags = ["1.26.0", "1.27.0", "1.28.0-rc1"];
    for (tag, seed) in tags.into_iter().zip(1..) {
        source.client().push("web/nginx", tag, &image(seed)).await;
    }
    (source, destination)
}

/// A mirror of a repository by a policy, and of a tag that is not there.
fn mirror(source: &Registry, destination: &Registry) -> String {
    let mirror = Mirror::of(&source.host())
        .named("base")
        .image("web/nginx", &[])
        .image("team/tool", &["1"])
        .with("/images/0/policyRefs", json!([{"name": "releases"}]))
        .destination("eu", &destination.host())
        .with("/destinations/0/repository", "mirror/{repository}");
    let range = json!({"semver": {"range": ">=1.0.0", "prereleases": "Exclude"}});
    format!("{mirror}{}", policy("releases", &range))
}

async fn every_image_is_explained(plugin: &Plugin<'_>, source: &str, destination: &str) {
    let named = |name: &str| {
        name.replace("SOURCE", source)
            .replace("TARGET", destination)
    };
    for (image, code, expected) in [
        (
            "SOURCE/web/nginx:1.27.0",
            0,
            "mirrored as TARGET/mirror/web/nginx:1.27.0 digest sha256:",
        ),
        (
            "TARGET/mirror/web/nginx:1.27.0",
            0,
            "source SOURCE/web/nginx:1.27.0",
        ),
        (
            "web/nginx:1.27.0",
            0,
            "mirrored as TARGET/mirror/web/nginx:1.27.0",
        ),
        (
            "SOURCE/web/nginx:1.28.0-rc1",
            1,
            "because not selected: releases: is a prerelease",
        ),
        (
            "TARGET/mirror/web/nginx:1.28.0-rc1",
            1,
            "because not selected: releases: is a prerelease",
        ),
        ("SOURCE/team/tool:1", 1, "because NotFound: "),
        (
            "SOURCE/team/tool:2",
            1,
            "because not selected: not among the entry's tags",
        ),
        ("SOURCE/other/app:1", 1, "because no mirror in namespace"),
    ] {
        plugin
            .assert(&format!("why {}", named(image)), code, &named(expected))
            .await;
    }
    let answer = plugin
        .document(&format!("why {source}/web/nginx:1.27.0"))
        .await;
    assert_eq!(answer["kind"], "ImageAnswer");
    assert_eq!(answer["answers"][0]["state"], "Mirrored");
    let status = plugin.document("status").await;
    assert_eq!(status["mirrors"][0]["reason"], "NotFound");
    let tree = plugin.document("tree base").await;
    assert_eq!(tree["reason"], "NotFound");
    plugin.document("restore base").await;
    plugin.assert("why Not:An:Image", 2, "invalid value").await;
}

async fn what_fails_is_shown(plugin: &Plugin<'_>) {
    plugin
        .assert("status", 1, "base Failing NotFound 2/3 1 0 0")
        .await;
    let mend = format!(
        "do push what is missing to the source, or take it out: kubectl -n {} edit imir/base",
        plugin.namespace.name()
    );
    plugin.assert("status", 1, &mend).await;
    plugin.assert("status base", 1, &mend).await;
    plugin.assert("status base", 1, "failed").await;
    plugin.assert("status imir/base", 1, "failed").await;
    plugin
        .assert("status elsewhere/base", 2, "leave one of them out")
        .await;
    plugin
        .assert("status nothing", 1, "there is no ImageMirror \"nothing\"")
        .await;
}

async fn names_are_completed(plugin: &Plugin<'_>) {
    let name = plugin.namespace.name();
    let joined = format!("--namespace={name}");
    for words in [&["-n", name, "sync", ""][..], &["status", &joined, ""]] {
        let words = [&["__complete", "transship"], words].concat();
        let completed = plugin.kubectl(&words).await;
        assert!(completed.stdout.starts_with("base\n:4\n"), "{completed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_asks_and_acts() {
    let (stage, (source, destination)) = tokio::join!(Stage::open("plugin"), registries());
    let namespace = &stage.namespace;
    namespace.apply(&mirror(&source, &destination)).await;
    ready_for(namespace, "imir", "base", "NotFound").await;
    let plugin = Plugin::of(namespace);

    what_fails_is_shown(&plugin).await;
    every_image_is_explained(&plugin, &source.host(), &destination.host()).await;

    plugin.assert("sync base", 1, "NotFound").await;
    source.client().push("team/tool", "1", &image(9)).await;
    plugin
        .assert("sync base", 0, "1 copied; 3 of 3 tags are synced")
        .await;
    plugin
        .assert("sync base --no-wait", 0, "a round is asked for")
        .await;
    plugin.assert("status", 0, "1 mirror, 1 ready").await;

    let tree = plugin
        .assert("tree base", 0, "ImagePolicy releases Succeeded")
        .await;
    let (_, below) = tree.stdout.split_once(&destination.host()).unwrap();
    assert!(below.contains("─ mirror/web/nginx "), "{}", tree.stdout);

    let until = format!(
        "until kubectl transship -n {} resume base",
        namespace.name()
    );
    plugin.assert("suspend base", 0, &until).await;
    plugin
        .assert("suspend base", 0, "was suspended already")
        .await;
    plugin.assert("status", 0, "base Suspended").await;
    plugin
        .assert("sync base", 1, "is suspended, and no round runs")
        .await;
    plugin.assert("resume base", 0, "resumed").await;
    plugin
        .assert("sync base", 0, "3 of 3 tags are synced")
        .await;

    plugin
        .assert("approve base", 0, "spec.prune.mode is not Delete")
        .await;
    plugin
        .assert("restore base", 0, "0 tags can be restored")
        .await;
    // There is no node: nobody's pods say anything.
    plugin
        .assert("logs base", 1, "--controller-namespace")
        .await;

    names_are_completed(&plugin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_approves_what_is_shown() {
    let (stage, (source, destination)) = tokio::join!(Stage::open("approving"), registries());
    let namespace = &stage.namespace;
    let mirror = |tags: &[&str]| {
        let prune = json!({"mode": "Delete", "grace": "0s", "maxDeletes": 0, "maxPercent": 100, "inUse": "Ignore"});
        let mirror = Mirror::of(&source.host()).image("web/nginx", tags);
        mirror
            .destination("eu", &destination.host())
            .with("/prune", prune)
    };
    namespace
        .apply(&mirror(&["1.26.0", "1.27.0"]).to_string())
        .await;
    ready_for(namespace, "imir", "mirror", "Succeeded").await;
    let plugin = Plugin::of(namespace);
    plugin
        .assert("approve mirror --yes", 0, "no prune plan")
        .await;

    namespace.apply(&mirror(&["1.27.0"]).to_string()).await;
    ready_for(namespace, "imir", "mirror", "Succeeded").await;
    let waits = async || {
        let object = namespace.json("imir", "mirror").await.unwrap();
        object["status"]["prune"]["plan"].is_string()
    };
    for round in ["first", "second"] {
        sync(namespace, "mirror", round).await;
    }
    until("a plan", waits).await;
    let name = namespace.name();
    let hint = format!("kubectl transship -n {name} approve mirror");
    plugin.assert("status", 1, &hint).await;
    let refused = plugin
        .assert("approve mirror", 2, "nobody can be asked here")
        .await;
    let tag = format!("{}/web/nginx:1.26.0", destination.host());
    assert!(refused.stderr.contains(&tag), "{}", refused.stderr);
    let shown = plugin
        .assert("approve mirror --yes", 0, "approved sha256:")
        .await;
    assert!(shown.stderr.contains(&tag), "{}", shown.stderr);
    let client = destination.client();
    until("the tag is gone", async || {
        client.tags("web/nginx").await.unwrap() == ["1.27.0"]
    })
    .await;
    let pruned = format!("why {tag}");
    plugin.assert(&pruned, 1, "was pruned").await;
    change(
        namespace,
        "imir",
        "mirror",
        &json!({"spec": {"prune": {"grace": "24h"}}}),
    )
    .await;
    plugin.assert("restore mirror", 0, "restore").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_look_is_told_which_right_is_missing() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("rightless").await;
    let token = plane.token_for(namespace.name(), "default").await;
    let plugin = Plugin::with(&namespace, &plane.kubeconfig_for(&token));
    let name = namespace.name();
    let list = format!(
        "you may not list imagemirrors.transship.dev in namespace \"{name}\": ask for the verb list on imagemirrors.transship.dev there"
    );
    plugin.assert("status", 1, &list).await;
    plugin
        .assert("sync base", 1, "you may not get imagemirrors.transship.dev")
        .await;
    plugin
        .assert(
            "logs base",
            1,
            "you may not list pods in namespace \"transship-system\"",
        )
        .await;
    let everywhere = plugin
        .kubectl(&["transship", "status", "-A", "-o", "json"])
        .await;
    assert_eq!(everywhere.code, Some(1));
    assert!(
        everywhere.stderr.contains("in all namespaces"),
        "{}",
        everywhere.stderr
    );
    let document: Value = serde_json::from_str(&everywhere.stdout).unwrap();
    assert_eq!(document["failures"][0]["reason"], "AccessDenied");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_get_through_is_told_to_which_server() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("unreached").await;
    let nowhere = plane.kubeconfig_through("https://127.0.0.1:1", "token");
    let stranger = plane.kubeconfig_for("unknown");
    for (kubeconfig, expected) in [
        (
            &nowhere,
            "cannot reach the API server 127.0.0.1:1 of context",
        ),
        (&nowhere, "does it run"),
        (&stranger, "does not accept your credentials: log in there"),
    ] {
        let plugin = Plugin::with(&namespace, kubeconfig);
        plugin.assert("status", 1, expected).await;
    }
}
