// SPDX-License-Identifier: Apache-2.0

//! What the chart's account may do is what the controller does, and nothing else.

use std::collections::BTreeSet;

use serde_json::json;

use super::objects::{Mirror, login_secret, policy};
use super::page::Page;
use super::release::{NAMESPACE, Release, USER};
use crate::support::cluster::audit::Entry;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::registries::{Kind, Registry, Security};

/// An account without any rights of its own.
const NOBODY: &str = "system:serviceaccount:transship-system:nobody";

/// A right: verb, resource and, where it is for one object only, its name.
type Right = String;

/// The rights that a user has in a namespace besides those that everybody has.
async fn granted(plane: &ControlPlane, namespace: &str) -> BTreeSet<Right> {
    let of = async |user: &str| -> BTreeSet<Right> {
        let (user, scope) = (format!("--as={user}"), format!("--namespace={namespace}"));
        let table = plane
            .kubectl_ok(&["auth", "can-i", "--list", &user, &scope])
            .await;
        table.lines().skip(1).flat_map(rights).collect()
    };
    let (own, everybodys) = (of(USER).await, of(NOBODY).await);
    own.difference(&everybodys).cloned().collect()
}

/// Reads `leases.coordination.k8s.io   []   [transship]   [get update]`.
fn rights(line: &str) -> Vec<Right> {
    let lists: Vec<&str> = line.split(['[', ']']).map(str::trim).collect();
    let [resource, _urls, _, names, _, verbs, ..] = lists.as_slice() else {
        panic!("not a line of three lists: {line}");
    };
    let verbs = verbs.split_whitespace();
    verbs
        .map(|verb| format!("{verb} {resource} {names}").trim_end().to_owned())
        .collect()
}

/// The rights that an answered request needed. One that applies an object which does not exist creates it.
fn used(entry: &Entry) -> Vec<Right> {
    let resource = entry.full_resource();
    let right = |verb: &str| format!("{verb} {resource}");
    match (entry.verb.as_str(), entry.code) {
        ("patch", 201) => vec![right("patch"), right("create")],
        (verb, _) if resource.starts_with("leases") && verb != "create" => {
            vec![format!("{} {}", right(verb), entry.name)]
        }
        (verb, _) => vec![right(verb)],
    }
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[1024]).build()
}

async fn reconcile(namespace: &Namespace<'_>, request: &str) {
    let annotation = format!("transship.dev/reconcile-at={request}");
    let arguments = ["annotate", "--overwrite", "imir/mirror", &annotation];
    namespace.kubectl_ok(&arguments).await;
}

/// A mirror, its policy and its Secret, from an open registry to one with a login.
async fn apply(namespace: &Namespace<'_>, source: &Registry, destination: &Registry) {
    let mirror = Mirror::of(&source.host())
        .image("app", &[])
        .policy("all")
        .destination("private", &destination.host())
        .with("/destinations/0/secretRef", json!({"name": "push"}))
        .with("/prune", json!({"mode": "Plan", "grace": "0s"}));
    let all = policy("all", &json!({"include": [".*"]}));
    let secret = login_secret("push", &destination.host(), &Login::valid());
    namespace.apply(&format!("{mirror}{all}{secret}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_has_the_rights_that_are_used_and_no_others() {
    let (release, source, destination) = tokio::join!(
        Release::install(),
        Registry::start(Kind::Distribution3, Security::Plain),
        Registry::start(Kind::Distribution3, Security::Basic),
    );
    let plane = &release.plane;
    source.client().push("app", "1", &image(1)).await;

    // A namespace that has not opted in.
    let namespace = plane.namespace("team").await;
    apply(&namespace, &source, &destination).await;
    let mirror = namespace
        .wait_for_condition("imir", "mirror", "Ready", "False")
        .await;
    let ready = find_condition(&mirror, "Ready").unwrap();
    assert_eq!(ready["reason"], "AccessDenied");
    let message = ready["message"].as_str().unwrap();
    insta::assert_snapshot!(message.replace(namespace.name(), "team"), @r#"spec.destinations[0].secretRef.name: secret "push" cannot be read: namespace "team" has not opted in. Add it to secretNamespaces of the Helm chart, or bind the ClusterRole transship-secret-reader to Transship's service account there"#);
    assert_eq!(find_condition(&mirror, "Stalled"), None);

    // What the message says to do.
    let account = format!("--serviceaccount={NAMESPACE}:transship");
    let role = "--clusterrole=transship-secret-reader";
    namespace
        .kubectl_ok(&["create", "rolebinding", "transship", role, &account])
        .await;
    reconcile(&namespace, "now").await;
    namespace
        .wait_for_condition("imir", "mirror", "Ready", "True")
        .await;
    assert_eq!(destination.client().tags("app").await.unwrap(), ["1"]);

    // A receiver, whose Secret is of the namespace, too.
    let token = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "events"},
        "stringData": {"token": "a-token-of-some-length"},
    });
    let receiver = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver", "metadata": {"name": "hook"},
        "spec": {"type": "Quay", "secretRef": {"name": "events"}},
    });
    namespace.apply(&format!("{token}\n---\n{receiver}")).await;
    namespace
        .wait_for_condition("irec", "hook", "Ready", "True")
        .await;

    // Somebody who is told, as far as that goes.
    let notification = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageNotification", "metadata": {"name": "chat"},
        "spec": {"type": "CloudEvents", "address": "https://events.test"},
    });
    namespace.apply(&notification.to_string()).await;
    namespace
        .wait_for_condition("inot", "chat", "Ready", "True")
        .await;

    // Everything a release does: the same event twice, tags that come, a record that is written again.
    for (seed, tag) in [(2, "2"), (3, "3")] {
        source.client().push("app", tag, &image(seed)).await;
        reconcile(&namespace, tag).await;
        let is_handled =
            |mirror: &serde_json::Value| mirror["status"]["lastHandledReconcileAt"] == tag;
        namespace
            .wait_for("imir", "mirror", "handled", is_handled)
            .await;
    }

    // A tag that is not wanted any more, and may be in use.
    let narrow = policy("all", &json!({"include": ["1"]}));
    namespace.apply(&narrow).await;
    let is_planned = |mirror: &serde_json::Value| mirror["status"]["prune"]["candidates"] == 2;
    namespace
        .wait_for("imir", "mirror", "planned", is_planned)
        .await;

    // Somebody looks at the page.
    let page = Page::of(&release.controller).await;
    let seen = page.as_owner_of(plane.admin_token()).await;
    assert_eq!(seen.status, 200, "{}", seen.body);

    let mut granted_anywhere = granted(plane, namespace.name()).await;
    granted_anywhere.extend(granted(plane, NAMESPACE).await);
    // Its last act is to hand the lease on.
    let (status, output) = release.controller.stop().await;
    assert!(status.success(), "{output}");
    let audit = plane.audit_of(USER).await;
    let (denied, answered): (Vec<_>, Vec<_>) =
        audit.into_iter().partition(|entry| entry.code == 403);
    for entry in &denied {
        let asked = (
            entry.verb.as_str(),
            entry.full_resource(),
            entry.namespace.as_str(),
        );
        assert_eq!(
            asked,
            ("get", "secrets".to_owned(), namespace.name()),
            "{entry:?}"
        );
    }
    assert!(!denied.is_empty());
    let used: BTreeSet<Right> = answered.iter().flat_map(used).collect();
    assert_eq!(granted_anywhere, used);
}
