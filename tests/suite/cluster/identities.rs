// SPDX-License-Identifier: Apache-2.0

//! Mirrors that are ServiceAccounts of their namespace in a cloud: the API server is a real one, the cloud is played.

mod chain;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::objects::Mirror;
use super::release::{NAMESPACE, Release, USER};
use crate::support::cloud::Cloud;
use crate::support::cluster::Namespace;
use crate::support::cluster::namespace::find_condition;
use crate::support::content::ImageBuilder;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::{Reply, form_values};
use crate::support::tls::Authority;
use crate::support::tunnel::Tunnel;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::123456789012:role/mirror";

/// STS, that gives keys for any token.
fn sts() -> Cloud {
    Cloud::start(|_| {
        let end = crate::support::now() + jiff::SignedDuration::from_hours(1);
        Reply::new(200).body(format!(
            "<Credentials><AccessKeyId>TEMP</AccessKeyId><SecretAccessKey>canary-temp</SecretAccessKey>\
             <SessionToken>canary-session</SessionToken><Expiration>{end:.0}</Expiration></Credentials>"
        ))
    })
}

/// ECR, whose passwords the registries of the tests take.
fn ecr() -> Cloud {
    Cloud::start(|_| {
        let Login { username, password } = Login::valid();
        let token = STANDARD.encode(format!("{username}:{password}"));
        Reply::json(
            200,
            &json!({"authorizationData": [{"authorizationToken": token}]}),
        )
    })
}

/// A mirror to ECR, by way of a proxy.
fn mirror(source: &FaultRegistry, account: Option<&str>) -> Mirror {
    let mut destination = json!({
        "name": "ecr",
        "registry": ECR,
        "provider": "AWS",
        "certSecretRef": {"name": "ca"},
        "proxySecretRef": {"name": "proxy"},
    });
    if let Some(account) = account {
        destination["serviceAccountName"] = json!(account);
    }
    Mirror::of(&source.host())
        .image("app", &["1"])
        .with("/destinations", json!([destination]))
}

fn secret(name: &str, key: &str, value: &str) -> String {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value},
    });
    format!("---\n{object}\n")
}

/// What a mirror that is not ready says.
async fn refusal(namespace: &Namespace<'_>, mirror: &str) -> String {
    let mirror = namespace
        .wait_for_condition("imir", mirror, "Ready", "False")
        .await;
    let ready = find_condition(&mirror, "Ready").unwrap();
    let text = |field: &str| ready[field].as_str().unwrap_or_default();
    let message = format!("{}: {}", text("reason"), text("message"));
    message.replace(namespace.name(), "team")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_the_service_account_that_is_granted_by_name() {
    let (sts, ecr, authority) = (sts(), ecr(), Authority::generate());
    let (source, destination) = (
        FaultRegistry::start(),
        FaultRegistry::options()
            .basic()
            .tls_with(authority.issue_for(&[ECR]).server(), &authority)
            .start(),
    );
    let image = ImageBuilder::new(1).layers(&[1024]).build();
    source.load("app", "1", &image);
    let tunnel = Tunnel::to(destination.host().parse().unwrap());
    let release = Release::install_with(&[
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
        ("AWS_ENDPOINT_URL_ECR", &ecr.url()),
        // The controller's own, which nobody may use.
        ("AWS_ACCESS_KEY_ID", "OWN"),
        ("AWS_SECRET_ACCESS_KEY", "canary-own"),
    ])
    .await;
    let plane = &release.plane;
    let namespace = plane.namespace("team").await;
    let account = format!("--serviceaccount={NAMESPACE}:transship");
    let role = "--clusterrole=transship-secret-reader";
    namespace
        .kubectl_ok(&["create", "rolebinding", "transship", role, &account])
        .await;
    let annotation = format!("eks.amazonaws.com/role-arn={ROLE}");
    namespace
        .kubectl_ok(&["create", "serviceaccount", "mirror"])
        .await;
    namespace
        .kubectl_ok(&["annotate", "serviceaccount", "mirror", &annotation])
        .await;
    let ca = secret("ca", "ca.crt", authority.pem());
    let proxy = secret("proxy", "address", &tunnel.url());
    let own = mirror(&source, None).named("own");
    let granted = mirror(&source, Some("mirror"));
    namespace.apply(&format!("{ca}{proxy}{own}{granted}")).await;

    insta::assert_snapshot!(refusal(&namespace, "own").await, @r#"AccessDenied: spec.destinations[0].provider: namespace "team" may not use the controller's own identity: add it to identity.namespaces of the Helm chart (--identity-namespaces), or name a service account with serviceAccountName"#);
    insta::assert_snapshot!(refusal(&namespace, "mirror").await, @r#"AccessDenied: spec.destinations[0].serviceAccountName: service account "mirror" of namespace "team" is not granted to Transship: add {namespace: team, name: mirror} to identity.serviceAccounts of the Helm chart, or bind a Role there that may get serviceaccounts and create serviceaccounts/token with resourceNames: [mirror]"#);
    assert!(sts.requests().is_empty() && ecr.requests().is_empty());

    // What the message says to do.
    release
        .upgrade(&format!(
            "--set=identity.serviceAccounts[0].namespace={},identity.serviceAccounts[0].name=mirror",
            namespace.name()
        ))
        .await;
    namespace
        .kubectl_ok(&["annotate", "imir/mirror", "transship.dev/reconcile-at=now"])
        .await;
    namespace
        .wait_for_condition("imir", "mirror", "Ready", "True")
        .await;
    assert_eq!(destination.tags("app"), ["1"]);

    // The API server knows the token again, as that account and for that audience.
    let asked = sts.requests();
    assert_eq!(asked.len(), 1);
    let token = form_values(&asked[0].body, "WebIdentityToken").remove(0);
    let audience = "sts.amazonaws.com";
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": token, "audiences": [audience]},
    });
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let review = plane
        .client()
        .create(reviews, &review)
        .await
        .assert_success();
    let user = format!("system:serviceaccount:{}:mirror", namespace.name());
    assert_eq!(review["status"]["authenticated"], true);
    assert_eq!(review["status"]["audiences"], json!([audience]));
    assert_eq!(review["status"]["user"]["username"], user.as_str());

    // It reads, and asks for tokens of, that account and no other.
    let audit = plane.audit_of(USER).await;
    let accounts: BTreeSet<String> = audit
        .iter()
        .filter(|entry| entry.resource == "serviceaccounts")
        .map(|entry| format!("{} {} {}", entry.verb, entry.full_resource(), entry.name))
        .collect();
    let accounts: Vec<String> = accounts.into_iter().collect();
    assert_eq!(
        accounts,
        [
            "create serviceaccounts/token mirror",
            "get serviceaccounts mirror"
        ]
    );
    let (status, output) = release.controller.stop().await;
    assert!(status.success(), "{output}");
    assert!(
        !output.contains("canary") && !output.contains(&token),
        "{output}"
    );
}
