// SPDX-License-Identifier: Apache-2.0

//! What goes wrong in the first hour of a cluster: each leads to its mend, by kubectl and by the plugin.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Plugin, image};
use crate::cluster::objects::{Mirror, policy};
use crate::cluster::stage::Stage;
use crate::support::cluster::namespace::find_condition;
use crate::support::credentials::{Login, docker_config};
use crate::support::registries::{Kind, Registry, Security};

/// A Secret with one key.
fn secret(name: &str, kind: &str, key: &str, value: &str) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": kind,
        "metadata": {"name": name}, "stringData": {key: value},
    });
    format!("---\n{secret}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_of_the_first_hour_leads_to_its_mend_in_a_cluster() {
    let start = |security| Registry::start(Kind::Distribution3, security);
    let (open, guarded, private) = tokio::join!(
        start(Security::Plain),
        start(Security::Basic),
        start(Security::Tls),
    );
    for registry in [&open, &guarded, &private] {
        registry.client().push("team/app", "1", &image(1)).await;
    }
    let stage = Stage::open("firsthour").await;
    let namespace = &stage.namespace;
    let elsewhere = docker_config(&[("other.test", &Login::valid())]);
    let wrong = docker_config(&[(&guarded.host(), &Login::wrong())]);
    let login = "kubernetes.io/dockerconfigjson";
    let objects = [
        secret("opaque", "Opaque", "username", "me"),
        secret("elsewhere", login, ".dockerconfigjson", &elsewhere),
        secret("wrong", login, ".dockerconfigjson", &wrong),
        secret("empty-ca", "Opaque", "tls.ca", "x"),
        policy("stable", &json!({"include": [".*"]})),
    ];
    namespace.apply(&objects.concat()).await;
    let of = |source: &Registry| Mirror::of(&source.host()).image("team/app", &["1"]);
    let with = |source: &Registry, pointer: &str, value: Value| of(source).with(pointer, value);
    let named = |name: &str| json!({"name": name});
    let safe = |mirror: Mirror| mirror.with("/source/insecure", false);
    let cases = [
        (
            "no-secret",
            with(&guarded, "/source/secretRef", named("none")),
        ),
        (
            "secret-of-another-type",
            with(&guarded, "/source/secretRef", named("opaque")),
        ),
        (
            "secret-for-another-registry",
            with(&guarded, "/source/secretRef", named("elsewhere")),
        ),
        (
            "another-password",
            with(&guarded, "/source/secretRef", named("wrong")),
        ),
        ("no-login", of(&guarded)),
        ("private-authority", safe(of(&private))),
        (
            "authority-without-ca",
            safe(with(&private, "/source/certSecretRef", named("empty-ca"))),
        ),
        ("plain-http", safe(of(&open))),
        (
            "nobody-there",
            Mirror::of("127.0.0.1:1").image("team/app", &["1"]),
        ),
        (
            "no-such-name",
            safe(Mirror::of("registry.invalid").image("team/app", &["1"])),
        ),
        (
            "policy-misspelt",
            with(&open, "/images/0/policyRefs", json!([{"name": "stabel"}])),
        ),
        (
            "no-such-tag",
            Mirror::of(&open.host()).image("team/app", &["9"]),
        ),
    ];
    let plugin = Plugin::of(namespace);
    let mut told = String::new();
    for (name, mirror) in cases {
        let mirror = mirror.named(name).destination("copy", &open.host()).with(
            "/destinations/0/repository",
            format!("{name}/{{repository}}"),
        );
        namespace.apply(&mirror.to_string()).await;
        let object = namespace
            .wait_for_condition("imir", name, "Ready", "False")
            .await;
        let ready = find_condition(&object, "Ready").unwrap();
        let (reason, message) = (&ready["reason"], ready["message"].as_str().unwrap());
        let described = namespace.kubectl_ok(&["describe", "imir", name]).await;
        let begin: String = message.chars().take(60).collect();
        assert!(described.contains(begin.trim_end()), "{name}: {described}");
        let status = plugin.run(&format!("status {name}")).await.stdout;
        let does = status
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("do "));
        let does = does.unwrap_or_default();
        let _ = writeln!(told, "{name}: {reason}: {message}\n  {does}");
    }
    for (registry, name) in [
        (&open, "OPEN"),
        (&guarded, "GUARDED"),
        (&private, "PRIVATE"),
    ] {
        told = told.replace(&registry.host(), name);
    }
    insta::assert_snapshot!(told.replace(namespace.name(), "NAMESPACE"));
}
